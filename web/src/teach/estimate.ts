import {
  ChainError,
  quantity,
  rpcPending,
  type Address,
  type Hex,
} from "../chain/rpc.ts";
import { MAX, tamed } from "../text/strangers.ts";
import { teachWords } from "./words.ts";

/** Maximum gas of a transaction (EIP-7825), with the part of it that an estimate may take. */
const MAX_GAS = (16_777_216n * 4n) / 5n;

/** What a node says of a transaction before it is sent. */
export type Estimate =
  | { state: "asking" }
  /** Fee in wei; undefined if the node could not tell. */
  | { state: "possible"; fee: bigint | undefined }
  | { state: "impossible"; text: string };

/** Simulates a transaction. */
export async function estimate(
  from: Address,
  to: Address,
  data: Hex,
  value: bigint,
): Promise<Estimate> {
  const call = { from, to, data, value: quantity(value) };
  const [gas, price] = await rpcPending([
    ["eth_estimateGas", [call, "pending"]],
    ["eth_gasPrice", []],
  ]);
  if (gas instanceof ChainError) {
    if (gas.data !== undefined) {
      const { explainRevert } = await import("../chain/errors.ts");
      const text = tamed(explainRevert(gas.data), MAX.refusal);
      return { state: "impossible", text: teachWords.send.wouldFail(text) };
    }
    // An account that cannot pay is told when it sends, with what is missing.
    if (/insufficient funds/i.test(gas.message))
      return { state: "possible", fee: undefined };
    return { state: "impossible", text: teachWords.send.large };
  }
  if (typeof gas !== "string" || typeof price !== "string")
    return { state: "possible", fee: undefined };
  if (BigInt(gas) > MAX_GAS)
    return { state: "impossible", text: teachWords.send.large };
  return { state: "possible", fee: BigInt(gas) * BigInt(price) };
}
