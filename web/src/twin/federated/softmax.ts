/** Softmax regression over small integers, as the contract computes it. */

/** Largest loss of a sample, in units of 1/256 bit. */
export const MAX_LOSS = 1_536;

/** Fraction bits of a logit: it is in units of 1/16. */
const FRACTION = 4;
/** Smallest difference to the largest logit that counts, in units of 1/16. */
const LOWEST = -256;
/** Numbers `floor(65536 * 2^(k/16))`. */
const POWERS = [
  65_536, 68_437, 71_467, 74_631, 77_935, 81_386, 84_989, 88_752, 92_681,
  96_785, 101_070, 105_545, 110_217, 115_097, 120_193, 125_514,
];

/** Shape of a softmax regression. Its parameters are rows of weights, a row a class, and then biases. */
export interface Softmax {
  readonly features: number;
  readonly classes: number;
  /** Largest feature, a power of two. */
  readonly maxFeature: number;
  /** Number of bits that weights have after the point. */
  readonly scale: number;
}

/** Returns the raw logits of a sample: `sum of weight * feature + maxFeature * bias`, a class each. */
export function rawLogits(
  { features, classes, maxFeature }: Softmax,
  parameters: Int16Array,
  sample: Uint8Array,
): number[] {
  return Array.from({ length: classes }, (_, label) => {
    let sum = maxFeature * (parameters[classes * features + label] ?? 0);
    for (let at = 0; at < features; at += 1)
      sum += (parameters[label * features + at] ?? 0) * (sample[at] ?? 0);
    return sum;
  });
}

/** Returns the class with the largest logit; of equal ones the first. */
export function classOf(logits: readonly number[]): number {
  return logits.reduce(
    (best, logit, label) => (logit > (logits[best] ?? 0) ? label : best),
    0,
  );
}

/** Returns the loss of raw logits for a label, in units of 1/256 bit. */
export function lossOfRaw(
  { maxFeature, scale }: Softmax,
  raw: readonly number[],
  label: number,
): number {
  const unit = 2 ** (scale + Math.log2(maxFeature) - FRACTION);
  const logits = raw.map((logit) => Math.floor(logit / unit));
  return lossOf(logits, label);
}

/**
 * Returns the loss of logits for a label, in units of 1/256 bit, at most `MAX_LOSS`.
 *
 * Logits are exponents of 2 in units of 1/16. A label beyond them has the largest loss.
 */
export function lossOf(logits: readonly number[], label: number): number {
  const own = logits[label];
  if (own === undefined) return MAX_LOSS;
  const largest = Math.max(...logits);
  const power = (logit: number): number => {
    const below = Math.max(logit - largest, LOWEST);
    return (POWERS[below & 15] ?? 0) >> -(below >> FRACTION);
  };
  const sum = logits.reduce((sum, logit) => sum + power(logit), 0);
  const ratio = (BigInt(sum) << 32n) / BigInt(power(own));
  // The ratio is at least 2^32, whose logarithm is 32 * 256.
  return Math.min(binaryLogarithm(ratio) - 8_192, MAX_LOSS);
}

/** Returns `floor(256 * log2(x))` for a positive `x` below 2^64, by squaring its mantissa. */
function binaryLogarithm(x: bigint): number {
  const whole = x.toString(2).length - 1;
  let mantissa = x << BigInt(63 - whole);
  let result = whole;
  for (let step = 0; step < 8; step += 1) {
    mantissa = (mantissa * mantissa) >> 63n;
    const bit = mantissa >> 64n === 0n ? 0 : 1;
    result = 2 * result + bit;
    mantissa >>= BigInt(bit);
  }
  return result;
}
