import type { Address } from "../chain/rpc.ts";
import { connectedAccount, connection } from "../wallet/account.svelte.ts";
import { isSameAddress } from "../chain/address.ts";

/** Address that the reader looks at; undefined for the account of the wallet. */
let looked = $state<string | undefined>();

/** Returns the account whose contributions are shown; undefined if there is none yet. */
export function viewed(): string | undefined {
  return looked ?? connectedAccount();
}

/** Returns the address that the reader looks at instead of the account of the wallet. */
export function lookedAt(): string | undefined {
  return looked;
}

/** Looks at an address, or at the wallet's account again. */
export function look(address: string | undefined): void {
  looked = address;
}

/** Returns the account that can act: that of the wallet, if it is also the one that is shown. */
export function acting(): Address | undefined {
  const now = connection();
  if (now.state !== "ready") return undefined;
  return looked === undefined || isSameAddress(looked, now.account)
    ? now.account
    : undefined;
}
