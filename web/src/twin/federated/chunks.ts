import { concat, keccak256 } from "viem/utils";

type Hex = `0x${string}`;

const ZERO: Hex = `0x${"0".repeat(64)}`;

/**
 * Returns the root over the chunks of an encoded update, each of `size` bytes, the last maybe shorter.
 *
 * A leaf is the hash of a chunk. Leaves are padded with zeros to a power of two, and a node is the
 * hash of its children in order.
 */
export function rootOf(bytes: Uint8Array, size: number): Hex {
  const step = Math.max(1, size);
  const count = Math.max(1, Math.ceil(bytes.length / step));
  let level: Hex[] = Array.from({ length: count }, (_, at) =>
    keccak256(bytes.subarray(at * step, (at + 1) * step)),
  );
  while (level.length & (level.length - 1)) level.push(ZERO);
  while (level.length > 1) {
    const below = level;
    level = Array.from({ length: below.length / 2 }, (_, at) =>
      keccak256(concat([below[2 * at] ?? ZERO, below[2 * at + 1] ?? ZERO])),
    );
  }
  return level[0] ?? ZERO;
}
