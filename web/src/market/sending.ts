import type { Address, Hex } from "../chain/rpc.ts";
import { mayShow } from "../models/shown.svelte.ts";
import { MAX, shortAddress, tamed } from "../text/strangers.ts";
import type { Outcome } from "../wallet/outcome.ts";
import { mayHappen } from "../wallet/stages.ts";
import {
  included,
  send,
  tracked,
  type Receipt,
} from "../wallet/transactions.svelte.ts";
import type { NamedMarket } from "./named.ts";

/** Returns the name of a market for the list of transactions. */
export function nameOf(market: NamedMarket): string {
  return mayShow(market) && market.name
    ? tamed(market.name, MAX.name)
    : shortAddress(market.market);
}

/** Returns `true` while something that this browser has sent to a market may still come into a block. */
export function isAwaited(market: NamedMarket): boolean {
  const model = market.market as Address;
  return tracked({ kind: "market", model }).some(mayHappen);
}

/** Sends a call of a market by the wallet, and waits until it is in a block. */
export async function sendToMarket(
  market: NamedMarket,
  data: Hex,
  label: string,
  value = 0n,
): Promise<Outcome<Receipt>> {
  const model = market.market as Address;
  const purpose = { kind: "market", label, model } as const;
  const sent = await send({ to: model, data, value, purpose });
  return sent.ok ? included(sent.value.id) : sent;
}
