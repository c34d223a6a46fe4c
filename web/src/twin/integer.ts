/** Returns the square root, rounded down. The number is not negative. */
export function isqrt(number: bigint): bigint {
  if (number < 2n) return number;
  // A power of two above the root: Newton's steps then fall until they reach it.
  let root = 1n << BigInt((number.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + number / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** Returns the number of bits of a positive number; 0 for 0. */
export function bitLength(number: bigint): number {
  const digits = number.toString(16);
  const first = Number.parseInt(digits.charAt(0), 16);
  return first === 0 ? 0 : (digits.length - 1) * 4 + (32 - Math.clz32(first));
}

/** Returns the smaller one. */
export function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** Moves a number into bounds. */
export function clamp(number: bigint, min: bigint, max: bigint): bigint {
  return number < min ? min : number > max ? max : number;
}
