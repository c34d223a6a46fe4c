/** Learners of many classes: naive Bayes and the nearest centroids. */

import type { Decided, Evidence, Fraction } from "./evidence.ts";
import { clamp, least } from "./integer.ts";
import { exceeds, multiply, quotient } from "./quotient.ts";
import { denseNumbers, sparseFeatures } from "./sample.ts";
import type { Header } from "./storage.ts";

const FULL = 0xffff_ffff;
const MAX_COUNT = 0xffff;
const MAX_TOTAL = (1n << 128n) - 1n;
const MIN_SUM = -(1n << 63n);
const MAX_SUM = (1n << 63n) - 1n;

/** Counts of present features, for each class. */
export interface Counts {
  readonly headers: Header[];
  readonly lanes: Uint16Array;
  /** Number of lanes of a class, with those without meaning. */
  readonly stride: number;
}

/** Sums of numbers, for each class. */
export interface Sums {
  readonly headers: Header[];
  readonly lanes: BigInt64Array;
  readonly stride: number;
}

/** State of naive Bayes. */
export interface NaiveBayes extends Counts {
  readonly features: number;
  readonly smoothing: number;
}

/** Returns an entry for each class; `undefined` for one without samples. */
function each<T>(
  headers: readonly Header[],
  score: (header: Header, label: number) => T,
): (T | undefined)[] {
  return headers.map((header, label) =>
    header.samples > 0 ? score(header, label) : undefined,
  );
}

/** Returns the first class that no later one beats; 0 if none has learned from a sample. */
function best<T>(
  scores: readonly (T | undefined)[],
  beats: (one: T, best: T) => boolean,
): number {
  let found: readonly [number, T] | undefined;
  scores.forEach((one, label) => {
    if (one === undefined) return;
    if (found === undefined || beats(one, found[1])) found = [label, one];
  });
  return found?.[0] ?? 0;
}

/** Returns the count of a feature in a class. */
export function countOf(model: Counts, label: number, feature: number): number {
  return model.lanes[label * model.stride + feature] ?? 0;
}

/** Returns `256 * T_c + a * F`, the divisor of each factor of a class's score. */
export function bayesDivisor(model: NaiveBayes, header: Header): bigint {
  const total = BigInt.asUintN(48, header.total);
  return 256n * total + BigInt(model.smoothing) * BigInt(model.features);
}

/** Returns `n_c * product(256 * k_cf + a) / (256 * T_c + a * F) ^ m` of each class. */
function bayesScores(
  model: NaiveBayes,
  sample: Uint8Array,
): (Fraction | undefined)[] {
  const features = sparseFeatures(sample);
  return each(model.headers, (header, label) => {
    const divisor = bayesDivisor(model, header);
    const numerator = { mantissa: BigInt(header.samples), exponent: 0 };
    const denominator = { mantissa: 1n, exponent: 0 };
    for (const feature of features) {
      const count = countOf(model, label, feature);
      multiply(numerator, BigInt(256 * count + model.smoothing));
      multiply(denominator, divisor);
    }
    return quotient(numerator, denominator);
  });
}

/** Predicts the class with the highest score of naive Bayes. */
export function predictBayes(model: NaiveBayes, sample: Uint8Array): Decided {
  const classes = bayesScores(model, sample);
  const evidence: Evidence = { kind: "scores", classes };
  return { label: best(classes, exceeds), evidence };
}

/** Squared distance `numerator / denominator` from a centroid. */
interface Distance {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

function isNearer(one: Distance, other: Distance): boolean {
  return one.numerator * other.denominator < other.numerator * one.denominator;
}

/** Returns `(Q - 2*S*n) / n^2` of each class: the squared distance less that of the sample from 0. */
function sparseDistances(
  model: Counts,
  sample: Uint8Array,
): (Distance | undefined)[] {
  const features = sparseFeatures(sample);
  return each(model.headers, (header, label) => {
    let sum = 0;
    for (const feature of features) sum += countOf(model, label, feature);
    const samples = BigInt(header.samples);
    return {
      numerator: header.total - 2n * BigInt(sum) * samples,
      denominator: samples * samples,
    };
  });
}

/** Predicts the class with the nearest centroid of presence. */
export function predictSparse(model: Counts, sample: Uint8Array): Decided {
  const distances = sparseDistances(model, sample);
  const present = BigInt(sample.length >> 1);
  const classes = distances.map((distance) => {
    if (distance === undefined) return undefined;
    const { denominator } = distance;
    const squared = distance.numerator + denominator * present;
    // Words that an owner made up may leave it below 0.
    const numerator = squared > 0n ? squared : 0n;
    return { numerator, denominator, exponent: 0 };
  });
  const evidence: Evidence = { kind: "squared-distances", classes };
  return { label: best(distances, isNearer), evidence };
}

/** Returns `sum((n*x_f - s_f)^2) / n^2` of each class. */
function denseDistances(
  model: Sums,
  sample: Uint8Array,
): (Fraction | undefined)[] {
  const numbers = denseNumbers("dense32", sample).map(BigInt);
  return each(model.headers, (header, label) => {
    const samples = BigInt(header.samples);
    const start = label * model.stride;
    let numerator = 0n;
    numbers.forEach((number, feature) => {
      const sum = model.lanes[start + feature] ?? 0n;
      const difference = samples * number - sum;
      numerator += difference * difference;
    });
    return { numerator, denominator: samples * samples, exponent: 0 };
  });
}

/** Predicts the class with the nearest centroid of numbers. */
export function predictDense(model: Sums, sample: Uint8Array): Decided {
  const classes = denseDistances(model, sample);
  const evidence: Evidence = { kind: "squared-distances", classes };
  return { label: best(classes, isNearer), evidence };
}

/**
 * Counts a sample's features for its class. Returns `false` if the class is full.
 *
 * `grow` takes the total and a feature's old count, and returns the total after it has risen.
 */
function count(
  model: Counts,
  label: number,
  sample: Uint8Array,
  grow: (total: bigint, count: number) => bigint,
): boolean {
  const header = model.headers[label];
  if (header === undefined || header.samples === FULL) return false;
  for (const feature of sparseFeatures(sample)) {
    const before = countOf(model, label, feature);
    if (before === MAX_COUNT) continue;
    header.total = least(grow(header.total, before), MAX_TOTAL);
    model.lanes[label * model.stride + feature] = before + 1;
  }
  header.samples += 1;
  return true;
}

/** Learns by naive Bayes. Returns `true` if the model changed. */
export function learnBayes(
  model: Counts,
  label: number,
  sample: Uint8Array,
): boolean {
  return count(model, label, sample, (total) => total + 1n);
}

/** Learns by the sparse nearest centroid. Returns `true` if the model changed. */
export function learnSparse(
  model: Counts,
  label: number,
  sample: Uint8Array,
): boolean {
  return count(
    model,
    label,
    sample,
    (total, before) => total + BigInt(2 * before + 1),
  );
}

/** Learns by the dense nearest centroid. Returns `true` if the model changed. */
export function learnDense(
  model: Sums,
  label: number,
  sample: Uint8Array,
): boolean {
  const header = model.headers[label];
  if (header === undefined || header.samples === FULL) return false;
  denseNumbers("dense32", sample).forEach((number, feature) => {
    const lane = label * model.stride + feature;
    const sum = (model.lanes[lane] ?? 0n) + BigInt(number);
    model.lanes[lane] = clamp(sum, MIN_SUM, MAX_SUM);
  });
  header.samples += 1;
  return true;
}
