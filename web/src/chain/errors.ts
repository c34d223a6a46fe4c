import { decodeAbiParameters, decodeErrorResult } from "viem/utils";
import { errorsAbi } from "./abi/errors.ts";
import type { Hex } from "./rpc.ts";
import { errorWords, revertWords, type AnyError } from "./words.ts";

/** Selectors of the errors that Solidity itself throws. */
const [REASON, PANIC] = ["0x08c379a0", "0x4e487b71"] as const;

/** Says a revert's data in words: what happened, why, and what to do. */
export function explainRevert(data: Hex): string {
  const selector = data.slice(0, 10).toLowerCase();
  if (selector.length < 10) return revertWords.empty;
  try {
    const rest: Hex = `0x${data.slice(10)}`;
    if (selector === REASON) {
      const [reason] = decodeAbiParameters([{ type: "string" }], rest);
      return reason === "" ? revertWords.empty : revertWords.reason(reason);
    }
    if (selector === PANIC) {
      const [code] = decodeAbiParameters([{ type: "uint256" }], rest);
      return revertWords.panic(code);
    }
    const { abiItem, args } = decodeErrorResult({ abi: errorsAbi, data });
    return say(abiItem as AnyError, args ?? []);
  } catch {
    return revertWords.unknown(selector);
  }
}

function say(error: AnyError, args: readonly unknown[]): string {
  const fields = error.inputs.map((input, at) => [input.name, args[at]]);
  const words = errorWords[error.name] as (fields: object) => string;
  return words(Object.fromEntries(fields));
}
