import type { Contribution, Model } from "../api/client.ts";
import { isSameAddress } from "../chain/address.ts";
import { readWei } from "../text/money.ts";

/** Times from which on somebody may take something of a deposit, in Unix seconds. */
export interface Dates {
  /** Its author, and others by reports that need no notice. */
  back: number;
  /** Others: later than `back` if a report needs a notice, which begins then at the earliest. */
  others: number;
  owner: number;
  anyone: number;
}

/**
 * Standing of a contribution for its author. `waiting`: nobody can take anything yet. `back`: the
 * model agrees, so the author can take the deposit back. `late`: the author can take what is left,
 * as anybody can. `risk`: the model does not agree, so others can take parts. `settled`: nothing is
 * left.
 */
export type Standing = "waiting" | "back" | "late" | "risk" | "settled";

/** An own contribution with all that decides what becomes of it. */
export interface Item {
  contribution: Contribution;
  dates: Dates;
  /** Part of the deposit that nobody has taken, in wei. */
  left: bigint;
  /** `true` if the model's answer is the class that was taught; undefined if nothing is left. */
  agrees: boolean | undefined;
  standing: Standing;
}

/** Sums of what is left of deposits, in wei, with the numbers of contributions. */
export interface Sums {
  back: Sum;
  waiting: Sum & {
    /** First and last second at which a wait ends; undefined if nothing waits. */
    first: number | undefined;
    last: number | undefined;
    /** Number of those that the model agrees with now. */
    agreeing: number;
  };
  risk: Sum;
}

export interface Sum {
  wei: bigint;
  items: number;
}

/** Returns the times that decide about a contribution of a model. */
export function datesOf(
  { time }: Pick<Contribution, "time">,
  { waits }: Pick<Model, "waits">,
): Dates {
  const back = time + waits.refund;
  return {
    back,
    others: back + waits.reportNotice,
    owner: time + waits.ownerClaim,
    anyone: time + waits.anyAddressClaim,
  };
}

/** Returns what is left of a deposit, in wei. */
export function leftOf({ deposit, taken, settled }: Contribution): bigint {
  return isOpen(settled) ? readWei(deposit) - readWei(taken) : 0n;
}

/** Returns `true` if a contribution can still be claimed. */
export function isOpen(settled: Contribution["settled"]): boolean {
  return settled === "open" || settled === "reported";
}

/** Returns `true` if an account may take what is left, whatever the model says. */
export function isLate(
  model: Pick<Model, "owner" | "waits">,
  contribution: Contribution,
  account: string,
  now: number,
): boolean {
  const dates = datesOf(contribution, model);
  const from = isSameAddress(account, model.owner) ? dates.owner : dates.anyone;
  // Where contributions cost nothing, nothing is left to take.
  return leftOf(contribution) > 0n && now >= from;
}

/** Returns an own contribution with its standing. `predicted` is the model's answer, if known. */
export function itemOf(
  model: Pick<Model, "owner" | "waits">,
  contribution: Contribution,
  predicted: number | undefined,
  now: number,
): Item {
  const dates = datesOf(contribution, model);
  const isSettled = !isOpen(contribution.settled);
  const agrees =
    isSettled || predicted === undefined
      ? undefined
      : predicted === contribution.label;
  const standing = ((): Standing => {
    if (isSettled) return "settled";
    if (now < dates.back) return "waiting";
    if (agrees === true) return "back";
    return isLate(model, contribution, contribution.author, now)
      ? "late"
      : "risk";
  })();
  return { contribution, dates, left: leftOf(contribution), agrees, standing };
}

const ORDER: readonly Standing[] = [
  "back",
  "late",
  "risk",
  "waiting",
  "settled",
];

/** Orders items: what can be done now first, then what is in danger, then by the end of the wait. */
export function ordered(items: readonly Item[]): Item[] {
  const rank = ({ standing }: Item): number => ORDER.indexOf(standing);
  return [...items].sort(
    (a, b) =>
      rank(a) - rank(b) || a.contribution.position - b.contribution.position,
  );
}

/** Adds up items. */
export function sumsOf(items: readonly Item[]): Sums {
  const sums: Sums = {
    back: { wei: 0n, items: 0 },
    waiting: {
      wei: 0n,
      items: 0,
      first: undefined,
      last: undefined,
      agreeing: 0,
    },
    risk: { wei: 0n, items: 0 },
  };
  for (const { standing, left, dates, agrees } of items) {
    if (standing === "settled") continue;
    const sum = sums[standing === "late" ? "back" : standing];
    sum.wei += left;
    sum.items += 1;
    if (standing !== "waiting") continue;
    const { waiting } = sums;
    waiting.first = Math.min(waiting.first ?? dates.back, dates.back);
    waiting.last = Math.max(waiting.last ?? dates.back, dates.back);
    if (agrees) waiting.agreeing += 1;
  }
  return sums;
}

/** Adds up sums of several models. */
export function total(all: readonly Sums[]): Sums {
  const sums = sumsOf([]);
  for (const { back, waiting, risk } of all) {
    for (const [sum, part] of [
      [sums.back, back],
      [sums.waiting, waiting],
      [sums.risk, risk],
    ] as const) {
      sum.wei += part.wei;
      sum.items += part.items;
    }
    if (waiting.first === undefined || waiting.last === undefined) continue;
    const { first, last } = sums.waiting;
    sums.waiting.first = Math.min(first ?? waiting.first, waiting.first);
    sums.waiting.last = Math.max(last ?? waiting.last, waiting.last);
    sums.waiting.agreeing += waiting.agreeing;
  }
  return sums;
}
