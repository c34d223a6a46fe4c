import { decodeFunctionResult, encodeFunctionData } from "viem/utils";
import { call, type Address, type Hex } from "../chain/rpc.ts";

/** The function of a classifier that this part calls; all others would only make it larger. */
const abi = [
  {
    type: "function",
    name: "predict",
    stateMutability: "view",
    inputs: [{ name: "samples", type: "bytes[]" }],
    outputs: [{ name: "labels", type: "uint256[]" }],
  },
] as const;

/** Asks a classifier's contract for the class of a sample, after a block. */
export async function askContract(
  classifier: string,
  sample: Hex,
  block: number,
): Promise<number> {
  const data = encodeFunctionData({
    abi,
    functionName: "predict",
    args: [[sample]],
  });
  const result = await call(classifier as Address, data, BigInt(block));
  const [label] = decodeFunctionResult({
    abi,
    functionName: "predict",
    data: result,
  });
  if (label === undefined) throw new Error("the contract returned no class");
  return Number(label);
}
