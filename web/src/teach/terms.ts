import type { Model } from "../api/client.ts";
import { readWei } from "../text/money.ts";
import { price } from "../twin/price.ts";

/** Deposits of examples that are taught together, in wei. */
export interface Terms {
  /** Number of the examples. */
  count: number;
  /** Deposit of each in this second. */
  each: bigint;
  /** Highest deposit that each can cost: right after a contribution of somebody else. */
  highest: bigint;
}

/** Returns the deposits of `count` examples at a time, in Unix seconds. */
export function termsOf(model: Model, count: number, time: number): Terms {
  const { incentive } = model;
  const costWeight =
    incentive.kind === "points" ? 0n : readWei(incentive.costWeight);
  const rules =
    incentive.kind === "points"
      ? ({ kind: "points" } as const)
      : ({ kind: incentive.kind, costWeight } as const);
  const elapsed = BigInt(Math.max(0, time - model.lastContributionTime));
  const each = price(rules, BigInt(Math.max(1, count)), elapsed);
  return { count, each, highest: price(rules, 1n, 0n) };
}

/** Number of significant digits of the usual ceiling. */
const DIGITS = 2;

/** Returns the usual ceiling: twice the deposit, as others may contribute first, rounded up. */
export function usualCeiling({ each, highest }: Terms): bigint {
  const double = 2n * each;
  const unit = 10n ** BigInt(Math.max(0, double.toString().length - DIGITS));
  const rounded = ((double + unit - 1n) / unit) * unit;
  return rounded < highest ? rounded : highest;
}

/** Times at which a deposit can be taken, in Unix seconds. */
export interface Dates {
  refund: number;
  owner: number;
  anyone: number;
}

/** Returns the times of a contribution that is made at `time`. */
export function datesOf({ waits }: Model, time: number): Dates {
  return {
    refund: time + waits.refund,
    owner: time + waits.ownerClaim,
    anyone: time + waits.anyAddressClaim,
  };
}
