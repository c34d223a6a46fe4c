import type { Address, Hex } from "../chain/rpc.ts";
import type { Outcome } from "../wallet/outcome.ts";
import { included, send, type Receipt } from "../wallet/transactions.svelte.ts";

/** Sends a call for a trainer's rounds by the wallet, and waits until it is in a block. */
export async function sendFor(
  trainer: Address,
  to: Address,
  data: Hex,
  label: string,
): Promise<Outcome<Receipt>> {
  const purpose = { kind: "round", label, model: trainer } as const;
  const sent = await send({ to, data, purpose });
  return sent.ok ? included(sent.value.id) : sent;
}
