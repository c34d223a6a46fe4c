//! Initial training in floats, and rounding to the contracts' numbers.

mod bayes;
mod centroid;
mod counts;
mod perceptron;

use alloy_primitives::U256;
use cotrain_protocol::ContractError;
use cotrain_protocol::classifier::{Classifier, Kind, Parameters};
use cotrain_protocol::sample::{Encoding, Item};
use thiserror::Error;

use crate::encode::{Row, Samples, max_classes};
use crate::evaluation::Confusion;
use crate::text::escaped;

/// Options of training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Seed of the order of samples in each epoch of a perceptron.
    pub seed: u64,
    /// Smoothing that naive Bayes adds to every count; 1 by default.
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
    /// Model as deployed on chain.
    pub classifier: Classifier,
    /// Number of the perceptron's passes over the samples; 1 for other kinds.
    pub epochs: u32,
    /// Loss by rounding.
    pub quantization: Quantization,
    /// Predictions of the contract's model for the test samples.
    pub confusion: Confusion,
}

/// Loss by rounding from floats to the contract's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantization {
    /// Share of the test samples that the model in floats predicts correctly, in [0, 1].
    pub accuracy_float: f64,
    /// Share of the test samples that the contract's model predicts correctly, in [0, 1].
    pub accuracy_quantized: f64,
    /// Number of the contract that stands for 1, in weights, sums or counts.
    pub scale: f64,
    /// Largest rounding error of a weight, intercept or smoothing, in the units of the model in
    /// floats. Sums are always exact, and so are counts up to 65,535. If a count is larger, all are
    /// divided by the power of two that `scale` gives, and rounded.
    pub max_abs_error: f64,
}

/// Reason why a model cannot be trained.
#[derive(Debug, Error)]
pub enum TrainError {
    /// There are no samples to learn from.
    #[error("there are no samples to learn from, expected at least one of each of two classes")]
    NoSamples,
    /// All samples to learn from have one class.
    #[error(
        "all samples to learn from ({samples}) have the class {}, expected at least two classes; shuffle the data or learn from more of it",
        name.as_ref().map_or_else(|| class.to_string(), |name| format!("`{}`", escaped(name)))
    )]
    OneClass {
        /// Number of samples.
        samples: usize,
        /// Number of their class.
        class: u16,
        /// Name of their class; `None` if it is not known.
        name: Option<String>,
    },
    /// All samples to learn from are equal, so nothing tells their classes apart.
    #[error(
        "all samples to learn from ({samples}) are equal, so a model could not tell their classes apart; learn from more of the data, or from other columns"
    )]
    AllEqual {
        /// Number of samples.
        samples: usize,
    },
    /// The classifier is binary, but the samples have more classes.
    #[error(
        "the samples have {classes} classes, but a {kind} is binary; use the learner {}",
        many_classes(*kind).name()
    )]
    NotBinary {
        /// Kind of the classifier.
        kind: Kind,
        /// Number of classes of the samples.
        classes: usize,
    },
    /// The samples were encoded for another classifier.
    #[error(
        "the samples are {}, but a {kind} takes {}; encode them for it",
        name_of(*found),
        name_of(*wanted)
    )]
    WrongEncoding {
        /// Kind of the classifier.
        kind: Kind,
        /// Encoding of the samples.
        found: Encoding,
        /// Encoding that the classifier takes.
        wanted: Encoding,
    },
    /// The test samples were not encoded together with the training samples.
    #[error(
        "the test samples are encoded otherwise than the training samples; encode both together"
    )]
    LayoutsDiffer,
    /// The smoothing is outside the range of the contract.
    #[error("the smoothing is {value}, expected a number from 1/256 to 16777215")]
    Smoothing {
        /// Smoothing that was given.
        value: f64,
    },
    /// The contract's model refused a sample or its parameters.
    #[error("the model refused a sample or its parameters")]
    Rejected(#[from] ContractError),
}

impl TrainError {
    /// Returns the error with the names of the classes, each at its number.
    #[must_use]
    pub fn naming(self, classes: &[String]) -> Self {
        match self {
            Self::OneClass { samples, class, .. } => Self::OneClass {
                samples,
                class,
                name: classes.get(usize::from(class)).cloned(),
            },
            other => other,
        }
    }
}

/// Returns the words for samples of an encoding in messages.
fn name_of(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Sparse => "sparse",
        Encoding::Dense16 => "dense in 16 bits",
        Encoding::Dense32 => "dense in 32 bits",
    }
}

/// Returns a kind of classifier that takes the same samples as a binary one, and any number of
/// classes.
fn many_classes(kind: Kind) -> Kind {
    match kind.encoding() {
        Encoding::Dense16 | Encoding::Dense32 => Kind::DenseNearestCentroid,
        Encoding::Sparse => Kind::NaiveBayes,
    }
}

/// Trains a classifier of `kind` on `samples` in floats, and rounds it.
///
/// The perceptrons take samples in a new order each epoch. Their rate falls like scikit-learn's
/// `optimal`. They stop when the training loss no longer falls or the maximum of epochs is reached,
/// and keep the weights of the last epoch. Their `learning_rate` on chain is the final rate of
/// training. Naive Bayes and the centroids go through the samples once. `test` does not influence
/// training; it is only for the report.
///
/// # Errors
/// Returns an error if `samples` is empty, of one class or all equal, or `kind` does not take these samples.
/// Returns an error if `test` has another encoding, or an option is out of range.
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
    let confusion = Confusion::of_model(&classifier, test);
    let quantization = Quantization {
        accuracy_float: share(right, test.len()),
        accuracy_quantized: confusion.accuracy().unwrap_or_default(),
        scale,
        max_abs_error,
    };
    Ok(Trained {
        classifier,
        epochs,
        quantization,
        confusion,
    })
}

/// Returns the number of samples that the contract's model predicts correctly. A refused sample
/// counts as wrong.
#[must_use]
pub fn correct(classifier: &Classifier, samples: &Samples) -> usize {
    samples
        .iter()
        .filter(|&(sample, label)| classifier.predict(sample).is_ok_and(|class| class == label))
        .count()
}

/// Returns the share of the samples that the contract's model predicts correctly, in [0, 1]; 0 if
/// there are none.
#[must_use]
pub fn accuracy(classifier: &Classifier, samples: &Samples) -> f64 {
    share(correct(classifier, samples), samples.len())
}

/// Model in floats.
trait Floats {
    fn predict(&self, row: &Row<'_>) -> u16;
}

/// Model in floats and as deployed on chain.
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
    if layout.classes > max_classes(kind) {
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
            name: None,
        });
    }
    let (first, _) = samples.get(0);
    if samples.iter().all(|(sample, _)| sample == first) {
        return Err(TrainError::AllEqual {
            samples: samples.len(),
        });
    }
    Ok(())
}

/// Trains a model whose learning only adds up, by the contract's own rule.
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

/// Packs lanes of 16 bits like the contract: 16 in a word, the first one least significant.
fn packed(lanes: impl Iterator<Item = [u8; 2]>) -> Vec<U256> {
    let bytes: Vec<u8> = lanes.flatten().collect();
    bytes.chunks(32).map(U256::from_le_slice).collect()
}

// Numbers of samples are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}
