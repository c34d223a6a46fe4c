/** Encodings of samples and batches as bytes (docs/spec.md). All numbers are big-endian. */

import { viewOf } from "./bytes.ts";
import { RefusedError } from "./error.ts";

/** Encoding of a sample. */
export type Encoding = "sparse" | "dense16" | "dense32";

/** Labeled sample of a batch. */
export interface Item {
  /** Class of the sample, from 0. */
  readonly label: number;
  readonly sample: Uint8Array;
}

/** Largest numbers that a dense model learns from, in the integers of its samples. */
export interface Bounds {
  /** Largest absolute number, 1 to 2^15 (16 bits) or 2^31 (32 bits). */
  readonly maxNumber: number;
  /** Largest sum of the squares of a sample's numbers. */
  readonly maxSquaredLength: bigint;
}

/** Encodes the present features, whose order only a model checks. */
export function encodeSparse(features: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(features.length * 2);
  const view = viewOf(bytes);
  features.forEach((feature, at) => view.setUint16(at * 2, feature));
  return bytes;
}

/** Encodes 16-bit numbers, one a feature. */
export function encodeDense16(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 2);
  const view = viewOf(bytes);
  numbers.forEach((number, at) => view.setInt16(at * 2, number));
  return bytes;
}

/** Encodes 32-bit numbers, one a feature. */
export function encodeDense32(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 4);
  const view = viewOf(bytes);
  numbers.forEach((number, at) => view.setInt32(at * 4, number));
  return bytes;
}

/** Returns the features of a sparse sample. A last odd byte is ignored. */
export function sparseFeatures(sample: Uint8Array): number[] {
  const view = viewOf(sample);
  return Array.from({ length: sample.length >> 1 }, (_, at) =>
    view.getUint16(at * 2),
  );
}

/** Returns the numbers of a dense sample; none of a sparse one. */
export function denseNumbers(encoding: Encoding, sample: Uint8Array): number[] {
  const view = viewOf(sample);
  switch (encoding) {
    case "sparse":
      return [];
    case "dense16":
      return Array.from({ length: sample.length >> 1 }, (_, at) =>
        view.getInt16(at * 2),
      );
    case "dense32":
      return Array.from({ length: sample.length >> 2 }, (_, at) =>
        view.getInt32(at * 4),
      );
  }
}

/**
 * Checks a sample of a model with so many features. Errors name `item`, its index in the batch.
 *
 * @throws RefusedError
 */
export function checkSample(
  encoding: Encoding,
  item: number,
  sample: Uint8Array,
  features: number,
): void {
  const length = sample.length;
  if (encoding !== "sparse") {
    const expected = (encoding === "dense16" ? 2 : 4) * features;
    if (length !== expected) {
      throw new RefusedError({
        kind: "WrongSampleLength",
        item,
        length,
        expected,
      });
    }
    return;
  }
  if (length % 2 !== 0) {
    throw new RefusedError({ kind: "OddSampleLength", item, length });
  }
  let previous = -1;
  sparseFeatures(sample).forEach((feature, at) => {
    if (feature <= previous) {
      throw new RefusedError({
        kind: "FeatureNotIncreasing",
        item,
        at,
        feature,
        previous,
      });
    }
    previous = feature;
  });
  if (previous >= features) {
    const at = length / 2 - 1;
    throw new RefusedError({
      kind: "FeatureOutOfRange",
      item,
      at,
      feature: previous,
      features,
    });
  }
}

/** Returns the sum of the squares of a sample's numbers. */
export function squaredLength(numbers: readonly number[]): bigint {
  return numbers.reduce((sum, number) => sum + BigInt(number) ** 2n, 0n);
}

/**
 * Checks that a well-formed sample is within the bounds of learning.
 *
 * @throws RefusedError for the first number that is too large, then for the squared length.
 */
export function checkBounds(
  bounds: Bounds,
  encoding: Encoding,
  item: number,
  sample: Uint8Array,
): void {
  const numbers = denseNumbers(encoding, sample);
  numbers.forEach((number, feature) => {
    if (Math.abs(number) > bounds.maxNumber) {
      throw new RefusedError({
        kind: "NumberTooLarge",
        item,
        feature,
        number,
        max: bounds.maxNumber,
      });
    }
  });
  const squared = squaredLength(numbers);
  if (squared > bounds.maxSquaredLength) {
    throw new RefusedError({
      kind: "SquaredLengthTooLarge",
      item,
      squaredLength: squared,
      max: bounds.maxSquaredLength,
    });
  }
}

/**
 * Encodes a batch: `label (2) | length (2) | sample` an item.
 *
 * @throws RefusedError for the first sample above 65,535 bytes.
 */
export function encodeBatch(items: readonly Item[]): Uint8Array {
  const length = items.reduce((sum, item) => sum + 4 + item.sample.length, 0);
  const batch = new Uint8Array(length);
  const view = viewOf(batch);
  let at = 0;
  items.forEach(({ label, sample }, item) => {
    if (sample.length > 0xffff) {
      throw new RefusedError({
        kind: "SampleTooLong",
        item,
        length: sample.length,
      });
    }
    view.setUint16(at, label);
    view.setUint16(at + 2, sample.length);
    batch.set(sample, at + 4);
    at += 4 + sample.length;
  });
  return batch;
}

/**
 * Returns the items of a batch. `check` is called with each as soon as it is parsed, so the error
 * of an item comes before the error of a malformed end behind it.
 *
 * @throws RefusedError
 */
export function parseBatch(
  batch: Uint8Array,
  check: (index: number, item: Item) => void = () => undefined,
): Item[] {
  if (batch.length === 0) throw new RefusedError({ kind: "EmptyBatch" });
  const view = viewOf(batch);
  const items: Item[] = [];
  let offset = 0;
  while (offset < batch.length) {
    const start = offset + 4;
    const end =
      start <= batch.length ? start + view.getUint16(offset + 2) : Infinity;
    if (end > batch.length) {
      throw new RefusedError({ kind: "MalformedBatch", offset });
    }
    const item = {
      label: view.getUint16(offset),
      sample: batch.slice(start, end),
    };
    check(items.length, item);
    items.push(item);
    offset = end;
  }
  return items;
}
