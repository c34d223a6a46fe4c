//! Long products as floating-point numbers of a fixed precision, and the comparison of their
//! quotients.

use alloy_primitives::U256;

use super::Fraction;

/// A positive product `mantissa * 2^exponent`, with a mantissa below 2^192.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    /// Limbs of the mantissa, least significant first. Not all are 0.
    limbs: [u64; 3],
    exponent: i64,
}

impl Product {
    /// Creates the product of a single positive factor.
    pub(super) fn new(factor: u64) -> Self {
        Self {
            limbs: [factor, 0, 0],
            exponent: 0,
        }
    }

    /// Multiplies by a positive factor. Drops the lowest limb if the mantissa reaches 2^192.
    #[inline]
    pub(super) fn multiply(&mut self, factor: u64) {
        let [a, b, c] = self.limbs;
        let (a, carry) = a.carrying_mul(factor, 0);
        let (b, carry) = b.carrying_mul(factor, carry);
        let (c, carry) = c.carrying_mul(factor, carry);
        if carry == 0 {
            self.limbs = [a, b, c];
        } else {
            self.limbs = [b, c, carry];
            self.exponent += 64;
        }
    }

    /// Rounds the mantissa down to its highest 128 bits.
    fn round_down(self) -> Rounded {
        let [a, b, c] = self.limbs;
        if c == 0 {
            let mantissa = u128::from(b) << 64 | u128::from(a);
            let shift = mantissa.leading_zeros();
            Rounded {
                mantissa: mantissa << shift,
                exponent: self.exponent - i64::from(shift),
            }
        } else {
            let high = u128::from(c) << 64 | u128::from(b);
            let shift = c.leading_zeros();
            // The highest `shift` bits of the lowest limb.
            let low = u128::from(a) << shift >> 64;
            Rounded {
                mantissa: high << shift | low,
                exponent: self.exponent + 64 - i64::from(shift),
            }
        }
    }
}

/// Quotient of two products, each rounded down to 128 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quotient {
    numerator: Rounded,
    denominator: Rounded,
}

impl Quotient {
    pub(super) fn new(numerator: Product, denominator: Product) -> Self {
        Self {
            numerator: numerator.round_down(),
            denominator: denominator.round_down(),
        }
    }

    /// Returns `true` if this exceeds `other` by more than 2^-110 of it.
    ///
    /// Truncation alone cannot make such a difference.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        let (mut left, left_exponent) = self.numerator.times(other.denominator);
        let (mut right, right_exponent) = other.numerator.times(self.denominator);
        // A shift by 256 bits leaves nothing.
        let shift = left_exponent.abs_diff(right_exponent).min(256);
        if left_exponent < right_exponent {
            left >>= shift;
        } else {
            right >>= shift;
        }
        left > right.saturating_add(right >> 110_usize)
    }
}

impl From<Quotient> for Fraction {
    fn from(quotient: Quotient) -> Self {
        let (numerator, denominator) = (quotient.numerator, quotient.denominator);
        Self {
            numerator: U256::from(numerator.mantissa),
            denominator: U256::from(denominator.mantissa),
            exponent: numerator.exponent - denominator.exponent,
        }
    }
}

/// A number `mantissa * 2^exponent`. Its mantissa has exactly 128 bits: the highest one is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rounded {
    mantissa: u128,
    exponent: i64,
}

impl Rounded {
    /// Multiplies both exactly. Returns 256 bits and an exponent.
    fn times(self, other: Self) -> (U256, i64) {
        (
            U256::from(self.mantissa) * U256::from(other.mantissa),
            self.exponent + other.exponent,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotient(numerator: u128, denominator: u128) -> Quotient {
        let rounded = |mantissa| Rounded {
            mantissa,
            exponent: 0,
        };
        Quotient {
            numerator: rounded(numerator),
            denominator: rounded(denominator),
        }
    }

    /// Uses the largest mantissas. No classes are known to have all of them at once.
    #[test]
    fn exceeds_saturates_the_tolerance() {
        let largest = quotient(u128::MAX, u128::MAX);
        assert!(!largest.exceeds(&largest));
        assert!(!quotient(1 << 127, u128::MAX).exceeds(&largest));
        assert!(largest.exceeds(&quotient(1 << 127, u128::MAX)));
    }

    #[test]
    fn exceeds_leaves_nothing_of_a_side_that_is_256_bits_lower() {
        let with_exponent = |exponent| Quotient {
            numerator: Rounded {
                mantissa: u128::MAX,
                exponent,
            },
            denominator: Rounded {
                mantissa: 1 << 127,
                exponent: 0,
            },
        };
        for exponent in [1, 255, 256, 257, 1 << 20, i64::MAX / 2] {
            assert!(
                with_exponent(exponent).exceeds(&with_exponent(0)),
                "{exponent}"
            );
            assert!(
                !with_exponent(0).exceeds(&with_exponent(exponent)),
                "{exponent}"
            );
        }
    }

    #[test]
    fn round_down_keeps_the_highest_128_bits() {
        let rounded = |limbs| {
            Product {
                limbs,
                exponent: 640,
            }
            .round_down()
        };
        let expected = |mantissa, exponent| Rounded { mantissa, exponent };
        assert_eq!(rounded([1, 0, 0]), expected(1 << 127, 513));
        assert_eq!(rounded([3, 1, 0]), expected((1 << 127) + (3 << 63), 577));
        assert_eq!(rounded([0, 1 << 63, 0]), expected(1 << 127, 640));
        assert_eq!(rounded([u64::MAX; 3]), expected(u128::MAX, 704));
        assert_eq!(rounded([3, 0, 1]), expected((1 << 127) + 1, 641));
        assert_eq!(
            rounded([1 << 63, 7, 1]),
            expected((1 << 127) + (7 << 63) + (1 << 62), 641)
        );
    }
}
