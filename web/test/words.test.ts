import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import {
  type Parameters,
  decide,
  encodeText,
  learn,
  readEncoder,
  readModel,
  readTable,
  wordReasons,
} from "../src/twin/index.ts";

const words = {
  classifier: "naive-bayes",
  features: { words: ["good", "bad", "film", "good film"] },
  "word-pairs": true,
};
const bayes: Parameters = {
  learner: "naive-bayes",
  classes: 3,
  features: 4,
  smoothing: 256,
};

describe("words of a text", () => {
  test("a word that one class has speaks for it", () => {
    const encoder = readEncoder(words);
    const model = readModel(bayes, new Uint8Array(6 * 32));
    const teach = (label: number, text: string): boolean =>
      learn(model, { label, sample: encodeText(encoder, text).sample });
    const before = wordReasons(model, encoder, "good day");
    expect(before).toEqual([
      { word: "good", weight: 0 },
      { word: "day", weight: undefined },
      { word: "good day", weight: undefined },
    ]);
    for (const label of [0, 0, 1])
      teach(label, label ? "bad film" : "good film");
    const reasons = wordReasons(model, encoder, "A good, bad Film: good film");
    const weight = (word: string): number =>
      reasons.find((it) => it.word === word)?.weight ?? NaN;
    expect(reasons.map((it) => it.word).join("|")).toBe(
      "good|bad|good bad|film|bad film|good|film good|film|good film",
    );
    expect(weight("good")).toBeGreaterThan(0);
    expect(weight("bad")).toBeLessThan(0);
    expect(weight("film good")).toBeNaN();
    // Class 0 has 2 of 6 words with `film`, class 1 has 1 of 2; 1 is added to each, 4 to the sums.
    expect(weight("film")).toBeCloseTo(Math.log(3 / 10 / (2 / 6)), 12);
  });

  test("a word of word vectors is weighed by leaving it out", async () => {
    const file = "../../crates/learning/data/words-128.cotvec.gz";
    const table = await readTable(readFileSync(new URL(file, import.meta.url)));
    const encoder = readEncoder({
      classifier: "dense-nearest-centroid",
      features: { vectors: { sha256: table.sha256, dimensions: 128 } },
      scaling: {
        mean: new Array<number>(128).fill(0),
        deviation: new Array<number>(128).fill(3_000),
      },
    });
    const bounds = { maxNumber: 2 ** 31, maxSquaredLength: 1n << 69n };
    const model = readModel(
      { learner: "dense-nearest-centroid", classes: 2, features: 128, bounds },
      new Uint8Array(2 * 33 * 32),
    );
    const sample = (text: string): Uint8Array =>
      encodeText(encoder, text, table).sample;
    learn(model, { label: 0, sample: sample("a wonderful, moving film") });
    learn(model, { label: 1, sample: sample("a terrible, boring film") });
    const text = "wonderful but boring, wonderful xqzjw";
    const reasons = wordReasons(model, encoder, text, table);
    expect(reasons.map((it) => it.word)).toEqual([
      "wonderful",
      "but",
      "boring",
      ",",
      "wonderful",
      "xqzjw",
    ]);
    const [first, , boring, , again] = reasons;
    expect(decide(model, sample(text)).label).toBe(0);
    expect(first?.weight).toBeGreaterThan(0);
    expect(again?.weight).toBe(first?.weight);
    expect(boring?.weight).toBeLessThan(0);
  });
});
