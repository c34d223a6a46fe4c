//! A binary perceptron over numbers.

use alloy_primitives::U256;

use super::{
    Evidence, Learner,
    lanes::{Lane, Lanes},
};
use crate::sample::dense16_values;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DensePerceptron {
    weights: Lanes<i16>,
    /// Learning rate, in 1/65,536.
    learning_rate: u32,
    intercept: i64,
}

impl DensePerceptron {
    pub(super) fn new(features: usize, learning_rate: u32, intercept: i64) -> Self {
        Self {
            weights: Lanes::new(i16::words(features)),
            learning_rate,
            intercept,
        }
    }
}

impl Learner for DensePerceptron {
    /// Predicts class 1 if `intercept + sum(w_i * x_i) > 0`.
    fn predict(&self, sample: &[u8]) -> u16 {
        let products = dense16_values(sample).zip(self.weights.as_slice());
        let sum: i64 = products
            .map(|(value, weight)| i64::from(value) * i64::from(*weight))
            .sum();
        u16::from(i128::from(self.intercept) + i128::from(sum) > 0)
    }

    fn evidence(&self, sample: &[u8]) -> Evidence {
        let products = dense16_values(sample).zip(self.weights.as_slice());
        let products = products.map(|(value, weight)| i64::from(value) * i64::from(*weight));
        Evidence::votes(products.chain([self.intercept]))
    }

    /// Moves each weight by `(learning_rate * x_i + 32768) >> 16` if the prediction is wrong.
    fn learn(&mut self, label: u16, sample: &[u8]) -> bool {
        if self.predict(sample) == label {
            return false;
        }
        let mut changed = false;
        for (value, weight) in dense16_values(sample).zip(self.weights.as_mut_slice()) {
            let step = (i64::from(self.learning_rate) * i64::from(value) + 32_768) >> 16;
            let moved = i64::from(*weight) + if label == 1 { step } else { -step };
            let moved = saturate(moved);
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

fn saturate(weight: i64) -> i16 {
    i16::try_from(weight).unwrap_or(if weight < 0 { i16::MIN } else { i16::MAX })
}
