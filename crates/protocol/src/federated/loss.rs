//! Logarithmic loss in integers, capped.

/// Largest loss of a sample, in units of 1/256 bit.
pub const MAX_LOSS: u64 = 1_536;

/// Fraction bits of a logit: it is in units of 1/16.
const FRACTION: u32 = 4;

/// Smallest difference to the largest logit that counts, in units of 1/16.
const LOWEST: i64 = -256;

/// Numbers `floor(65536 * 2^(k/16))`.
const POWERS: [u64; 16] = [
    65_536, 68_437, 71_467, 74_631, 77_935, 81_386, 84_989, 88_752, 92_681, 96_785, 101_070,
    105_545, 110_217, 115_097, 120_193, 125_514,
];

/// Returns the loss of logits for a label, in units of 1/256 bit, at most [`MAX_LOSS`].
///
/// Logits are exponents of 2 in units of 1/16. A label beyond them has the largest loss.
#[must_use]
pub fn loss(logits: &[i64], label: u16) -> u64 {
    let Some(own) = logits.get(usize::from(label)) else {
        return MAX_LOSS;
    };
    let largest = logits.iter().copied().fold(*own, i64::max);
    let power = |logit: i64| {
        let below = logit.saturating_sub(largest).max(LOWEST);
        // `below` is at most 0, and an arithmetic shift rounds down, so the remainder is positive.
        let (whole, rest) = (below >> FRACTION, below & ((1 << FRACTION) - 1));
        POWERS[usize::try_from(rest).unwrap_or_default()] >> whole.unsigned_abs()
    };
    let sum: u64 = logits.iter().map(|&logit| power(logit)).sum();
    let ratio = (u128::from(sum) << 32) / u128::from(power(*own));
    // The ratio is at least 2^32, whose logarithm is 32 * 256.
    (binary_logarithm(ratio) - 8_192).min(MAX_LOSS)
}

/// Returns `floor(256 * log2(x))` for a positive `x` below 2^64, by squaring its mantissa.
///
/// Bits that squaring truncates can make the result smaller by 1.
fn binary_logarithm(x: u128) -> u64 {
    let whole = x.ilog2();
    let mut mantissa = if whole <= 63 {
        x << (63 - whole)
    } else {
        x >> (whole - 63)
    };
    let mut result = u64::from(whole);
    for _ in 0..8 {
        mantissa = (mantissa * mantissa) >> 63;
        let bit = mantissa >> 64 != 0;
        result = (result << 1) | u64::from(bit);
        mantissa >>= u32::from(bit);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_powers_are_roots_of_two() {
        // floor(65536 * 2^(k/16)) = p if, and only if, p^16 <= 2^(256 + k) < (p + 1)^16.
        use num_bigint::BigUint;
        for (k, &power) in (0_u32..).zip(&POWERS) {
            let bound = BigUint::from(2_u32).pow(256 + k);
            assert!(BigUint::from(power).pow(16) <= bound, "{k}");
            assert!(BigUint::from(power + 1).pow(16) > bound, "{k}");
        }
    }

    #[test]
    fn binary_logarithm_is_exact_at_powers_and_monotonic() {
        for whole in 0..=63_u32 {
            assert_eq!(binary_logarithm(1 << whole), u64::from(whole) * 256);
        }
        let mut last = 0;
        for x in 1..100_000_u128 {
            let now = binary_logarithm(x);
            assert!(now >= last, "{x}");
            last = now;
        }
    }

    /// Compares with exact arithmetic: `256 * log2(x) >= r` if, and only if, `x^256 >= 2^r`.
    #[test]
    fn binary_logarithm_rounds_down_by_one_at_most() {
        use num_bigint::BigUint;
        for x in (1..2_000_u64).chain((1..64).map(|it| u64::MAX / it)) {
            let found = binary_logarithm(u128::from(x));
            let power = BigUint::from(x).pow(256);
            let two = |exponent: u64| BigUint::from(1_u32) << exponent;
            assert!(power >= two(found), "{x}");
            assert!(power < two(found + 2), "{x}");
        }
    }
}
