/** Updates as lanes of storage words, with a clear guard bit in each lane. */

import { WORD } from "../storage.ts";

/** Number of bits of a lane: it holds a number of one bit less. */
export type Width = 8 | 16;

/** Returns the largest number: 63 or 16,383. Clients clip to it on both sides. */
export function largestOf(width: Width): number {
  return 2 ** (width - 2) - 1;
}

/** Returns the whole number that is nearest; of two that are as near, the even one. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Rounds an update to units of `2^-scale`, half to even, and clips it to its lanes.
 *
 * A number that is none becomes 0.
 */
export function quantize(
  width: Width,
  scale: number,
  update: Float64Array,
): Int16Array {
  const most = largestOf(width);
  return Int16Array.from(update, (value) => {
    if (Number.isNaN(value)) return 0;
    return Math.max(-most, Math.min(most, roundHalfEven(value * 2 ** scale)));
  });
}

/** Returns the sum of an update's squares. */
export function squaredNorm(update: Int16Array): bigint {
  return update.reduce((sum, it) => sum + BigInt(it * it), 0n);
}

/** Adds an update to weights. Sums saturate at the bounds of 16 bits. */
export function added(weights: Int16Array, update: Int16Array): Int16Array {
  return weights.map((weight, at) =>
    Math.max(-32_768, Math.min(32_767, weight + (update[at] ?? 0))),
  );
}

/**
 * Encodes an update: storage words in the byte order of a call, the first lane of a word lowest.
 *
 * @throws RangeError if a number does not fit its lane.
 */
export function encodeUpdate(width: Width, update: Int16Array): Uint8Array {
  const size = width / 8;
  const lanes = WORD / size;
  const bytes = new Uint8Array(Math.ceil(update.length / lanes) * WORD);
  const bias = largestOf(width) + 1;
  update.forEach((value, at) => {
    if (value < -bias || value >= bias)
      throw new RangeError(
        `parameter ${at} is ${value}, expected ${-bias} to ${bias - 1}; clip the update`,
      );
    // Two's complement without the guard bit.
    const lane = value & (2 * bias - 1);
    const word = Math.floor(at / lanes);
    const last = (word + 1) * WORD - 1 - (at % lanes) * size;
    bytes[last] = lane & 0xff;
    if (width === 16) bytes[last - 1] = lane >> 8;
  });
  return bytes;
}
