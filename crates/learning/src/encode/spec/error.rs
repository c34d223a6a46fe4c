use cotrain_protocol::classifier::{Kind, UnknownKind};
use thiserror::Error;

use crate::data::{MAX_INDEX, SchemaError};
use crate::encode::text::TextRules;
use crate::sentences::{AxesError, SentenceIdError};
use crate::text::escaped;
use crate::vectors::MAX_DIMENSIONS;

/// Reason why a specification describes no valid encoder.
#[derive(Debug, PartialEq, Error)]
pub(in crate::encode) enum SpecError {
    #[error("{0}")]
    Kind(#[from] UnknownKind),
    #[error("there are {features} features, but a {kind} has 1 to {max}")]
    Count {
        features: usize,
        kind: Kind,
        max: usize,
    },
    #[error(
        "feature {feature} is `{}`, expected one word of at least two letters, digits or underscores in lower case",
        escaped(word)
    )]
    NotAWord { feature: usize, word: String },
    #[error(
        "feature {feature} is `{}`, expected one word{} as the tokenizer `{}` makes it",
        escaped(word), or_pair(*rules), rules.tokenizer
    )]
    NotAToken {
        feature: usize,
        word: String,
        rules: TextRules,
    },
    #[error("tokens are hashed to {features} features, expected 2 to 65536")]
    Hashed { features: u32 },
    #[error(
        "the number of reserved features is {reserved}, expected 0: every word has a hashed one already; leave it out"
    )]
    HashedReserved { reserved: usize },
    #[error(
        "the number of reserved features is {reserved}, expected 0: a picture has all its pixels; leave it out"
    )]
    PicturesReserved { reserved: usize },
    #[error(
        "a pixel has {levels} levels of grey, but the samples of a {kind} only say which features are present; expected 2 levels"
    )]
    PicturesAreNumbers { kind: Kind, levels: u32 },
    #[error(
        "there is a rule for texts, but the features are none of texts; leave out `tokenizer` and `word-pairs`"
    )]
    NoTexts,
    #[error(
        "the SHA-256 of the table of word vectors is `{}`, expected 64 hexadecimal digits in lower case",
        escaped(.0)
    )]
    Sha256(String),
    #[error(
        "the features are numbers of {of}, but the samples of a {kind} only say which features are present"
    )]
    AreNumbers { of: &'static str, kind: Kind },
    #[error("{0}")]
    Sentence(#[from] SentenceIdError),
    #[error("{0}")]
    Axes(#[from] AxesError),
    #[error("the table of word vectors has {0} dimensions, expected 1 to {MAX_DIMENSIONS}")]
    Dimensions(usize),
    #[error(
        "feature {feature} is the index {index}, expected a whole number from 1 to {MAX_INDEX}"
    )]
    Index { feature: usize, index: u32 },
    #[error(
        "feature {feature} is `{}`, as another one is; name each once",
        escaped(name)
    )]
    Twice { feature: usize, name: String },
    #[error("{0}")]
    Schema(#[from] SchemaError),
    #[error(
        "the column `{}` is reserved, expected numbers that are never missing in such a column",
        escaped(.0)
    )]
    ReservedType(String),
    #[error("indices are said to count from 0, but there are none; leave `zero-based` out")]
    NoIndices,
    #[error("there is {}, but the samples of a {kind} {}", scaling(*given), wants(*given))]
    Scaling { kind: Kind, given: bool },
    #[error(
        "there are bounds, but the samples of a {0} only say which features are present; leave them out"
    )]
    NothingToBound(Kind),
    #[error(
        "the largest number is {number} and the largest squared length `{length}`, expected 1 to {max} and 1 to {longest}"
    )]
    Bounds {
        number: u32,
        length: String,
        max: u32,
        longest: u128,
    },
    #[error(
        "there is a constant, but only a {} learns its intercept through one; leave it out",
        Kind::DensePerceptron
    )]
    NoConstant,
    #[error(
        "the constant is {constant}, expected 1 to {max}, the square below the largest squared length {length}"
    )]
    Constant {
        constant: u32,
        max: u32,
        length: u128,
    },
    #[error(
        "{reserved} of the {features} features are reserved, expected fewer than all, and none of a model of numbers"
    )]
    Reserved { reserved: usize, features: usize },
    #[error("the length of `{list}` is {length}, expected {features}, a number for each feature")]
    Length {
        list: &'static str,
        length: usize,
        features: usize,
    },
    #[error("the mean of feature {feature} is {value}, expected a finite number")]
    Mean { feature: usize, value: f64 },
    #[error("the deviation of feature {feature} is {value}, expected a finite number above 0")]
    Deviation { feature: usize, value: f64 },
}

fn or_pair(rules: TextRules) -> &'static str {
    if rules.word_pairs {
        ", or two with a space between,"
    } else {
        ""
    }
}

fn scaling(given: bool) -> &'static str {
    if given { "a scaling" } else { "no scaling" }
}

fn wants(given: bool) -> &'static str {
    if given {
        "only say which features are present; leave it out"
    } else {
        "are numbers; give means and deviations"
    }
}
