/** Long products of a fixed precision, and the comparison of their quotients (ADR 001). */

import type { Fraction } from "./evidence.ts";
import { bitLength } from "./integer.ts";

const LIMIT = 1n << 192n;
const MAX = (1n << 256n) - 1n;

/** Positive product `mantissa * 2^exponent`, with a mantissa below 2^192. */
export interface Product {
  mantissa: bigint;
  exponent: number;
}

/** Multiplies by a positive factor below 2^64. Drops the lowest 64 bits above 2^192. */
export function multiply(product: Product, factor: bigint): void {
  product.mantissa *= factor;
  if (product.mantissa >= LIMIT) {
    product.mantissa >>= 64n;
    product.exponent += 64;
  }
}

/** Returns a quotient of products, whose numerator and denominator have exactly 128 bits. */
export function quotient(numerator: Product, denominator: Product): Fraction {
  const above = roundDown(numerator);
  const below = roundDown(denominator);
  return {
    numerator: above.mantissa,
    denominator: below.mantissa,
    exponent: above.exponent - below.exponent,
  };
}

/** Returns `true` if a quotient exceeds another one by more than 2^-110 of it. */
export function exceeds(one: Fraction, other: Fraction): boolean {
  let left = one.numerator * other.denominator;
  let right = other.numerator * one.denominator;
  // The difference of the exponents is what counts. A shift by 256 bits leaves nothing.
  const difference = one.exponent - other.exponent;
  const shift = BigInt(Math.min(Math.abs(difference), 256));
  if (difference < 0) left >>= shift;
  else right >>= shift;
  const tolerated = right + (right >> 110n);
  return left > (tolerated > MAX ? MAX : tolerated);
}

/** Rounds the mantissa down to its highest 128 bits. */
function roundDown({ mantissa, exponent }: Product): Product {
  const shift = bitLength(mantissa) - 128;
  return {
    mantissa:
      shift < 0 ? mantissa << BigInt(-shift) : mantissa >> BigInt(shift),
    exponent: exponent + shift,
  };
}
