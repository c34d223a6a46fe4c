/** Updates that this browser has committed to, or is about to: without its salt no update is revealed. */

import type { Address, Hex } from "../chain/rpc.ts";
import { keysOf, store, stored } from "../wallet/storage.ts";
import type { Gain } from "./training.ts";

/** Update with all that revealing it takes. */
export interface Draft {
  chainId: number;
  trainer: Address;
  round: number;
  /** Version of the model that it is based on. */
  version: number;
  author: Address;
  salt: Hex;
  update: Hex;
  /** Commitment to all of this. */
  hash: Hex;
  /** What it changed on the held-out drawings. */
  gain: Gain;
}

/** Number of rounds after which an update is forgotten: a rollback may bring an earlier one back. */
const KEPT = 3;

function beginningOf(chainId: number, trainer: Address): string {
  return `cotrain-round-${chainId}-${trainer.toLowerCase()}-`;
}

/**
 * Keeps an update, beside all others: the transaction that commits to an earlier one may still come
 * into a block. Returns `false` if the browser cannot.
 */
export function keep(draft: Draft): boolean {
  const key = `${beginningOf(draft.chainId, draft.trainer)}${draft.hash}`;
  const text = JSON.stringify(draft);
  return store(key, text) && stored(key) === text;
}

/** Returns the update of a commitment; undefined if this browser does not have it. */
export function find(
  chainId: number,
  trainer: Address,
  hash: Hex,
): Draft | undefined {
  return draftIn(stored(`${beginningOf(chainId, trainer)}${hash}`));
}

/** Forgets the updates of rounds that are long over. */
export function forget(chainId: number, trainer: Address, round: number): void {
  for (const key of keysOf(beginningOf(chainId, trainer))) {
    const draft = draftIn(stored(key));
    if (!draft || draft.round + KEPT < round) store(key, undefined);
  }
}

/** Reads a stored update, if it has the form of one. */
function draftIn(text: string | undefined): Draft | undefined {
  try {
    const it = JSON.parse(text ?? "null") as Draft | null;
    const isSound =
      it !== null &&
      [it.chainId, it.round, it.version].every(Number.isSafeInteger) &&
      [it.trainer, it.author].every((one) => /^0x[0-9a-f]{40}$/i.test(one)) &&
      [it.salt, it.hash].every((one) => /^0x[0-9a-f]{64}$/.test(one)) &&
      /^0x(?:[0-9a-f]{2})+$/.test(it.update) &&
      typeof it.gain?.held === "number";
    return isSound ? it : undefined;
  } catch {
    return undefined;
  }
}
