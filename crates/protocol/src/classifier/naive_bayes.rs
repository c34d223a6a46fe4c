//! Multinomial naive Bayes with additive smoothing, over the presence of features.

use alloy_primitives::U256;

use super::{
    Evidence, Learner,
    classes::{Classes, Header},
    quotient::{Product, Quotient},
};
use crate::sample::sparse_features;

/// Number of bits of a class's total that have a meaning.
///
/// A sum of 65,536 counts has far fewer.
const TOTAL_BITS: u32 = 48;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NaiveBayes {
    classes: Classes<u16>,
    /// Smoothing, in 1/256.
    smoothing: u64,
    /// Smoothing times features, in 1/256: the amount that smoothing adds to a total.
    total_smoothing: u64,
}

impl NaiveBayes {
    pub(super) fn new(classes: u16, features: usize, smoothing: u32) -> Self {
        Self {
            classes: Classes::new(classes, features),
            smoothing: smoothing.into(),
            total_smoothing: u64::from(smoothing) * features as u64,
        }
    }

    /// Returns the score `n_c * product(256 * k_cf + a) / (256 * T_c + a * F) ^ m`.
    fn score(&self, header: &Header, counts: &[u16], sample: &[u8]) -> Quotient {
        // Below 2^56 + 2^48.
        let divisor = 256 * header.total_below(TOTAL_BITS) + self.total_smoothing;
        let mut numerator = Product::new(header.samples.into());
        let mut denominator = Product::new(1);
        for feature in sparse_features(sample) {
            // Positive, as smoothing is, and below 2^33.
            numerator.multiply(256 * u64::from(counts[usize::from(feature)]) + self.smoothing);
            denominator.multiply(divisor);
        }
        Quotient::new(numerator, denominator)
    }
}

impl Learner for NaiveBayes {
    fn predict(&self, sample: &[u8]) -> u16 {
        self.classes.best(
            |header, counts| self.score(header, counts, sample),
            Quotient::exceeds,
        )
    }

    fn evidence(&self, sample: &[u8]) -> Evidence {
        let score = |header: &Header, counts: &[u16]| self.score(header, counts, sample);
        Evidence::Scores(
            self.classes
                .each(|header, counts| score(header, counts).into()),
        )
    }

    fn learn(&mut self, label: u16, sample: &[u8]) -> bool {
        self.classes
            .count(label, sample, |total, _| total.saturating_add(1))
    }

    fn word(&self, index: usize) -> U256 {
        self.classes.word(index)
    }

    fn set_word(&mut self, index: usize, word: U256) {
        self.classes.set_word(index, word);
    }
}
