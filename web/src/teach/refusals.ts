import { Failure } from "../api/client.ts";
import { readWei, shortEther } from "../text/money.ts";
import { MAX, tamed } from "../text/strangers.ts";
import { teachWords } from "./words.ts";

const words = teachWords.refusals;

/** Returns in words why the coordinator refused a signed batch, with the next step. */
export function explainRefusal(error: unknown): string {
  if (!(error instanceof Failure))
    return words.other(
      tamed(
        error instanceof Error ? error.message : String(error),
        MAX.refusal,
      ),
    );
  const ether = (field: string): string => {
    const value = error.fields[field];
    try {
      return shortEther(readWei(String(value)));
    } catch {
      return "?";
    }
  };
  switch (error.kind) {
    case "nonce-taken":
    case "nonce-used":
      return words.nonceTaken;
    case "nonce-too-far":
      return words.nonceFar;
    case "price-too-high":
      return words.price(ether("price"), ether("maxDeposit"));
    case "balance-too-low":
      return words.balance(ether("required"), ether("balance"));
    case "fee-too-low":
      return words.fee(ether("wanted"));
    case "expired":
      return words.expired;
    case "invalid-signature":
      return words.signature;
    case "other-relayer":
      return words.relayer;
    case "too-many-waiting":
      return words.many;
    case "rate-limited":
      return words.rate(error.wait ?? 1);
    case "not-served":
      return words.notServed;
    case "away":
      return words.away;
    default:
      return words.other(tamed(error.message, MAX.refusal));
  }
}

/** Kinds of failures after which the coordinator may have taken the batch all the same. */
const UNSURE: readonly string[] = ["away", "timed-out", "internal"];

/** Returns `true` if the coordinator may have taken the batch in spite of the failure. */
export function mayBeTaken(error: unknown): boolean {
  if (!(error instanceof Failure)) return true;
  return UNSURE.includes(error.kind) || error.kind.startsWith("http-5");
}
