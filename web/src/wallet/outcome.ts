import type { Hex } from "../chain/rpc.ts";
import { MAX, tamed } from "../text/strangers.ts";
import { walletWords as words } from "./words.ts";

/** Reason for which a step with the wallet or the chain did not happen. */
export type RefusalKind =
  | "rejected"
  | "busy"
  | "locked"
  | "wrong-network"
  | "unknown-network"
  | "unsupported"
  | "disconnected"
  | "reverted"
  | "unpayable"
  | "timeout"
  | "failed";

/** Refusal in words for people. */
export interface Refusal {
  kind: RefusalKind;
  text: string;
}

export type Outcome<T> =
  { ok: true; value: T } | { ok: false; refusal: Refusal };

/** Returns a success. */
export function done<T>(value: T): Outcome<T> {
  return { ok: true, value };
}

/** Returns a refusal, with its usual words if none are given. */
export function refused(
  kind: RefusalKind,
  text: string = words.refusals[kind],
): { ok: false; refusal: Refusal } {
  return { ok: false, refusal: { kind, text } };
}

/** Codes of EIP-1193, EIP-3085 and EIP-1474 that say something to people. */
const CODES: Readonly<Record<number, RefusalKind>> = {
  4001: "rejected",
  4100: "locked",
  4200: "unsupported",
  4900: "disconnected",
  4901: "disconnected",
  4902: "unknown-network",
  [-32002]: "busy",
  [-32601]: "unsupported",
};

/** Fields in which wallets wrap the error of another layer. */
const INNER = ["cause", "originalError", "error", "data", "info"] as const;
/** Depth to which wrapped errors are followed. */
const DEPTH = 6;

/** Returns an error, and the errors within it, from the outermost on. */
function layers(error: unknown): object[] {
  const found: object[] = [];
  let waiting: unknown[] = [error];
  for (let depth = 0; depth < DEPTH; depth += 1) {
    const objects = waiting.filter(
      (it): it is object => typeof it === "object" && it !== null,
    );
    found.push(...objects);
    waiting = objects.flatMap((it) =>
      INNER.map((name) => Reflect.get(it, name) as unknown),
    );
  }
  return found;
}

/** Returns what a wallet's error means. A code within another error counts, since wallets nest them. */
export function refusalOf(error: unknown): Refusal {
  const all = layers(error);
  const inner = [...all].reverse();
  for (const layer of inner) {
    const code = Reflect.get(layer, "code") as unknown;
    const kind =
      code === "ACTION_REJECTED"
        ? "rejected"
        : CODES[typeof code === "string" ? Number(code) : (code as number)];
    if (kind) return { kind, text: words.refusals[kind] };
  }
  const messages = all.flatMap((layer) => {
    const message = Reflect.get(layer, "message") as unknown;
    return typeof message === "string" ? [message] : [];
  });
  const text = messages.join(" ");
  if (/user (rejected|denied|cancel+ed)/i.test(text))
    return { kind: "rejected", text: words.refusals.rejected };
  if (/nonce.{0,20}too (low|high)|invalid nonce/i.test(text))
    return { kind: "failed", text: words.nonce };
  if (/insufficient (funds|balance)/i.test(text))
    return { kind: "unpayable", text: words.refusals.unpayable };
  const said = messages[0] ?? (typeof error === "string" ? error : "");
  // Braces mark raw messages of the node, which say nothing to people.
  const plain = /[{}]/.test(said) ? "" : tamed(said, MAX.refusal);
  return { kind: "failed", text: words.failed(plain) };
}

/** Returns the data of a revert within a wallet's error; undefined if there are none. */
export function revertIn(error: unknown): Hex | undefined {
  for (const layer of layers(error)) {
    const data = Reflect.get(layer, "data") as unknown;
    if (typeof data === "string" && /^0x([0-9a-f]{2}){4,}$/i.test(data))
      return data as Hex;
  }
  return undefined;
}

/** Rejects if a promise takes longer, in milliseconds. */
export function within<T>(promise: Promise<T>, patience: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late()), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Error of an answer that takes too long. */
export class Late extends Error {}
