import { keysOf, store, stored } from "../wallet/storage.ts";
import { commitmentsTo, fileOf } from "./founding.ts";
import { readTestSet, type TestSet } from "./testSet.ts";

/** Number of digits of a commitment that tell one test set from another. */
const DIGITS = 18;

/** Returns the beginning of the keys of a market's test sets in this browser. */
function beginningOf(chainId: number, market: string): string {
  return `cotrain-test-set-${chainId}-${market.toLowerCase()}-`;
}

/**
 * Keeps a test set in this browser, beside all others of its market: the transaction that commits to
 * an earlier one may still come into a block. Returns `false` if it cannot.
 */
export function keep(set: TestSet, now = Date.now()): boolean {
  const own = commitmentsTo(set)[0]?.slice(0, DIGITS) ?? "";
  const key = `${beginningOf(set.chainId, set.market)}${now}-${own}`;
  return store(key, fileOf(set));
}

/** Returns the test sets that this browser keeps of a market, the newest first. */
export function kept(chainId: number, market: string): TestSet[] {
  const keys = keysOf(beginningOf(chainId, market)).sort().reverse();
  return keys.flatMap((key) => {
    try {
      return [readTestSet(stored(key) ?? "")];
    } catch {
      return [];
    }
  });
}

/** Forgets the test sets of a market, whose own is public by now. */
export function forget(chainId: number, market: string): void {
  for (const key of keysOf(beginningOf(chainId, market))) store(key, undefined);
}
