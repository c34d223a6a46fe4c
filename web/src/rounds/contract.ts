/** What the page reads of a federated trainer, through the coordinator. */

import { decodeFunctionResult, encodeFunctionData } from "viem/utils";
import { federatedAbi } from "../chain/abi/federated.ts";
import { rewardTokenAbi } from "../chain/abi/rewards.ts";
import { softmaxAbi } from "../chain/abi/softmax.ts";
import { rpc, rpcPending, type Address, type Hex } from "../chain/rpc.ts";
import { fromHex } from "../twin/bytes.ts";
import type { Softmax } from "../twin/federated/index.ts";
import { readInt16, WORD } from "../twin/storage.ts";
import { terms, type Terms } from "./terms.ts";

/** Token of stakes or rewards. Its symbol is a stranger's. */
export interface Token {
  address: Address;
  symbol: string;
  decimals: number;
}

/** What of a trainer never changes. */
export interface Trainer {
  address: Address;
  terms: Terms;
  model: Softmax;
  stake: Token;
  reward: Token;
}

/** Phases of a round, by their numbers. */
export const phases = [
  "open",
  "reveal",
  "draw",
  "test",
  "score",
  "aggregate",
  "settle",
] as const;

export type Phase = (typeof phases)[number];

/** Commitment of the current round. From the reveal on, the hash is the root of the update. */
export interface Entry {
  author: Address;
  hash: Hex;
  isRevealed: boolean;
}

/** Tokens of an account, in their smallest units. */
export interface Holdings {
  account: Address;
  /** Free balance of the stake token within the trainer. */
  free: bigint;
  /** Rewards to collect. */
  reward: bigint;
  /** Stake tokens in the wallet, and how many of them the trainer may take. */
  wallet: bigint;
  allowance: bigint;
  /** Reward tokens in the wallet. */
  collected: bigint;
}

/** State of the current round. */
export interface Round {
  chainId: number;
  /** Time of the next block, in Unix seconds. */
  time: number;
  number: number;
  version: number;
  phase: Phase;
  /** Last second of the phase in Unix seconds; undefined if it has no end. */
  deadline: number | undefined;
  entries: readonly Entry[];
  partsLeft: number;
  /** Undefined without an account. */
  holdings: Holdings | undefined;
}

/** Maximum number of calls of one question. */
const MAX_CALLS = 20;
/** Code of a call without a contract that returns the time of its block. */
const TIME: Hex = "0x425f5260205ff3";

/** Returns the code of a call without a contract that returns the code of one. */
function codeReader(address: Address): Hex {
  const digits = address.slice(2);
  return `0x73${digits}3b805f5f73${digits}3c5ff3`;
}

type Call = Readonly<{ to?: Address; data: Hex }>;

const {
  trainer: onTrainer,
  classifier: onClassifier,
  token: onToken,
} = {
  trainer: (to: Address, functionName: "status" | "partsLeft"): Call => ({
    to,
    data: encodeFunctionData({ abi: federatedAbi, functionName }),
  }),
  classifier: (
    to: Address,
    functionName: "describe" | "maxFeature" | "scale",
  ): Call => ({
    to,
    data: encodeFunctionData({ abi: softmaxAbi, functionName }),
  }),
  token: (to: Address, functionName: "symbol" | "decimals"): Call => ({
    to,
    data: encodeFunctionData({ abi: rewardTokenAbi, functionName }),
  }),
};

/** Asks several calls at once. What is refused comes as an error at its index. */
async function tryAll(calls: readonly Call[]): Promise<(Hex | Error)[]> {
  const answers: (Hex | Error)[] = [];
  for (let at = 0; at < calls.length; at += MAX_CALLS) {
    const some = calls
      .slice(at, at + MAX_CALLS)
      .map((call) => ["eth_call", [call, "pending"]] as const);
    answers.push(...((await rpcPending(some)) as (Hex | Error)[]));
  }
  return answers;
}

/** Asks several calls at once, all of which must answer. */
async function askAll(calls: readonly Call[]): Promise<Hex[]> {
  const answers = await tryAll(calls);
  const refusal = answers.find((it) => it instanceof Error);
  if (refusal) throw refusal;
  return answers as Hex[];
}

/**
 * Reads what of a trainer never changes; undefined if there is no federated trainer at the address.
 */
export async function readTrainer(
  address: Address,
): Promise<Trainer | undefined> {
  const code = await rpc("eth_call", [{ data: codeReader(address) }, "latest"]);
  const found = terms(code as Hex);
  if (!found) return undefined;
  const { classifier, stakeToken, rewardToken } = found;
  const [describe, maxFeature, scale] = await askAll([
    onClassifier(classifier, "describe"),
    onClassifier(classifier, "maxFeature"),
    onClassifier(classifier, "scale"),
  ]);
  const names = await tryAll(
    [stakeToken, rewardToken].flatMap((token) => [
      onToken(token, "symbol"),
      onToken(token, "decimals"),
    ]),
  );
  const { classes, features } = decodeFunctionResult({
    abi: softmaxAbi,
    functionName: "describe",
    data: describe ?? "0x",
  });
  return {
    address,
    terms: found,
    model: {
      classes: Number(classes),
      features: Number(features),
      maxFeature: Number(maxFeature),
      scale: Number(scale),
    },
    stake: tokenOf(stakeToken, names.slice(0, 2)),
    reward: tokenOf(rewardToken, names.slice(2)),
  };
}

/** Returns a token with what it tells of itself: without an answer it has no name and no decimals. */
function tokenOf(
  address: Address,
  [symbol, decimals]: readonly (Hex | Error | undefined)[],
): Token {
  const token = { address, symbol: "", decimals: 0 };
  try {
    token.symbol = decodeFunctionResult({
      abi: rewardTokenAbi,
      functionName: "symbol",
      data: symbol as Hex,
    });
  } catch {
    // Then its address stands for it.
  }
  const number = typeof decimals === "string" ? Number(decimals) : 0;
  if (number <= 36) token.decimals = number;
  return token;
}

/** Reads the current round of a trainer, and what an account has. */
export async function readRound(
  { address, terms }: Pick<Trainer, "address" | "terms">,
  account: Address | undefined,
): Promise<Round> {
  const [chain, time, status, parts] = await Promise.all([
    rpc("eth_chainId", []),
    askAll([
      { data: TIME },
      onTrainer(address, "status"),
      onTrainer(address, "partsLeft"),
    ]),
  ]).then(([chain, answers]) => [chain as Hex, ...answers]);
  const read = decodeFunctionResult({
    abi: federatedAbi,
    functionName: "status",
    data: status ?? "0x",
  });
  const deadline = Number(read.deadline);
  return {
    chainId: Number(chain),
    time: Number(time),
    number: Number(read.number),
    version: Number(read.version),
    phase: phases[read.phase] ?? "settle",
    deadline: deadline === 0 ? undefined : deadline,
    entries: await readEntries(
      address,
      Number(read.committed),
      Number(read.revealed),
    ),
    partsLeft: Number(parts),
    holdings: account && (await readHoldings(address, terms, account)),
  };
}

async function readEntries(
  to: Address,
  count: number,
  revealed: number,
): Promise<Entry[]> {
  const functionName = "entry";
  const answers = await askAll(
    Array.from({ length: count }, (_, index) => ({
      to,
      data: encodeFunctionData({
        abi: federatedAbi,
        functionName,
        args: [BigInt(index)],
      }),
    })),
  );
  return answers.map((data, index) => {
    const [author, hash] = decodeFunctionResult({
      abi: federatedAbi,
      functionName,
      data,
    });
    return { author, hash, isRevealed: ((revealed >>> index) & 1) === 1 };
  });
}

async function readHoldings(
  trainer: Address,
  { stakeToken, rewardToken }: Terms,
  account: Address,
): Promise<Holdings> {
  const balanceOf = (to: Address): Call => ({
    to,
    data: encodeFunctionData({
      abi: rewardTokenAbi,
      functionName: "balanceOf",
      args: [account],
    }),
  });
  const [own, wallet, allowance, collected] = await askAll([
    {
      to: trainer,
      data: encodeFunctionData({
        abi: federatedAbi,
        functionName: "accountOf",
        args: [account],
      }),
    },
    balanceOf(stakeToken),
    {
      to: stakeToken,
      data: encodeFunctionData({
        abi: rewardTokenAbi,
        functionName: "allowance",
        args: [account, trainer],
      }),
    },
    balanceOf(rewardToken),
  ]);
  const [free, reward] = decodeFunctionResult({
    abi: federatedAbi,
    functionName: "accountOf",
    data: own ?? "0x",
  });
  return {
    account,
    free,
    reward,
    wallet: BigInt(wallet ?? 0),
    allowance: BigInt(allowance ?? 0),
    collected: BigInt(collected ?? 0),
  };
}

/** Number of parameters of a storage word. */
const PER_WORD = 16;

/** Weights of a model with the version that they are of. */
export interface Base {
  version: number;
  weights: Int16Array;
}

/** Reads the weights of a trainer's model. */
export async function readBase({
  address,
  terms,
  model,
}: Pick<Trainer, "address" | "terms" | "model">): Promise<Base> {
  const parameters = model.classes * (model.features + 1);
  const read = encodeFunctionData({
    abi: softmaxAbi,
    functionName: "words",
    args: [0n, BigInt(Math.ceil(parameters / PER_WORD))],
  });
  const status = onTrainer(address, "status");
  for (;;) {
    // Each call may see another block: equal versions around the weights tell that they are of it.
    const [before, data, after] = await askAll([
      status,
      { to: terms.classifier, data: read },
      status,
    ]);
    const [first, last] = [before, after].map((data) =>
      decodeFunctionResult({
        abi: federatedAbi,
        functionName: "status",
        data: data ?? "0x",
      }),
    );
    if (!first || first.version !== last?.version) continue;
    // The words come after their offset and their number.
    const words = fromHex(data ?? "0x").subarray(2 * WORD);
    const weights = readInt16(words).subarray(0, parameters);
    return { version: Number(first.version), weights };
  }
}
