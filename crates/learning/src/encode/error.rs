use std::path::PathBuf;

use cotrain_protocol::classifier::Kind;
use thiserror::Error;

use crate::data::{MAX_INDEX, MAX_NUMBER};
use crate::text::escaped;

/// Why examples cannot be encoded.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EncodeError {
    /// A binary classifier and more than two classes.
    #[error(
        "`{}` has {classes} classes, but a {kind} is binary; use the learner {}",
        path.display(), instead.name()
    )]
    NotBinary {
        /// The training data's file.
        path: PathBuf,
        /// The classifier.
        kind: Kind,
        /// The classifier that takes the data.
        instead: Kind,
        /// How many classes it has.
        classes: usize,
    },
    /// Nothing to learn from.
    #[error(
        "`{}` gives no features; it needs a word, column or index, and the number of features must be above 0",
        path.display()
    )]
    NoFeatures {
        /// The training data's file.
        path: PathBuf,
    },
    /// More features than the classifier can have.
    #[error(
        "`{}` gives {features} features, but a {kind} has at most {most}{}; remove columns of a table, or set the number of features to keep only the most frequent words or indices",
        path.display(), beside_constant(*learns_intercept)
    )]
    TooManyFeatures {
        /// The training data's file.
        path: PathBuf,
        /// The classifier.
        kind: Kind,
        /// How many features there are.
        features: usize,
        /// How many there may be.
        most: usize,
        /// `true` if one more is the constant through which the model learns its intercept.
        learns_intercept: bool,
    },
    /// A fixed intercept for a model that never learns one.
    #[error(
        "cannot fix the intercept of a {kind}: only a {} learns its intercept; leave that choice out",
        Kind::DensePerceptron
    )]
    NoLearnedIntercept {
        /// The classifier.
        kind: Kind,
    },
    /// A feature without examples that cannot be one.
    #[error("cannot reserve the feature `{}`: {fault}", escaped(name))]
    Reserve {
        /// The name.
        name: String,
        /// Why.
        fault: ReserveFault,
    },
    /// The number of features asked for is not the number of columns.
    #[error(
        "the number of features is {features}, but in `{}` every column of numbers is one, which makes {columns}; leave the number out",
        path.display()
    )]
    NotTheColumns {
        /// The training data's file.
        path: PathBuf,
        /// How many columns the table has.
        columns: usize,
        /// How many features are asked for.
        features: usize,
    },
    /// A limit for the numbers of a classifier that takes none.
    #[error(
        "cannot limit the numbers of a {kind}: its samples only say which features are present; leave the limits out"
    )]
    NothingToLimit {
        /// The classifier.
        kind: Kind,
    },
    /// A limit that no sample could keep.
    #[error("the {limit} is {value}, expected a number above 0")]
    Limit {
        /// Which of the limits.
        limit: &'static str,
        /// The number.
        value: f64,
    },
    /// An example of another sort than those that the encoder learned from.
    #[error("the example is {found}, {wanted} is wanted, as the model learned from it")]
    WrongSort {
        /// What the example is.
        found: &'static str,
        /// What is wanted.
        wanted: &'static str,
    },
    /// A row with too few or too many numbers.
    #[error(
        "the length of the example is {found}, expected {wanted}{}, a number for each of {columns}",
        without_reserved(*wanted, *reserved)
    )]
    WrongWidth {
        /// How many numbers it has.
        found: usize,
        /// How many are wanted.
        wanted: usize,
        /// How many of them, the last ones, may be left out together.
        reserved: usize,
        /// The names of the columns, separated by commas.
        columns: String,
    },
    /// A number that is too large, infinite or none.
    #[error(
        "{feature} is {value:e}, a number between -{MAX_NUMBER:e} and {MAX_NUMBER:e} is wanted"
    )]
    OutOfRange {
        /// The word, column or index.
        feature: String,
        /// The number.
        value: f64,
    },
    /// A number that a sparse sample, which says what is present and no more, has no place for.
    #[error(
        "{feature} is {value}, but a {kind} takes only 0 and 1; use the learner {}, or write the values as 0 and 1",
        Kind::DenseNearestCentroid.name()
    )]
    NotPresence {
        /// The classifier.
        kind: Kind,
        /// The column or index.
        feature: String,
        /// The number.
        value: f64,
    },
    /// An example of a data set cannot be encoded.
    #[error("line {line} of `{}`: {fault}", path.display())]
    Example {
        /// The file.
        path: PathBuf,
        /// The line where the example starts, from 1.
        line: u64,
        /// Why.
        fault: Box<EncodeError>,
    },
}

/// Returns the other length that a row may have, if columns are reserved.
fn without_reserved(wanted: usize, reserved: usize) -> String {
    match reserved {
        0 => String::new(),
        _ => format!(", or {} without the reserved ones", wanted - reserved),
    }
}

fn beside_constant(learns_intercept: bool) -> &'static str {
    if learns_intercept {
        " beside the constant through which it learns its intercept, which can be fixed instead"
    } else {
        ""
    }
}

/// A reason why a name cannot be that of a feature without examples.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReserveFault {
    /// The model's samples have numbers.
    #[error(
        "the numbers of a {0} are scaled by the examples of each feature, and this one has none; use a learner of what is present, such as {naive_bayes}, or deploy the model once there are examples",
        naive_bayes = Kind::NaiveBayes.name()
    )]
    Dense(Kind),
    /// It is empty.
    #[error("it is empty; give it a name")]
    Empty,
    /// The model has it already.
    #[error("the data or another reserved feature has that name already; leave it out")]
    Known,
    /// Texts have no such word.
    #[error(
        "texts are read as words of at least two letters, digits or underscores; name such a word"
    )]
    NoWord,
    /// Texts are read otherwise.
    #[error("texts with it are read as {}; reserve that", quoted(.0))]
    OtherWords(Vec<String>),
    /// The data have indices.
    #[error("the features are indices, expected a whole number from 1 to {MAX_INDEX}")]
    NoIndex,
}

/// Returns a list of words, each in quotation marks.
fn quoted(words: &[String]) -> String {
    let words = words.iter().map(|word| format!("`{}`", escaped(word)));
    words.collect::<Vec<_>>().join(", ")
}
