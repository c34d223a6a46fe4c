/**
 * Storage of models: words of 256 bits, big-endian, whose first lane is the least significant.
 *
 * Bits without meaning are kept, as the contract keeps them.
 */

import { viewOf } from "./bytes.ts";
import { UnusableError } from "./error.ts";

/** Size of a word, in bytes. */
export const WORD = 32;

/** Header of a class. */
export interface Header {
  /** Number of samples that the class has learned from. */
  samples: number;
  /** Sum over the class, below 2^128, as its learner defines it. */
  total: bigint;
  /** Highest 96 bits of the word, which have no meaning. */
  unused: bigint;
}

/** Returns the number of words of so many lanes of `bits` bits. */
export function wordsOf(lanes: number, bits: number): number {
  return Math.ceil((lanes * bits) / 256);
}

/** Checks the size of a model's words. */
export function checkSize(bytes: Uint8Array, words: number): void {
  if (bytes.length !== words * WORD) {
    throw new UnusableError(
      `cannot read the weights: they have ${bytes.length} bytes, expected ${words * WORD}; load the model again`,
    );
  }
}

/** Reads all lanes of 16 bits with a sign. */
export function readInt16(bytes: Uint8Array): Int16Array {
  const view = viewOf(bytes);
  const lanes = new Int16Array(bytes.length / 2);
  for (let lane = 0; lane < lanes.length; lane += 1) {
    lanes[lane] = view.getInt16(offset(lane, 2));
  }
  return lanes;
}

/** Reads all lanes of 16 bits. */
export function readUint16(bytes: Uint8Array): Uint16Array {
  return new Uint16Array(readInt16(bytes).buffer);
}

/** Reads all lanes of 64 bits with a sign. */
export function readInt64(bytes: Uint8Array): BigInt64Array {
  const view = viewOf(bytes);
  const lanes = new BigInt64Array(bytes.length / 8);
  for (let lane = 0; lane < lanes.length; lane += 1) {
    lanes[lane] = view.getBigInt64(offset(lane, 8));
  }
  return lanes;
}

/** Writes lanes of 16 bits, with a sign or without. */
export function write16(lanes: Int16Array | Uint16Array): Uint8Array {
  const bytes = new Uint8Array(lanes.length * 2);
  const view = viewOf(bytes);
  lanes.forEach((number, lane) => view.setInt16(offset(lane, 2), number));
  return bytes;
}

/** Writes lanes of 64 bits with a sign. */
export function writeInt64(lanes: BigInt64Array): Uint8Array {
  const bytes = new Uint8Array(lanes.length * 8);
  const view = viewOf(bytes);
  lanes.forEach((number, lane) => view.setBigInt64(offset(lane, 8), number));
  return bytes;
}

/** Reads the headers at the start of a model. */
export function readHeaders(bytes: Uint8Array, classes: number): Header[] {
  const view = viewOf(bytes);
  return Array.from({ length: classes }, (_, at) => {
    const part = (from: number): bigint => view.getBigUint64(at * WORD + from);
    const [a, b, c, d] = [part(0), part(8), part(16), part(24)];
    const word = (a << 192n) | (b << 128n) | (c << 64n) | d;
    return {
      samples: Number(word & 0xffff_ffffn),
      total: BigInt.asUintN(128, word >> 32n),
      unused: word >> 160n,
    };
  });
}

/** Writes headers. */
export function writeHeaders(headers: readonly Header[]): Uint8Array {
  const bytes = new Uint8Array(headers.length * WORD);
  const view = viewOf(bytes);
  headers.forEach(({ samples, total, unused }, at) => {
    const word = (unused << 160n) | (total << 32n) | BigInt(samples);
    for (const [from, shift] of [
      [0, 192n],
      [8, 128n],
      [16, 64n],
      [24, 0n],
    ] as const) {
      view.setBigUint64(at * WORD + from, BigInt.asUintN(64, word >> shift));
    }
  });
  return bytes;
}

/** Returns the offset of a lane of `size` bytes. */
function offset(lane: number, size: number): number {
  const inWord = (lane * size) % WORD;
  return lane * size - inWord + (WORD - size - inWord);
}
