"use strict";
(() => {
  const { STEPS, axis, color, swatch } = plot;
  const data = JSON.parse(document.getElementById("chart").textContent);
  const percent = (value) => (value == null ? "–" : `${value.toFixed(1)} %`);
  const whole = (value) => (value == null ? "–" : value.toFixed(0));

  const charts = {
    accuracy: {
      rounds: data.accuracy.map((_, round) => round),
      form: percent,
      lines: [
        { label: data.rule, color: "model", dash: [], values: data.accuracy },
        { label: "plain mean", color: "baseline", dash: [2, 4], values: data.by_mean },
      ],
    },
    values: {
      rounds: data.accuracy.slice(1).map((_, round) => round + 1),
      form: whole,
      lines: data.kinds.map(({ name, harmless, values }) => (
        { label: name, color: harmless ? "harmless-0" : "hostile-0", dash: harmless ? [] : [7, 4], values })),
    },
  };

  const legend = (id, { rounds, form, lines }) => {
    const list = document.getElementById(`${id}-legend`);
    const item = (...children) => {
      const li = document.createElement("li");
      li.append(...children);
      list.append(li);
      return li;
    };
    list.replaceChildren();
    const when = item();
    when.className = "when";
    const outputs = lines.map((line) => {
      const output = document.createElement("output");
      item(swatch(line), line.label, output);
      return output;
    });
    return (index) => {
      const at = index ?? rounds.length - 1;
      when.textContent = `round ${rounds[at]}`;
      lines.forEach((line, i) => { outputs[i].textContent = form(line.values[at]); });
    };
  };

  const build = (id) => {
    const { rounds, form, lines } = charts[id], host = document.getElementById(id);
    const tell = legend(id, charts[id]);
    tell(null);
    host.replaceChildren();
    const options = {
      width: host.clientWidth,
      height: Math.max(220, Math.min(320, host.clientWidth * 0.5)),
      padding: [12, 16, 0, 0],
      legend: { show: false },
      scales: { x: { time: false }, y: { range: (u, low, high) => uPlot.rangeNum(low ?? 0, high ?? 1, 0.08, true) } },
      axes: [{ ...axis("round", 30), incrs: STEPS.filter((step) => step >= 1) }, { ...axis(null, 60), values: (u, ticks) => ticks.map((tick) => (form === percent ? `${tick} %` : `${tick}`)) }],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
      series: [{}, ...lines.map((line) => ({
        label: line.label, stroke: color(line.color), width: 2, dash: line.dash, points: { show: rounds.length < 2 },
      }))],
      hooks: { setCursor: [(u) => tell(u.cursor.idx)] },
    };
    return new uPlot(options, [rounds, ...lines.map((line) => line.values)], host);
  };

  let built = [];
  const rebuild = () => {
    built.forEach((chart) => chart.destroy());
    built = Object.keys(charts).map(build);
  };
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return;
    width = contentRect.width;
    rebuild();
  }).observe(document.getElementById("accuracy"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuild);
})();
