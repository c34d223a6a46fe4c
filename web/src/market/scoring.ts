import { encodeBatch, fromHex, toHex, type Item } from "../twin/index.ts";

/** Maximum gas of a transaction (EIP-7825). */
export const MAX_GAS = 16_777_216n;
/** Gas that a step is to take: it leaves room for a quarter more within a transaction. */
const GAS_PER_STEP = 12_000_000n;
/** Number of words that a restart copies, of about 25,000 gas each. */
export const WORDS_PER_STEP = 256n;
/** Number of participants that a step of settling visits, of about 10,000 gas each. */
export const VISITS_PER_STEP = 500n;
/** Number of records that a step gets: more than it can evaluate. */
const RECORDS_PER_STEP = 64;
/** Bytes of all records of a step: each costs gas, even if the step does not reach it. */
const BYTES_PER_STEP = 40_000;
/** Number of samples that the first step evaluates at most. */
const FIRST_SAMPLES_PER_STEP = 64;
const MAX_SAMPLES_PER_STEP = 1 << 20;

/** Contribution to a market, as far as a record needs it. */
export interface Contributed {
  position: number;
  firstPosition: number;
  author: string;
  time: number;
  label: number;
  sample: string;
}

/** All contributions of a transaction. */
export interface Batch {
  firstPosition: number;
  record: Uint8Array;
}

/**
 * Returns a record for each transaction of contributions: `author (20) | time (5) | length of items
 * (4) | items`. The last transaction is left out unless the rows have all of it.
 */
export function batchesOf(
  rows: readonly Contributed[],
  isComplete: boolean,
): Batch[] {
  const groups = new Map<number, Contributed[]>();
  for (const row of rows) {
    const group = groups.get(row.firstPosition);
    if (group) group.push(row);
    else groups.set(row.firstPosition, [row]);
  }
  const all = [...groups.values()];
  return (isComplete ? all : all.slice(0, -1)).map(batchOf);
}

function batchOf(rows: readonly Contributed[]): Batch {
  const [first] = rows;
  if (!first) throw new Error("a transaction without contributions");
  const items = rows.map(({ label, sample }): Item => ({
    label,
    sample: fromHex(sample),
  }));
  const batch = encodeBatch(items);
  const record = new Uint8Array(29 + batch.length);
  const view = new DataView(record.buffer);
  record.set(fromHex(first.author));
  view.setUint8(20, Math.floor(first.time / 2 ** 32));
  view.setUint32(21, first.time % 2 ** 32);
  view.setUint32(25, batch.length);
  record.set(batch, 29);
  return { firstPosition: first.firstPosition, record };
}

/** Returns as many records as a step gets, one after the other; at least one. */
export function recordsOf(
  batches: readonly Batch[],
  max: number,
): `0x${string}` {
  let length = 0;
  const taken: Uint8Array[] = [];
  for (const { record } of batches.slice(0, max)) {
    if (taken.length > 0 && length + record.length > BYTES_PER_STEP) break;
    length += record.length;
    taken.push(record);
  }
  const joined = new Uint8Array(length);
  let at = 0;
  for (const record of taken) {
    joined.set(record, at);
    at += record.length;
  }
  return toHex(joined);
}

/** Sizes of the steps of a scoring, adjusted by the gas that they take. */
export interface Pace {
  records: number;
  samples: number;
}

/** Returns a pace whose steps are small enough for every model. */
export function firstPace(): Pace {
  return { records: RECORDS_PER_STEP, samples: FIRST_SAMPLES_PER_STEP };
}

/** Returns a pace after a step that took so much gas: a small one may become larger. */
export function paceAfter(pace: Pace, gas: bigint): Pace {
  const samples =
    gas < GAS_PER_STEP / 2n
      ? Math.min(2 * pace.samples, MAX_SAMPLES_PER_STEP)
      : pace.samples;
  return { records: RECORDS_PER_STEP, samples };
}

/** Returns a pace with a smaller step than one that did not fit; undefined if there is none. */
export function smaller(
  { records, samples }: Pace,
  of: { samples: number; records: number; isEvaluating: boolean },
): Pace | undefined {
  if (samples > 1) {
    const half = Math.floor(Math.min(samples, of.samples) / 2);
    return { records, samples: Math.max(half, 1) };
  }
  // An evaluation that has begun needs no record.
  const fewest = of.isEvaluating ? 0 : 1;
  return of.records > fewest
    ? { records: Math.floor(of.records / 2), samples }
    : undefined;
}
