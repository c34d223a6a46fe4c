//! The perceptron (Rosenblatt 1958) with a falling rate, as scikit-learn's `SGDClassifier` trains
//! it with `loss="perceptron"`, `learning_rate="optimal"` and no penalty.
//!
//! # Training
//!
//! A sample with values `x` has the score `b + sum(w x)`. Where its sign is not the label's, or it
//! is 0, step `t` (counted over all samples seen, from 0) moves `w` by `r x` and `b` by `r`,
//! towards the label, with `r = 1 / (a (t + 1000))` and `a = 0.0001`. An early model thus learns
//! fast, and a late one is not thrown over by a single sample: with one label in seven wrong, a
//! constant rate of 1 takes a model of reviews from .77 to .59.
//!
//! # From floats to the contract
//!
//! A sample holds `q = s x` ([`Layout::scale`]; 1 for sparse ones). With a scale `k` of the
//! weights, the contract has `W = round(k w)` and scores
//!
//! ```text
//! I + sum(W q) = I + k s sum(w x),   so   I = round(k s b)
//! ```
//!
//! It goes on learning at the rate `r` where training ended, so its step must be `k r x`. Sparse,
//! the step is `learningRate`; dense, it is `learningRate q / 65536`. With `u = 1` (sparse) or
//! `u = 65536 / s` (dense),
//!
//! ```text
//! learningRate = u r k
//! ```
//!
//! `k` is the largest that makes `learningRate` whole and keeps the weights, and a single step,
//! within 8,191: a quarter of what 16 bits hold, as headroom for learning on chain. Where there is
//! none, because training ended with too small a rate, `learningRate` is 1 and the contract learns
//! faster than training did.

use alloy_primitives::U256;
use cotrain_protocol::classifier::{Classifier, Parameters};
use cotrain_protocol::sample::Encoding;
use ndarray::Array1;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::{Floats, Learned, Options, TrainError};
use crate::encode::{Layout, Row, Samples};

/// The largest weight after training.
const LARGEST_WEIGHT: f64 = 8_191.0;

/// The contract's learning rate of dense samples that stands for 1.
const DENSE_RATE_SCALE: f64 = 65_536.0;

pub(super) fn learn(samples: &Samples, options: &Options) -> Result<Learned, TrainError> {
    let (floats, epochs) = Perceptron::fit(samples, options);
    let (classifier, scale, max_abs_error) = floats.quantise(samples.layout())?;
    Ok(Learned {
        floats: Box::new(floats),
        classifier,
        epochs,
        scale,
        max_abs_error,
    })
}

/// A perceptron in floats.
struct Perceptron {
    weights: Array1<f64>,
    intercept: f64,
    /// How many samples it has seen.
    steps: f64,
}

impl Perceptron {
    /// The weights after the last epoch, and how many there were.
    // Counts of samples are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    fn fit(samples: &Samples, options: &Options) -> (Self, u32) {
        let mut model = Self {
            weights: Array1::zeros(samples.layout().features),
            intercept: 0.0,
            steps: 0.0,
        };
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        let mut order: Vec<usize> = (0..samples.len()).collect();
        let tolerance = options.tolerance * samples.len() as f64;
        let (mut lowest, mut idle, mut epochs) = (f64::INFINITY, 0, 0);
        while epochs < options.max_epochs && idle < options.patience {
            order.shuffle(&mut random);
            let loss = model.epoch(samples, &order);
            idle = if loss > lowest - tolerance {
                idle + 1
            } else {
                0
            };
            lowest = lowest.min(loss);
            epochs += 1;
        }
        (model, epochs)
    }

    /// Learns from each sample once; the sum of the losses before each step.
    fn epoch(&mut self, samples: &Samples, order: &[usize]) -> f64 {
        let mut loss = 0.0;
        for &index in order {
            let row = samples.row(index);
            let sign = if samples.labels()[index] == 1 {
                1.0
            } else {
                -1.0
            };
            let margin = sign * self.score(&row);
            if margin <= 0.0 {
                let step = sign * self.rate();
                loss -= margin;
                row.add_to(self.weights.view_mut(), step);
                self.intercept += step;
            }
            self.steps += 1.0;
        }
        loss
    }

    fn score(&self, row: &Row<'_>) -> f64 {
        self.intercept + row.dot(&self.weights.view())
    }

    /// The rate of the next step.
    fn rate(&self) -> f64 {
        1e4 / (self.steps + 1e3)
    }

    /// The contract's model, the scale of its weights, and the largest error of a weight or the
    /// intercept.
    // `round` and `floor` leave whole numbers; a cast of one beyond the bounds saturates.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss
    )]
    fn quantise(&self, layout: &Layout) -> Result<(Classifier, f64, f64), TrainError> {
        let sparse = layout.encoding == Encoding::Sparse;
        let (unit, largest_value) = if sparse {
            (1.0, 1.0)
        } else {
            (
                DENSE_RATE_SCALE / layout.scale,
                f64::from(i16::MAX) / layout.scale,
            )
        };
        let rate = unit * self.rate();
        let largest = self
            .weights
            .fold(self.rate() * largest_value, |largest, weight| {
                weight.abs().max(largest)
            });
        let most = LARGEST_WEIGHT / largest;
        let learning_rate = (rate * most).floor().max(1.0);
        let scale = most.min(learning_rate / rate);

        let weights: Vec<i16> = self
            .weights
            .iter()
            .map(|w| (w * scale).round() as i16)
            .collect();
        let intercept_scale = scale * layout.scale;
        let intercept = (self.intercept * intercept_scale).round() as i64;
        let features = layout.features as u32;
        let parameters = if sparse {
            Parameters::SparsePerceptron {
                features,
                learning_rate: learning_rate as u16,
                intercept,
            }
        } else {
            Parameters::DensePerceptron {
                features,
                learning_rate: learning_rate as u32,
                intercept,
            }
        };
        let intercept_error = (intercept as f64 / intercept_scale - self.intercept).abs();
        let error = self
            .weights
            .iter()
            .zip(&weights)
            .map(|(weight, &whole)| (f64::from(whole) / scale - weight).abs())
            .fold(intercept_error, f64::max);
        Ok((
            Classifier::from_words(parameters, &packed(&weights))?,
            scale,
            error,
        ))
    }
}

impl Floats for Perceptron {
    fn predict(&self, row: &Row<'_>) -> u16 {
        u16::from(self.score(row) > 0.0)
    }
}

/// Weights as the contract stores them: 16 a word, the first one the least significant.
fn packed(weights: &[i16]) -> Vec<U256> {
    let word = |lanes: &[i16]| {
        let bytes: Vec<u8> = lanes.iter().flat_map(|lane| lane.to_le_bytes()).collect();
        U256::from_le_slice(&bytes)
    };
    weights.chunks(16).map(word).collect()
}
