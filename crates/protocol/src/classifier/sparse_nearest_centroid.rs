//! Learner that predicts the class with the nearest mean of presence vectors.

use alloy_primitives::{I256, U256};

use super::{
    Evidence, Fraction, Learner,
    classes::{Classes, Header},
};
use crate::sample::sparse_features;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SparseNearestCentroid(Classes<u16>);

impl SparseNearestCentroid {
    pub(super) fn new(classes: u16, features: usize) -> Self {
        Self(Classes::new(classes, features))
    }
}

impl Learner for SparseNearestCentroid {
    fn predict(&self, sample: &[u8]) -> u16 {
        self.0.best(
            |header, counts| Distance::new(header, counts, sample),
            Distance::is_below,
        )
    }

    fn evidence(&self, sample: &[u8]) -> Evidence {
        let present = U256::from(sparse_features(sample).count());
        Evidence::SquaredDistances(self.0.each(|header, counts| {
            let Distance {
                numerator,
                denominator,
            } = Distance::new(header, counts, sample);
            // The prediction leaves out the squared length of the sample, which adds the same to
            // each distance. Words that an owner made up may leave the sum below 0.
            let squared = numerator + denominator * I256::from_raw(present);
            Fraction {
                numerator: squared.max(I256::ZERO).into_raw(),
                denominator: denominator.into_raw(),
                exponent: 0,
            }
        }))
    }

    fn learn(&mut self, label: u16, sample: &[u8]) -> bool {
        self.0.count(label, sample, |total, count| {
            total.saturating_add(2 * u128::from(count) + 1)
        })
    }

    fn word(&self, index: usize) -> U256 {
        self.0.word(index)
    }

    fn set_word(&mut self, index: usize, word: U256) {
        self.0.set_word(index, word);
    }
}

/// Squared distance `(Q - 2*S*n) / n^2`, without `|x|^2`, which all classes share.
struct Distance {
    numerator: I256,
    /// Square of the number of samples, `n^2`.
    denominator: I256,
}

impl Distance {
    fn new(header: &Header, counts: &[u16], sample: &[u8]) -> Self {
        let sum: u64 = sparse_features(sample)
            .map(|feature| u64::from(counts[usize::from(feature)]))
            .sum();
        // The sum has at most 65,536 counts of 16 bits, so the product is below 2^65.
        let product = 2 * u128::from(sum) * u128::from(header.samples);
        Self {
            // Both are below 2^128, so the difference has 128 bits and a sign.
            numerator: signed(header.total) - signed(product),
            denominator: signed(u128::from(header.samples).pow(2)),
        }
    }

    fn is_below(&self, other: &Self) -> bool {
        // At most 128 bits and a sign, times 64 bits: that fits in 256 bits.
        self.numerator * other.denominator < other.numerator * self.denominator
    }
}

/// Converts to a signed number of the same value: 128 bits do not reach the sign.
fn signed(number: u128) -> I256 {
    I256::from_raw(U256::from(number))
}
