import type { Address, Hex } from "../chain/rpc.ts";
import type { TypedData } from "../wallet/sign.ts";

/** Number of bytes of a transfer's number. */
const NONCE = 32;
/** Longest time for which a transfer is signed, in seconds: the server can send it until then. */
const MAX_TIME = 3_600;
/** Answers after which a transfer's number can never be used again. */
const USED: readonly string[] = [
  "invalid_exact_evm_transaction_failed",
  "invalid_exact_evm_nonce_already_used",
  "invalid_transaction_state",
];

/** Offer of units for a token, paid by one signed transfer (x402 `exact`, EIP-3009). */
export interface Offer {
  /** Offer as it came, which a payment sends back. */
  raw: Readonly<Record<string, unknown>>;
  amount: bigint;
  token: Address;
  /** Name and version of the token's EIP-712 domain. */
  name: string;
  version: string;
  payTo: Address;
  /** Time in which it is taken, in seconds. */
  time: number;
}

/** What the coordinator asks for. */
export interface Terms {
  /** Offers that this page can pay. */
  offers: readonly Offer[];
  resource: unknown;
  extensions: Readonly<Record<string, unknown>>;
}

/** Purchase of units, as it is kept until it has ended. */
export interface Payment {
  /** Call that it pays: an opening, or units for a session. */
  call: "open" | "units";
  /** Session that gets the units. */
  session?: string;
  units: number;
  /** Key of the request, and number of the payment. Both stay the same over a reload. */
  key: string;
  /** Number of the transfer: a token takes each once, so that nothing is paid twice. */
  nonce: Hex;
  /** Signed transfer; undefined until it is signed. */
  header?: string;
}

/** Transfer to sign. */
export interface Transfer {
  from: Address;
  to: Address;
  value: bigint;
  validAfter: bigint;
  validBefore: bigint;
  nonce: Hex;
}

/** Price of units in a token, as the price list has it. */
export interface Sale {
  rail: string;
  network: string;
  asset: string;
  name: string;
  decimals: number;
  amount: string;
  units: number;
  /** Amount of the smallest purchase. */
  minimum: string;
}

/** Makes the number of a transfer. */
export function newNonce(): Hex {
  const bytes = crypto.getRandomValues(new Uint8Array(NONCE));
  const digits = Array.from(bytes, (byte) =>
    byte.toString(16).padStart(2, "0"),
  );
  return `0x${digits.join("")}`;
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

const isAddress = (value: unknown): value is Address =>
  typeof value === "string" && /^0x[0-9a-fA-F]{40}$/.test(value);

/** Reads the terms of an answer that asks for a payment on a chain. */
export function termsIn(
  fields: Readonly<Record<string, unknown>>,
  chainId: number | undefined,
): Terms {
  const accepts = Array.isArray(fields["accepts"]) ? fields["accepts"] : [];
  return {
    offers: accepts.flatMap((one: unknown) => offerIn(one, chainId) ?? []),
    resource: fields["resource"],
    extensions: object(fields["extensions"]),
  };
}

function offerIn(
  value: unknown,
  chainId: number | undefined,
): Offer | undefined {
  const raw = object(value);
  const extra = object(raw["extra"]);
  const { scheme, network, amount, asset, payTo, maxTimeoutSeconds } = raw;
  const { name, version, assetTransferMethod = "eip3009" } = extra;
  const isHere = chainId !== undefined && network === `eip155:${chainId}`;
  if (scheme !== "exact" || !isHere || assetTransferMethod !== "eip3009")
    return undefined;
  if (typeof amount !== "string" || !/^[1-9]\d{0,38}$/.test(amount))
    return undefined;
  if (!isAddress(asset) || !isAddress(payTo)) return undefined;
  if (typeof name !== "string" || typeof version !== "string") return undefined;
  const time = Number(maxTimeoutSeconds);
  if (!Number.isSafeInteger(time) || time <= 0) return undefined;
  return {
    raw,
    amount: BigInt(amount),
    token: asset,
    name,
    version,
    payTo,
    time: Math.min(time, MAX_TIME),
  };
}

/** Returns the transfer that pays an offer. `now` is in Unix seconds. */
export function transferOf(
  offer: Offer,
  from: Address,
  nonce: Hex,
  now: number,
): Transfer {
  return {
    from,
    to: offer.payTo,
    value: offer.amount,
    validAfter: 0n,
    validBefore: BigInt(now + offer.time),
    nonce,
  };
}

/** Returns what the wallet signs: a transfer of exactly the amount, to the payee alone. */
export function dataOf(
  offer: Offer,
  transfer: Transfer,
  chainId: number,
): TypedData {
  const fields = [
    ["from", "address"],
    ["to", "address"],
    ["value", "uint256"],
    ["validAfter", "uint256"],
    ["validBefore", "uint256"],
    ["nonce", "bytes32"],
  ] as const;
  return {
    domain: {
      name: offer.name,
      version: offer.version,
      chainId,
      verifyingContract: offer.token,
    },
    types: {
      TransferWithAuthorization: fields.map(([name, type]) => ({ name, type })),
    },
    primaryType: "TransferWithAuthorization",
    message: { ...transfer },
  };
}

/** Returns the header that pays: base64 of JSON, as x402 has it. */
export function headerOf(
  { resource, extensions }: Terms,
  offer: Offer,
  transfer: Transfer,
  signature: Hex,
  key: string,
): string {
  const identifier = extensions["payment-identifier"];
  const named = {
    ...object(identifier),
    info: { ...object(object(identifier)["info"]), id: key },
  };
  const payload = {
    x402Version: 2,
    ...(resource === undefined ? {} : { resource }),
    accepted: offer.raw,
    payload: {
      signature,
      authorization: {
        ...transfer,
        value: transfer.value.toString(),
        validAfter: transfer.validAfter.toString(),
        validBefore: transfer.validBefore.toString(),
      },
    },
    extensions:
      identifier === undefined
        ? extensions
        : { ...extensions, "payment-identifier": named },
  };
  const bytes = new TextEncoder().encode(JSON.stringify(payload));
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/**
 * Returns a purchase whose payment was refused, to be signed again. It keeps the number of its transfer
 * as long as the token can still take it: so the two signatures can never both be used.
 */
export function unsigned(payment: Payment, reason: unknown): Payment {
  const { header: _, ...rest } = payment;
  const isUsed = typeof reason === "string" && USED.includes(reason);
  return isUsed ? { ...rest, nonce: newNonce() } : rest;
}

/** Returns the amount for which a price list sells units: it is rounded up once, and has a minimum. */
export function costOf(
  { amount, units, minimum }: Sale,
  bought: number,
): bigint {
  const per = BigInt(Math.max(1, units));
  const cost = (BigInt(amount) * BigInt(bought) + per - 1n) / per;
  return cost > BigInt(minimum) ? cost : BigInt(minimum);
}

/** Returns the sales that this page can pay, on a chain. */
export function salesHere(
  sales: readonly Sale[] | undefined,
  chainId: number | undefined,
): Sale[] {
  const network = `eip155:${chainId}`;
  return (sales ?? []).filter(
    (sale) =>
      sale.rail === "x402-exact" &&
      sale.network === network &&
      /^\d{1,38}$/.test(sale.amount) &&
      /^\d{1,38}$/.test(sale.minimum),
  );
}
