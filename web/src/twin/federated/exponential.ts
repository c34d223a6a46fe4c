/** Exponents below this give 0. */
const LOWEST = -64;
/** Number of terms of the series after the first. */
const TERMS = 12;

/**
 * Returns `2^x` for `x` of at most 0; 0 below -64.
 *
 * Its operations and their order are those of Rust, so the bits are equal. Powers of browsers differ.
 */
export function exp2(x: number): number {
  // This is also false if `x` is no number.
  if (!(x >= LOWEST && x <= 0)) return x > 0 ? 1 : 0;
  const whole = Math.floor(x + 0.5);
  const power = (x - whole) * Math.LN2;
  let sum = 1;
  for (let term = TERMS; term > 0; term -= 1) sum = 1 + (sum * power) / term;
  for (let halvings = -whole; halvings > 0; halvings -= 1) sum *= 0.5;
  return sum;
}
