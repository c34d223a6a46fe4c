/** Binary perceptrons over the presence of features, and over numbers. */

import type { Decided } from "./evidence.ts";
import { denseNumbers, sparseFeatures } from "./sample.ts";

const MIN_WEIGHT = -32_768;
const MAX_WEIGHT = 32_767;

/** State of a perceptron. */
export interface Perceptron {
  readonly encoding: "sparse" | "dense16";
  /** Weights, and lanes without meaning up to the end of the last word. */
  readonly weights: Int16Array;
  readonly learningRate: number;
  readonly intercept: bigint;
}

/** Feature of a sample with its number, which is 1 in a sparse sample. */
type Value = readonly [feature: number, number: number];

function values(model: Perceptron, sample: Uint8Array): Value[] {
  return model.encoding === "sparse"
    ? sparseFeatures(sample).map((feature) => [feature, 1])
    : denseNumbers("dense16", sample).map((number, feature) => [
        feature,
        number,
      ]);
}

/** Returns the product of each feature's weight and number: below 2^31. */
export function products(model: Perceptron, sample: Uint8Array): Value[] {
  return values(model, sample).map(([feature, number]) => [
    feature,
    (model.weights[feature] ?? 0) * number,
  ]);
}

/** Predicts class 1 if `intercept + sum(w_i * x_i) > 0`. */
export function predict(model: Perceptron, sample: Uint8Array): Decided {
  const { intercept } = model;
  // At most 65,536 products below 2^31: the sums are below 2^53.
  let positive = 0;
  let negative = 0;
  for (const [, part] of products(model, sample)) {
    if (part > 0) positive += part;
    else negative -= part;
  }
  const one = BigInt(positive) + (intercept > 0n ? intercept : 0n);
  const zero = BigInt(negative) + (intercept > 0n ? 0n : -intercept);
  return { label: one > zero ? 1 : 0, evidence: { kind: "votes", one, zero } };
}

/** Moves the weights if the prediction is wrong. Returns `true` if a weight changed. */
export function learn(
  model: Perceptron,
  label: number,
  sample: Uint8Array,
): boolean {
  if (predict(model, sample).label === label) return false;
  let changed = false;
  for (const [feature, number] of values(model, sample)) {
    // A product is below 2^47, and a division by a power of two is exact.
    const step =
      model.encoding === "sparse"
        ? model.learningRate
        : Math.floor((model.learningRate * number + 32_768) / 65_536);
    const before = model.weights[feature] ?? 0;
    const moved = before + (label === 1 ? step : -step);
    const after = Math.min(Math.max(moved, MIN_WEIGHT), MAX_WEIGHT);
    changed ||= after !== before;
    model.weights[feature] = after;
  }
  return changed;
}
