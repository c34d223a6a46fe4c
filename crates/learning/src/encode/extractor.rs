//! Extraction of features from examples: one file for each sort of feature.

mod columns;
mod hashed;
mod indices;
mod pictures;
mod sentence;
mod vectors;
mod words;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use cotrain_protocol::classifier::Kind;
use cotrain_protocol::sample::Encoding;

use super::spec::{FeatureSpec, SpecError};
use super::text::{TextRules, Tokenizer};
use super::{EncodeError, Options, ReserveFault};
use crate::data::{Dataset, Example, ModelColumns, Part};
use crate::pictures::Form;
use crate::sentences::{SentenceEncoder, SentenceId, Sentences};
use crate::vectors::{Table, TableId};

use columns::Columns;
use hashed::Hashed;
use indices::Indices;
use pictures::Pictures;
use sentence::Sentence;
use vectors::Vectors;
use words::Words;

/// Extractor of features: it turns an example into numbers, the same for the same example on every
/// machine.
///
/// An [`Encoder`](super::Encoder) holds one. It scales the values, moves them within bounds, and
/// writes them as bytes.
pub trait Extractor: Debug + Send + Sync {
    /// Returns the sort of example that it takes.
    fn takes(&self) -> Sort;

    /// Returns the number of features.
    fn features(&self) -> usize;

    /// Returns the name of a feature, such as a word; `None` if there is no such feature.
    fn name(&self, feature: usize) -> Option<String>;

    /// Returns the noun for a feature in messages, such as "word".
    fn noun(&self) -> &'static str {
        "feature"
    }

    /// Extracts the features of an example.
    ///
    /// # Errors
    /// Returns [`Sort::mismatch`] for an example of another sort. Returns an error if the example
    /// is malformed.
    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError>;

    /// Returns the numbers of an example if they are the values of all features, in order; `None` if
    /// [`extract`](Self::extract) must find the values.
    ///
    /// It saves time, and the values must be those that are extracted.
    fn numbers<'a>(&self, _example: Example<'a>) -> Option<&'a [f64]> {
        None
    }

    /// Adds a feature without examples after the others. The name is trimmed and not empty.
    ///
    /// # Errors
    /// Returns the reason why this name cannot be reserved. Extractors with a fixed set of features
    /// return [`ReserveFault::Fixed`], as this method does unless it is overridden.
    fn reserve(&mut self, _name: &str) -> Result<(), ReserveFault> {
        Err(ReserveFault::Fixed)
    }

    /// Returns the columns of the tables that it takes; `None` if it takes none.
    fn columns(&self) -> Option<ModelColumns<'_>> {
        None
    }

    /// Returns the form of the pictures that it takes, as rows of their pixels; `None` if it takes
    /// none.
    fn pictures(&self) -> Option<Form> {
        None
    }

    /// Returns the rules by which it reads texts; `None` if it takes none, or has rules of its own.
    fn text_rules(&self) -> Option<TextRules> {
        None
    }

    /// Returns a short description of the features for people, such as "hashed words"; `None` if
    /// their number says enough.
    fn summary(&self) -> Option<String> {
        None
    }

    /// Returns `true` if its indices count from 0 in files, as those of the training data did.
    fn is_zero_based(&self) -> bool {
        false
    }

    /// Returns `true` if all its features have one unit, so that dense samples scale them alike: by the
    /// root of their mean variance.
    fn has_one_unit(&self) -> bool {
        false
    }

    /// Returns the table of word vectors that it needs and lacks, as after reading a card; `None` if
    /// it can extract.
    fn missing_table(&self) -> Option<TableId> {
        None
    }

    /// Returns this extractor with its table of word vectors; `None` if it needs no such table.
    fn with_table(&self, _table: &Table) -> Option<Arc<dyn Extractor>> {
        None
    }

    /// Returns the sentence encoder that it needs and lacks, as after reading a card; `None` if it
    /// can extract.
    fn missing_sentences(&self) -> Option<&SentenceId> {
        None
    }

    /// Returns this extractor with its sentence encoder; `None` if it needs none.
    fn with_sentences(&self, _encoder: &Arc<dyn SentenceEncoder>) -> Option<Arc<dyn Extractor>> {
        None
    }

    /// Returns `true` if its features are hashes of words, so that no feature names its words.
    fn is_hashed(&self) -> bool {
        false
    }

    /// Returns the serialized form; `None` if it has none. An encoder without it cannot be written
    /// in a model's card.
    fn spec(&self) -> Option<FeatureSpec> {
        None
    }
}

/// Features that an extractor found in an example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extracted {
    values: Vec<(u16, f64)>,
    known: usize,
    unseen: usize,
}

impl Extracted {
    /// Collects numbers of features with their values, in any order. If a number occurs twice, one
    /// of its values counts. Features that are not given are 0.
    ///
    /// The number of known parts is that of the features.
    #[must_use]
    pub fn new(mut values: Vec<(u16, f64)>) -> Self {
        values.sort_unstable_by_key(|&(number, _)| number);
        values.dedup_by_key(|&mut (number, _)| number);
        let known = values.len();
        Self {
            values,
            known,
            unseen: 0,
        }
    }

    /// Sets the number of the example's parts that the extractor knows, such as words. With 0, the
    /// example is unknown to the model.
    #[must_use]
    pub fn with_known(self, known: usize) -> Self {
        Self { known, ..self }
    }

    /// Sets the number of the example's parts that no feature stands for, though their sort has
    /// features: texts of categorical columns, and indices.
    #[must_use]
    pub fn with_unseen(self, unseen: usize) -> Self {
        Self { unseen, ..self }
    }

    /// Returns the features with their values, by increasing number, each once.
    #[must_use]
    pub fn values(&self) -> &[(u16, f64)] {
        &self.values
    }

    /// Returns the number of the example's parts that the extractor knows.
    #[must_use]
    pub fn known(&self) -> usize {
        self.known
    }

    /// Returns the number of the example's parts that no feature stands for.
    #[must_use]
    pub fn unseen(&self) -> usize {
        self.unseen
    }

    /// Returns the number of features that are not 0.
    pub(super) fn present(&self) -> usize {
        let values = self.values.iter();
        values.filter(|(_, value)| *value != 0.0).count()
    }
}

/// Sort of example that an encoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// [`Example::Text`].
    Text,
    /// [`Example::Numbers`].
    Numbers,
    /// [`Example::Indexed`].
    Indexed,
}

impl Sort {
    /// Returns the sort of an example.
    #[must_use]
    pub fn of(example: Example<'_>) -> Self {
        match example {
            Example::Text(_) => Self::Text,
            Example::Numbers(_) => Self::Numbers,
            Example::Indexed { .. } => Self::Indexed,
        }
    }

    /// Returns the error that `example` is not of this sort.
    #[must_use]
    pub fn mismatch(self, example: Example<'_>) -> EncodeError {
        EncodeError::WrongSort {
            found: Self::of(example).noun(),
            wanted: self.noun(),
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Numbers => "a row of numbers",
            Self::Indexed => "indices with values",
        }
    }
}

/// Chooses an extractor for the training part.
pub(super) fn learn(
    dataset: &Dataset,
    options: &Options,
) -> Result<Box<dyn Extractor>, EncodeError> {
    let Some(first) = dataset.train.examples().next() else {
        return Err(EncodeError::NoFeatures {
            path: dataset.train.path().to_owned(),
        });
    };
    let sort = Sort::of(first);
    let option = options.text.set().or(options.numbers());
    if let Some(option) = option.filter(|_| sort != Sort::Text) {
        return Err(EncodeError::NoTexts {
            path: dataset.train.path().to_owned(),
            option,
        });
    }
    Ok(match sort {
        Sort::Text => learn_texts(dataset, options)?,
        Sort::Numbers => match dataset.pictures {
            Some(form) => {
                let made = form.pixels();
                if let Some(features) = options.features.filter(|features| *features != made) {
                    return Err(EncodeError::NotTheExtractors { features, made });
                }
                Box::new(Pictures::new(form))
            }
            None => Box::new(Columns::learn(dataset, options.features)?),
        },
        Sort::Indexed => Box::new(Indices::learn(dataset, options.features)),
    })
}

/// Chooses an extractor for training texts.
fn learn_texts(dataset: &Dataset, options: &Options) -> Result<Box<dyn Extractor>, EncodeError> {
    match (&options.vectors, &options.sentences) {
        (Some(_), Some(_)) => {
            let option = "the table of word vectors";
            return Err(EncodeError::OwnRules { option });
        }
        (Some(table), None) => return learn_vectors(table, options),
        (None, Some(sentences)) => return learn_sentences(&dataset.train, sentences, options),
        (None, None) => {}
    }
    let chosen = options.text.tokenizer;
    let rules = TextRules {
        tokenizer: chosen.unwrap_or_else(|| Tokenizer::suited(&dataset.train)),
        word_pairs: options.text.word_pairs,
    };
    Ok(match (options.text.hashed, options.features) {
        (Some(hashed), Some(features)) => {
            return Err(EncodeError::HashedVocabulary { hashed, features });
        }
        (Some(hashed), None) => Box::new(Hashed::new(hashed, rules)?),
        (None, features) => Box::new(Words::learn(&dataset.train, rules, features)),
    })
}

/// Chooses the extractor of a table of word vectors.
fn learn_vectors(table: &Table, options: &Options) -> Result<Box<dyn Extractor>, EncodeError> {
    options.leave_texts_to_extractor(table.dimensions())?;
    Ok(Box::new(Vectors::new(table.clone())))
}

/// Chooses the extractor of a sentence encoder.
fn learn_sentences(
    train: &Part,
    sentences: &Sentences,
    options: &Options,
) -> Result<Box<dyn Extractor>, EncodeError> {
    options.leave_texts_to_extractor(sentences.dimensions())?;
    Ok(Box::new(Sentence::learn(train, sentences.clone())?))
}

/// Checks the serialized form of an extractor with `reserved` features, and returns the extractor.
///
/// `rules` are those of texts. A model of anything else must not have any. `zero_based` says whether
/// indices count from 0 in files; only indices may.
pub(super) fn read(
    spec: FeatureSpec,
    reserved: usize,
    rules: TextRules,
    zero_based: bool,
) -> Result<Arc<dyn Extractor>, SpecError> {
    let indices = matches!(spec, FeatureSpec::Indices(_) | FeatureSpec::IndicesUpTo(_));
    if zero_based && !indices {
        return Err(SpecError::NoIndices);
    }
    let of_texts = matches!(spec, FeatureSpec::Words(_) | FeatureSpec::Hashed(_));
    if !of_texts && rules != TextRules::default() {
        return Err(SpecError::NoTexts);
    }
    if reserved > 0 && matches!(spec, FeatureSpec::Hashed(_)) {
        return Err(SpecError::HashedReserved { reserved });
    }
    if reserved > 0 && matches!(spec, FeatureSpec::Pictures(_)) {
        return Err(SpecError::PicturesReserved { reserved });
    }
    Ok(match spec {
        FeatureSpec::Words(words) => Arc::new(Words::read(words, rules)?),
        FeatureSpec::Hashed(features) => Arc::new(Hashed::read(features, rules)?),
        FeatureSpec::Columns(columns) => Arc::new(Columns::read(columns, reserved)?),
        FeatureSpec::Table(columns) => Arc::new(Columns::typed(columns, reserved)?),
        FeatureSpec::Indices(indices) => Arc::new(Indices::read(&indices, zero_based)?),
        FeatureSpec::IndicesUpTo(last) => Arc::new(Indices::up_to(last, zero_based)),
        FeatureSpec::Pictures(form) => Arc::new(Pictures::new(form)),
        FeatureSpec::Vectors(vectors) => Arc::new(Vectors::read(&vectors)?),
        FeatureSpec::Sentence(sentence) => Arc::new(Sentence::read(&sentence)?),
    })
}

/// Extracts the features of an example, and checks their numbers.
pub(super) fn extract(
    extractor: &dyn Extractor,
    example: Example<'_>,
) -> Result<Extracted, EncodeError> {
    let extracted = extractor.extract(example)?;
    let features = extractor.features();
    match extracted.values.last() {
        Some(&(feature, _)) if usize::from(feature) >= features => {
            Err(EncodeError::NoSuchFeature { feature, features })
        }
        _ => Ok(extracted),
    }
}

/// Returns the values of all features if the example has them itself.
pub(super) fn whole<'a>(extractor: &dyn Extractor, example: Example<'a>) -> Option<&'a [f64]> {
    let numbers = extractor.numbers(example);
    numbers.filter(|numbers| numbers.len() == extractor.features())
}

/// Returns the values of all features of an example; 0 for those that it does not have.
///
/// They are in `row`, unless the example has them itself.
pub(super) fn extract_dense<'a>(
    extractor: &dyn Extractor,
    example: Example<'a>,
    row: &'a mut Vec<f64>,
) -> Result<&'a [f64], EncodeError> {
    if let Some(values) = whole(extractor, example) {
        return Ok(values);
    }
    spread(&extract(extractor, example)?, extractor.features(), row);
    Ok(row)
}

/// Writes the values of all features to `row`; 0 for those that are not given.
pub(super) fn spread(extracted: &Extracted, features: usize, row: &mut Vec<f64>) {
    row.clear();
    row.resize(features, 0.0);
    for &(feature, value) in &extracted.values {
        row[usize::from(feature)] = value;
    }
}

/// Adds a feature without examples to an extractor for classifiers of `kind`.
pub(super) fn reserve(
    extractor: &mut dyn Extractor,
    kind: Kind,
    name: &str,
) -> Result<(), EncodeError> {
    let reserved = if kind.encoding() != Encoding::Sparse {
        Err(ReserveFault::Dense(kind))
    } else if name.is_empty() {
        Err(ReserveFault::Empty)
    } else {
        extractor.reserve(name)
    };
    reserved.map_err(|fault| EncodeError::Reserve {
        name: name.to_owned(),
        fault,
    })
}

/// Checks that no name occurs twice.
fn once<T: Hash + Eq + ToString>(names: &[T]) -> Result<(), SpecError> {
    let mut seen = HashSet::new();
    for (feature, name) in names.iter().enumerate() {
        if !seen.insert(name) {
            return Err(SpecError::Twice {
                feature,
                name: name.to_string(),
            });
        }
    }
    Ok(())
}

/// Returns the `wanted` most frequent names, by falling frequency; ties are in the names' order.
fn most_frequent<T: Ord>(counts: impl IntoIterator<Item = (T, u32)>, wanted: usize) -> Vec<T> {
    let mut counts: Vec<(T, u32)> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, a_count), (b, b_count)| {
        (Reverse(a_count), a).cmp(&(Reverse(b_count), b))
    });
    counts.truncate(wanted);
    counts.into_iter().map(|(name, _)| name).collect()
}
