use serde::{Deserialize, Serialize};

use crate::data::{Column, Schema};
use crate::pictures::Form;

/// Serialized form of an extractor: `features` in a model's card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FeatureSpec {
    /// Words and pairs of words, in the order of their features.
    Words(Vec<String>),
    /// Number of features to which tokens are hashed.
    Hashed(u32),
    /// Names of a table's columns, in the order of their features.
    Columns(Vec<String>),
    /// Columns of a table with their types, if some are no numbers or may lack values.
    Table(Vec<Column>),
    /// Indices from 1, as libsvm counts, in the order of their features.
    Indices(Vec<u32>),
    /// All indices from 1 to this one, in order.
    IndicesUpTo(u32),
    /// Pixels of pictures, row by row.
    Pictures(Form),
    /// Dimensions of a table of word vectors.
    Vectors(VectorsSpec),
    /// Dimensions of a sentence encoder.
    Sentence(SentenceSpec),
}

/// Table of word vectors, by what its file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorsSpec {
    /// SHA-256 of the table's file, as 64 hexadecimal digits in lower case.
    pub sha256: String,
    /// Number of dimensions.
    pub dimensions: usize,
}

/// Sentence encoder, by its weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentenceSpec {
    /// Name for people.
    pub name: String,
    /// SHA-256 of the file of the weights, as 64 hexadecimal digits in lower case.
    pub sha256: String,
    /// Number of numbers in a vector of the encoder.
    pub width: usize,
    /// Axes of the dimensions, each as `width` hexadecimal digits in lower case: numbers of 4 bits in
    /// two's complement. Left out: the numbers of the vectors are the features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axes: Option<Vec<String>>,
}

impl FeatureSpec {
    /// Returns the number of features.
    pub(in crate::encode) fn count(&self) -> usize {
        match self {
            Self::Words(names) | Self::Columns(names) => names.len(),
            Self::Table(columns) => Schema::width_of(columns),
            Self::Indices(indices) => indices.len(),
            // The number is widened: no supported machine has 16 bits.
            Self::Hashed(count) | Self::IndicesUpTo(count) => *count as usize,
            Self::Pictures(form) => form.pixels(),
            Self::Vectors(vectors) => vectors.dimensions,
            Self::Sentence(sentence) => sentence.axes.as_ref().map_or(sentence.width, Vec::len),
        }
    }
}
