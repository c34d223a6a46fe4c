//! Five learners in fixed point. Each stores its model as a flat array of 256-bit words.

mod bounds;
mod classes;
mod dense_nearest_centroid;
mod dense_perceptron;
mod evidence;
mod hosted;
mod lanes;
mod naive_bayes;
mod parameters;
mod quotient;
mod sparse_nearest_centroid;
mod sparse_perceptron;

use alloy_primitives::U256;

use self::{
    dense_nearest_centroid::DenseNearestCentroid, dense_perceptron::DensePerceptron,
    naive_bayes::NaiveBayes, sparse_nearest_centroid::SparseNearestCentroid,
    sparse_perceptron::SparsePerceptron,
};
use crate::{
    ContractError,
    sample::{Encoding, Item, parse_batch_with},
};

pub use self::{
    bounds::Bounds,
    evidence::{Evidence, Fraction},
    hosted::Hosted,
    parameters::{Kind, Parameters, UnknownKind},
};

/// A model: its parameters and its learned words.
///
/// It knows labels and samples, but neither callers nor money.
/// [`Hosted`] adds who may write and teach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classifier {
    parameters: Parameters,
    model: Model,
    version: u64,
}

impl Classifier {
    /// Creates a model whose words are all zero.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`].
    pub fn new(parameters: Parameters) -> Result<Self, ContractError> {
        parameters.validate()?;
        Ok(Self {
            parameters,
            model: Model::new(parameters),
            version: 0,
        })
    }

    /// Creates a model with these words, [`Parameters::word_count`] in number. Its version is 0.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`]; [`ContractError::WordsOutOfRange`] for too many or too few.
    pub fn from_words(parameters: Parameters, words: &[U256]) -> Result<Self, ContractError> {
        let mut classifier = Self::new(parameters)?;
        let (count, size) = (words.len(), parameters.word_count());
        if count != size {
            return Err(words_out_of_range(0, count, size));
        }
        classifier.write(0, words)?;
        classifier.version = 0;
        Ok(classifier)
    }

    /// Returns the parameters that the model was created with.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Returns the kind of the learner.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.parameters.kind()
    }

    /// Returns the number of classes: labels are below it.
    #[must_use]
    pub fn classes(&self) -> u16 {
        self.parameters.classes()
    }

    /// Returns the number of features.
    #[must_use]
    pub fn features(&self) -> u32 {
        self.parameters.features()
    }

    /// Returns the encoding of samples.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.parameters.encoding()
    }

    /// Returns a counter that rises with every change of the model.
    ///
    /// A prediction stays valid while the counter is the same.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns all words as the contract stores them, including bits without meaning.
    #[must_use]
    pub fn words(&self) -> Vec<U256> {
        let learner = self.model.learner();
        (0..self.parameters.word_count())
            .map(|index| learner.word(index))
            .collect()
    }

    /// Overwrites words from `offset` on.
    ///
    /// # Errors
    /// [`ContractError::WordsOutOfRange`].
    pub fn write(&mut self, offset: u64, words: &[U256]) -> Result<(), ContractError> {
        let (count, size) = (words.len(), self.parameters.word_count());
        let start = usize::try_from(offset)
            .ok()
            .filter(|start| start.checked_add(count).is_some_and(|end| end <= size))
            .ok_or_else(|| words_out_of_range(offset, count, size))?;
        let learner = self.model.learner_mut();
        for (index, word) in (start..).zip(words) {
            learner.set_word(index, *word);
        }
        self.version += 1;
        Ok(())
    }

    /// Predicts the class of a sample.
    ///
    /// # Errors
    /// Those of [`Encoding::check`], with item 0.
    #[inline]
    pub fn predict(&self, sample: &[u8]) -> Result<u16, ContractError> {
        self.check_sample(0, sample)?;
        Ok(self.model.learner().predict(sample))
    }

    /// Returns the quantities that the prediction of a sample compares.
    ///
    /// # Errors
    /// Those of [`Encoding::check`], with item 0.
    pub fn evidence(&self, sample: &[u8]) -> Result<Evidence, ContractError> {
        self.check_sample(0, sample)?;
        Ok(self.model.learner().evidence(sample))
    }

    /// Predicts the classes of many samples.
    ///
    /// # Errors
    /// Those of [`Encoding::check`], with the index of the first wrong sample.
    pub fn predict_all(&self, samples: &[&[u8]]) -> Result<Vec<u16>, ContractError> {
        let learner = self.model.learner();
        (0..)
            .zip(samples)
            .map(|(item, sample)| {
                self.check_sample(item, sample)
                    .map(|()| learner.predict(sample))
            })
            .collect()
    }

    /// Counts the items whose label the model predicts.
    ///
    /// # Errors
    /// Those of [`check`](Self::check) except for the bounds: predictions take any number.
    pub fn evaluate(&self, items: &[Item<'_>]) -> Result<usize, ContractError> {
        let learner = self.model.learner();
        let mut correct = 0;
        for (index, item) in (0..).zip(items) {
            self.check_label(index, item.label)?;
            self.check_sample(index, item.sample)?;
            correct += usize::from(learner.predict(item.sample) == item.label);
        }
        Ok(correct)
    }

    /// Counts like [`evaluate`](Self::evaluate), for items that have been checked.
    pub(crate) fn evaluate_checked<'a>(&self, items: impl Iterator<Item = Item<'a>>) -> u64 {
        let learner = self.model.learner();
        items
            .map(|item| u64::from(learner.predict(item.sample) == item.label))
            .sum()
    }

    /// Checks labeled samples in their order.
    ///
    /// # Errors
    /// The first one: [`ContractError::LabelOutOfRange`], or one of [`Encoding::check`] or
    /// [`Bounds::check`].
    pub fn check(&self, items: &[Item<'_>]) -> Result<(), ContractError> {
        (0..)
            .zip(items)
            .try_for_each(|(index, item)| self.check_item(index, *item))
    }

    /// Returns the items of a batch. Each is parsed and checked before the next one is parsed.
    ///
    /// # Errors
    /// The first one: [`ContractError::EmptyBatch`], [`ContractError::MalformedBatch`], or one of
    /// [`check`](Self::check).
    pub fn check_batch<'a>(&self, batch: &'a [u8]) -> Result<Vec<Item<'a>>, ContractError> {
        parse_batch_with(batch, |index, item| self.check_item(index, item))
    }

    /// Learns from the items in their order. Returns how many of them changed the model.
    ///
    /// # Errors
    /// Those of [`check`](Self::check) for any item. The model has learned from none of them then.
    pub fn learn(&mut self, items: &[Item<'_>]) -> Result<usize, ContractError> {
        self.check(items)?;
        Ok(self.learn_checked(items))
    }

    /// Learns like [`learn`](Self::learn), from items that have been checked.
    pub(crate) fn learn_checked(&mut self, items: &[Item<'_>]) -> usize {
        let learner = self.model.learner_mut();
        let changed = items
            .iter()
            .filter(|item| learner.learn(item.label, item.sample))
            .count();
        self.version += u64::from(changed > 0);
        changed
    }

    fn check_item(&self, index: u64, item: Item<'_>) -> Result<(), ContractError> {
        self.check_label(index, item.label)?;
        self.check_sample(index, item.sample)?;
        self.parameters.bounds().map_or(Ok(()), |bounds| {
            bounds.check(self.encoding(), index, item.sample)
        })
    }

    fn check_label(&self, item: u64, label: u16) -> Result<(), ContractError> {
        let classes = self.classes();
        if label >= classes {
            return Err(ContractError::LabelOutOfRange {
                item,
                label,
                classes,
            });
        }
        Ok(())
    }

    #[inline]
    fn check_sample(&self, item: u64, sample: &[u8]) -> Result<(), ContractError> {
        self.encoding().check(item, sample, self.features())?;
        self.parameters.check_present(item, sample)
    }
}

fn words_out_of_range(offset: u64, count: usize, size: usize) -> ContractError {
    ContractError::WordsOutOfRange {
        offset,
        count: count as u64,
        size: size as u64,
    }
}

/// A learner over its own words. Its labels and samples have been checked.
trait Learner {
    /// Predicts the class of a sample.
    fn predict(&self, sample: &[u8]) -> u16;

    /// Returns the quantities that [`predict`](Self::predict) compares.
    fn evidence(&self, sample: &[u8]) -> Evidence;

    /// Learns from a sample. Returns `true` if that changed a word.
    fn learn(&mut self, label: u16, sample: &[u8]) -> bool;

    /// Returns a word as the contract stores it.
    fn word(&self, index: usize) -> U256;

    /// Overwrites a word, keeping each of its bits.
    fn set_word(&mut self, index: usize, word: U256);
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Model {
    SparsePerceptron(SparsePerceptron),
    DensePerceptron(DensePerceptron),
    NaiveBayes(NaiveBayes),
    SparseNearestCentroid(SparseNearestCentroid),
    DenseNearestCentroid(DenseNearestCentroid),
}

impl Model {
    /// Creates a model whose words are all zero. The parameters have been validated.
    fn new(parameters: Parameters) -> Self {
        // Lossless: no supported machine has 16-bit addresses.
        let features = parameters.features() as usize;
        match parameters {
            Parameters::SparsePerceptron {
                learning_rate,
                intercept,
                ..
            } => Self::SparsePerceptron(SparsePerceptron::new(features, learning_rate, intercept)),
            Parameters::DensePerceptron {
                learning_rate,
                intercept,
                ..
            } => Self::DensePerceptron(DensePerceptron::new(features, learning_rate, intercept)),
            Parameters::NaiveBayes {
                classes, smoothing, ..
            } => Self::NaiveBayes(NaiveBayes::new(classes, features, smoothing)),
            Parameters::SparseNearestCentroid { classes, .. } => {
                Self::SparseNearestCentroid(SparseNearestCentroid::new(classes, features))
            }
            Parameters::DenseNearestCentroid { classes, .. } => {
                Self::DenseNearestCentroid(DenseNearestCentroid::new(classes, features))
            }
        }
    }

    fn learner(&self) -> &dyn Learner {
        match self {
            Self::SparsePerceptron(learner) => learner,
            Self::DensePerceptron(learner) => learner,
            Self::NaiveBayes(learner) => learner,
            Self::SparseNearestCentroid(learner) => learner,
            Self::DenseNearestCentroid(learner) => learner,
        }
    }

    fn learner_mut(&mut self) -> &mut dyn Learner {
        match self {
            Self::SparsePerceptron(learner) => learner,
            Self::DensePerceptron(learner) => learner,
            Self::NaiveBayes(learner) => learner,
            Self::SparseNearestCentroid(learner) => learner,
            Self::DenseNearestCentroid(learner) => learner,
        }
    }
}
