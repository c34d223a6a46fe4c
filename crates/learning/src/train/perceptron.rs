//! Perceptron (Rosenblatt 1958) with a falling rate. Training follows scikit-learn's
//! `SGDClassifier` with `loss="perceptron"`, `learning_rate="optimal"` and no penalty.
//!
//! # Training
//!
//! A sample with values `x` has the score `b + sum(w x)`. If the score is 0 or its sign differs
//! from the label's, step `t` moves `w` by `r x` and `b` by `r` towards the label. Here
//! `r = 1 / (a (t + 1000))` and `a = 0.0001`; `t` counts all samples seen, from 0. So an early
//! model learns fast, and a single sample cannot overthrow a late one. With one label in seven
//! wrong, a constant rate of 1 takes a model of reviews from .77 to .59.
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
//! It continues to learn at the rate `r` where training ended, so its step must be `k r x`. Sparse,
//! the step is `learningRate`; dense, it is `learningRate q / 65536`. With `u = 1` (sparse) or
//! `u = 65536 / s` (dense),
//!
//! ```text
//! learningRate = u r k
//! ```
//!
//! The contract's intercept never changes. Samples of dense perceptrons end with a constant `c`
//! ([`Layout::constant`]), whose weight takes the place of `b` in training. A step moves the weight
//! by `r c / s`, and the score by that times `c / s`. Usually `c = s`; then the score moves by `r`,
//! as it does with `b`. The trained value becomes `I`, to the last digit, and the weight of the
//! constant starts at 0 on chain. So all 16 bits of it are available for learning on chain, which
//! moves it in the same way.
//!
//! `k` is the largest scale for which `learningRate` is whole, and the weights and a single step
//! are within 8,191. That is a quarter of the range of 16 bits, as headroom for learning on chain.
//! If training ended with a small rate, a step could be below one unit of the weights. Then
//! `learningRate` is `u`, a step is one unit, and the contract learns faster than training did.

use cotrain_protocol::classifier::{Classifier, Parameters};
use cotrain_protocol::sample::Encoding;
use ndarray::Array1;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use super::{Floats, Learned, Options, TrainError, packed};
use crate::encode::{Layout, Row, Samples};

/// Maximum number of epochs. 25,000 samples with 100 present features take a fraction of a second.
const MAX_EPOCHS: u32 = 50;

/// Number of epochs in a row without improvement after which training stops, as in scikit-learn.
const PATIENCE: u32 = 5;

/// Minimum decrease of the mean loss below the lowest so far that counts as an improvement, as in
/// scikit-learn.
const TOLERANCE: f64 = 1e-3;

/// Largest weight after training.
const LARGEST_WEIGHT: f64 = 8_191.0;

/// Learning rate of the contract that stands for 1 in dense samples.
const DENSE_RATE_SCALE: f64 = 65_536.0;

pub(super) fn learn(samples: &Samples, options: &Options) -> Result<Learned, TrainError> {
    let (floats, epochs) = Perceptron::fit(samples, options.seed);
    let (classifier, scale, max_abs_error) = floats.quantize(samples.layout())?;
    Ok(Learned {
        floats: Box::new(floats),
        classifier,
        epochs,
        scale,
        max_abs_error,
    })
}

/// Perceptron in floats.
struct Perceptron {
    weights: Array1<f64>,
    intercept: f64,
    /// Number of samples seen.
    steps: f64,
}

impl Perceptron {
    /// Trains a perceptron, and returns it after the last epoch with the number of epochs.
    // Counts of samples are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    fn fit(samples: &Samples, seed: u64) -> (Self, u32) {
        let mut model = Self {
            weights: Array1::zeros(samples.layout().features),
            intercept: 0.0,
            steps: 0.0,
        };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut order: Vec<usize> = (0..samples.len()).collect();
        let tolerance = TOLERANCE * samples.len() as f64;
        let (mut lowest, mut idle, mut epochs) = (f64::INFINITY, 0, 0);
        while epochs < MAX_EPOCHS && idle < PATIENCE {
            order.shuffle(&mut random);
            let loss = model.epoch(samples, &order);
            let improved = loss <= lowest - tolerance;
            idle = if improved { 0 } else { idle + 1 };
            lowest = lowest.min(loss);
            epochs += 1;
        }
        if let Some(one) = samples.layout().constant_value() {
            let last = model.weights.len() - 1;
            model.intercept = model.weights[last] * one;
            model.weights[last] = 0.0;
        }
        (model, epochs)
    }

    /// Learns from each sample once. Returns the sum of the losses before each step.
    fn epoch(&mut self, samples: &Samples, order: &[usize]) -> f64 {
        let mut loss = 0.0;
        let learns_intercept = samples.layout().constant.is_none();
        for &index in order {
            let row = samples.row(index);
            let sign = 2.0 * f64::from(samples.labels()[index]) - 1.0;
            let margin = sign * self.score(&row);
            if margin <= 0.0 {
                let step = sign * self.rate();
                loss -= margin;
                row.add_to(self.weights.view_mut(), step);
                if learns_intercept {
                    self.intercept += step;
                }
            }
            self.steps += 1.0;
        }
        loss
    }

    fn score(&self, row: &Row<'_>) -> f64 {
        self.intercept + row.dot(&self.weights.view())
    }

    /// Returns the rate of the next step.
    fn rate(&self) -> f64 {
        1e4 / (self.steps + 1e3)
    }

    /// Returns the contract's learning rate and the scale of its weights, as derived in the
    /// module's documentation.
    fn steps_on_chain(&self, layout: &Layout) -> (f64, f64) {
        let (unit, largest_value) = match layout.encoding {
            Encoding::Sparse => (1.0, 1.0),
            _ => (
                DENSE_RATE_SCALE / layout.scale,
                f64::from(i16::MAX) / layout.scale,
            ),
        };
        let rate = self.rate();
        let largest_step = rate * largest_value;
        let largest = self
            .weights
            .fold(largest_step, |largest, weight| weight.abs().max(largest));
        let largest_scale = LARGEST_WEIGHT / largest;
        let learning_rate = (unit * rate * largest_scale).floor().max(unit);
        (
            learning_rate,
            largest_scale.min(learning_rate / (unit * rate)),
        )
    }

    /// Returns the contract's model, the scale of its weights, and the largest error of a weight or
    /// the intercept.
    // `round` and `floor` return whole numbers. A cast of one beyond the bounds saturates.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss
    )]
    fn quantize(&self, layout: &Layout) -> Result<(Classifier, f64, f64), TrainError> {
        let (learning_rate, scale) = self.steps_on_chain(layout);
        let whole = self.weights.mapv(|weight| (weight * scale).round());
        let intercept_scale = scale * layout.scale;
        let intercept = (self.intercept * intercept_scale).round();
        let features = layout.features as u32;
        let parameters = match layout.bounds {
            None => Parameters::SparsePerceptron {
                features,
                learning_rate: learning_rate as u16,
                intercept: intercept as i64,
            },
            Some(bounds) => Parameters::DensePerceptron {
                features,
                learning_rate: learning_rate as u32,
                intercept: intercept as i64,
                bounds,
            },
        };
        let errors = (&whole / scale - &self.weights).abs();
        let intercept_error = (intercept / intercept_scale - self.intercept).abs();
        let error = errors.fold(intercept_error, |largest, error| error.max(largest));
        let words = packed(whole.iter().map(|&weight| (weight as i16).to_le_bytes()));
        Ok((Classifier::from_words(parameters, &words)?, scale, error))
    }
}

impl Floats for Perceptron {
    fn predict(&self, row: &Row<'_>) -> u16 {
        u16::from(self.score(row) > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::classifier::Bounds;
    use cotrain_protocol::sample::{Item, encode_dense16, encode_sparse};
    use rand::Rng as _;

    use super::*;

    const FEATURES: u16 = 20;

    /// Encodings, and `true` if samples end with a constant.
    const FORMS: [(Encoding, bool); 3] = [
        (Encoding::Sparse, false),
        (Encoding::Dense16, false),
        (Encoding::Dense16, true),
    ];

    /// Returns random samples. One fifth contradicts the rule that features below 10 mean class 1.
    fn samples((encoding, constant): (Encoding, bool)) -> Samples {
        let scale = if encoding == Encoding::Sparse {
            1.0
        } else {
            4_096.0
        };
        let features = FEATURES + u16::from(constant);
        let mut samples = Samples::new(Layout {
            encoding,
            features: features.into(),
            classes: 2,
            scale,
            bounds: Bounds::widest(encoding, features.into()),
            constant: constant.then_some(4_096),
        });
        let mut random = ChaCha8Rng::seed_from_u64(0);
        for _ in 0..500 {
            let mut bits = || random.next_u32();
            let present: Vec<u16> = (0..FEATURES).filter(|_| bits() % 4 == 0).collect();
            let low = present.iter().filter(|&&feature| feature < 10).count();
            let label = u16::from((2 * low > present.len()) ^ (bits() % 5 == 0));
            let sample = if encoding == Encoding::Sparse {
                encode_sparse(&present)
            } else {
                let mut numbers = vec![0_i16; features.into()];
                for feature in present {
                    let [first, second, ..] = bits().to_le_bytes();
                    numbers[usize::from(feature)] = i16::from_le_bytes([first, second]) / 2;
                }
                if constant {
                    numbers[usize::from(FEATURES)] = 4_096;
                }
                encode_dense16(&numbers)
            };
            samples.push(&sample, label);
        }
        samples
    }

    fn weights(classifier: &Classifier) -> Vec<i16> {
        let bytes = classifier
            .words()
            .into_iter()
            .flat_map(|word| word.to_le_bytes::<32>());
        let bytes: Vec<u8> = bytes.take(2 * classifier.features() as usize).collect();
        bytes
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(i16::from_le_bytes)
            .collect()
    }

    /// The contract's weights equal those in floats to half a unit. They still do after one step on
    /// each sample that both predict wrongly.
    #[test]
    fn quantize_makes_a_contract_that_goes_on_as_training_would() {
        for form in FORMS {
            let samples = samples(form);
            let (floats, _) = Perceptron::fit(&samples, 0);
            let (classifier, scale, error) = floats.quantize(samples.layout()).unwrap();
            assert!(error * scale <= 0.5, "{form:?}: {}", error * scale);
            assert!(
                weights(&classifier)
                    .iter()
                    .all(|weight| weight.abs() <= 8_191)
            );

            let (mut steps, mut agreed) = (0, 0);
            for (index, (sample, label)) in samples.iter().enumerate() {
                let row = samples.row(index);
                let predicted = classifier.predict(sample).unwrap();
                agreed += u32::from(predicted == floats.predict(&row));
                if predicted == label || floats.predict(&row) == label {
                    continue;
                }
                let mut taught = classifier.clone();
                taught.learn(&[Item { label, sample }]).unwrap();
                let mut wanted = floats.weights.clone();
                let sign = 2.0 * f64::from(label) - 1.0;
                row.add_to(wanted.view_mut(), sign * floats.rate());
                for (whole, weight) in weights(&taught).into_iter().zip(wanted) {
                    let units = (f64::from(whole) - weight * scale).abs();
                    assert!(units <= 1.0 + 1e-6, "{form:?}: {units} units off");
                }
                steps += 1;
            }
            assert!(steps > 20, "{form:?}: only {steps} steps");
            assert!(agreed >= 499, "{form:?}: {agreed} of 500 predictions agree");
        }
    }

    #[test]
    fn quantize_makes_a_model_that_can_learn_whatever_its_weights_and_rate() {
        for form in FORMS {
            for (weight, steps) in [(0.0, 0.0), (0.0, 1e12), (-1e3, 1e12), (-1e6, 0.0)] {
                let samples = samples(form);
                let floats = Perceptron {
                    weights: Array1::from_elem(samples.layout().features, weight),
                    intercept: 0.0,
                    steps,
                };
                let (mut classifier, _, _) = floats.quantize(samples.layout()).unwrap();
                let items: Vec<Item<'_>> = (0..samples.len())
                    .map(|index| samples.get(index))
                    .map(|(sample, label)| Item { label, sample })
                    .collect();
                let changed = classifier.learn(&items).unwrap();
                assert!(changed > 0, "{form:?}, weight {weight}, step {steps}");
            }
        }
    }

    /// Without a constant the contract's intercept stays as trained. With one, lessons of otherwise
    /// zero samples move the score by as much as a training step moves its intercept.
    // The intercept is far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    #[test]
    fn quantize_lets_the_constant_move_the_score_as_the_intercept_would() {
        let samples = samples((Encoding::Dense16, true));
        let (floats, _) = Perceptron::fit(&samples, 0);
        let (mut classifier, scale, _) = floats.quantize(samples.layout()).unwrap();
        let Parameters::DensePerceptron { intercept, .. } = *classifier.parameters() else {
            panic!("{:?}", classifier.parameters());
        };
        let trained = intercept as f64 / (scale * 4_096.0);
        assert!((trained - floats.intercept).abs() < 1e-3, "{trained}");
        assert!(floats.intercept.abs() > 0.1, "nothing to learn");
        let last = usize::from(FEATURES);
        assert_eq!(weights(&classifier)[last], 0);

        let mut sample = vec![0_i16; last + 1];
        sample[last] = 4_096;
        let sample = encode_dense16(&sample);
        let before = classifier.predict(&sample).unwrap();
        let label = 1 - before;
        let mut lessons = 0;
        while classifier.predict(&sample).unwrap() == before {
            let sample = &sample[..];
            classifier.learn(&[Item { label, sample }]).unwrap();
            lessons += 1;
            assert!(lessons < 10_000, "it does not learn");
        }
        let moved = f64::from(weights(&classifier)[last]) / scale;
        let wanted = (2.0 * f64::from(label) - 1.0) * f64::from(lessons) * floats.rate();
        assert!(
            (moved - wanted).abs() <= 0.02 * wanted.abs(),
            "{moved} in {lessons} lessons, {wanted} in training"
        );
    }
}
