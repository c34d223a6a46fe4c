import { isSameAddress } from "../chain/address.ts";
import type { Round, Trainer } from "./contract.ts";

/** What an account can do in the current round. */
export type Step =
  /** The owner knows the test data, so it cannot take part. */
  | { kind: "owner" }
  /** No test data are left, so no round can begin. */
  | { kind: "no-parts" }
  /** The round goes on without the account. */
  | { kind: "late" }
  /** The wallet has too few stake tokens for what is missing. */
  | { kind: "poor"; missing: bigint }
  | { kind: "deposit"; missing: bigint; isApproved: boolean }
  | { kind: "commit" }
  /** It has committed, and the time to reveal has not come. */
  | { kind: "wait"; index: number }
  | { kind: "reveal"; index: number }
  | { kind: "revealed"; index: number }
  /** It has not revealed in time. */
  | { kind: "missed"; index: number };

/** Returns what an account can do in a round; undefined if its tokens are not known. */
export function stepOf(
  { terms }: Pick<Trainer, "terms">,
  { phase, entries, partsLeft, holdings }: Round,
): Step | undefined {
  if (!holdings) return undefined;
  const { account, free, wallet, allowance } = holdings;
  if (isSameAddress(account, terms.owner)) return { kind: "owner" };
  const index = entries.findIndex((it) => isSameAddress(it.author, account));
  if (index >= 0) {
    if (entries[index]?.isRevealed) return { kind: "revealed", index };
    if (phase === "open") return { kind: "wait", index };
    return { kind: phase === "reveal" ? "reveal" : "missed", index };
  }
  if (phase !== "open") return { kind: "late" };
  if (partsLeft === 0) return { kind: "no-parts" };
  const missing = terms.stake - free;
  if (missing <= 0n) return { kind: "commit" };
  if (wallet < missing) return { kind: "poor", missing };
  return { kind: "deposit", missing, isApproved: allowance >= missing };
}

/** Call that anyone may send, so that a round goes on. */
export type Drive = "draw" | "settle" | "fail";

/** Returns what anyone may send now without any data; undefined if there is nothing. */
export function driveOf({ phase, deadline, time }: Round): Drive | undefined {
  if (phase === "draw" || phase === "settle") return phase;
  const isTimed =
    phase === "test" || phase === "score" || phase === "aggregate";
  return isTimed && deadline !== undefined && time > deadline
    ? "fail"
    : undefined;
}
