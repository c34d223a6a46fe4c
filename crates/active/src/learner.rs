//! Models that learn from rows with labels, and give probabilities.

mod bins;
pub mod boosted;
mod checks;
pub mod deployable;
pub mod forest;
pub mod logistic;
pub(crate) mod seen;
pub(crate) mod tree;
mod written;

use ndarray::{Array2, ArrayView2};

pub use self::boosted::{Boosted, MAX_ROUNDS};
pub(crate) use self::checks::check_labeled;
pub use self::checks::{LARGEST, MAX_CLASSES, MAX_FEATURES, MAX_NUMBERS};
pub use self::deployable::Deployable;
pub use self::forest::{Forest, MAX_TREES};
pub use self::logistic::Logistic;

/// Model that learns from all labeled rows, and gives the probability of each class.
///
/// A learner knows a prior answer even before it has learned: equal probabilities.
pub trait Learner: Send + Sync {
    /// Number of classes, at least 2.
    fn classes(&self) -> usize;

    /// Numbers of a row, at least 1.
    fn features(&self) -> usize;

    /// Learns from all labeled rows (`n x features`, one label a row), forgetting earlier ones.
    ///
    /// A learner may start from its last weights if it then ends with the same quality.
    /// One labeled row of one class is enough.
    ///
    /// # Errors
    ///
    /// The rows or labels do not fit the learner, or a number is not finite; it stays as it was.
    fn fit(&mut self, rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError>;

    /// Returns the probabilities (`n x classes`) of rows (`n x features`).
    ///
    /// # Errors
    ///
    /// The rows do not fit the learner, or a number is not finite.
    fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError>;

    /// Returns the probabilities by each member of a learner that is a committee; none otherwise.
    ///
    /// # Errors
    ///
    /// The rows do not fit the learner, or a number is not finite.
    fn members(&self, rows: ArrayView2<'_, f64>) -> Result<Vec<Array2<f64>>, LearnError> {
        let _ = rows;
        Ok(Vec::new())
    }

    /// Returns a copy, so that a caller can learn on it and keep the original.
    fn copy(&self) -> Box<dyn Learner>;
}

/// Reason why a learner does not take rows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LearnError {
    /// The rows have another number of features.
    #[error("a row has {found} numbers; expected {expected}")]
    Features {
        /// Numbers of a row.
        found: usize,
        /// Numbers that the learner was made for.
        expected: usize,
    },
    /// The number of labels is not that of the rows.
    #[error("{labels} labels for {rows} rows; expected one for each")]
    Labels {
        /// Number of labels.
        labels: usize,
        /// Number of rows.
        rows: usize,
    },
    /// A label is no class.
    #[error("the label of row {row} is {found}; expected a class below {classes}")]
    Class {
        /// Index of the row.
        row: usize,
        /// Its label.
        found: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A number is not finite.
    #[error("number {column} of row {row} is {found}; expected a finite number")]
    Finite {
        /// Index of the row.
        row: usize,
        /// Index of the number.
        column: usize,
        /// The number.
        found: f64,
    },
    /// A number is too large for sums of squares.
    #[error("number {column} of row {row} is {found:e}; expected at most {LARGEST:e} in size")]
    Large {
        /// Index of the row.
        row: usize,
        /// Index of the number.
        column: usize,
        /// The number.
        found: f64,
    },
    /// The rows have too many numbers together.
    #[error("the rows have {found} numbers; expected at most {maximum}")]
    Numbers {
        /// Numbers of all rows.
        found: usize,
        /// Maximum.
        maximum: usize,
    },
    /// A learner cannot be made of an option.
    #[error("{name} is {found}; expected {minimum} to {maximum}")]
    Option {
        /// Name of the option.
        name: &'static str,
        /// Its value.
        found: usize,
        /// Smallest value.
        minimum: usize,
        /// Largest value.
        maximum: usize,
    },
    /// The weight of the losses against the penalty is out of range.
    #[error("the weight of the losses is {found}; expected 1e-6 to 1e6")]
    Cost {
        /// The weight.
        found: f64,
    },
    /// The contract's encoding or training refuses the rows.
    #[error("the classifier does not take the rows: {message}")]
    Refused {
        /// Reason, in the words of the encoder or the training.
        message: String,
    },
    /// There is nothing to learn from.
    #[error("there is no labeled row; expected at least one")]
    Empty,
}
