//! Limits of a session, and the reasons why it refuses a call.

use ndarray::Array2;

use crate::{
    annotators::OpinionError,
    learner::LearnError,
    stopping::RuleError,
    strategy::{BaggingError, QueryError},
    stream::GateError,
};

/// Limits of a session. They bound its memory, and the work of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of classes.
    pub classes: usize,
    /// Maximum number of features.
    pub features: usize,
    /// Maximum number of labeled rows.
    pub rows: usize,
    /// Maximum number of opinions about one row, on average.
    pub opinions: usize,
    /// Maximum number of all numbers of labeled rows and of the fixed set.
    pub numbers: usize,
    /// Maximum number of rows in one call, and of the fixed set.
    pub call: usize,
    /// Maximum number of pools that a session holds.
    pub pools: usize,
    /// Maximum number of rows of one pool.
    pub pool_rows: usize,
    /// Maximum number of all numbers of all pools.
    pub pool_numbers: usize,
}

impl Limits {
    /// Checks the size of a call.
    pub(super) fn check_call(&self, rows: &Array2<f64>) -> Result<(), SessionError> {
        at_most("rows of a call", rows.nrows(), self.call)
    }
}

/// Checks a number against its limit.
pub(super) fn at_most(what: &'static str, found: usize, max: usize) -> Result<(), SessionError> {
    if found > max {
        return Err(SessionError::TooMany { what, found, max });
    }
    Ok(())
}

/// Reason why a session refuses a call.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SessionError {
    /// Something is above a limit.
    #[error("the {what} are {found}; expected at most {max}")]
    TooMany {
        /// Thing that is counted.
        what: &'static str,
        /// Its number.
        found: usize,
        /// Maximum.
        max: usize,
    },
    /// Something is below its least number.
    #[error("the {what} are {found}; expected at least {least}")]
    TooFew {
        /// Thing that is counted.
        what: &'static str,
        /// Its number.
        found: usize,
        /// Minimum.
        least: usize,
    },
    /// A label is above the highest one.
    #[error("a label is {found}; expected at most {max}")]
    Label {
        /// The label.
        found: usize,
        /// Highest label.
        max: usize,
    },
    /// A new row has no opinion.
    #[error("new row {row} has no label; give at least one")]
    Unlabeled {
        /// Index among the new rows.
        row: usize,
    },
    /// Rows have another number of features.
    #[error("a row has {found} numbers; expected {expected}")]
    Features {
        /// Numbers of a row.
        found: usize,
        /// Features of the session.
        expected: usize,
    },
    /// Probabilities are not those of the session's classes.
    #[error("row {row} has {found} probabilities; expected {expected}")]
    Classes {
        /// Index of the row.
        row: usize,
        /// Number of probabilities.
        found: usize,
        /// Classes of the session.
        expected: usize,
    },
    /// Numbers are no probabilities.
    #[error("the numbers of row {row} sum to {sum}; expected probabilities that sum to 1")]
    Probabilities {
        /// Index of the row.
        row: usize,
        /// Their sum.
        sum: f64,
    },
    /// Another number of rows has probabilities.
    #[error("there are probabilities of {found} rows; expected {expected}, as there are rows")]
    Pool {
        /// Rows with probabilities.
        found: usize,
        /// Rows of the pool.
        expected: usize,
    },
    /// The session makes no decisions.
    #[error("the session has no threshold or budget to decide by; open one with `gate`")]
    NoGate,
    /// The caller has its own model.
    #[error("the session has no model; send the probabilities of your own")]
    NoModel,
    /// The session has a model.
    #[error("the session has a model of its own; send rows instead of probabilities")]
    HasModel,
    /// A model needs to know its classes or features.
    #[error("expected `{0}`; give it when opening the session")]
    Missing(&'static str),
    /// The strategy needs rows.
    #[error(
        "the strategy `{0}` looks at the numbers of rows, and the session has none; give `features`"
    )]
    NoRows(&'static str),
    /// A pool has probabilities alone, in a session with features.
    #[error("expected the rows of the pool, as the session has features; send them with the query")]
    PoolRows,
    /// A session without features has no pools.
    #[error(
        "the session holds no pools, as its rows have no numbers; send probabilities with each query"
    )]
    Featureless,
    /// There is no such pool.
    #[error("the session has no pool with this id; send its rows again")]
    UnknownPool,
    /// Parts of a snapshot do not fit each other.
    #[error("the snapshot is not whole; take another one")]
    Torn,
    /// The learner refuses.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// The strategy refuses.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The committee refuses.
    #[error(transparent)]
    Committee(#[from] BaggingError),
    /// The gate is not possible.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A stopping rule refuses.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// Opinions are wrong.
    #[error(transparent)]
    Opinion(#[from] OpinionError),
}
