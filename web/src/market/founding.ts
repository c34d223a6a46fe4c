import { encodeBatch, toHex, type Item } from "../twin/index.ts";
import type { Hex } from "../chain/rpc.ts";
import { commitment, type TestSet } from "./testSet.ts";

/** Smallest and largest number of parts. */
export const PARTS = [2, 256] as const;
/** Maximum size of a part, in bytes. */
const MAX_PART = 24_575;
/** Maximum gas to check a part, and again to evaluate it. The contract gives 5,000,000. */
export const MAX_PART_GAS = 4_500_000n;

/** Returns so many random bytes that nobody can guess. */
export type Random = (bytes: number) => Uint8Array;

/** Bytes of which random numbers are made, drawn at once. */
const BLOCK = 4_096;

/** Returns the same bytes, drawn in blocks: a draw costs more than its bytes. */
export function inBlocks(by: Random): Random {
  let block: Uint8Array = new Uint8Array(0);
  return (bytes) => {
    if (block.length < bytes) block = by(Math.max(BLOCK, bytes));
    const drawn = block.slice(0, bytes);
    block = block.subarray(bytes);
    return drawn;
  };
}

/** Random bytes of the browser. */
export const random: Random = (bytes) =>
  crypto.getRandomValues(new Uint8Array(bytes));

/** Why samples make no test set. */
export type Objection =
  | { kind: "few"; samples: number; parts: number }
  | { kind: "long"; part: number; bytes: number; max: number };

/** Divides samples into parts of nearly equal size, as the command does. */
export function divided<T>(items: readonly T[], parts: number): T[][] {
  const end = (part: number): number =>
    Math.floor((part * items.length) / parts);
  return Array.from({ length: parts }, (_, part) =>
    items.slice(end(part), end(part + 1)),
  );
}

/** Returns why samples cannot be divided into parts; undefined if they can. */
export function objectionTo(
  items: readonly Item[],
  parts: number,
): Objection | undefined {
  if (items.length < parts)
    return { kind: "few", samples: items.length, parts };
  const sizes = divided(items, parts).map((part) =>
    part.reduce((sum, { sample }) => sum + 4 + sample.length, 0),
  );
  const part = sizes.findIndex((bytes) => bytes > MAX_PART);
  return part < 0
    ? undefined
    : { kind: "long", part, bytes: sizes[part] ?? 0, max: MAX_PART };
}

/** Returns items in random order: a part of a sorted table would have one class alone. */
export function shuffled<T>(items: readonly T[], by: Random): T[] {
  const list = [...items];
  const few = inBlocks(by);
  for (let left = list.length; left > 1; left -= 1) {
    const at = below(left, few);
    const [one, other] = [list[left - 1], list[at]];
    list[left - 1] = other as T;
    list[at] = one as T;
  }
  return list;
}

/** Returns a random number below a limit, each with the same chance. */
function below(limit: number, by: Random): number {
  const most = Math.floor(2 ** 32 / limit) * limit;
  for (;;) {
    const bytes = by(4);
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (number < most) return number % limit;
  }
}

/** Returns different random numbers below a limit in ascending order, each set with the same chance (R. Floyd). */
function different(number: number, limit: number, by: Random): number[] {
  const found = new Set<number>();
  for (let last = Math.max(0, limit - number); last < limit; last += 1) {
    const drawn = below(last + 1, by);
    found.add(found.has(drawn) ? last : drawn);
  }
  return [...found].sort((a, b) => a - b);
}

/** Makes a test set of samples, each part with a salt of 32 random bytes. */
export function makeTestSet(
  chainId: number,
  market: string,
  items: readonly Item[],
  parts: number,
  by: Random,
): TestSet {
  return {
    chainId,
    market,
    parts: divided(items, parts).map((part) => ({
      salt: toHex(by(32)),
      items: toHex(encodeBatch(part)),
    })),
  };
}

/** Returns the commitments to a test set, one a part. */
export function commitmentsTo(set: TestSet): Hex[] {
  return set.parts.map((part, index) => commitment(index, part));
}

/** Returns a test set as the command writes and reads it. */
export function fileOf({ chainId, market, parts }: TestSet): string {
  const file = { chain_id: chainId, market: market.toLowerCase(), parts };
  return JSON.stringify(file, undefined, 2);
}

/** Returns the name that the command gives the file of a test set. */
export function fileNameOf({ chainId, market }: TestSet): string {
  return `market-${chainId}-${market}.json`;
}

/**
 * Returns samples of the same sizes that tell nothing: their features are random. The node is asked
 * about these, since who is asked about a test set knows it.
 */
export function decoys(
  items: readonly Item[],
  encoding: "sparse" | "dense16" | "dense32",
  features: number,
  by: Random,
): Item[] {
  const few = inBlocks(by);
  return items.map(({ sample }) => {
    if (encoding !== "sparse")
      return { label: 0, sample: new Uint8Array(sample.length) };
    const some = different(sample.length / 2, features, few);
    const bytes = new Uint8Array(sample.length);
    const view = new DataView(bytes.buffer);
    some.forEach((feature, at) => view.setUint16(2 * at, feature));
    return { label: 0, sample: bytes };
  });
}
