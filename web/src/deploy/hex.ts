import type { Hex } from "../chain/rpc.ts";

const PAIRS = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, "0"),
);

/** Returns bytes as the API takes them. */
export function hexOf(bytes: Uint8Array): Hex {
  const digits: string[] = Array.from({ length: bytes.length });
  for (let at = 0; at < bytes.length; at += 1)
    digits[at] = PAIRS[bytes[at] ?? 0] ?? "00";
  return `0x${digits.join("")}`;
}
