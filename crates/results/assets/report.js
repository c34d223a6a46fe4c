"use strict";
(() => {
  const { FONT, SHAPES, STEPS, axis, color, swatch } = plot;
  const data = JSON.parse(document.getElementById("chart").textContent);
  const MARKS = 9, LABELS = 40, GAP = 15;
  const percent = (value) => (value == null ? "–" : `${value.toFixed(1)} %`);

  const agentLine = ({ name, harmless, line, balance }) => (
    { label: name, kind: harmless ? "harmless" : "hostile", ...line, filled: harmless, values: balance });
  const lines = {
    accuracy: [
      { label: "model", kind: "on the chain", color: "model", dash: [], values: data.accuracy },
      { label: "baseline", kind: "trained on everything", color: "baseline", dash: [2, 4], values: data.days.map(() => data.baseline) },
    ],
    balances: data.agents.map(agentLine),
  };

  const drawMarks = (u, line, place) => {
    if (!line.shape) return;
    const { ctx } = u, ratio = uPlot.pxRatio;
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([]);
    ctx.strokeStyle = color(line.color);
    ctx.fillStyle = line.filled ? color(line.color) : color("card");
    const [first, last] = [data.days[0], data.days[data.days.length - 1]];
    for (let mark = 0; mark < MARKS; mark++) {
      const index = u.valToIdx(first + ((last - first) * (mark + 0.5)) / MARKS);
      const path = SHAPES[line.shape](
        u.valToPos(data.days[index], "x", true), u.valToPos(u.data[place][index], "y", true), 4 * ratio);
      ctx.fill(path);
      ctx.stroke(path);
    }
  };

  // Labels at the ends of lines, pushed apart where they would overlap. A chart is high enough for
  // as many as LABELS; of more, the lowest go without.
  const drawLabels = (u, own) => {
    const { ctx } = u, ratio = uPlot.pxRatio, gap = GAP * ratio;
    const labels = own
      .map((line, i) => ({ line, y: u.valToPos(line.values[line.values.length - 1], "y", true) }))
      .sort((a, b) => a.y - b.y)
      .slice(0, 1 + Math.floor(u.bbox.height / gap));
    labels.forEach((label, i) => { if (i) label.y = Math.max(label.y, labels[i - 1].y + gap); });
    let floor = u.bbox.top + u.bbox.height;
    [...labels].reverse().forEach((label) => { label.y = Math.min(label.y, floor); floor = label.y - gap; });
    ctx.font = FONT.replace("12px", `600 ${12 * ratio}px`);
    ctx.textAlign = "left";
    ctx.textBaseline = "middle";
    for (const { line, y } of labels) {
      ctx.fillStyle = color(line.color);
      ctx.fillText(short(line.label), u.bbox.left + u.bbox.width + 8 * ratio, y);
    }
  };
  const short = (label) => {
    const most = document.body.clientWidth < 520 ? 9 : 14;
    return label.length > most ? `${label.slice(0, most - 1)}…` : label;
  };
  const labelRoom = () => {
    const ctx = document.createElement("canvas").getContext("2d");
    ctx.font = FONT.replace("12px", "600 12px");
    const widths = Object.values(lines).flat().map((line) => ctx.measureText(short(line.label)).width);
    return Math.ceil(Math.max(...widths)) + 14;
  };

  const legend = (id, own) => {
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
    const outputs = own.map((line) => {
      const output = document.createElement("output");
      const plain = line.label.toLowerCase() === line.kind;
      item(swatch(line), plain ? line.label : `${line.label} (${line.kind})`, output);
      return output;
    });
    return (index) => {
      const at = index ?? data.days.length - 1;
      when.textContent = `day ${data.days[at].toFixed(1)}`;
      own.forEach((line, i) => { outputs[i].textContent = percent(line.values[at]); });
    };
  };

  const build = (id) => {
    const own = lines[id], host = document.getElementById(id);
    const tell = legend(id, own);
    tell(null);
    host.replaceChildren();
    const options = {
      width: host.clientWidth,
      height: Math.max(220, Math.min(320, host.clientWidth * 0.5), 70 + GAP * Math.min(own.length, LABELS)),
      padding: [12, labelRoom(), 0, 0],
      legend: { show: false },
      scales: { x: { time: false }, y: { range: (u, low, high) => uPlot.rangeNum(low, high, 0.08, true) } },
      axes: [{ ...axis("simulated days", 30), incrs: STEPS }, { ...axis(null, 52), values: (u, ticks) => ticks.map((tick) => `${tick} %`) }],
      cursor: { sync: { key: "days" }, y: false, drag: { x: false, y: false }, points: { size: 8 } },
      series: [{}, ...own.map((line) => ({
        label: line.label, stroke: color(line.color), width: 2, dash: line.dash, points: { show: false },
      }))],
      hooks: {
        setCursor: [(u) => tell(u.cursor.idx)],
        draw: [(u) => { own.forEach((line, i) => drawMarks(u, line, i + 1)); drawLabels(u, own); }],
      },
    };
    return new uPlot(options, [data.days, ...own.map((line) => line.values)], host);
  };

  let charts = [];
  const rebuild = () => {
    charts.forEach((chart) => chart.destroy());
    charts = Object.keys(lines).map(build);
  };
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return;
    width = contentRect.width;
    rebuild();
  }).observe(document.getElementById("accuracy"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", rebuild);
})();
