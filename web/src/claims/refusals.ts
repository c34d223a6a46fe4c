import { ChainError } from "../chain/rpc.ts";
import { MAX, tamed } from "../text/strangers.ts";

/** Returns in words why the chain or the coordinator refused something. */
export async function inWords(error: unknown): Promise<string> {
  if (error instanceof ChainError && error.data !== undefined) {
    const { explainRevert } = await import("../chain/errors.ts");
    return explainRevert(error.data);
  }
  const message = error instanceof Error ? error.message : String(error);
  return tamed(message, MAX.refusal);
}
