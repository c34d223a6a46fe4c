/** Terms of a federated trainer, which are at the end of its code. */

import type { Address, Hex } from "../chain/rpc.ts";
import type { Width } from "../twin/federated/index.ts";

/** Terms of a trainer. Amounts are in the smallest units of their tokens, times in seconds. */
export interface Terms {
  owner: Address;
  classifier: Address;
  stakeToken: Address;
  rewardToken: Address;
  /** Stake that a commitment locks, and what an update of too low a value loses of it. */
  stake: bigint;
  slash: bigint;
  /** Loss of value that an update may cause, in 1/256 bit over all samples. */
  margin: number;
  openWait: number;
  revealWait: number;
  workWait: number;
  maxClients: number;
  /** Number of the rule that joins updates, and of updates that it takes to be bad. */
  rule: number;
  hostile: number;
  width: Width;
  maxSquaredNorm: bigint;
  /** Size of the chunks of an update's root, in bytes. */
  chunk: number;
  /** Reward tokens of a round before the first halving. */
  emission: bigint;
  halving: number;
  bond: bigint;
}

/** Number of hexadecimal digits before the terms, with `0x`; of a term; and number of terms. */
const [BEFORE, WORD, TERMS] = [2 + 2 * 0x2d, 64, 19] as const;

/** Reads the terms from a trainer's code; undefined if the code has others. */
export function terms(code: Hex): Terms | undefined {
  if (code.length !== BEFORE + TERMS * WORD) return undefined;
  const word = (at: number): string =>
    code.slice(BEFORE + at * WORD, BEFORE + (at + 1) * WORD);
  const big = (at: number): bigint => BigInt(`0x${word(at)}`);
  const number = (at: number): number => Number(big(at));
  const address = (at: number): Address => `0x${word(at).slice(24)}`;
  const width = number(13);
  if (width !== 8 && width !== 16) return undefined;
  return {
    owner: address(0),
    classifier: address(1),
    stakeToken: address(2),
    rewardToken: address(3),
    stake: big(4),
    slash: big(5),
    margin: number(6),
    openWait: number(7),
    revealWait: number(8),
    workWait: number(9),
    maxClients: number(10),
    rule: number(11),
    hostile: number(12),
    width,
    maxSquaredNorm: big(14),
    chunk: number(15),
    emission: big(16),
    halving: number(17),
    bond: big(18),
  };
}

/** Returns the reward tokens of the round that improves a version. */
export function emissionOf(
  { emission, halving }: Pick<Terms, "emission" | "halving">,
  version: number,
): bigint {
  return emission >> BigInt(Math.floor(version / halving));
}

/** Returns the number of updates that the rule needs. */
export function neededOf({
  rule,
  hostile,
}: Pick<Terms, "rule" | "hostile">): number {
  return rule === 0 ? 1 : rule === 3 ? 2 * hostile + 3 : 2 * hostile + 1;
}
