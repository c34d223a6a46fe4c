// Measures an epoch of the page's training on 1,000 digits, for softmax regression and two layers.
//
//     node tools/epoch.mjs
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { runnerImport } from "vite";

const [DIGITS, RUNS, SCALE] = [1_000, 9, 6];

const { module } = await runnerImport("./src/twin/federated/index.ts");
const data = new URL(
  "../../crates/learning/data/digits.csv.gz",
  import.meta.url,
);
const rows = gunzipSync(readFileSync(data)).toString("utf8").trim().split("\n");
const numbers = rows
  .slice(-DIGITS)
  .map((row) => row.split(",").map((cell) => Number(cell)));
const features = Uint8Array.from(numbers.flatMap((row) => row.slice(0, 64)));
const labels = Uint16Array.from(numbers, (row) => row[64]);

for (const hidden of [0, 32]) {
  const shape = { features: 64, hidden, classes: 10, maxFeature: 16 };
  const base = module.floats(SCALE, module.initialWeights(shape, SCALE, 1));
  const terms = { epochs: 1, rate: 0.5, batch: 16, seed: 1 };
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    module.train(shape, base, features, labels, terms);
    return performance.now() - start;
  });
  times.sort((one, other) => one - other);
  const name = hidden === 0 ? "softmax regression" : `${hidden} hidden units`;
  const [median, longest] = [times[RUNS >> 1], times.at(-1)];
  console.log(
    `${name}: ${median.toFixed(1)} ms an epoch of ${labels.length} digits, at most ${longest.toFixed(1)} of ${RUNS}`,
  );
}
