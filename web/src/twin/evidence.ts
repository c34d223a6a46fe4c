/** Exact quantities behind a prediction, and the scores that follow from them. */

import { bitLength } from "./integer.ts";

/** Quotient `numerator / denominator * 2^exponent`, not negative. */
export interface Fraction {
  readonly numerator: bigint;
  /** Above 0. */
  readonly denominator: bigint;
  readonly exponent: number;
}

/**
 * Quantities that a model compares to predict the class of a sample.
 *
 * The lists have an entry for each class; it is `undefined` for a class without samples.
 */
export type Evidence =
  | {
      readonly kind: "votes";
      /** Sum of the parts that speak for class 1. */
      readonly one: bigint;
      /** Sum of the parts that speak for class 0, without their sign. */
      readonly zero: bigint;
    }
  | {
      readonly kind: "scores";
      readonly classes: readonly (Fraction | undefined)[];
    }
  | {
      readonly kind: "squared-distances";
      readonly classes: readonly (Fraction | undefined)[];
    };

/** Predicted class, with the quantities that decided it. */
export interface Decided {
  readonly label: number;
  readonly evidence: Evidence;
}

/**
 * Returns how sure the model is of the class `label`, from 0 to 1: the share of votes, the
 * posterior or the relative distance, as `cotrain_learning::score` defines them, to the bit.
 *
 * It is `null` if there is nothing to compare.
 */
export function score(evidence: Evidence, label: number): number | null {
  switch (evidence.kind) {
    case "votes": {
      const all = toFloat(evidence.one + evidence.zero);
      const best = label === 1 ? evidence.one : evidence.zero;
      return all > 0 ? toFloat(best) / all : null;
    }
    case "scores":
      return posterior(evidence.classes, label);
    case "squared-distances":
      return relativeDistance(evidence.classes, label);
  }
}

/** Returns the share of the best class in the sum of all scores. */
function posterior(
  classes: readonly (Fraction | undefined)[],
  label: number,
): number | null {
  const best = classes[label];
  if (best === undefined) return null;
  let sum = 0;
  for (const one of classes) {
    if (one !== undefined) sum += ratio(one, best);
  }
  return 1 / sum;
}

/** Returns `d2 / (d1 + d2)` for the distances of the nearest and the second nearest centroid. */
function relativeDistance(
  classes: readonly (Fraction | undefined)[],
  nearest: number,
): number | null {
  const first = classes[nearest];
  if (first === undefined) return null;
  const d1 = Math.sqrt(toNumber(first));
  const second = secondNearest(classes, nearest);
  if (second === undefined) return 1;
  const d2 = Math.sqrt(toNumber(second[1]));
  return d1 + d2 > 0 ? d2 / (d1 + d2) : 0.5;
}

/** Returns the nearest class but one, with its squared distance. */
function secondNearest(
  classes: readonly (Fraction | undefined)[],
  nearest: number,
): readonly [number, Fraction] | undefined {
  let second: readonly [number, Fraction] | undefined;
  classes.forEach((square, label) => {
    if (square === undefined || label === nearest) return;
    if (second === undefined || toNumber(square) < toNumber(second[1])) {
      second = [label, square];
    }
  });
  return second;
}

/** Returns the class that a prediction nearly was; `undefined` if there is no other. */
export function runnerUp(
  evidence: Evidence,
  label: number,
): number | undefined {
  switch (evidence.kind) {
    case "votes":
      return 1 - label;
    case "squared-distances":
      return secondNearest(evidence.classes, label)?.[0];
    case "scores": {
      const best = evidence.classes[label];
      let second: readonly [number, number] | undefined;
      evidence.classes.forEach((one, other) => {
        if (one === undefined || best === undefined || other === label) return;
        const share = logarithm(one);
        if (second === undefined || share > second[1]) second = [other, share];
      });
      return second?.[0];
    }
  }
}

/** Returns the natural logarithm of a quotient. */
export function logarithm(of: Fraction): number {
  return (
    Math.log(toFloat(of.numerator) / toFloat(of.denominator)) +
    of.exponent * Math.LN2
  );
}

/** Returns the value of a quotient whose exponent is 0. */
export function toNumber(of: Fraction): number {
  return toFloat(of.numerator) / toFloat(of.denominator);
}

/** Returns a quotient divided by another one that is not 0. Below 2^-1022, it is 0. */
function ratio(of: Fraction, to: Fraction): number {
  const mantissa = toNumber(of) / toNumber(to);
  return mantissa * powerOfTwo(of.exponent - to.exponent);
}

/** Returns `2^exponent` exactly; 0 below the normal numbers, infinity above all. */
function powerOfTwo(exponent: number): number {
  const biased = exponent + 1_023;
  if (biased <= 0) return 0;
  if (biased > 2_046) return Infinity;
  const bits = new DataView(new ArrayBuffer(8));
  bits.setBigUint64(0, BigInt(biased) << 52n);
  return bits.getFloat64(0);
}

/** Returns a number, cut to the highest 64 bits and rounded to a float. */
function toFloat(number: bigint): number {
  const shift = Math.max(bitLength(number) - 64, 0);
  return Number(number >> BigInt(shift)) * powerOfTwo(shift);
}
