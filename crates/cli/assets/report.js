"use strict";
(() => {
  const data = JSON.parse(document.getElementById("chart").textContent);
  const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  const MARKS = 9, LABELS = 40, GAP = 15;
  const STEPS = [0.01, 0.05, 0.1, 0.5, ...[1, 10, 100, 1000].flatMap((ten) => [ten, 2 * ten, 5 * ten])];
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const percent = (value) => (value == null ? "–" : `${value.toFixed(1)} %`);

  // A line is told by its dashes, its marks and the label at its end; the colour only helps.
  const SHAPES = {
    circle: (x, y, r) => { const p = new Path2D(); p.arc(x, y, r, 0, 2 * Math.PI); return p; },
    square: (x, y, r) => new Path2D(`M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`),
    diamond: (x, y, r) => new Path2D(`M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`),
    triangle: (x, y, r) => new Path2D(`M${x} ${y - 1.2 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`),
  };
  const agentLine = ({ name, good, line, balance }) => (
    { label: name, kind: good ? "good" : "bad", ...line, filled: good, values: balance });
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

  const SVG = "http://www.w3.org/2000/svg";
  const swatch = (line) => {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 38 14");
    svg.setAttribute("aria-hidden", "true");
    const part = (tag, attributes) => {
      const element = document.createElementNS(SVG, tag);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      svg.append(element);
    };
    const stroke = `var(--${line.color})`;
    part("path", { d: "M0 7H38", stroke, "stroke-width": 2, "stroke-dasharray": line.dash.join(" ") || "none" });
    const fill = line.filled ? stroke : "var(--card)";
    const d = { circle: "M15 7a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", square: "M15 3h8v8h-8z", diamond: "M19 2l5 5l-5 5l-5 -5z", triangle: "M19 2l5 9h-10z" };
    if (line.shape) part("path", { d: d[line.shape], stroke, fill, "stroke-width": 1.5 });
    return svg;
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

  const axis = (label, size) => ({
    label, size, font: FONT, labelFont: FONT, labelSize: 20, stroke: color("muted"),
    grid: { stroke: color("rule"), width: 1 }, ticks: { stroke: color("rule"), width: 1, size: 5 },
  });
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
