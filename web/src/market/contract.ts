import { decodeFunctionResult, encodeFunctionData } from "viem/utils";
import { classifierAbi } from "../chain/abi/classifier.ts";
import { marketAbi } from "../chain/abi/market.ts";
import { call, rpc, type Address, type Hex } from "../chain/rpc.ts";
import {
  encodeBatch,
  fromHex,
  parseBatch,
  toHex,
  type Item,
} from "../twin/index.ts";
import {
  listContributions,
  type Market,
  type MarketContribution,
} from "./api.ts";
import {
  batchesOf,
  MAX_GAS,
  paceAfter,
  recordsOf,
  smaller,
  VISITS_PER_STEP,
  WORDS_PER_STEP,
  type Batch,
  type Pace,
} from "./scoring.ts";

/** Maximum size of a batch of contributions or a part, in bytes. */
export const MAX_BYTES = 24_575;
/** Number of pages of contributions that a step reads at most. */
const PAGES = 4;

/** Kinds of steps of the scoring. */
export type StepKind = "draw" | "restart" | "score" | "settle";

/** Transaction that anyone may send, so that a market goes on. */
export interface Ready {
  kind: StepKind;
  data: Hex;
  /** Gas that it would use now. */
  gas: bigint;
  /** Number of its pass over the contributions, from 1. */
  pass: number;
  /** Pace with which the next step begins. */
  pace: Pace;
}

const STAGES = ["copying", "teaching", "finding", "paying"] as const;

interface Progress {
  stage: (typeof STAGES)[number];
  pass: bigint;
  copied: bigint;
  cursor: bigint;
  evaluated: bigint;
}

async function progressOf(market: Address): Promise<Progress> {
  const functionName = "progress";
  const data = encodeFunctionData({ abi: marketAbi, functionName });
  const result = await call(market, data);
  const read = decodeFunctionResult({
    abi: marketAbi,
    functionName,
    data: result,
  });
  const stage = STAGES[read.stage];
  if (stage === undefined) throw new Error("the market is in no known stage");
  return { ...read, stage };
}

async function estimate(
  from: Address,
  to: Address,
  data: Hex,
): Promise<bigint> {
  return BigInt((await rpc("eth_estimateGas", [{ from, to, data }])) as Hex);
}

/** Returns the larger gas of checking and of evaluating samples, as a reveal does both. */
export async function partGas(
  { classifier, owner }: Pick<Market, "classifier" | "owner">,
  items: readonly Item[],
): Promise<bigint> {
  const samples = items.map((item) => toHex(item.sample));
  const labels = items.map((item) => BigInt(item.label));
  const calls = [
    encodeFunctionData({
      abi: classifierAbi,
      functionName: "check",
      args: [toHex(encodeBatch(items))],
    }),
    encodeFunctionData({
      abi: classifierAbi,
      functionName: "evaluate",
      args: [samples, labels],
    }),
  ];
  const all = await Promise.all(
    calls.map((data) =>
      estimate(owner as Address, classifier as Address, data),
    ),
  );
  return all.reduce((most, gas) => (gas > most ? gas : most), 0n);
}

/** Returns what a unit of gas costs now, in wei. */
export async function gasPrice(): Promise<bigint> {
  return BigInt((await rpc("eth_gasPrice", [])) as Hex);
}

/** Returns the transaction that draws the visible part. */
async function draw(
  market: Address,
  from: Address,
  pace: Pace,
): Promise<Ready> {
  const data = encodeFunctionData({ abi: marketAbi, functionName: "draw" });
  const gas = await estimate(from, market, data);
  return { kind: "draw", data, gas, pass: 0, pace };
}

/**
 * Returns the transaction that anyone may send now, in a size that fits. `market` says what is due.
 *
 * @throws ChainError if the contract refuses even the smallest step.
 */
export async function prepare(
  market: Market,
  from: Address,
  pace: Pace,
): Promise<Ready | undefined> {
  const address = market.market as Address;
  if (market.action === "draw") return draw(address, from, pace);
  if (market.action !== "score") return undefined;
  const progress = await progressOf(address);
  const pass = Number(progress.pass);
  switch (progress.stage) {
    case "copying": {
      const data = encodeFunctionData({
        abi: marketAbi,
        functionName: "restart",
        args: [WORDS_PER_STEP],
      });
      const gas = await estimate(from, address, data);
      // A pass is counted from its first copy on, which this may be.
      const number = progress.copied === 0n ? pass + 1 : pass;
      return { kind: "restart", data, gas, pass: number, pace };
    }
    case "teaching":
      return score(market, progress, from, pace);
    case "finding":
    case "paying": {
      const data = encodeFunctionData({
        abi: marketAbi,
        functionName: "settle",
        args: [VISITS_PER_STEP],
      });
      const gas = await estimate(from, address, data);
      return { kind: "settle", data, gas, pass, pace };
    }
  }
}

/** Returns a step that teaches and counts as much as fits into a transaction. */
async function score(
  market: Market,
  progress: Progress,
  from: Address,
  begun: Pace,
): Promise<Ready> {
  const batches = await batchesFrom(market, Number(progress.cursor));
  let pace: Pace = begun;
  for (;;) {
    const records = Math.min(pace.records, batches.length);
    const data = encodeFunctionData({
      abi: marketAbi,
      functionName: "score",
      args: [recordsOf(batches, records), BigInt(pace.samples)],
    });
    try {
      const gas = await estimate(from, market.market as Address, data);
      if (gas <= MAX_GAS) {
        const pass = Number(progress.pass);
        const after = paceAfter(pace, gas);
        return { kind: "score", data, gas, pass, pace: after };
      }
      throw new Error(
        `the step takes ${gas} gas, at most ${MAX_GAS} are allowed`,
      );
    } catch (error) {
      // With too little gas, the contract refuses by other errors, too.
      const next = smaller(pace, {
        samples: market.samples,
        records,
        isEvaluating: progress.evaluated > 0n,
      });
      if (!next) throw error;
      pace = next;
    }
  }
}

/** Returns the contributions from a position on, one record a transaction, as many as a step takes. */
async function batchesFrom(market: Market, cursor: number): Promise<Batch[]> {
  const rows: MarketContribution[] = [];
  let isComplete = false;
  for (
    let page = 0;
    page < PAGES || batchesOf(rows, false).length === 0;
    page += 1
  ) {
    const after = rows.at(-1)?.position ?? cursor - 1;
    const read = await listContributions(market.market, after);
    rows.push(...read.rows);
    isComplete = read.next === null || read.rows.length === 0;
    if (isComplete) break;
  }
  return batchesOf(rows, isComplete);
}

/** Returns the samples of a revealed part; none if it is not revealed. */
export async function readPart(
  market: Address,
  index: number,
): Promise<Item[]> {
  const functionName = "part";
  const data = encodeFunctionData({
    abi: marketAbi,
    functionName,
    args: [BigInt(index)],
  });
  const result = await call(market, data);
  const items = decodeFunctionResult({
    abi: marketAbi,
    functionName,
    data: result,
  });
  return items === "0x" ? [] : parseBatch(fromHex(items));
}
