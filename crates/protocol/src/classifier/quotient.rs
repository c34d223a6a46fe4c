//! Long products as floating-point numbers of a fixed precision, and the comparison of their
//! quotients.

use alloy_primitives::U256;

/// A positive product `mantissa * 2^exponent`, the mantissa below 2^192.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    /// Least significant first; not all are 0.
    limbs: [u64; 3],
    exponent: i64,
}

impl Product {
    /// The product of nothing but one positive factor.
    pub(super) fn new(factor: u64) -> Self {
        Self {
            limbs: [factor, 0, 0],
            exponent: 0,
        }
    }

    /// Multiplies by a positive factor. Where the mantissa reaches 2^192 its lowest limb is dropped.
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

    /// The same number, but for the bits that 128 cannot hold.
    fn round_down(self) -> Rounded {
        let [a, b, c] = self.limbs;
        let middle = u128::from(c) << 64 | u128::from(b);
        if c == 0 {
            let mantissa = u128::from(b) << 64 | u128::from(a);
            let shift = mantissa.leading_zeros();
            Rounded {
                mantissa: mantissa << shift,
                exponent: self.exponent - i64::from(shift),
            }
        } else {
            // The highest `shift` bits of the lowest limb come in from below.
            let shift = c.leading_zeros();
            Rounded {
                mantissa: middle << shift | u128::from(a) << shift >> 64,
                exponent: self.exponent + 64 - i64::from(shift),
            }
        }
    }
}

/// A quotient of two products.
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

    /// Whether this is above `other` by more than truncation can have made it: 2^-110 of it.
    pub(super) fn exceeds(&self, other: &Self) -> bool {
        let (mut left, left_exponent) = self.numerator.times(other.denominator);
        let (mut right, right_exponent) = other.numerator.times(self.denominator);
        let difference = left_exponent.abs_diff(right_exponent);
        // Beyond 256 all bits are gone.
        let shift = usize::try_from(difference).unwrap_or(usize::MAX).min(256);
        if left_exponent < right_exponent {
            left >>= shift;
        } else {
            right >>= shift;
        }
        left > right.saturating_add(right >> 110_usize)
    }
}

/// `mantissa * 2^exponent`, the mantissa of exactly 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rounded {
    mantissa: u128,
    exponent: i64,
}

impl Rounded {
    /// The exact product of both: 256 bits and an exponent.
    fn times(self, other: Self) -> (U256, i64) {
        (
            U256::from(self.mantissa) * U256::from(other.mantissa),
            self.exponent + other.exponent,
        )
    }
}
