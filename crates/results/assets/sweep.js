"use strict";
(() => {
  const { SHAPES, alike, axis, color, swatch, turn } = plot;
  const data = JSON.parse(document.getElementById("chart").textContent);
  const MARKS = 9, ALL_MARKS = 24, BANDS = 4;
  const clear = "rgba(0, 0, 0, 0)";
  const told = (value) => Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(+value.toPrecision(4));
  const day = (x) => `day ${x.toFixed(1)}`;
  const COLORS = 6, DASHES = [[], [10, 4], [3, 3]], MARKERS = Object.keys(SHAPES);
  const pointStyle = (place) => ({
    color: `point-${place % COLORS}`, dash: DASHES[Math.floor(place / COLORS) % DASHES.length],
    shape: MARKERS[(place + Math.floor(place / COLORS)) % MARKERS.length], filled: true,
  });
  const name = (point) => point.label || "all runs";

  // A line: x and y, perhaps low and high, and how it is drawn.
  const accuracy = (which) => ({
    label: "simulated days", when: day, bands: true, marks: MARKS,
    lines: data.points
      .map((point, place) => ({ name: name(point), ...pointStyle(place), x: point.days, ...point.accuracy }))
      .filter((_, place) => which === "all" || place === Number(which)),
  });
  const agentLines = (of) => data.agents
    .map((agent, place) => ({ name: `${agent.name} (${agent.harmless ? "harmless" : "hostile"})`, ...agent.line, filled: agent.harmless, ...of(place) }))
    .filter((line) => line.y.length);
  const balances = (which) => ({
    label: "simulated days", when: day, bands: true, marks: MARKS, limit: 100,
    lines: agentLines((agent) => ({ x: data.points[which].days, ...data.points[which].balances[agent] })),
  });
  const finals = () => {
    const step = 0.6 / Math.max(1, data.agents.length);
    return {
      label: data.points.length > 1 ? "settings" : null, limit: 100, apart: true, ticks: data.points.map((_, place) => place + 1),
      when: (x) => (data.points.length > 1 ? `number ${Math.round(x)}` : ""),
      lines: agentLines((agent) => {
        const line = { x: [], y: [], low: [], high: [] };
        data.points.forEach((point, place) => {
          const band = point.finals[agent];
          if (!band) return;
          line.x.push(place + 1 + step * (agent - (data.agents.length - 1) / 2));
          line.low.push(band[0]); line.y.push(band[1]); line.high.push(band[2]);
        });
        return line;
      }),
    };
  };
  const share = () => {
    const points = [...data.points].sort((a, b) => a.share - b.share);
    return {
      label: "hostile money, %", when: (x) => `${told(x)} %`, apart: true, dots: data.runs,
      lines: [{
        name: "median of a setting", color: "model", dash: [], shape: "circle", filled: true, x: points.map((point) => point.share),
        y: points.map((point) => point.accuracy.y.at(-1)), low: points.map((point) => point.accuracy.low.at(-1)), high: points.map((point) => point.accuracy.high.at(-1)),
      }],
    };
  };
  const study = (it, what) => {
    const honest = { color: "harmless-0", dash: [], shape: "circle", filled: true }, model = { color: "model", dash: [7, 4], shape: "diamond", filled: false };
    const chart = { label: it.axis, when: told, wide: true };
    if (what === "honest") return { ...chart, limit: 100, lines: [{ name: "median", ...honest, x: it.x, ...it.honest }], mark: it.honest_breaks };
    if (what === "gain") return { ...chart, limit: 0, lines: [{ name: "median", ...model, x: it.x, ...it.gain }], mark: it.gain_breaks };
    const lines = [{ name: "the model falls", ...model, x: it.x, ...it.falls }];
    if (it.loses) lines.unshift({ name: "honest people lose", ...honest, x: it.x, ...it.loses });
    return { ...chart, lines };
  };

  const span = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);
  const nearest = (xs, x) => xs.reduce((best, it, place) => (Math.abs(it - x) < Math.abs(xs[best] - x) ? place : best), 0);

  // The marked points of each line, and how large their marks are. Those of different lines are apart where they can be;
  // a mark that others will be drawn upon is larger than they, so that it shows around them.
  const markSizes = (chart) => {
    const later = new Map();
    const sizes = chart.lines.map((line, place) => {
      // Many lines have fewer marks each, so that those of all have room on a telephone.
      const marks = chart.marks && Math.max(2, Math.min(chart.marks, Math.floor(ALL_MARKS / chart.lines.length)));
      const every = marks ? Math.max(1, Math.floor(line.x.length / marks)) : 1;
      const first = Math.floor(((place + 0.5) * every) / chart.lines.length);
      return line.x.map((_, i) => i).filter((i) => i % every === first);
    });
    return sizes.map((_, i) => sizes.length - 1 - i).map((place) => new Map(sizes[place].map((i) => {
      const key = `${chart.lines[place].x[i]} ${chart.lines[place].y[i]}`, above = later.get(key) ?? 0;
      later.set(key, above + 1);
      return [i, 4 + 2.5 * Math.min(above, 4)];
    }))).reverse();
  };

  const draw = (u, chart) => {
    const { ctx } = u, ratio = uPlot.pxRatio;
    const at = (x, y) => [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
    const { left, top, width, height } = u.bbox;
    ctx.save();
    ctx.beginPath();
    // Marks at the edge stay whole.
    ctx.rect(left - 16 * ratio, top - 16 * ratio, width + 32 * ratio, height + 32 * ratio);
    ctx.clip();
    ctx.setLineDash([]);
    if (chart.limit != null) {
      const [, y] = at(0, chart.limit);
      ctx.strokeStyle = color("muted");
      ctx.lineWidth = ratio;
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.stroke(new Path2D(`M${left} ${y}h${width}`));
      ctx.setLineDash([]);
    }
    if (chart.mark) {
      const [x, low, high] = chart.mark;
      const [from] = low == null ? [left] : at(low, 0), [to] = high == null ? [left + width] : at(high, 0), [middle] = at(x, 0);
      ctx.fillStyle = color("hostile-0");
      ctx.globalAlpha = 0.15;
      ctx.fillRect(from, top, Math.max(ratio, to - from), height);
      ctx.globalAlpha = 1;
      ctx.fillRect(middle - ratio, top, 2 * ratio, height);
    }
    if (chart.dots) {
      ctx.fillStyle = color("muted");
      ctx.globalAlpha = 0.35;
      chart.dots[0].forEach((x, i) => ctx.fill(SHAPES.circle(...at(x, chart.dots[1][i]), 2 * ratio)));
      ctx.globalAlpha = 1;
    }
    const sizes = markSizes(chart);
    chart.lines.forEach((line, place) => {
      ctx.strokeStyle = color(line.color);
      ctx.fillStyle = line.filled ? color(line.color) : color("card");
      ctx.lineWidth = 1.5 * ratio;
      if (line.low && !chart.bands) {
        line.x.forEach((x, i) => {
          const [px, low] = at(x, line.low[i]), [, high] = at(x, line.high[i]), cap = sizes[place].get(i) * ratio;
          ctx.stroke(new Path2D(`M${px - cap} ${low}h${2 * cap}m${-cap} 0V${high}m${-cap} 0h${2 * cap}`));
        });
      }
      for (const [i, size] of sizes[place]) {
        const path = SHAPES[line.shape](...at(line.x[i], line.y[i]), size * ratio);
        ctx.fill(path);
        ctx.stroke(path);
      }
    });
    ctx.restore();
  };

  const legend = (id, chart) => {
    const list = document.getElementById(`${id}-legend`);
    list.replaceChildren();
    const item = (...children) => { const li = document.createElement("li"); li.append(...children); list.append(li); return li; };
    const when = item();
    when.className = "when";
    // Lines that are alike share an entry and its value.
    const entries = alike(chart.lines, ["x", "y", "low", "high"]).map((places) => {
      const output = document.createElement("output");
      item(...places.map((place, i) => {
        const name = document.createElement("span");
        name.className = "name";
        const text = document.createElement("span");
        text.append(chart.lines[place].name + (i < places.length - 2 ? "," : i === places.length - 2 ? " and" : ""));
        name.append(swatch(chart.lines[place]), text);
        return name;
      }), output);
      return { line: chart.lines[places[0]], count: places.length, output };
    });
    return (x) => {
      if (!chart.lines.length) return;
      const last = chart.lines[0].x;
      const here = x ?? last[last.length - 1];
      const snapped = chart.lines[0].x[nearest(chart.lines[0].x, here)];
      when.textContent = chart.when(chart.apart ? here : snapped);
      for (const { line, count, output } of entries) {
        const place = nearest(line.x, here);
        const band = line.low ? ` (${told(line.low[place])} to ${told(line.high[place])})` : "";
        output.textContent = told(line.y[place]) + band + (count === 1 ? "" : count === 2 ? ", both" : `, all ${count}`);
      }
    };
  };

  const show = (id, chart) => {
    const host = document.getElementById(id);
    const tell = legend(id, chart);
    tell(null);
    host.replaceChildren();
    const filled = chart.bands && chart.lines.length <= BANDS;
    const tables = chart.lines.map((line) => (filled ? [line.x, line.y, line.low, line.high] : [line.x, line.y]));
    const series = [{}], bands = [];
    const dashes = chart.lines.map((line) => line.dash);
    for (const places of alike(chart.lines, ["x", "y"])) {
      if (places.length > 1) places.forEach((place, i) => { dashes[place] = turn(i, places.length); });
    }
    chart.lines.forEach((line, place) => {
      const stroke = chart.apart ? clear : color(line.color);
      series.push({ label: line.name, stroke, width: 2, dash: dashes[place], points: { show: false } });
      if (!filled) return;
      series.push({ stroke: clear, width: 0, points: { show: false } }, { stroke: clear, width: 0, points: { show: false } });
      bands.push({ series: [series.length - 1, series.length - 2], fill: `${color(line.color)}30` });
    });
    const ys = chart.lines.flatMap((line) => (line.low && (filled || !chart.bands) ? [...line.low, ...line.high] : line.y));
    const [low, high] = span([...ys, ...(chart.dots ? chart.dots[1] : []), ...(chart.limit == null ? [] : [chart.limit])]);
    const [left, right] = span([...chart.lines.flatMap((line) => line.x), ...(chart.dots ? chart.dots[0] : [])]);
    // Sums of money that differ by orders of magnitude would all lie at the left.
    const logarithmic = chart.wide && left > 0 && right > 50 * left;
    const room = chart.marks ? 0 : chart.ticks ? 0.5 : 0.05 * (right - left) || 1;
    const range = logarithmic ? [left / 1.3, right * 1.3] : [left - room, right + room];
    const compact = (value) => value.toLocaleString("en", { notation: "compact" });
    const tried = logarithmic && { splits: () => chart.lines[0].x, filter: (u, splits) => splits, values: (u, splits) => splits.map(compact) };
    const ticks = chart.ticks && { splits: () => chart.ticks, values: (u, splits) => splits.map((it) => (data.points.length > 1 ? String(it) : "")) };
    const options = {
      width: host.clientWidth, height: Math.max(220, Math.min(320, host.clientWidth * 0.5)),
      padding: [12, 16, 0, 0], legend: { show: false }, bands,
      scales: { x: { time: false, distr: logarithmic ? 3 : 1, range: () => range }, y: { range: () => uPlot.rangeNum(low, high, 0.08, true) } },
      axes: [{ ...axis(chart.label, 30), ...tried, ...ticks }, axis(null, 52)],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      series,
      hooks: { setCursor: [(u) => tell(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null)], draw: [(u) => draw(u, chart)] },
    };
    return new uPlot(options, uPlot.join(tables), host);
  };

  const chosen = (id, other) => document.getElementById(`${id}-point`)?.value ?? other;
  const charts = {
    accuracy: () => accuracy(chosen("accuracy", "all")),
    balances: () => balances(chosen("balances", 0)),
    finals, share,
  };
  data.studies.forEach((it, place) => {
    if (it.honest) charts[`study-${place}-honest`] = () => study(it, "honest");
    charts[`study-${place}-gain`] = () => study(it, "gain");
    charts[`study-${place}-shares`] = () => study(it, "shares");
  });
  const shown = {};
  const rebuild = (id) => { shown[id]?.destroy(); shown[id] = show(id, charts[id]()); };
  const all = () => Object.keys(charts).forEach(rebuild);
  ["accuracy", "balances"].forEach((id) => document.getElementById(`${id}-point`)?.addEventListener("change", () => rebuild(id)));
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width === width) return;
    width = contentRect.width;
    all();
  }).observe(document.getElementById("accuracy"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
})();
