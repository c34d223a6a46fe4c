import { decodeFunctionResult, encodeFunctionData } from "viem/utils";
import { ask, failure } from "../api/client.ts";

/** The function of a classifier that the page calls. */
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
  sample: `0x${string}`,
  block: number,
): Promise<number> {
  const data = encodeFunctionData({
    abi,
    functionName: "predict",
    args: [[sample]],
  });
  const result = await send("eth_call", [
    { to: classifier, data },
    `0x${block.toString(16)}`,
  ]);
  const [label] = decodeFunctionResult({
    abi,
    functionName: "predict",
    data: result,
  });
  if (label === undefined) throw new Error("the contract returned no class");
  return Number(label);
}

/** Sends a call to the node, through the coordinator. */
async function send(
  method: string,
  params: readonly unknown[],
): Promise<`0x${string}`> {
  const call = { jsonrpc: "2.0", id: 1, method, params };
  const response = await ask("/rpc", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(call),
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw failure(response, body);
  const { result, error } = body as {
    result?: `0x${string}`;
    error?: { message?: string };
  };
  if (result === undefined)
    throw new Error(error?.message ?? "the node gave no result");
  return result;
}
