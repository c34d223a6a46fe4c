//! Encoding of raw examples to the bytes that a contract takes.

mod clamp;
mod encoder;
mod error;
mod extractor;
mod limits;
mod samples;
mod scaling;
mod spec;
mod text;

use cotrain_protocol::classifier::{Bounds, Kind};
use cotrain_protocol::sample::Encoding;

use encoder::Scratch;
pub use encoder::{Encoder, Noted};
pub use error::{EncodeError, ReserveFault};
pub use extractor::{Extracted, Extractor, Sort};
pub use limits::Limits;
pub use samples::Samples;
pub use spec::{FeatureSpec, SentenceSpec, VectorsSpec};
pub use text::{TextOptions, TextRules, Tokenizer, UnknownTokenizer, hash};

pub(crate) use samples::{Layout, Row};

use crate::data::{Dataset, Example, MAX_CLASSES, Part};
use crate::sentences::Sentences;
use crate::vectors::Table;

/// Default number of words that a text model knows.
const DEFAULT_WORDS: usize = 2_000;

/// Choices of how a data set is encoded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Number of words or indices to keep, the most frequent ones. `None` keeps 2,000 words, or all
    /// indices.
    pub features: Option<usize>,
    /// Rules by which texts are read.
    pub text: TextOptions,
    /// Table of word vectors that turns texts into numbers. `None` chooses words.
    pub vectors: Option<Table>,
    /// Sentence encoder that turns texts into numbers, instead of a table.
    pub sentences: Option<Sentences>,
    /// Limits of the numbers that a dense model learns from.
    pub limits: Limits,
    /// `true` if samples of a dense perceptron get no constant number, so that its intercept stays
    /// as trained.
    pub fixed_intercept: bool,
    /// Words, columns of 0 and 1, or indices from 1 that have no examples yet. They become the last
    /// features of a sparse model.
    pub reserved: Vec<String>,
}

impl Options {
    /// Returns the encoder of texts as numbers, in words; `None` if texts are read as words.
    fn numbers(&self) -> Option<&'static str> {
        let vectors = self.vectors.as_ref().map(|_| "a table of word vectors");
        let sentences = self.sentences.as_ref().map(|_| "a sentence encoder");
        vectors.or(sentences)
    }

    /// Checks that nothing is chosen that an extractor of `made` features decides itself.
    fn leave_texts_to_extractor(&self, made: usize) -> Result<(), EncodeError> {
        if let Some(option) = self.text.set() {
            return Err(EncodeError::OwnRules { option });
        }
        match self.features.filter(|features| *features != made) {
            Some(features) => Err(EncodeError::NotTheExtractors { features, made }),
            None => Ok(()),
        }
    }
}

/// A data set as samples.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// Samples for training, in the order of the data set.
    pub train: Samples,
    /// Samples for measuring the accuracy, in the order of the data set.
    pub test: Samples,
    /// Encoder of further examples.
    pub encoder: Encoder,
    /// Name of each class, by its number.
    pub classes: Vec<String>,
    /// Numbers that lay outside the bounds of the dense encoding and were moved to them, in
    /// training and test samples together.
    pub clamped: usize,
    /// Indices of the training texts of which the encoder knows nothing, in order: they have the
    /// same sample. It is empty for other examples.
    pub unknown: Vec<usize>,
}

impl Encoded {
    /// Returns the number of texts of which the encoder knows nothing, among the first `samples` of
    /// the training part.
    #[must_use]
    pub fn unknown_in(&self, samples: usize) -> usize {
        self.unknown.partition_point(|index| *index < samples)
    }
}

/// Encodes a data set for classifiers of `kind`.
///
/// The encoder depends on the training part alone:
/// - text: it chooses the words that are features. These are the `features` (by default 2,000)
///   words that occur in the most examples. Their numbers follow falling frequency; ties are in the
///   order of the words. A word has the value 1. [`TextOptions`] decide what a word is, add pairs
///   of words, or replace the vocabulary by hashing.
/// - libsvm: it chooses the indices that are features. If `features` is given, they are chosen and
///   numbered like words; otherwise all indices up to the largest keep their order.
/// - tables: every column is a feature, and `features` may only equal their number.
/// - pictures: every pixel is a feature, and `features` may only equal their number.
///
/// There are fewer features if there are fewer words or indices than `features`. Anything that is
/// no feature is left out of a sample, as the model has no weight for it.
///
/// The sparse encoding lists the features that are 1, and accepts no values but 0 and 1. The dense
/// encodings subtract a feature's mean and divide by its standard deviation (by 1 if that is 0).
/// One standard deviation is then 4,096 in 16 bits and 65,536 in 32 bits. The bounds are the
/// largest number and the largest squared length of the training samples, or the limits of
/// [`encode_with`]. Numbers beyond are moved to the bounds.
///
/// The samples of a dense perceptron end with one more number, a constant, unless
/// [`Options::fixed_intercept`] is set. The contract's intercept never changes, so the weight of
/// the constant replaces it. That weight moves at the same rate as the intercept in training. A
/// nearest centroid would gain nothing from a constant, as it adds the same to each distance.
///
/// # Errors
/// Returns an error if `kind` is binary and there are more classes. Returns an error if there are
/// no features, more than `kind` can have, or not as many as a table has columns. Returns an error
/// if the encoder knows nothing of any training text. Returns an error if `kind` is sparse and a feature has another value than 0 and 1.
pub fn encode(
    dataset: &Dataset,
    kind: Kind,
    features: Option<usize>,
) -> Result<Encoded, EncodeError> {
    let options = Options {
        features,
        ..Options::default()
    };
    encode_with(dataset, kind, &options)
}

/// Encodes a data set like [`encode`], with further options.
///
/// # Errors
/// Returns the errors of [`encode`]. Returns an error if a limit is no number above 0, or a feature
/// cannot be reserved. Returns an error if `kind` takes no numbers, and the data has pictures of more
/// than two levels of grey. Returns an error if options are for texts, and the data has none. Returns an
/// error if there is a table of word vectors or a sentence encoder, and there are other options for
/// texts or `kind` takes no numbers. Returns the faults of a sentence encoder. Returns an error if
/// options limit numbers or fix an intercept, and `kind`
/// has no numbers or does not learn its intercept.
pub fn encode_with(
    dataset: &Dataset,
    kind: Kind,
    options: &Options,
) -> Result<Encoded, EncodeError> {
    if let Some(of) = options.numbers()
        && kind.encoding() == Encoding::Sparse
    {
        return Err(EncodeError::VectorsAreNumbers { of, kind });
    }
    if let Some(form) = dataset.pictures
        && kind.encoding() == Encoding::Sparse
        && form.levels() > 2
    {
        let levels = form.levels();
        return Err(EncodeError::PicturesAreNumbers { kind, levels });
    }
    check_classes(dataset, kind, options)?;
    let extractor = extractor::learn(dataset, options)?;
    encode_extracted(dataset, kind, extractor, options)
}

/// Encodes a data set like [`encode_with`], with the features of an extractor of one's own.
///
/// # Errors
/// Returns the errors of [`encode_with`] and of the extractor. Returns an error if the options have
/// another number of features than the extractor.
pub fn encode_by(
    dataset: &Dataset,
    kind: Kind,
    extractor: Box<dyn Extractor>,
    options: &Options,
) -> Result<Encoded, EncodeError> {
    check_classes(dataset, kind, options)?;
    options.leave_texts_to_extractor(extractor.features())?;
    encode_extracted(dataset, kind, extractor, options)
}

fn check_classes(dataset: &Dataset, kind: Kind, options: &Options) -> Result<(), EncodeError> {
    let classes = dataset.classes.len();
    if classes > max_classes(kind) {
        return Err(EncodeError::NotBinary {
            path: dataset.train.path().to_owned(),
            kind,
            instead: suited_with(dataset, options),
            classes,
        });
    }
    Ok(())
}

fn encode_extracted(
    dataset: &Dataset,
    kind: Kind,
    extractor: Box<dyn Extractor>,
    options: &Options,
) -> Result<Encoded, EncodeError> {
    let classes = dataset.classes.len();
    let mut encoder = Encoder::learn(dataset, kind, extractor, options)?;
    let (mut train, mut counts) = encode_part(&encoder, &dataset.train, classes)?;
    if !train.is_empty() && counts.unknown.len() == train.len() {
        return Err(EncodeError::NothingKnown {
            path: dataset.train.path().to_owned(),
            texts: train.len(),
        });
    }
    let samples = train.iter().map(|(sample, _)| sample);
    if let Some(around) = Bounds::around(kind.encoding(), samples) {
        encoder.settle(around, options);
        // The samples are encoded again, with the final bounds and the constant. They stay the same
        // if there is no constant, and neither the first bounds nor the final ones move a number.
        if counts.clamped == 0 && encoder.constant().is_none() && encoder.admits(around) {
            train.set_layout(encoder.layout(classes));
        } else {
            (train, counts) = encode_part(&encoder, &dataset.train, classes)?;
        }
    }
    let (test, of_test) = encode_part(&encoder, &dataset.test, classes)?;
    Ok(Encoded {
        train,
        test,
        encoder,
        classes: dataset.classes.clone(),
        clamped: counts.clamped + of_test.clamped,
        unknown: counts.unknown,
    })
}

/// Returns the kind of classifier that fits a data set with any number of classes.
///
/// It is naive Bayes for texts and for numbers that are 0 or 1. For other numbers it is the dense
/// nearest centroid.
#[must_use]
pub fn suited(dataset: &Dataset) -> Kind {
    let parts = [&dataset.train, &dataset.test];
    let mut examples = parts.into_iter().flat_map(Part::examples);
    // Data that contains 0 or 1 represents it exactly.
    #[allow(clippy::float_cmp)]
    let numbers = examples.any(|example| match example {
        Example::Text(_) => false,
        Example::Numbers(values) => values.iter().any(|&value| value != 0.0 && value != 1.0),
        // Without values, all are 1.
        Example::Indexed { values, .. } => {
            values.is_some_and(|values| values.iter().any(|&value| value != 1.0))
        }
    });
    if numbers {
        Kind::DenseNearestCentroid
    } else {
        Kind::NaiveBayes
    }
}

/// Returns the kind of classifier that fits a data set as the options encode it.
///
/// With a table of word vectors or a sentence encoder it is the dense nearest centroid, otherwise
/// that of [`suited`].
#[must_use]
pub fn suited_with(dataset: &Dataset, options: &Options) -> Kind {
    match options.numbers() {
        Some(_) => Kind::DenseNearestCentroid,
        None => suited(dataset),
    }
}

/// Returns the maximum number of features of a kind's contracts (`docs/spec.md`).
fn max_features(kind: Kind) -> usize {
    match kind.encoding() {
        Encoding::Sparse => 65_536,
        Encoding::Dense16 | Encoding::Dense32 => 4_096,
    }
}

/// Returns the maximum number of classes of a kind's contracts (`docs/spec.md`).
pub(crate) fn max_classes(kind: Kind) -> usize {
    match kind {
        Kind::SparsePerceptron | Kind::DensePerceptron => 2,
        Kind::NaiveBayes | Kind::SparseNearestCentroid | Kind::DenseNearestCentroid => MAX_CLASSES,
    }
}

/// Figures on the samples of a part.
#[derive(Default)]
struct Counts {
    /// Number of values that were clamped.
    clamped: usize,
    /// Indices of the texts of which the encoder knows nothing.
    unknown: Vec<usize>,
}

/// Returns the samples of a part, with figures on them.
fn encode_part(
    encoder: &Encoder,
    part: &Part,
    classes: usize,
) -> Result<(Samples, Counts), EncodeError> {
    let mut samples = Samples::with_capacity(encoder.layout(classes), part.labels().len());
    let mut counts = Counts::default();
    let mut scratch = Scratch::default();
    // A row of zeros is an example like any other.
    let of_texts = encoder.takes() == Sort::Text;
    for ((example, &label), &line) in part.examples().zip(part.labels()).zip(part.lines()) {
        let (sample, counted) = encoder
            .encode_with(example, &mut scratch)
            .map_err(|fault| EncodeError::Example {
                path: part.path().to_owned(),
                line,
                fault: Box::new(fault),
            })?;
        if of_texts && counted.is_unknown {
            counts.unknown.push(samples.len());
        }
        samples.push(&sample, label);
        counts.clamped += counted.clamped;
    }
    Ok((samples, counts))
}
