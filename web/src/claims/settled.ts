import { decodeEventLog } from "viem/utils";
import { trainerAbi } from "../chain/abi.ts";
import type { Hex } from "../chain/rpc.ts";
import type { Log } from "../wallet/transactions.svelte.ts";
import { isSameAddress } from "../chain/address.ts";

/** What a contract did with claims, by the logs of the transaction. */
export interface Settled {
  /** Sum that it paid, in wei. */
  paid: bigint;
  /** Number of claims or announcements that succeeded. */
  items: number;
  skipped: { position: number; reason: Hex }[];
}

/** Reads what a trainer did with claims. */
export function settledIn(trainer: string, logs: readonly Log[]): Settled {
  const settled: Settled = { paid: 0n, items: 0, skipped: [] };
  for (const { address, topics, data } of logs) {
    if (!isSameAddress(address, trainer)) continue;
    const event = decoded(topics, data);
    switch (event?.eventName) {
      case "Refunded":
      case "Reported":
      case "ClaimedLate":
        settled.paid += event.args.amount;
        settled.items += 1;
        break;
      case "Announced":
        settled.items += 1;
        break;
      case "ClaimSkipped": {
        const { position, reason } = event.args;
        settled.skipped.push({ position: Number(position), reason });
      }
    }
  }
  return settled;
}

/** Decodes an event; undefined if it is none of the trainer's. */
function decoded(topics: Log["topics"], data: Hex) {
  try {
    return decodeEventLog({ abi: trainerAbi, topics, data });
  } catch {
    return undefined;
  }
}
