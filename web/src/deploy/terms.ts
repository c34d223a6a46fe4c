import { price } from "../twin/price.ts";
import { deployWords } from "./words.ts";

/** Rules of a new model. Waits are in seconds. */
export interface Rules {
  isPoints: boolean;
  costWeight: bigint | undefined;
  refund: number;
  owner: number;
  anyone: number;
  notice: number;
}

/** Returns why the contracts would refuse rules; undefined if they would not. */
export function faultOf(rules: Rules): string | undefined {
  const { faults, badWeight } = deployWords.model;
  const { refund, owner, anyone, notice } = rules;
  if (!rules.isPoints && rules.costWeight === undefined) return badWeight;
  if (!(refund >= 1)) return faults.refund;
  if (!(owner >= refund)) return faults.owner;
  if (!(anyone >= owner)) return faults.anyone;
  if (!(notice >= 0 && notice <= Math.floor((owner - refund) / 2)))
    return faults.notice;
  return undefined;
}

/** Returns the deposit of a contribution so many seconds after the last one, in wei. */
export function depositAfter(costWeight: bigint, seconds: bigint): bigint {
  return price({ kind: "deposit-refund-take", costWeight }, 1n, seconds);
}
