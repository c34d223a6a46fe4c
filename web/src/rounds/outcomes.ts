/** What recent rounds gave an author, by the events of the contract. */

import { decodeEventLog, encodeEventTopics, pad } from "viem/utils";
import { federatedAbi as abi } from "../chain/abi/federated.ts";
import { quantity, rpc, type Address, type Hex } from "../chain/rpc.ts";

/** Outcome of a round for an author. Amounts are in the smallest units of their tokens. */
export interface Outcome {
  round: number;
  /** What the others lose without the update, in 1/256 bit; undefined if it was not scored. */
  value: bigint | undefined;
  reward: bigint;
  /** What was taken of the stake. */
  lost: bigint;
}

/** Number of blocks that are looked through: the coordinator takes no more. */
const BLOCKS = 2_000;
const NAMES = ["Scored", "Rewarded", "Slashed", "Forfeited"] as const;

interface Log {
  topics: [Hex, ...Hex[]];
  data: Hex;
}

/** Reads the outcomes of an author's rounds in recent blocks, the newest first. */
export async function readOutcomes(
  trainer: Address,
  author: Address,
): Promise<Outcome[]> {
  const head = Number(await rpc("eth_blockNumber", []));
  const names = NAMES.map(
    (eventName) => encodeEventTopics({ abi, eventName })[0],
  );
  const filter = {
    address: trainer,
    topics: [names, null, pad(author)],
    fromBlock: quantity(Math.max(0, head - BLOCKS + 1)),
    toBlock: quantity(head),
  };
  return outcomesIn((await rpc("eth_getLogs", [filter])) as Log[]);
}

/** Gathers events by their rounds. */
export function outcomesIn(logs: readonly Log[]): Outcome[] {
  const rounds = new Map<number, Outcome>();
  for (const { topics, data } of logs) {
    const event = decodeEventLog({ abi, topics, data });
    if (!("round" in event.args) || !("author" in event.args)) continue;
    const round = Number(event.args.round);
    const known = rounds.get(round) ?? {
      round,
      value: undefined,
      reward: 0n,
      lost: 0n,
    };
    if (event.eventName === "Scored") known.value = event.args.value;
    else if (event.eventName === "Rewarded") known.reward = event.args.amount;
    else if (event.eventName === "Slashed" || event.eventName === "Forfeited")
      known.lost = event.args.amount;
    rounds.set(round, known);
  }
  return [...rounds.values()].sort((one, other) => other.round - one.round);
}
