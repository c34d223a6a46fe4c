//! Probabilities that are as often right as they say.
//!
//! A temperature `T` divides the logarithms of the probabilities (Guo et al. 2017, section 4.2).
//! Above 1 it makes answers less certain, below 1 more; the most probable class stays the same.
//! It is fitted on rows that the learner did not learn from, by parts that take turns
//! (cross-validation).

use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::learner::{LearnError, Learner, check_labeled};
use crate::numbers::{float, softmax};
use crate::wiped::Wiped;

/// Number of parts of the labeled rows.
const PARTS: usize = 5;

/// Minimum number of labels for a temperature: ten rows in each part.
pub const MIN_LABELS: usize = 10 * PARTS;

/// Least probability that a logarithm is taken of: that of an answer of 0.
pub(crate) const LEAST: f64 = 1e-6;

/// Largest temperature, and the inverse of the smallest one.
const MAX_TEMPERATURE: f64 = 20.0;

/// Number of halvings of the range in which the temperature lies.
const HALVINGS: usize = 50;

/// Number of ranges of confidence by which calibration is measured.
const RANGES: usize = 15;

/// Divisor of the logarithms of probabilities; 1 leaves them as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature(f64);

impl Temperature {
    /// Temperature that changes nothing.
    pub const ONE: Self = Self(1.0);

    /// Returns the temperature that gives labels the highest likelihood (`n x classes`).
    ///
    /// The rows must not be those that the learner learned from.
    ///
    /// # Errors
    ///
    /// The labels do not fit the probabilities.
    pub fn of(probabilities: &ArrayView2<'_, f64>, labels: &[usize]) -> Result<Self, LearnError> {
        check(probabilities, labels)?;
        let mut logarithms = probabilities.mapv(|it| libm::log(it.max(LEAST)));
        for mut row in logarithms.axis_iter_mut(Axis(0)) {
            let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            row.mapv_inplace(|it| it - highest);
        }
        // The loss is convex in the inverse of the temperature, so its slope has one zero.
        let (mut low, mut high) = (1.0 / MAX_TEMPERATURE, MAX_TEMPERATURE);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if slope(&logarithms, labels, middle) > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        Ok(Self(2.0 / (low + high)))
    }

    /// Fits the temperature of a learner on its labeled rows, which it learns in parts.
    ///
    /// Each class's rows are shared among the parts by the seed.
    /// With fewer than [`MIN_LABELS`] labels, or labels of one class, the temperature is 1.
    /// A temperature from so few rows would say more of these rows than of the learner.
    ///
    /// # Errors
    ///
    /// The learner does not take the rows.
    pub fn fit(
        learner: &dyn Learner,
        rows: &ArrayView2<'_, f64>,
        labels: &[usize],
        seed: u64,
    ) -> Result<Self, LearnError> {
        let first = labels.first();
        if labels.len() < MIN_LABELS || labels.iter().all(|label| Some(label) == first) {
            return Ok(Self::ONE);
        }
        let parts = parts(labels, seed);
        let mut held_out = Array2::zeros((labels.len(), learner.classes()));
        for part in 0..PARTS {
            let [others, own] = [false, true].map(|is_own| -> Vec<usize> {
                let rows = parts.iter().enumerate();
                rows.filter(|&(_, &it)| (it == part) == is_own)
                    .map(|(row, _)| row)
                    .collect()
            });
            let mut learner = learner.copy();
            let known: Vec<usize> = others.iter().map(|&row| labels[row]).collect();
            learner.fit(Wiped::selected(rows, &others).view(), &known)?;
            let found = learner.probabilities(Wiped::selected(rows, &own).view())?;
            for (&row, found) in own.iter().zip(found.outer_iter()) {
                held_out.row_mut(row).assign(&found);
            }
        }
        Self::of(&held_out.view(), labels)
    }

    /// Returns the temperature of a number; `None` unless one can be fitted to it.
    #[must_use]
    pub fn from_number(number: f64) -> Option<Self> {
        let range = 1.0 / MAX_TEMPERATURE..=MAX_TEMPERATURE;
        range.contains(&number).then_some(Self(number))
    }

    /// Returns the temperature as a number.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }

    /// Changes probabilities (`n x classes`) by the temperature.
    pub fn apply(self, probabilities: &mut Array2<f64>) {
        if self == Self::ONE {
            return;
        }
        for mut row in probabilities.axis_iter_mut(Axis(0)) {
            let mut scores: Vec<f64> = row
                .iter()
                .map(|it| libm::log(it.max(LEAST)) / self.0)
                .collect();
            softmax(&mut scores);
            for (probability, score) in row.iter_mut().zip(scores) {
                *probability = score;
            }
        }
    }
}

/// Learner whose probabilities are calibrated after each fit.
pub struct Calibrated {
    learner: Box<dyn Learner>,
    seed: u64,
    temperature: Temperature,
}

impl Calibrated {
    /// Returns a learner with calibrated probabilities; the seed decides the parts.
    #[must_use]
    pub fn new(learner: Box<dyn Learner>, seed: u64) -> Self {
        Self {
            learner,
            seed,
            temperature: Temperature::ONE,
        }
    }

    /// Returns the temperature of the last fit.
    #[must_use]
    pub fn temperature(&self) -> Temperature {
        self.temperature
    }
}

impl Learner for Calibrated {
    fn classes(&self) -> usize {
        self.learner.classes()
    }

    fn features(&self) -> usize {
        self.learner.features()
    }

    fn fit(&mut self, rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError> {
        let mut learner = self.learner.copy();
        learner.fit(rows, labels)?;
        self.temperature = Temperature::fit(&*learner, &rows, labels, self.seed)?;
        self.learner = learner;
        Ok(())
    }

    fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError> {
        let mut found = self.learner.probabilities(rows)?;
        self.temperature.apply(&mut found);
        Ok(found)
    }

    fn members(&self, rows: ArrayView2<'_, f64>) -> Result<Vec<Array2<f64>>, LearnError> {
        self.learner.members(rows)
    }

    fn copy(&self) -> Box<dyn Learner> {
        Box::new(Self {
            learner: self.learner.copy(),
            ..*self
        })
    }
}

/// Returns the expected calibration error of probabilities (`n x classes`), from 0 to 1.
///
/// Rows are put into 15 equal ranges of their highest probability.
/// It is the mean distance of the ranges' accuracy from their mean highest probability, weighted by
/// their rows (Guo et al. 2017, section 2).
///
/// # Errors
///
/// The labels do not fit the probabilities.
pub fn expected_calibration_error(
    probabilities: &ArrayView2<'_, f64>,
    labels: &[usize],
) -> Result<f64, LearnError> {
    check(probabilities, labels)?;
    let mut gaps = [0.0; RANGES];
    for (row, &label) in probabilities.outer_iter().zip(labels) {
        let (mut class, mut highest) = (0, row[0]);
        for (at, &probability) in row.iter().enumerate() {
            if probability > highest {
                (class, highest) = (at, probability);
            }
        }
        let end = (1..RANGES).find(|&end| highest * float(RANGES) <= float(end));
        let right = if class == label { 1.0 } else { 0.0 };
        gaps[end.unwrap_or(RANGES) - 1] += right - highest;
    }
    let sum: f64 = gaps.iter().map(|gap| gap.abs()).sum();
    Ok(sum / float(labels.len()))
}

/// Checks that there is a label for each row of finite probabilities, and at least one.
fn check(probabilities: &ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError> {
    let classes = probabilities.ncols();
    check_labeled(probabilities, labels, classes, classes)
}

/// Returns the derivative of the loss by the inverse of the temperature.
fn slope(logarithms: &Array2<f64>, labels: &[usize], inverse: f64) -> f64 {
    let mut sum = 0.0;
    let mut shares = vec![0.0; logarithms.ncols()];
    for (row, &label) in logarithms.outer_iter().zip(labels) {
        for (share, logarithm) in shares.iter_mut().zip(row) {
            *share = inverse * logarithm;
        }
        softmax(&mut shares);
        let mean: f64 = shares.iter().zip(row).map(|(share, it)| share * it).sum();
        sum += mean - row[label];
    }
    sum
}

/// Returns the part of each row: each class's rows are shared out in turn, in mixed order.
fn parts(labels: &[usize], seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    order.sort_by_key(|&row| labels[row]);
    let mut parts = vec![0; labels.len()];
    for (turn, row) in order.into_iter().enumerate() {
        parts[row] = turn % PARTS;
    }
    parts
}
