//! Initial training in floats, and rounding to the numbers of the contracts.

mod bayes;
mod centroid;
mod counts;
mod perceptron;

use alloy_primitives::U256;
use cotrain_protocol::Rejection;
use cotrain_protocol::classifier::{Classifier, Kind, Parameters};
use cotrain_protocol::sample::{Encoding, Item};
use thiserror::Error;

use crate::encode::{Row, Samples, most_classes};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Seeds the order of the samples in each of the perceptron's epochs.
    pub seed: u64,
    /// What naive Bayes adds to every count; 1.
    pub smoothing: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            smoothing: 1.0,
        }
    }
}

/// A trained model.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model as a contract has it.
    pub classifier: Classifier,
    /// How often the perceptron went through the samples; 1 for the others.
    pub epochs: u32,
    /// What rounding cost.
    pub report: Quantisation,
}

/// What rounding from floats to the numbers of the contract cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantisation {
    /// The share of the test samples that the model in floats gets right.
    pub accuracy_float: f64,
    /// The share of the test samples that the contract's model gets right.
    pub accuracy_quantised: f64,
    /// The contract's number that stands for 1: of weights, sums or counts.
    pub scale: f64,
    /// The largest difference between a weight, intercept or smoothing of the model in floats and
    /// what the contract has, in the units of the former. Sums are always exact, and so are counts
    /// up to 65,535; with larger ones, all are divided by the power of two that `scale` tells, and
    /// rounded.
    pub max_abs_error: f64,
}

/// Why a model cannot be trained.
#[derive(Debug, Error)]
pub enum TrainError {
    /// Nothing to learn from.
    #[error("there are no samples to learn from, at least one of each of two classes is wanted")]
    NoSamples,
    /// Only one class to learn from.
    #[error(
        "the samples to learn from, {samples} in number, have no class but number {class}, at least two classes are wanted; shuffle the data or learn from more of it"
    )]
    OneClass {
        /// How many samples there are.
        samples: usize,
        /// The number of their class.
        class: u16,
    },
    /// A binary classifier and more than two classes.
    #[error(
        "the samples have {classes} classes, but a {kind} is binary; use the learner {}",
        many_classes(*kind).name()
    )]
    NotBinary {
        /// The classifier.
        kind: Kind,
        /// How many classes the samples have.
        classes: usize,
    },
    /// Samples that were encoded for another classifier.
    #[error(
        "the samples are {}, but a {kind} takes {}; encode them for it",
        in_words(*found),
        in_words(*wanted)
    )]
    WrongEncoding {
        /// The classifier.
        kind: Kind,
        /// How the samples are encoded.
        found: Encoding,
        /// What the classifier takes.
        wanted: Encoding,
    },
    /// Test samples that were not encoded together with the training samples.
    #[error(
        "the test samples are encoded otherwise than the training samples; encode both together"
    )]
    LayoutsDiffer,
    /// A smoothing that the contract cannot have.
    #[error("the smoothing is {value}, a number from 1/256 to 16777215 is wanted")]
    Smoothing {
        /// The smoothing.
        value: f64,
    },
    /// The contract's model refused what it was given.
    #[error("the model refused a sample or its parameters")]
    Rejected(#[from] Rejection),
}

/// What messages call the samples of an encoding.
fn in_words(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Sparse => "sparse",
        Encoding::Dense16 => "dense in 16 bits",
        Encoding::Dense32 => "dense in 32 bits",
    }
}

/// Returns the kind of classifier that takes the same samples as a binary one, and any number of classes.
fn many_classes(kind: Kind) -> Kind {
    match kind.encoding() {
        Encoding::Dense16 | Encoding::Dense32 => Kind::DenseNearestCentroid,
        Encoding::Sparse => Kind::NaiveBayes,
    }
}

/// Trains a classifier of `kind` on `samples` in floats and rounds it.
///
/// The perceptrons take samples in a new order each epoch, at a rate that falls as scikit-learn's
/// `optimal` does, until the training loss stops to fall or the epochs are spent, and then have the
/// weights of the last epoch; their `learning_rate` on chain is the rate where training ended.
/// Naive Bayes and the centroids go through the samples once. `test` has no part in that: it is
/// only for the report.
///
/// # Errors
/// Where `samples` is empty or of one class, `kind` does not take these samples, `test` is encoded
/// otherwise, or an option is out of range.
pub fn train(
    kind: Kind,
    samples: &Samples,
    options: &Options,
    test: &Samples,
) -> Result<Trained, TrainError> {
    check(kind, samples, test)?;
    let Learned {
        floats,
        classifier,
        epochs,
        scale,
        max_abs_error,
    } = match kind {
        Kind::SparsePerceptron | Kind::DensePerceptron => perceptron::learn(samples, options)?,
        Kind::NaiveBayes => bayes::learn(samples, options)?,
        Kind::SparseNearestCentroid | Kind::DenseNearestCentroid => centroid::learn(samples)?,
    };
    let right = (0..test.len())
        .filter(|&index| floats.predict(&test.row(index)) == test.labels()[index])
        .count();
    let report = Quantisation {
        accuracy_float: share(right, test.len()),
        accuracy_quantised: accuracy(&classifier, test),
        scale,
        max_abs_error,
    };
    Ok(Trained {
        classifier,
        epochs,
        report,
    })
}

/// How many samples the contract's model gets right; one that it refuses is not right.
#[must_use]
pub fn correct(classifier: &Classifier, samples: &Samples) -> usize {
    samples
        .iter()
        .filter(|&(sample, label)| classifier.predict(sample).is_ok_and(|class| class == label))
        .count()
}

/// The share of the samples that the contract's model gets right; 0 where there are none.
#[must_use]
pub fn accuracy(classifier: &Classifier, samples: &Samples) -> f64 {
    share(correct(classifier, samples), samples.len())
}

/// A model in floats.
trait Floats {
    fn predict(&self, row: &Row<'_>) -> u16;
}

/// A model in floats and as a contract has it.
struct Learned {
    floats: Box<dyn Floats>,
    classifier: Classifier,
    epochs: u32,
    scale: f64,
    max_abs_error: f64,
}

fn check(kind: Kind, samples: &Samples, test: &Samples) -> Result<(), TrainError> {
    let layout = samples.layout();
    if layout.encoding != kind.encoding() {
        return Err(TrainError::WrongEncoding {
            kind,
            found: layout.encoding,
            wanted: kind.encoding(),
        });
    }
    if layout.classes > most_classes(kind) {
        return Err(TrainError::NotBinary {
            kind,
            classes: layout.classes,
        });
    }
    if layout != test.layout() {
        return Err(TrainError::LayoutsDiffer);
    }
    let Some(&class) = samples.labels().first() else {
        return Err(TrainError::NoSamples);
    };
    if samples.labels().iter().all(|&label| label == class) {
        return Err(TrainError::OneClass {
            samples: samples.len(),
            class,
        });
    }
    Ok(())
}

/// A model that learns by adding up: what the contract's own rule makes of the samples.
fn learned_by_contract(
    parameters: Parameters,
    samples: &Samples,
) -> Result<Classifier, TrainError> {
    let items: Vec<Item<'_>> = samples
        .iter()
        .map(|(sample, label)| Item { label, sample })
        .collect();
    let mut classifier = Classifier::new(parameters)?;
    classifier.learn(&items)?;
    Ok(classifier)
}

/// Lanes of 16 bits as the contract stores them: 16 a word, the first one the least significant.
fn packed(lanes: impl Iterator<Item = [u8; 2]>) -> Vec<U256> {
    let bytes: Vec<u8> = lanes.flatten().collect();
    bytes.chunks(32).map(U256::from_le_slice).collect()
}

// Counts of samples are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}
