import { expect, test } from "vitest";

import { bitLength, isqrt } from "../src/twin/integer.ts";

test("square roots are rounded down", () => {
  for (let number = 0n; number < 2_000n; number += 1n) {
    const root = isqrt(number);
    expect(root * root <= number && (root + 1n) ** 2n > number).toBe(true);
  }
  for (let bits = 10n; bits < 300n; bits += 7n) {
    for (const number of [1n << bits, (1n << bits) - 1n, 3n ** bits]) {
      const root = isqrt(number);
      expect(root * root <= number && (root + 1n) ** 2n > number).toBe(true);
    }
  }
});

test("bits are counted", () => {
  expect(bitLength(0n)).toBe(0);
  for (let bits = 1; bits < 300; bits += 1) {
    expect(bitLength(1n << BigInt(bits - 1))).toBe(bits);
    expect(bitLength((1n << BigInt(bits)) - 1n)).toBe(bits);
  }
});
