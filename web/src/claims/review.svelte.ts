import type { Contribution, Model } from "../api/client.ts";
import type { Address } from "../chain/rpc.ts";
import type { Act } from "./plan.ts";

/** Claims to which the user is asked to consent. */
export interface Ask {
  model: Model;
  act: Act;
  contributions: readonly Contribution[];
  /** Returns what a contribution brings, in wei, as far as it is known now. */
  worth: (one: Contribution) => bigint;
  account: Address;
  /** Called after something was settled. */
  settled: () => void;
}

let asked = $state.raw<Ask | undefined>();

/** Returns what the user is asked, undefined if nothing. */
export const review = (): Ask | undefined => asked;

/** Asks the user, or asks nothing any more. The page shows it by `ReviewDialog`. */
export function ask(about: Ask | undefined): void {
  asked = about;
}
