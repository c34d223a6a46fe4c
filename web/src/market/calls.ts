import { encodeFunctionData } from "viem/utils";
import { marketAbi as abi } from "../chain/abi/market.ts";
import type { Hex } from "../chain/rpc.ts";
import { encodeBatch, toHex, type Item } from "../twin/index.ts";
import type { Part } from "./testSet.ts";

/** Returns the call that commits to a test set; the bounty goes with it. */
export function commitCall(commitments: readonly Hex[]): Hex {
  return encodeFunctionData({
    abi,
    functionName: "commit",
    args: [commitments],
  });
}

/** Returns the call that contributes. */
export function contributeCall(items: readonly Item[]): Hex {
  const args = [toHex(encodeBatch(items))] as const;
  return encodeFunctionData({ abi, functionName: "contribute", args });
}

/** Returns the call that reveals a part. */
export function revealCall(index: number, { salt, items }: Part): Hex {
  const args = [BigInt(index), salt, items] as const;
  return encodeFunctionData({ abi, functionName: "reveal", args });
}

/** Returns the call that collects a participant's money. */
export function collectCall(): Hex {
  return encodeFunctionData({ abi, functionName: "collect" });
}

/** Returns the call that collects what the provider gets back. */
export function remainderCall(): Hex {
  return encodeFunctionData({ abi, functionName: "collectRemainder" });
}
