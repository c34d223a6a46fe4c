import {
  decodeFunctionResult,
  encodeFunctionData,
  keccak256,
} from "viem/utils";
import { classifierAbi } from "../chain/abi.ts";
import { call, type Address, type Hex } from "../chain/rpc.ts";
import type { Plan } from "./service.ts";

/** Number of words that are read at a time. */
const WORDS = 2_048;

/** Returns `true` if a model has the weights of a plan after a block. */
export async function hasWeights(
  plan: Plan,
  classifier: Address,
  block: bigint | "latest",
): Promise<boolean> {
  const { words, keccak256: wanted } = plan.weights;
  const parts: string[] = [];
  for (let offset = 0; offset < words; offset += WORDS) {
    const count = Math.min(WORDS, words - offset);
    const data = encodeFunctionData({
      abi: classifierAbi,
      functionName: "words",
      args: [BigInt(offset), BigInt(count)],
    });
    const read = decodeFunctionResult({
      abi: classifierAbi,
      functionName: "words",
      data: await call(classifier, data, block),
    });
    for (const word of read) parts.push(word.toString(16).padStart(64, "0"));
  }
  return keccak256(`0x${parts.join("")}` as Hex) === wanted;
}
