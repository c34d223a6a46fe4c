//! The five classifiers of the contracts, so that a session trains what a chain will run.
//!
//! Rows are encoded and models are trained and rounded as for a deployment (`cotrain-learning`).
//! The twin of the contract then answers, so its most probable class is the contract's prediction.
//! A perceptron alone may give both classes 1/2 where the contract predicts class 0.
//!
//! # Probabilities
//!
//! Naive Bayes compares posterior probabilities, so these are its answers.
//! The others compare sums or distances, which have no unit of probability.
//! So their scores, a perceptron's sum or the negative squared distance to a centroid, are divided by
//! a temperature, and the exponentials' shares are the answers.
//! The temperature gives the learned rows' labels the highest likelihood.
//! As in Platt's scaling (1999), a label counts as less than certain: `(n + 1) / (n + k)` for the own
//! one of `k` classes with `n` rows, and `1 / (n + k)` for each other.
//! So rows that the model separates without fault, as it does few of them, get a finite temperature.
//!
//! Limits: the model has learned the rows that fit the temperature, so it looks somewhat too certain.
//! Naive Bayes is too certain as well, since it takes features as independent.
//! `Calibrated` fits a further temperature on rows that the model has not learned.

use cotrain_learning::data::{Dataset, Example};
use cotrain_learning::encode::{Encoder, Options, encode_with};
use cotrain_learning::train::{self, TrainError, train};
use cotrain_protocol::classifier::{Classifier, Evidence, Fraction, Kind};
use cotrain_protocol::sample::Encoding;
use ndarray::{Array2, ArrayView2, Axis};

use super::checks::{check_labeled, check_option, check_rows, contiguous};
use super::seen::Seen;
use super::{LearnError, Learner};
use crate::numbers::{float, softmax};

/// Number of halvings of the range in which the inverse of the temperature lies.
const HALVINGS: usize = 50;

/// Largest inverse of the temperature, for scores whose mean spread is 1.
const MAX_INVERSE: f64 = 1_000.0;

/// Learner whose model can be deployed as it is.
#[derive(Debug, Clone)]
pub struct Deployable {
    kind: Kind,
    features: usize,
    seed: u64,
    seen: Seen,
    /// Trained model; `None` before labels of two classes.
    model: Option<Trained>,
}

/// Trained model.
#[derive(Debug, Clone)]
struct Trained {
    encoder: Encoder,
    classifier: Classifier,
    /// Factor of the scores: the inverse of the temperature.
    inverse: f64,
}

impl Deployable {
    /// Returns a classifier that has learned nothing; the seed orders a perceptron's rows.
    ///
    /// # Errors
    ///
    /// The contracts of this kind do not have so many classes or features.
    pub fn new(kind: Kind, classes: usize, features: usize, seed: u64) -> Result<Self, LearnError> {
        // The limits of the contracts, as in docs/spec.md.
        let max_classes = match kind {
            Kind::SparsePerceptron | Kind::DensePerceptron => 2,
            Kind::NaiveBayes | Kind::SparseNearestCentroid | Kind::DenseNearestCentroid => 256,
        };
        let max_features = match kind.encoding() {
            Encoding::Sparse => 65_536,
            Encoding::Dense16 | Encoding::Dense32 => 4_096,
        };
        check_option("classes", classes, 2, max_classes)?;
        check_option("features", features, 1, max_features)?;
        Ok(Self {
            kind,
            features,
            seed,
            seen: Seen::none(classes),
            model: None,
        })
    }

    /// Returns the model as a contract stores it, with the encoder of its samples.
    ///
    /// It is `None` before labels of two classes and samples that differ.
    #[must_use]
    pub fn model(&self) -> Option<(&Classifier, &Encoder)> {
        let model = self.model.as_ref()?;
        Some((&model.classifier, &model.encoder))
    }

    /// Trains the model on labeled rows. If all samples are equal, there is none.
    fn train(
        &self,
        rows: &ArrayView2<'_, f64>,
        labels: &[usize],
    ) -> Result<Option<Trained>, LearnError> {
        let classes = (0..self.seen.all()).map(|class| class.to_string());
        // There are at most 256 classes.
        let codes = labels
            .iter()
            .map(|&it| u16::try_from(it).unwrap_or(u16::MAX));
        let data = Dataset::of_numbers(&rows.to_owned(), codes.collect(), classes.collect());
        let data = data.ok_or(LearnError::Labels {
            labels: labels.len(),
            rows: rows.nrows(),
        })?;
        let refused = |error: &dyn std::error::Error| LearnError::Refused {
            message: error.to_string(),
        };
        let encoded = encode_with(&data, self.kind, &Options::default());
        let encoded = encoded.map_err(|error| refused(&error))?;
        let options = train::Options {
            seed: self.seed,
            ..train::Options::default()
        };
        let trained = match train(self.kind, &encoded.train, &options, &encoded.test) {
            Err(TrainError::AllEqual { .. }) => return Ok(None),
            trained => trained.map_err(|error| refused(&error))?,
        };
        Ok(Some(Trained {
            encoder: encoded.encoder,
            classifier: trained.classifier,
            inverse: 1.0,
        }))
    }
}

impl Trained {
    /// Returns the scores of rows for the classes with a label, one row after the other.
    fn scores(&self, rows: &ArrayView2<'_, f64>, seen: &Seen) -> Result<Vec<f64>, LearnError> {
        let numbers = contiguous(rows);
        let mut scores = Vec::with_capacity(rows.nrows() * seen.classes().len());
        for (index, row) in numbers.chunks_exact(rows.ncols()).enumerate() {
            let refused = |error: &dyn std::error::Error| LearnError::Refused {
                message: format!("row {index}: {error}"),
            };
            let sample = self.encoder.encode(Example::Numbers(row));
            let sample = sample.map_err(|error| refused(&error))?;
            let evidence = self.classifier.evidence(&sample);
            match evidence.map_err(|error| refused(&error))? {
                Evidence::Votes { one, zero } => {
                    scores.extend([0.0, size(one) - size(zero)]);
                }
                Evidence::Scores(all) => {
                    let own = |&class: &usize| all[class].map_or(f64::MIN, logarithm);
                    scores.extend(seen.classes().iter().map(own));
                }
                Evidence::SquaredDistances(all) => {
                    let own = |&class: &usize| all[class].map_or(f64::MIN, |it| -value(it));
                    scores.extend(seen.classes().iter().map(own));
                }
            }
        }
        Ok(scores)
    }
}

impl Learner for Deployable {
    fn classes(&self) -> usize {
        self.seen.all()
    }

    fn features(&self) -> usize {
        self.features
    }

    fn fit(&mut self, rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError> {
        check_labeled(&rows, labels, self.features, self.seen.all())?;
        let seen = Seen::of(labels, self.seen.all());
        let mut model = None;
        if seen.classes().len() > 1 {
            model = self.train(&rows, labels)?;
            if let Some(trained) = model.as_mut().filter(|_| self.kind != Kind::NaiveBayes) {
                let mut scores = trained.scores(&rows, &seen)?;
                trained.inverse = inverse(&mut scores, &seen.indices(labels), seen.classes().len());
            }
        }
        self.model = model;
        self.seen = seen;
        Ok(())
    }

    fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError> {
        check_rows(&rows, self.features)?;
        let classes = self.seen.classes().len();
        let (mut scores, inverse) = match &self.model {
            Some(model) => (model.scores(&rows, &self.seen)?, model.inverse),
            None => (vec![0.0; rows.nrows() * classes], 1.0),
        };
        let mut found = Array2::zeros((rows.nrows(), self.classes()));
        for (index, mut found) in found.axis_iter_mut(Axis(0)).enumerate() {
            let scores = &mut scores[index * classes..(index + 1) * classes];
            for score in &mut *scores {
                *score *= inverse;
            }
            softmax(scores);
            if let Some(found) = found.as_slice_mut() {
                self.seen.spread(scores, found);
            }
        }
        Ok(found)
    }

    fn copy(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }
}

/// Returns the factor of scores that gives smoothed labels the highest likelihood.
fn inverse(scores: &mut [f64], labels: &[usize], classes: usize) -> f64 {
    let mut counts = vec![0; classes];
    for &label in labels {
        counts[label] += 1;
    }
    // Scores have any unit: make the mean distance of the highest from the others' mean 1.
    let mut spread = 0.0;
    for row in scores.chunks_exact_mut(classes) {
        let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for score in row {
            *score -= highest;
            sum -= *score;
        }
        spread += sum / float(classes - 1) / float(labels.len());
    }
    if spread <= 0.0 {
        return 1.0;
    }
    let slope = |inverse: f64| {
        let mut sum = 0.0;
        let mut shares = vec![0.0; classes];
        for (row, &label) in scores.chunks_exact(classes).zip(labels) {
            let certain = float(counts[label]);
            for (share, score) in shares.iter_mut().zip(row) {
                *share = inverse * score / spread;
            }
            softmax(&mut shares);
            for (class, (share, score)) in shares.iter().zip(row).enumerate() {
                let rows = if class == label { certain + 1.0 } else { 1.0 };
                sum += (share - rows / (certain + float(classes))) * score / spread;
            }
        }
        sum
    };
    // The loss is convex in the factor, so its slope has one zero.
    let (mut low, mut high) = (0.0, MAX_INVERSE);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if slope(middle) > 0.0 {
            high = middle;
        } else {
            low = middle;
        }
    }
    0.5 * (low + high) / spread
}

/// Returns a whole number as a float.
// A perceptron's sums are below 2^52 for weights of 16 bits, samples of 16 bits and their limits.
#[allow(clippy::cast_precision_loss)]
fn size(number: u128) -> f64 {
    number as f64
}

/// Returns the significant part of a quotient, and the power of two that it is multiplied by.
fn parts(fraction: Fraction) -> (f64, i64) {
    let [numerator, denominator] = [fraction.numerator, fraction.denominator].map(|number| {
        let shift = number.bit_len().saturating_sub(64);
        // The highest 64 bits, of which a float keeps 53.
        #[allow(clippy::cast_precision_loss)]
        let high = (number >> shift).as_limbs()[0] as f64;
        (high, i64::try_from(shift).unwrap_or_default())
    });
    let exponent = fraction
        .exponent
        .saturating_add(numerator.1 - denominator.1);
    (numerator.0 / denominator.0, exponent)
}

/// Returns a quotient as a float.
fn value(fraction: Fraction) -> f64 {
    let (significant, exponent) = parts(fraction);
    libm::ldexp(significant, i32::try_from(exponent).unwrap_or(i32::MAX))
}

/// Returns the natural logarithm of a quotient above 0.
// Exponents are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn logarithm(fraction: Fraction) -> f64 {
    let (significant, exponent) = parts(fraction);
    libm::log(significant) + exponent as f64 * std::f64::consts::LN_2
}
