import type { Hex } from "../chain/rpc.ts";
import { chainId } from "../live/health.svelte.ts";
import { renewed } from "./account.svelte.ts";
import {
  done,
  Late,
  refusalOf,
  refused,
  within,
  type Outcome,
} from "./outcome.ts";
import { waitingFor } from "./pending.svelte.ts";

/** Data to sign by EIP-712. */
export interface TypedData {
  domain: {
    name?: string;
    version?: string;
    chainId: number | bigint;
    verifyingContract?: string;
  };
  types: Readonly<
    Record<string, readonly { readonly name: string; readonly type: string }[]>
  >;
  primaryType: string;
  message: Readonly<Record<string, unknown>>;
}

/** Time after which a wallet that answers nothing is told, in milliseconds. */
const PATIENCE = 180_000;

/** Types of the fields that a domain may have. */
const DOMAIN = [
  ["name", "string"],
  ["version", "string"],
  ["chainId", "uint256"],
  ["verifyingContract", "address"],
] as const;

/**
 * Asks the wallet for a signature. The chain is checked before: some wallets hang if the data are of
 * another one.
 */
export async function signTypedData(data: TypedData): Promise<Outcome<Hex>> {
  try {
    const now = await renewed();
    if (now.state === "none") return refused("disconnected");
    if (now.state !== "ready") return refused(now.state);
    if (BigInt(data.domain.chainId) !== BigInt(chainId() ?? -1))
      return refused("wrong-network");
    const { provider } = now.wallet;
    const params = [now.account, written(data)];
    const asked = provider.request({ method: "eth_signTypedData_v4", params });
    const signature = await waitingFor(within(asked, PATIENCE));
    return typeof signature === "string" && /^0x[0-9a-fA-F]+$/.test(signature)
      ? done(signature as Hex)
      : refused("unsupported");
  } catch (error) {
    return error instanceof Late
      ? refused("timeout")
      : { ok: false, refusal: refusalOf(error) };
  }
}

/** Writes typed data as wallets read them: with the type of the domain, and numbers as text. */
function written(data: TypedData): string {
  const domain = DOMAIN.filter(([name]) => data.domain[name] !== undefined);
  const EIP712Domain = domain.map(([name, type]) => ({ name, type }));
  const whole = {
    ...data,
    domain: { ...data.domain, chainId: Number(data.domain.chainId) },
    types: { EIP712Domain, ...data.types },
  };
  return JSON.stringify(whole, (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}
