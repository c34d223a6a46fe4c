
// What the pages of runs and of sweeps share.
const plot = (() => {
  "use strict";
  const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  const STEPS = [0.01, 0.05, 0.1, 0.5, ...[1, 10, 100, 1000].flatMap((ten) => [ten, 2 * ten, 5 * ten])];
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  // A line is told by its dashes, its marks and the label at its end; the colour only helps.
  const SHAPES = {
    circle: (x, y, r) => { const p = new Path2D(); p.arc(x, y, r, 0, 2 * Math.PI); return p; },
    square: (x, y, r) => new Path2D(`M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`),
    diamond: (x, y, r) => new Path2D(`M${x} ${y - 1.3 * r}l${1.3 * r} ${1.3 * r}l${-1.3 * r} ${1.3 * r}l${-1.3 * r} ${-1.3 * r}z`),
    triangle: (x, y, r) => new Path2D(`M${x} ${y - 1.2 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`),
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

  const axis = (label, size) => ({
    label, size, font: FONT, labelFont: FONT, labelSize: 20, stroke: color("muted"),
    grid: { stroke: color("rule"), width: 1 }, ticks: { stroke: color("rule"), width: 1, size: 5 },
  });

  // The places of lines with the same values of some keys: [[0, 2], [1]] if the first and the third are alike.
  const alike = (lines, keys) => {
    const groups = new Map();
    lines.forEach((line, place) => {
      const values = JSON.stringify(keys.map((key) => line[key]));
      groups.set(values, [...(groups.get(values) ?? []), place]);
    });
    return [...groups.values()];
  };

  // The dashes of one of several lines that lie on each other: they show in turns, none hides another.
  const TURN = 8;
  const turn = (place, count) => [0, TURN * place, TURN, TURN * (count - 1 - place)];

  return { FONT, SHAPES, STEPS, alike, axis, color, swatch, turn };
})();
