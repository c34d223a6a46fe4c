import { hashTypedData } from "viem/utils";
import type { Address, Hex } from "../chain/rpc.ts";
import { encodeBatch, toHex, type Item } from "../twin/index.ts";

/** Maximum number of examples in a transaction or a signed batch, as the commands have it. */
export const MAX_ITEMS = 50;

/** Terms of a signed batch, as its author signs them. */
export interface Batch {
  author: Address;
  /** Only account that may send it. */
  relayer: Address;
  /** Maximum deposit of each example, in wei. */
  maxDeposit: bigint;
  /** Fee of the relayer, in wei. */
  fee: bigint;
  nonce: number;
  /** Last second in which it may be sent, in Unix seconds. */
  deadline: number;
  items: Hex;
}

/** Delegation of claims, as the account signs it. */
export interface Delegation {
  reporter: Address;
  keeper: Address;
  /** Last second of the delegation, in Unix seconds. */
  until: number;
}

const types = {
  Batch: [
    { name: "author", type: "address" },
    { name: "relayer", type: "address" },
    { name: "maxDeposit", type: "uint96" },
    { name: "fee", type: "uint96" },
    { name: "nonce", type: "uint48" },
    { name: "deadline", type: "uint40" },
    { name: "items", type: "bytes" },
  ],
} as const;

const delegationTypes = {
  Delegation: [
    { name: "reporter", type: "address" },
    { name: "keeper", type: "address" },
    { name: "until", type: "uint40" },
  ],
} as const;

function domainOf(chainId: number, trainer: string) {
  const verifyingContract = trainer as Address;
  return { name: "cotrain", version: "1", chainId, verifyingContract } as const;
}

/** Returns the items of a batch in the contract's form. */
export function itemsOf(items: readonly Item[]): Hex {
  return toHex(encodeBatch(items));
}

/** Returns what the author of a batch signs (docs/spec.md, "Relaying"). */
export function batchData(chainId: number, trainer: string, batch: Batch) {
  return {
    domain: domainOf(chainId, trainer),
    types,
    primaryType: "Batch" as const,
    message: { ...batch },
  };
}

/** Returns the EIP-712 hash of a batch, which is the id of its submission. */
export function idOf(data: ReturnType<typeof batchData>): Hex {
  return hashTypedData(data);
}

/** Returns what an account signs so that a keeper reports for it. */
export function delegationData(
  chainId: number,
  trainer: string,
  delegation: Delegation,
) {
  return {
    domain: domainOf(chainId, trainer),
    types: delegationTypes,
    primaryType: "Delegation" as const,
    message: { ...delegation },
  };
}

/** Returns the maximum cost of a batch for its author, in wei. */
export function maxCost(batch: Batch, count: number): bigint {
  return batch.maxDeposit * BigInt(count) + batch.fee;
}
