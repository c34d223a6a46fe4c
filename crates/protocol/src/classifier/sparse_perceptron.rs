//! A binary perceptron over the presence of features.

use alloy_primitives::U256;

use super::{
    Evidence, Learner,
    lanes::{Lane, Lanes},
};
use crate::sample::sparse_features;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SparsePerceptron {
    weights: Lanes<i16>,
    learning_rate: u16,
    intercept: i64,
}

impl SparsePerceptron {
    pub(super) fn new(features: usize, learning_rate: u16, intercept: i64) -> Self {
        Self {
            weights: Lanes::new(i16::words(features)),
            learning_rate,
            intercept,
        }
    }
}

impl Learner for SparsePerceptron {
    /// Predicts class 1 if `intercept + sum(w_i) > 0`.
    fn predict(&self, sample: &[u8]) -> u16 {
        let weights = self.weights.as_slice();
        let sum: i64 = sparse_features(sample)
            .map(|feature| i64::from(weights[usize::from(feature)]))
            .sum();
        u16::from(i128::from(self.intercept) + i128::from(sum) > 0)
    }

    fn evidence(&self, sample: &[u8]) -> Evidence {
        let weights = self.weights.as_slice();
        let present = sparse_features(sample).map(|feature| weights[usize::from(feature)].into());
        Evidence::votes(present.chain([self.intercept]))
    }

    /// Moves the weights of the present features by the learning rate if the prediction is wrong.
    fn learn(&mut self, label: u16, sample: &[u8]) -> bool {
        if self.predict(sample) == label {
            return false;
        }
        let weights = self.weights.as_mut_slice();
        let mut changed = false;
        for feature in sparse_features(sample) {
            let weight = &mut weights[usize::from(feature)];
            let moved = if label == 1 {
                weight.saturating_add_unsigned(self.learning_rate)
            } else {
                weight.saturating_sub_unsigned(self.learning_rate)
            };
            changed |= *weight != moved;
            *weight = moved;
        }
        changed
    }

    fn word(&self, index: usize) -> U256 {
        self.weights.word(index)
    }

    fn set_word(&mut self, index: usize, word: U256) {
        self.weights.set_word(index, word);
    }
}
