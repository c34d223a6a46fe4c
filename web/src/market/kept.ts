import { store, stored } from "../wallet/storage.ts";
import { fileOf } from "./founding.ts";
import { readTestSet, type TestSet } from "./testSet.ts";

/** Returns the key of a market's test set in this browser. */
function keyOf(chainId: number, market: string): string {
  return `cotrain-test-set-${chainId}-${market.toLowerCase()}`;
}

/** Keeps a test set in this browser. Returns `false` if it cannot. */
export function keep(set: TestSet): boolean {
  return store(keyOf(set.chainId, set.market), fileOf(set));
}

/** Returns the test set that this browser keeps of a market; undefined if it keeps none. */
export function kept(chainId: number, market: string): TestSet | undefined {
  const text = stored(keyOf(chainId, market));
  if (text === undefined) return undefined;
  try {
    return readTestSet(text);
  } catch {
    return undefined;
  }
}

/** Forgets a test set, which is public by now. */
export function forget(chainId: number, market: string): void {
  store(keyOf(chainId, market), undefined);
}
