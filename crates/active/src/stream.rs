//! Decisions about rows of a stream: which of them are worth a label, by a threshold or a budget.
//!
//! A budget is the share of rows to label.
//! Its managers are those of Žliobaitė et al. (2014, "Active learning with drifting streaming data"), and the balanced
//! incremental quantile filter of Kottke et al. (2015, "Probabilistic active learning in datastreams").
//! Their parameters are the published ones, which are also the defaults of scikit-activeml.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{
    measure::{Measure, highest},
    numbers::MAX_COUNT,
};

/// Number of rows over which the share of labeled ones is estimated.
const WINDOW: f64 = 100.0;

/// Number of utilities that the quantile filter compares a new one with.
const UTILITIES: usize = 100;

/// Number of rows within which the quantile filter makes up for labels above or below the budget.
const TOLERANCE: f64 = 50.0;

/// Share by which a label or a row without one moves the variable threshold.
const STEP: f64 = 0.01;

/// Share of rows that the split manager labels at random, to see changes where the model is sure.
const SPLIT: f64 = 0.1;

/// Rule by which a row of a stream is labeled or not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Gate {
    /// Labels each row whose uncertainty is at least `uncertainty`, however many these are.
    Threshold {
        /// Measure of the uncertainty.
        measure: Measure,
        /// Least uncertainty of a labeled row, from 0 to 1.
        uncertainty: f64,
    },
    /// Labels a share of the rows.
    Budget {
        /// Manager that chooses them.
        manager: Manager,
        /// Share of rows to label, above 0 and at most 1.
        share: f64,
    },
}

/// Rule by which a budget is spent.
///
/// All but the quantile filter estimate the spent share over about 100 rows, and label nothing while it is at the budget.
/// So they label at most a share of `share + 0.01` of a long stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// Labels rows whose highest probability is at most `1/classes + share * (1 - 1/classes)`.
    Fixed,
    /// Labels rows whose highest probability is below a threshold, which falls with each label and rises without one.
    Variable,
    /// Labels a tenth of the rows at random at the rate of the budget, and the others as [`Variable`](Self::Variable).
    Split,
    /// Labels rows whose margin is among the smallest of the last 100, and makes up for labels above or below the budget.
    Quantile,
    /// Labels at random at the rate of the budget: the control.
    Random,
}

/// Reason why a gate is not possible.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum GateError {
    /// An uncertainty is outside of its range.
    #[error("the threshold is {0}; expected an uncertainty from 0 to 1")]
    Uncertainty(f64),
    /// A budget is outside of its range.
    #[error("the budget is {0}; expected a share of rows above 0 and at most 1")]
    Share(f64),
}

/// State of a gate over the rows of one stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    gate: Gate,
    /// Seed of the random choices.
    seed: u64,
    /// Number of rows so far.
    seen: u64,
    /// Number of rows so far that are to be labeled.
    labeled: u64,
    /// Estimate of the labels among the last rows.
    recent: f64,
    /// Variable threshold of the highest probability.
    threshold: f64,
    /// Last utilities, the oldest first.
    utilities: VecDeque<f64>,
}

impl Stream {
    /// Creates a gate that has seen no row.
    ///
    /// # Errors
    ///
    /// A number of the gate is out of range.
    pub fn new(gate: Gate, seed: u64) -> Result<Self, GateError> {
        match gate {
            Gate::Threshold { uncertainty, .. } if !(0.0..=1.0).contains(&uncertainty) => {
                return Err(GateError::Uncertainty(uncertainty));
            }
            Gate::Budget { share, .. } if !(share > 0.0 && share <= 1.0) => {
                return Err(GateError::Share(share));
            }
            _ => {}
        }
        Ok(Self {
            gate,
            seed,
            seen: 0,
            labeled: 0,
            recent: 0.0,
            threshold: 1.0,
            utilities: VecDeque::new(),
        })
    }

    /// Returns `true` if a stream of this seed can have come to this state.
    pub(crate) fn is_sound(&self, seed: u64) -> bool {
        let utilities = &self.utilities;
        self.seed == seed
            && self.labeled <= self.seen
            && self.seen <= MAX_COUNT
            && (0.0..=WINDOW).contains(&self.recent)
            && (0.0..=1.0 + STEP).contains(&self.threshold)
            && utilities.len() <= UTILITIES
            && utilities.iter().all(|it| it.is_finite())
    }

    /// Returns the rule.
    #[must_use]
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// Returns the number of rows so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Returns the number of rows so far that are to be labeled.
    #[must_use]
    pub fn labeled(&self) -> u64 {
        self.labeled
    }

    /// Decides about the next row by its probabilities, and returns `true` if it is to be labeled.
    pub fn decide(&mut self, probabilities: &[f64]) -> bool {
        let labels = match self.gate {
            Gate::Threshold {
                measure,
                uncertainty,
            } => measure.uncertainty(probabilities) >= uncertainty,
            Gate::Budget {
                manager: Manager::Quantile,
                share,
            } => self.is_above_quantile(Measure::Margin.uncertainty(probabilities), share),
            Gate::Budget { manager, share } => {
                let labels =
                    self.recent / WINDOW < share && self.spends(manager, share, probabilities);
                self.recent = self.recent * (WINDOW - 1.0) / WINDOW + f64::from(u8::from(labels));
                labels
            }
        };
        self.seen += 1;
        self.labeled += u64::from(labels);
        labels
    }

    /// Decides about a row for which there is budget left.
    fn spends(&mut self, manager: Manager, share: f64, probabilities: &[f64]) -> bool {
        let (confidence, _) = highest(probabilities);
        let mut random = self.random();
        match manager {
            Manager::Fixed => {
                let equal = 1.0 / float(probabilities.len().max(1) as u64);
                confidence <= equal + share * (1.0 - equal)
            }
            Manager::Split if random.random::<f64>() < SPLIT => random.random::<f64>() < share,
            Manager::Variable | Manager::Split => {
                let labels = confidence < self.threshold;
                self.threshold *= if labels { 1.0 - STEP } else { 1.0 + STEP };
                labels
            }
            Manager::Random | Manager::Quantile => random.random::<f64>() < share,
        }
    }

    /// Returns `true` if a utility is above the balanced quantile of the last ones, itself included.
    fn is_above_quantile(&mut self, utility: f64, share: f64) -> bool {
        if self.utilities.len() == UTILITIES {
            self.utilities.pop_front();
        }
        self.utilities.push_back(utility);
        let mut sorted: Vec<f64> = self.utilities.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let range = sorted[sorted.len() - 1] - sorted[0];
        let left = share * float(self.seen + 1) - float(self.labeled);
        utility >= quantile(&sorted, 1.0 - share) - range * left / TOLERANCE
    }

    /// Returns the random numbers of the next row, which depend on nothing but the seed and its index.
    fn random(&self) -> ChaCha8Rng {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(self.seen);
        random
    }
}

/// Returns a quantile of sorted numbers, interpolated between the two nearest.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * float(sorted.len() as u64 - 1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the position is an index of at most 100 numbers"
    )]
    let below = position as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - float(below as u64))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a stream has fewer than 2^53 rows"
)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(manager: Manager, share: f64) -> Stream {
        Stream::new(Gate::Budget { manager, share }, 7).unwrap()
    }

    const MANAGERS: [Manager; 5] = [
        Manager::Fixed,
        Manager::Variable,
        Manager::Split,
        Manager::Quantile,
        Manager::Random,
    ];

    /// Returns made-up probabilities of three classes, whose certainty drifts.
    fn rows(count: u32) -> impl Iterator<Item = [f64; 3]> {
        (0..count).map(move |row| {
            let wave = 0.5 + 0.5 * libm::sin(f64::from(row) * 0.37);
            let drift = f64::from(row) / f64::from(count);
            let first = 1.0 / 3.0 + (2.0 / 3.0) * wave * drift;
            let rest = 1.0 - first;
            [first, rest * 0.5, rest * 0.5]
        })
    }

    fn trace(stream: &mut Stream, confidences: &[f64]) -> Vec<bool> {
        let decide = |first: &f64| stream.decide(&[*first, 1.0 - first]);
        confidences.iter().map(decide).collect()
    }

    #[test]
    fn new_refuses_numbers_out_of_range() {
        for share in [0.0, -0.1, 1.1, f64::NAN] {
            let gate = Gate::Budget {
                manager: Manager::Fixed,
                share,
            };
            assert!(Stream::new(gate, 0).is_err(), "{share}");
        }
        for uncertainty in [-0.1, 1.1, f64::NAN] {
            let gate = Gate::Threshold {
                measure: Measure::Margin,
                uncertainty,
            };
            assert!(Stream::new(gate, 0).is_err(), "{uncertainty}");
        }
    }

    #[test]
    fn decide_compares_the_measure_of_a_threshold() {
        let row = [0.6, 0.3, 0.1];
        for (measure, uncertainty, labels) in [
            (Measure::Margin, 0.69, true),
            (Measure::Margin, 0.71, false),
            (Measure::LeastConfidence, 0.39, true),
            (Measure::LeastConfidence, 0.41, false),
            (Measure::Entropy, 0.81, true),
            (Measure::Entropy, 0.82, false),
        ] {
            let gate = Gate::Threshold {
                measure,
                uncertainty,
            };
            let mut stream = Stream::new(gate, 0).unwrap();
            assert_eq!(stream.decide(&row), labels, "{gate:?}");
        }
    }

    #[test]
    fn decide_labels_at_a_fixed_confidence() {
        // Two classes and a budget of 0.2: at most 0.5 + 0.2 * 0.5 = 0.6.
        let mut stream = stream(Manager::Fixed, 0.2);
        assert_eq!(
            trace(&mut stream, &[0.6, 0.61, 0.5, 0.9]),
            [true, false, true, false]
        );
    }

    #[test]
    fn decide_moves_the_variable_threshold_by_hand() {
        let mut stream = stream(Manager::Variable, 1.0);
        // 1 labels 0.995: 0.99. It does not label 0.995: 0.9999. It labels 0.995: 0.989901.
        assert_eq!(
            trace(&mut stream, &[0.995, 0.995, 0.995, 0.995]),
            [true, false, true, false]
        );
        let expected = 1.0 * 0.99 * 1.01 * 0.99 * 1.01;
        assert!((stream.threshold - expected).abs() < 1e-12);
        // The estimate falls by a hundredth a row: ((0.99 + 0) * 0.99 + 1) * 0.99.
        let expected = (0.99 * 0.99 + 1.0) * 0.99;
        assert!((stream.recent - expected).abs() < 1e-12);
    }

    #[test]
    fn decide_labels_nothing_while_the_estimate_is_at_the_budget() {
        // A budget of 0.02 holds two labels in the window: 1, then 1.99, then 2.9701 is above 2.
        let mut stream = stream(Manager::Fixed, 0.02);
        let labels = trace(&mut stream, &[0.5; 45]);
        // 2.9701 * 0.99^39 = 2.007, and 0.99^40 makes it 1.987.
        let expected: Vec<bool> = (0..45).map(|row| row < 3 || row == 43).collect();
        assert_eq!(labels, expected);
    }

    #[test]
    fn decide_balances_the_quantile_by_hand() {
        let mut stream = stream(Manager::Quantile, 0.5);
        // Utilities are 2 - 2 c: 0.2, then 0.4, 0.0, 0.2.
        // 1: the quantile of {0.2} is 0.2, the range 0: label.
        // 2: the median of {0.2, 0.4} is 0.3, nothing is left: 0.4 is above it.
        // 3: the median of {0, 0.2, 0.4} is 0.2, -0.5 is left: 0 is below 0.204.
        // 4: the median of {0, 0.2, 0.2, 0.4} is 0.2, and 0 is left: 0.2 is not below it.
        let labels: Vec<bool> = [[0.9, 0.1], [0.8, 0.2], [1.0, 0.0], [0.9, 0.1]]
            .iter()
            .map(|row| stream.decide(row))
            .collect();
        assert_eq!(labels, [true, true, false, true]);
        assert_eq!((stream.seen(), stream.labeled()), (4, 3));
    }

    #[test]
    fn quantile_interpolates() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (1.0, 8.0), (0.5, 3.0), (0.9, 6.8)] {
            assert!((quantile(&sorted, share) - expected).abs() < 1e-12);
        }
        assert!((quantile(&[5.0], 0.3) - 5.0).abs() < 1e-12);
    }

    #[test]
    fn decide_keeps_to_the_budget_and_uses_it() {
        for manager in MANAGERS {
            for share in [0.05, 0.2, 0.5] {
                let mut stream = stream(manager, share);
                for row in rows(20_000) {
                    stream.decide(&row);
                }
                let spent = float(stream.labeled()) / 20_000.0;
                assert!(spent <= share + 0.0105, "{manager:?} {share}: {spent}");
                assert!(spent >= share * 0.4, "{manager:?} {share}: {spent}");
            }
        }
    }

    #[test]
    fn decide_labels_all_rows_of_a_full_budget_at_random() {
        let mut stream = stream(Manager::Random, 1.0);
        assert!(rows(500).all(|row| stream.decide(&row)));
    }

    #[test]
    fn decide_goes_on_after_a_copy_of_its_state() {
        for manager in MANAGERS {
            let mut stream = stream(manager, 0.3);
            let mut other = stream.clone();
            for (index, row) in rows(600).enumerate() {
                if index % 100 == 50 {
                    let text = serde_json::to_string(&other).unwrap();
                    other = serde_json::from_str(&text).unwrap();
                }
                assert_eq!(stream.decide(&row), other.decide(&row), "{manager:?}");
            }
            assert_eq!(stream, other);
        }
        let mut seeds = [1, 2].map(|seed| {
            let gate = stream(Manager::Random, 0.5).gate();
            let mut stream = Stream::new(gate, seed).unwrap();
            rows(100).map(|row| stream.decide(&row)).collect::<Vec<_>>()
        });
        let (first, second) = seeds.split_at_mut(1);
        assert_ne!(first, second);
    }
}
