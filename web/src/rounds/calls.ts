import { encodeAbiParameters, encodeFunctionData, keccak256 } from "viem/utils";
import { federatedAbi as abi } from "../chain/abi/federated.ts";
import { rewardTokenAbi } from "../chain/abi/rewards.ts";
import type { Address, Hex } from "../chain/rpc.ts";

/** What a commitment binds together. */
export interface Committed {
  trainer: Address;
  round: number;
  author: Address;
  version: number;
  root: Hex;
  salt: Hex;
}

/** Returns the hash that commits an author to an update. */
export function commitmentOf(of: Committed): Hex {
  const { trainer, round, author, version, root, salt } = of;
  const types = ["address", "uint256", "address", "uint256"] as const;
  return keccak256(
    encodeAbiParameters(
      [...types, "bytes32", "bytes32"].map((type) => ({ type })),
      [trainer, BigInt(round), author, BigInt(version), root, salt],
    ),
  );
}

/** Returns the call that lets a trainer take tokens of the caller. */
export function approveCall(trainer: Address, amount: bigint): Hex {
  const args = [trainer, amount] as const;
  return encodeFunctionData({
    abi: rewardTokenAbi,
    functionName: "approve",
    args,
  });
}

/** Returns the call that moves stake tokens into a trainer, or back out of it. */
export function moveCall(
  functionName: "deposit" | "withdraw",
  amount: bigint,
): Hex {
  return encodeFunctionData({ abi, functionName, args: [amount] });
}

/** Returns the call that commits to an update. */
export function commitCall(hash: Hex): Hex {
  return encodeFunctionData({ abi, functionName: "commit", args: [hash] });
}

/** Returns the call that reveals the update of a commitment. */
export function revealCall(
  index: number,
  { version, salt, update }: { version: number; salt: Hex; update: Hex },
): Hex {
  const revelation = {
    index: BigInt(index),
    baseVersion: BigInt(version),
    salt,
    update,
  };
  return encodeFunctionData({
    abi,
    functionName: "reveal",
    args: [[revelation]],
  });
}

/** Returns a call without arguments. */
export function plainCall(
  functionName: "collect" | "draw" | "settle" | "fail",
): Hex {
  return encodeFunctionData({ abi, functionName });
}
