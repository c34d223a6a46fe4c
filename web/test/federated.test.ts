import { describe, expect, test } from "vitest";

import { type Examples, work } from "../src/rounds/training.ts";
import {
  added,
  classOf,
  encodeUpdate,
  exp2,
  floats,
  initialWeights,
  INK,
  levelsOfStrokes,
  lossOf,
  lossOfRaw,
  MAX_LOSS,
  Order,
  parametersOf,
  PIXELS,
  predictAll,
  quantize,
  rawLogits,
  rootOf,
  roundHalfEven,
  type Shape,
  squaredNorm,
  train,
  type Training,
} from "../src/twin/federated/index.ts";
import { toHex } from "../src/twin/index.ts";
import { vectors } from "./vectors.ts";

/** Size of the chunks of the vectors' roots, in bytes. */
const CHUNK = 32;

interface Trained {
  about: string;
  shape: Shape;
  training: Training;
  scale: number;
  initialSeed: number;
  features: number[];
  labels: number[];
  base: number[];
  changeBits: string[];
  update: number[];
  predictions: number[];
}

interface Vector {
  about: string;
  drawn: number[];
  seed: number;
  shuffledOf12: number[];
  powers: [number, string][];
}

const training = vectors<{ vectors: (Vector | Trained)[] }>(
  "federated-training.json",
).vectors;
const rules = vectors<{ vectors: { about: string }[] }>(
  "federated-rules.json",
).vectors;

function about<T>(list: readonly { about: string }[], name: string): T[] {
  const found = list.filter((it) => it.about === name);
  expect(found.length, name).toBeGreaterThan(0);
  return found as T[];
}

/** Returns the 64 bits of a number, as the vectors write them. */
function bits(number: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

describe("Order", () => {
  test("draws and shuffles as Rust does", () => {
    for (const it of about<Vector>(training, "order")) {
      const order = new Order(it.seed);
      expect(it.drawn.map(() => order.bits())).toEqual(it.drawn);
      const indices = Uint32Array.from({ length: 12 }, (_, at) => at);
      order.shuffle(indices);
      expect([...indices]).toEqual(it.shuffledOf12);
    }
    expect(new Order(0).bits()).toBe(new Order(2 ** 32 - 1).bits());
  });
});

describe("exp2", () => {
  test("has the bits of Rust", () => {
    for (const { powers } of about<Vector>(training, "exp2"))
      for (const [x, expected] of powers)
        expect(bits(exp2(x)), String(x)).toBe(expected);
    expect([-65, Number.NaN, 0.1].map(exp2)).toEqual([0, 0, 1]);
  });
});

describe("train", () => {
  test.each([
    ["softmax", 0],
    ["two layers", 5],
  ])("trains %s as Rust does", (name, hidden) => {
    for (const it of about<Trained>(training, name)) {
      expect(it.shape.hidden).toBe(hidden);
      const base = initialWeights(it.shape, it.scale, it.initialSeed);
      expect([...base]).toEqual(it.base);
      expect(parametersOf(it.shape)).toBe(base.length);
      const features = Uint8Array.from(it.features);
      const change = train(
        it.shape,
        floats(it.scale, base),
        features,
        Uint16Array.from(it.labels),
        it.training,
      );
      expect([...change].map(bits)).toEqual(it.changeBits);
      const update = quantize(8, it.scale, change);
      expect([...update]).toEqual(it.update);
      const after = floats(it.scale, added(base, update));
      const predicted = predictAll(it.shape, after, features);
      expect([...predicted]).toEqual(it.predictions);
    }
  });
});

interface Round {
  bits: 8 | 16;
  updates: number[][];
  encoded: string[];
  norms: number[];
  roots: string[];
}

describe("encodeUpdate", () => {
  test("gives the bytes, the norms and the roots of Rust", () => {
    const rounds = about<Round>(rules, "round");
    expect(new Set(rounds.map((it) => it.bits))).toEqual(new Set([8, 16]));
    for (const { bits: width, updates, encoded, norms, roots } of rounds) {
      const all = updates.map((it) => Int16Array.from(it));
      const bytes = all.map((it) => encodeUpdate(width, it));
      expect(bytes.map(toHex)).toEqual(encoded.map((it) => `0x${it}`));
      expect(all.map(squaredNorm)).toEqual(norms.map(BigInt));
      expect(bytes.map((it) => rootOf(it, CHUNK))).toEqual(roots);
    }
  });

  test("takes the smallest number of a lane, and none beyond", () => {
    const least = encodeUpdate(8, Int16Array.of(-64));
    expect(least[31]).toBe(0x40);
    for (const value of [-65, 64])
      expect(() => encodeUpdate(8, Int16Array.of(value))).toThrow("clip");
  });
});

describe("quantize", () => {
  test("rounds half to even and clips", () => {
    const update = Float64Array.of(0.5, 1.5, 2.5, -0.5, -1.5, 1e9, -1e9, NaN);
    expect([...quantize(8, 0, update)]).toEqual([0, 2, 2, 0, -2, 63, -63, 0]);
    expect([...quantize(16, 6, Float64Array.of(1, 1e9))]).toEqual([64, 16_383]);
    expect([2.4, 2.6, -2.4, -2.6].map(roundHalfEven)).toEqual([2, 3, -2, -3]);
  });
});

describe("added", () => {
  test("saturates at the bounds of 16 bits", () => {
    const weights = Int16Array.of(32_767, -32_768, 5);
    const update = Int16Array.of(63, -63, -6);
    expect([...added(weights, update)]).toEqual([32_767, -32_768, -1]);
  });
});

interface Losses {
  logits: number[];
  losses: number[];
}

interface Valued {
  features: number;
  classes: number;
  maxFeature: number;
  scale: number;
  base: number[];
  samples: { label: number; features: number[] }[];
  rawLogits: number[][];
  baseValue: number;
}

describe("lossOf", () => {
  test("gives the losses of Rust", () => {
    for (const { logits, losses } of about<Losses>(rules, "loss"))
      expect(logits.map((_, label) => lossOf(logits, label))).toEqual(losses);
  });
});

describe("rawLogits", () => {
  test("give the logits, classes and values of Rust", () => {
    for (const it of about<Valued>(rules, "values")) {
      const base = Int16Array.from(it.base);
      const weights = floats(it.scale, base);
      let value = 0;
      for (const [index, { label, features }] of it.samples.entries()) {
        const sample = Uint8Array.from(features);
        const raw = rawLogits(it, base, sample);
        expect(raw).toEqual(it.rawLogits[index]);
        value -= lossOfRaw(it, raw, label);
        // Floats and integers agree on the class.
        const shape = { ...it, hidden: 0 };
        expect(classOf(raw)).toBe(predictAll(shape, weights, sample)[0]);
      }
      expect(value).toBe(it.baseValue);
    }
    expect(lossOf([0, 0], 2)).toBe(MAX_LOSS);
  });
});

interface Drawing {
  label: number | null;
  strokes: [number, number][][];
  levels: number[];
}

interface DrawnUpdate {
  epochs: number;
  rate: number;
  batch: number;
  seed: number;
  scale: number;
  chunk: number;
  learned: number;
  base: number[];
  bytes: string;
  root: string;
  lossBefore: number;
  lossAfter: number;
}

describe("levelsOfStrokes", () => {
  const drawn = vectors<{ vectors: { about: string }[] }>(
    "federated-strokes.json",
  ).vectors;
  const { drawings } = about<{ drawings: Drawing[] }>(drawn, "drawings")[0] ?? {
    drawings: [],
  };
  const levels = (strokes: Drawing["strokes"]): Uint8Array =>
    levelsOfStrokes(strokes.map((it) => it.map(([x, y]) => ({ x, y }))));

  test("gives the pictures of Rust, and ink for every stroke", () => {
    expect(drawings.length).toBeGreaterThan(40);
    for (const { strokes, levels: expected } of drawings) {
      const found = [...levels(strokes)];
      expect(found).toEqual(expected);
      const ink = found.reduce((sum, it) => sum + it, 0);
      expect(ink > 0).toBe(strokes.length > 0);
    }
  });

  test("gives the same picture of a larger drawing elsewhere", () => {
    for (const { strokes, levels: expected } of drawings.slice(0, 10)) {
      const moved = strokes.map((it) =>
        it.map(([x, y]): [number, number] => [4 * x + 64, 4 * y + 8]),
      );
      expect([...levels(moved)]).toEqual(expected);
    }
  });

  test("leads to the update of Rust, by the work of the page", () => {
    const [it] = about<DrawnUpdate>(drawn, "update");
    if (!it) throw new Error("no update");
    const labeled = drawings.filter(({ label }) => label !== null);
    const examples = (some: Drawing[]): Examples => ({
      features: Uint8Array.from(
        some.flatMap((one) => [...levels(one.strokes)]),
      ),
      labels: Uint16Array.from(some, ({ label }) => label ?? 0),
    });
    const { bytes, gain } = work({
      model: {
        features: PIXELS,
        classes: 10,
        maxFeature: INK,
        scale: it.scale,
      },
      width: 8,
      maxSquaredNorm: 1n << 40n,
      base: Int16Array.from(it.base),
      learned: examples(labeled.slice(0, it.learned)),
      held: examples(labeled.slice(it.learned)),
      training: it,
    });
    expect(toHex(bytes)).toBe(`0x${it.bytes}`);
    expect(rootOf(bytes, it.chunk)).toBe(it.root);
    expect(gain).toMatchObject({
      held: 10,
      lossBefore: it.lossBefore,
      lossAfter: it.lossAfter,
    });
    expect(gain.rightAfter).toBeGreaterThan(gain.rightBefore);
  });
});
