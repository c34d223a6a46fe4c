use cotrain_protocol::classifier::Kind;
use thiserror::Error;

use crate::data::MAX_NUMBER;

/// Why examples cannot be encoded.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EncodeError {
    /// A binary classifier and more than two classes.
    #[error(
        "the data has {classes} classes, but a {kind} is binary; use naive Bayes or a nearest centroid"
    )]
    NotBinary {
        /// The classifier.
        kind: Kind,
        /// How many classes the data has.
        classes: usize,
    },
    /// Nothing to learn from.
    #[error(
        "there are no features; the training data needs a word, column or index, and the number of features must be above 0"
    )]
    NoFeatures,
    /// More features than the classifier can have.
    #[error(
        "there are {features} features, but a {kind} has at most {most}; set the number of features to keep only the most frequent words or indices"
    )]
    TooManyFeatures {
        /// The classifier.
        kind: Kind,
        /// How many features there are.
        features: usize,
        /// How many there may be.
        most: usize,
    },
    /// The number of features asked for is not the number of columns.
    #[error(
        "the table has {columns} columns of numbers, but {features} features are asked for; leave the number of features out"
    )]
    NotTheColumns {
        /// How many columns the table has.
        columns: usize,
        /// How many features are asked for.
        features: usize,
    },
    /// An example of another sort than those that the encoder learned from.
    #[error("the example is {found}, but the model learned from {wanted}")]
    WrongSort {
        /// What the example is.
        found: &'static str,
        /// What is wanted.
        wanted: &'static str,
    },
    /// A row with too few or too many numbers.
    #[error("the example has {found} numbers, {wanted} are wanted: {columns}")]
    WrongWidth {
        /// How many numbers it has.
        found: usize,
        /// How many are wanted.
        wanted: usize,
        /// The names of the columns, separated by commas.
        columns: String,
    },
    /// A number that is too large, infinite or none.
    #[error(
        "feature `{name}` is {value}, a number between -{MAX_NUMBER:e} and {MAX_NUMBER:e} is wanted"
    )]
    OutOfRange {
        /// The word, column or index.
        name: String,
        /// The number.
        value: f64,
    },
}
