"use strict";
// Runs the scripts of a sweep's page without a browser, and prints its charts as JSON.
// Each chart has the entries of its legend, its marks, and its lines with dashes and last moment.
// Usage: `node page.js report.html`

const fs = require("fs"), vm = require("vm");
const page = fs.readFileSync(process.argv[2], "utf8");
const scripts = [...page.matchAll(/<script>\n?([\s\S]*?)<\/script>/g)].map((match) => match[1]);
const [, data] = page.match(/<script type="application\/json" id="chart">([\s\S]*?)<\/script>/);

class Element {
  constructor() { this.children = []; this.textContent = ""; this.clientWidth = 900; }
  append(...children) { this.children.push(...children); }
  replaceChildren() { this.children = []; }
  setAttribute() {}
  addEventListener() {}
  get text() {
    const own = this.children.map((child) => (typeof child === "string" ? child : child.text));
    return [this.textContent, ...own].filter(Boolean).join(" ");
  }
}

const elements = { chart: Object.assign(new Element(), { textContent: data }) };
const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
const document = {
  documentElement: new Element(),
  createElement: () => new Element(),
  createElementNS: () => new Element(),
  // Without the elements of choices, each choice keeps its initial value.
  getElementById: (id) => (ids.has(id) && !id.endsWith("-point") ? elements[id] ??= new Element() : null),
};
const charts = {};
let marks = [];
class Path2D {
  arc(x, y, size) { marks.push({ x, y, size }); }
}
const drawing = { save() {}, restore() {}, beginPath() {}, rect() {}, clip() {}, setLineDash() {}, stroke() {}, fill() {}, fillRect() {} };
class Recorded {
  static pxRatio = 1;
  static join = (tables) => tables;
  static rangeNum = (low, high) => [low, high];
  constructor(options, tables, host) {
    const [id] = Object.entries(elements).find(([, element]) => element === host);
    const lines = options.series.slice(1).filter((line) => line.label);
    const each = tables.map((table) => table[0].at(-1));
    marks = [];
    const valToPos = (value) => value;
    options.hooks.draw.forEach((draw) => draw({ ctx: drawing, bbox: { left: 0, top: 0, width: 900, height: 300 }, valToPos }));
    charts[id] = {
      legend: elements[`${id}-legend`].children.map((entry) => entry.text),
      lines: lines.map(({ label, dash }, i) => ({ label, dash, end: each[i] })),
      marks,
    };
  }
}
const context = vm.createContext({
  document, Path2D,
  getComputedStyle: () => ({ getPropertyValue: (name) => name }),
  matchMedia: () => new Element(),
  ResizeObserver: class {
    constructor(resized) { this.resized = resized; }
    observe() { this.resized([{ contentRect: { width: 900 } }]); }
  },
});
vm.runInContext(scripts[0], context);
context.uPlot = Recorded;
// All marks become circles, because only their positions matter here.
vm.runInContext("for (const shape in plot.SHAPES) plot.SHAPES[shape] = plot.SHAPES.circle;", context);
vm.runInContext(scripts[1], context);
process.stdout.write(JSON.stringify(charts));
