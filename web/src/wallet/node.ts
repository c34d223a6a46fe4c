import { keccak256 } from "viem/utils";
import {
  ChainError,
  quantity,
  rpc,
  rpcAll,
  type Address,
  type Hex,
  type Request,
} from "../chain/rpc.ts";
import type { Entry, Facts, Log, Receipt } from "./stages.ts";
import type { Provider } from "./wallets.svelte.ts";
import { walletWords as words } from "./words.ts";

/** Maximum number of transactions in one body: each takes two requests of 20, and others are shared. */
const MAX_BATCH = 4;
/** Share of a transaction's gas from which on it is taken to have run out of it, in percent. */
const USED_UP = 98n;

/** Receipt as JSON-RPC writes it, as far as the page reads it. */
export interface RawReceipt {
  transactionHash: Hex;
  blockNumber: Hex | null;
  status: Hex;
  gasUsed: Hex;
  effectiveGasPrice?: Hex;
  contractAddress: Address | null;
  logs: Log[];
}

/** Transaction as JSON-RPC writes it, as far as the page reads it. */
export interface RawTransaction {
  hash: Hex;
  from: Address;
  to: Address | null;
  nonce: Hex;
  value: Hex;
  input: Hex;
  gas: Hex;
  blockNumber: Hex | null;
}

/** Asks for what the node says of transactions. Those of which it said nothing are left out. */
export async function factsOf(
  entries: readonly Entry[],
): Promise<[Entry, Facts][]> {
  const found: [Entry, Facts][] = [];
  for (let at = 0; at < entries.length; at += MAX_BATCH)
    found.push(...(await ask(entries.slice(at, at + MAX_BATCH))));
  return found;
}

async function ask(entries: readonly Entry[]): Promise<[Entry, Facts][]> {
  const requests = entries.flatMap(({ hash, account }): Request[] => [
    ["eth_getTransactionReceipt", [hash]],
    ["eth_getTransactionByHash", [hash]],
    ["eth_getTransactionCount", [account, "latest"]],
    ["eth_getTransactionCount", [account, "pending"]],
  ]);
  const [head, ...answers] = await rpcAll([
    ["eth_blockNumber", []],
    ...requests,
  ]);
  return entries.flatMap((entry, index): [Entry, Facts][] => {
    const own = answers.slice(4 * index, 4 * index + 4);
    if ([head, ...own].some((it) => it instanceof Error)) return [];
    const [receipt, transaction, count, pending] = own as [
      RawReceipt | null,
      RawTransaction | null,
      Hex,
      Hex,
    ];
    const facts: Facts = {
      receipt: receipt?.blockNumber ? receiptOf(receipt) : null,
      transaction: transaction && {
        nonce: Number(transaction.nonce),
        isInBlock: transaction.blockNumber !== null,
      },
      count: Number(count),
      pending: Number(pending),
      head: BigInt(head as Hex),
    };
    return [[entry, facts]];
  });
}

/** Returns a receipt as the page reads it. */
export function receiptOf(raw: RawReceipt): Receipt {
  return {
    hash: raw.transactionHash,
    block: BigInt(raw.blockNumber ?? 0),
    isSuccess: BigInt(raw.status) === 1n,
    gasUsed: BigInt(raw.gasUsed),
    gasPrice: BigInt(raw.effectiveGasPrice ?? 0),
    contractAddress: raw.contractAddress ?? undefined,
    logs: raw.logs.map(({ address, topics, data }) => ({
      address,
      topics,
      data,
    })),
  };
}

/** Returns the reason of a revert in words, from the data that came with it. */
export async function reasonOf(data: Hex): Promise<string> {
  const { explainRevert } = await import("../chain/errors.ts");
  return explainRevert(data);
}

/** Finds out why a transaction reverted, by calling again at its block and at the one before. */
export async function whyReverted(hash: Hex, block: bigint): Promise<string> {
  try {
    const [raw, receipt] = (await rpcAll([
      ["eth_getTransactionByHash", [hash]],
      ["eth_getTransactionReceipt", [hash]],
    ])) as [RawTransaction | null, RawReceipt | null];
    if (!raw || raw instanceof Error) return words.unknownReason;
    const { from, to, value, gas, input: data } = raw;
    const call = { from, value, gas, data, ...(to ? { to } : {}) };
    // What other transactions of the block did before it is not in the block before.
    for (const at of [block - 1n, block]) {
      const result = await rpc("eth_call", [call, quantity(at)]).catch(
        (error: unknown) => error,
      );
      if (result instanceof ChainError && result.data !== undefined)
        return await reasonOf(result.data);
    }
    const used =
      receipt && !(receipt instanceof Error) ? receipt.gasUsed : "0x0";
    const isUsedUp = BigInt(used) * 100n >= BigInt(gas) * USED_UP;
    return isUsedUp ? words.outOfGas : words.unknownReason;
  } catch {
    return words.unknownReason;
  }
}

/** Finds the transaction that has the nonce of another one; undefined if the wallet cannot tell. */
export async function successor(
  entry: Pick<Entry, "account" | "nonce" | "sentBlock">,
  head: bigint,
  provider: Provider,
): Promise<RawTransaction | undefined> {
  const count = async (block: bigint): Promise<number> =>
    Number(
      await rpc("eth_getTransactionCount", [entry.account, quantity(block)]),
    );
  // The first block after which the account has used the nonce.
  let [low, high] = [BigInt(entry.sentBlock), head];
  while (low < high) {
    const middle = (low + high) / 2n;
    if ((await count(middle)) > entry.nonce) high = middle;
    else low = middle + 1n;
  }
  const params = [quantity(high), true];
  const block = await provider.request({
    method: "eth_getBlockByNumber",
    params,
  });
  const { transactions = [] } = (block ?? {}) as {
    transactions?: RawTransaction[];
  };
  return transactions.find(
    ({ from, nonce }) =>
      from.toLowerCase() === entry.account && Number(nonce) === entry.nonce,
  );
}

/** Returns the hash by which equal data are recognized. */
export function hashOf(data: Hex): Hex {
  return keccak256(data);
}
