import type { Contribution } from "../api/client.ts";
import { readWei } from "../text/money.ts";

/** Sums of deposits, in wei. */
export interface Sums {
  /** Parts of deposits that nobody has taken yet. */
  open: bigint;
  /** Parts of deposits that were taken back or taken by others. */
  paid: bigint;
}

/** Adds up the deposits of contributions. */
export function sumsOf(contributions: readonly Contribution[]): Sums {
  let [open, paid] = [0n, 0n];
  for (const { deposit, taken } of contributions) {
    const gone = readWei(taken);
    paid += gone;
    open += readWei(deposit) - gone;
  }
  return { open, paid };
}
