/** Claims: what goes into one transaction, and what it costs. */

import { encodeFunctionData, toFunctionSelector } from "viem/utils";
import {
  listContributions,
  type Contribution,
  type Model,
} from "../api/client.ts";
import { trainerAbi } from "../chain/abi.ts";
import { ChainError, rpc, rpcPending, type Hex } from "../chain/rpc.ts";
import { readWei } from "../text/money.ts";
import { groupOf } from "../twin/index.ts";
import { patiently } from "./patience.ts";
import { isLate } from "./standing.ts";

/**
 * Act of a claim: take own deposits back, announce reports, report others' contributions, or take
 * what is left long after the contribution.
 */
export type Act = "refund" | "announce" | "report" | "claimLate";

/** Claims that fit into one transaction. */
export interface Prepared {
  act: Act;
  /** Contributions that are claimed, by position. */
  claimed: readonly Contribution[];
  /** Number of those that were asked for and do not fit. */
  rest: number;
  data: Hex;
  gas: bigint;
  /** Cost of the gas at the node's price of the moment, in wei. */
  gasCost: bigint;
}

/** Maximum number of claims in one transaction. */
export const MAX_CLAIMS = 100;
/** Maximum gas of a transaction (EIP-7825). */
const MAX_GAS = 1n << 24n;
/** Maximum size of a call, in bytes: nodes refuse larger transactions, coordinators larger requests. */
const MAX_DATA = 120_000;
/** Number of contributions of a request. */
const ROWS = 100;

/** Returns the contributions of which an account can take what is left, whatever the model says. */
export function lateAmong(
  model: Pick<Model, "owner" | "waits">,
  contributions: readonly Contribution[],
  account: string,
  now: number,
): Contribution[] {
  return contributions.filter((one) => isLate(model, one, account, now));
}

/** Returns the call of a trainer that claims groups of contributions. */
export function callOf(act: Act, groups: readonly Hex[]): Hex {
  const claims: Hex = `0x${groups.map((group) => group.slice(2)).join("")}`;
  return encodeFunctionData({
    abi: trainerAbi,
    functionName: act,
    args: [claims],
  });
}

/**
 * Returns the groups of claims with their proofs, a group a transaction of contributions.
 *
 * The proofs follow from the contributions alone. The contract compares them with its own roots.
 * `records` keeps what was read, by the position of a transaction's first contribution.
 */
export async function groupsOf(
  trainer: string,
  contributions: readonly Contribution[],
  records = new Map<number, Contribution[]>(),
): Promise<Hex[]> {
  const positions = new Map<number, number[]>();
  for (const { firstPosition, position } of contributions) {
    positions.set(firstPosition, [
      ...(positions.get(firstPosition) ?? []),
      position,
    ]);
  }
  const groups: Hex[] = [];
  for (const first of [...positions.keys()].sort((a, b) => a - b)) {
    if (!records.has(first)) await readRecords(trainer, first, records);
    const record = (records.get(first) ?? []).map((one) => ({
      ...one,
      deposit: readWei(one.deposit),
    }));
    groups.push(groupOf(record, positions.get(first) ?? []));
  }
  return groups;
}

/** Reads all contributions of a transaction, and of those after it that are read with it. */
async function readRecords(
  trainer: string,
  first: number,
  records: Map<number, Contribution[]>,
): Promise<void> {
  let rows: Contribution[] = [];
  for (;;) {
    const after = rows.at(-1)?.position ?? (first > 0 ? first - 1 : undefined);
    const page = await patiently(() => listContributions(trainer, after, ROWS));
    rows = [...rows, ...page.rows];
    const last = rows.at(-1)?.firstPosition;
    const isWhole = page.next === null || page.rows.length === 0;
    if (!isWhole && last === first) continue;
    // The last transaction of a page may go on in the next one.
    const whole = isWhole
      ? rows
      : rows.filter((one) => one.firstPosition !== last);
    for (const one of whole) {
      const record = records.get(one.firstPosition) ?? [];
      records.set(one.firstPosition, [...record, one]);
    }
    return;
  }
}

/**
 * Finds how many claims fit into one transaction of an account, from the first one on: all of them,
 * half as many, and so on. The node runs the call, so a claim that would fail now is found here.
 *
 * @throws ChainError if the contract refuses even one claim.
 */
export async function prepare(
  model: Pick<Model, "trainer">,
  act: Act,
  contributions: readonly Contribution[],
  account: string,
): Promise<Prepared> {
  const sorted = [...contributions].sort((a, b) => a.position - b.position);
  const records = new Map<number, Contribution[]>();
  let size = Math.min(sorted.length, MAX_CLAIMS);
  for (;;) {
    const claimed = sorted.slice(0, size);
    const data = callOf(act, await groupsOf(model.trainer, claimed, records));
    const found = await attempt(model.trainer, data, account, size);
    if (found instanceof ChainError) {
      if (size === 1) throw found;
      size = Math.ceil(size / 2);
      continue;
    }
    const price = BigInt((await rpc("eth_gasPrice", [])) as Hex);
    const rest = sorted.length - size;
    return { act, claimed, rest, data, gas: found, gasCost: found * price };
  }
}

/** Returns the gas of a call, or the reason why a smaller one may do. */
async function attempt(
  trainer: string,
  data: Hex,
  account: string,
  size: number,
): Promise<bigint | ChainError> {
  if (size > 1 && (data.length - 2) / 2 > MAX_DATA) {
    return new ChainError(0, "the call is too long for a transaction");
  }
  try {
    const gas = await estimate({ from: account, to: trainer, data });
    // As much as a quarter more may be needed by the time of the transaction.
    const isTooMuch = size > 1 && gas + gas / 4n > MAX_GAS;
    return isTooMuch ? new ChainError(0, "the call needs too much gas") : gas;
  } catch (error) {
    if (error instanceof ChainError && isOfSize(error)) return error;
    throw error;
  }
}

async function estimate(call: {
  from: string;
  to: string;
  data: Hex;
}): Promise<bigint> {
  const [gas] = await rpcPending([["eth_estimateGas", [call, "pending"]]]);
  if (gas instanceof Error) throw gas;
  return BigInt(gas as Hex);
}

/** Refusals that a smaller call may avoid: a contract that runs out of gas gives no reason. */
const OF_SIZE = [
  "ClassifierFailed()",
  "GasTooLow(uint256,uint256)",
  "Panic(uint256)",
];

function isOfSize({ data, message }: ChainError): boolean {
  if (data === "0x") return true;
  // The name of the method has "gas" in it, too, and is no reason.
  if (data === undefined)
    return /gas/i.test(message.replace(/estimategas/gi, ""));
  return OF_SIZE.some((error) => data.startsWith(toFunctionSelector(error)));
}
