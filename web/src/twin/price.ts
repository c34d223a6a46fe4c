/** Deposits and shares (docs/spec.md, "The trainer" and "Claims"). */

import { isqrt, least } from "./integer.ts";

/** Seconds in an hour. */
const HOUR = 3_600n;

/** Rules of deposits and shares, as the API has them, with wei as a number. */
export type Incentive =
  | { readonly kind: "deposit-refund-take"; readonly costWeight: bigint }
  | { readonly kind: "points" };

/**
 * Returns the deposit for each of `n` contributions in one transaction, in wei.
 *
 * `elapsed` is the seconds since the last contribution, by the chain's clock.
 */
export function price(
  incentive: Incentive,
  n: bigint,
  elapsed: bigint,
): bigint {
  if (incentive.kind === "points") return 0n;
  const root = isqrt(elapsed / (n > 0n ? n : 1n));
  return (incentive.costWeight * HOUR) / (root > 0n ? root : 1n);
}

/**
 * Returns the number of seconds after the last contribution at which the deposit of one contribution
 * falls next, with deposits in wei: from then on, the square root in its formula is larger.
 */
export function nextFall(elapsed: bigint): bigint {
  const root = isqrt(elapsed);
  return (root < 1n ? 2n : root + 1n) ** 2n;
}

/**
 * Returns a reporter's share of a deposit, in wei: `deposit * good / totalGood`, at most what is
 * left. `good` is above 0: who has no good contribution cannot report.
 */
export function share(
  incentive: Incentive,
  deposit: bigint,
  left: bigint,
  good: bigint,
  totalGood: bigint,
): bigint {
  if (incentive.kind === "points") return 0n;
  return least((deposit * good) / (totalGood > 0n ? totalGood : 1n), left);
}
