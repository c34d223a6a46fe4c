// Measures pages of a coordinator: node measure.mjs http://127.0.0.1:8080 RUNS PATH…
// It prints a table of medians, and fails if one is below 95.
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

const LEAST = 95;
const categories = ["performance", "accessibility", "best-practices", "seo"];
const [origin = "", count = "3", ...paths] = process.argv.slice(2);
const runs = Number(count);

const median = (numbers) =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Measures a page once, in a browser of its own, so that nothing is in a cache. */
async function measured(path) {
  const chrome = await launch({
    chromePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    chromeFlags: ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"],
    logLevel: "silent",
  });
  try {
    const options = { port: chrome.port, onlyCategories: categories };
    const found = await lighthouse(new URL(path, origin).href, options);
    const { lhr } = found;
    if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
    return lhr;
  } finally {
    chrome.kill();
  }
}

/** Returns the texts of what costs points in a category. */
function costs(lhr) {
  return Object.values(lhr.categories).flatMap(({ auditRefs }) =>
    auditRefs
      .map(({ id, weight }) => ({ audit: lhr.audits[id], weight }))
      .filter(({ audit, weight }) => weight > 0 && audit.score !== null)
      .filter(({ audit }) => audit.score < 0.9)
      .map(({ audit }) => `${audit.id} ${audit.displayValue ?? audit.title}`),
  );
}

/** @type {Map<string, object[]>} */
const results = new Map(paths.map((path) => [path, []]));
// The pages take turns, so that a busy moment of the machine does not fall on one of them.
for (let run = 0; run < runs; run += 1) {
  for (const path of paths) results.get(path).push(await measured(path));
}

let failed = false;
const row = (cells) => console.log(`| ${cells.join(" | ")} |`);
row(["page", ...categories, "LCP, s", "blocked, ms", "shift", "costs"]);
row(["---", ...Array(7).fill("---:"), "---"]);
for (const [path, all] of results) {
  const scores = categories.map((category) =>
    Math.round(100 * median(all.map((one) => one.categories[category].score))),
  );
  failed ||= scores.some((score) => score < LEAST);
  const number = (audit) =>
    median(all.map((one) => one.audits[audit].numericValue));
  row([
    path,
    ...scores,
    (number("largest-contentful-paint") / 1000).toFixed(1),
    number("total-blocking-time").toFixed(0),
    number("cumulative-layout-shift").toFixed(3),
    [...new Set(all.flatMap(costs))].join("; "),
  ]);
}
if (failed) {
  console.error(`a median is below ${LEAST}`);
  process.exitCode = 1;
}
