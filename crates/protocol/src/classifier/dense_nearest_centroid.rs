//! Learner that predicts the class with the nearest mean of number vectors.

use alloy_primitives::U256;

use super::{
    Evidence, Fraction, Learner,
    classes::{Classes, Header},
};
use crate::sample::dense32_values;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DenseNearestCentroid(Classes<i64>);

impl DenseNearestCentroid {
    pub(super) fn new(classes: u16, features: usize) -> Self {
        Self(Classes::new(classes, features))
    }
}

impl Learner for DenseNearestCentroid {
    fn predict(&self, sample: &[u8]) -> u16 {
        self.0.best(
            |header, sums| Distance::new(header, sums, sample),
            Distance::is_below,
        )
    }

    fn evidence(&self, sample: &[u8]) -> Evidence {
        Evidence::SquaredDistances(self.0.each(|header, sums| {
            let Distance {
                numerator,
                denominator,
            } = Distance::new(header, sums, sample);
            Fraction {
                numerator,
                denominator,
                exponent: 0,
            }
        }))
    }

    fn learn(&mut self, label: u16, sample: &[u8]) -> bool {
        let (header, sums) = self.0.class_mut(label);
        if header.is_full() {
            return false;
        }
        for (sum, value) in sums.iter_mut().zip(dense32_values(sample)) {
            *sum = sum.saturating_add(value.into());
        }
        header.samples += 1;
        true
    }

    fn word(&self, index: usize) -> U256 {
        self.0.word(index)
    }

    fn set_word(&mut self, index: usize, word: U256) {
        self.0.set_word(index, word);
    }
}

/// Squared distance `D / n^2`, with `D = sum((n*x_f - s_f)^2)`.
struct Distance {
    numerator: U256,
    /// Square of the number of samples, `n^2`.
    denominator: U256,
}

impl Distance {
    fn new(header: &Header, sums: &[i64], sample: &[u8]) -> Self {
        let samples = i64::from(header.samples);
        let (mut low, mut high) = (0_u128, 0_u64);
        for (value, sum) in dense32_values(sample).zip(sums) {
            // The product of 32 bits, 31 bits and a sign fits. The difference is below 2^64, its
            // square below 2^128.
            let difference = (samples * i64::from(value)).abs_diff(*sum);
            let (next, carry) = low.overflowing_add(u128::from(difference).pow(2));
            low = next;
            high += u64::from(carry);
        }
        Self {
            numerator: U256::from(high) << 128_usize | U256::from(low),
            denominator: U256::from(u128::from(header.samples).pow(2)),
        }
    }

    fn is_below(&self, other: &Self) -> bool {
        // At most 4,096 squares of 128 bits, times 64 bits: that fits in 256 bits.
        self.numerator * other.denominator < other.numerator * self.denominator
    }
}
