//! Question for rows to label: the pool, and all that a strategy may look at.

use ndarray::{ArrayView2, Axis};

use super::committee::Members;
use super::rows::{QueryError, Rows, Source, check, check_probabilities};

/// Question for rows of a pool that are worth a label.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// Rows without a label (`n x features`), from which the strategy chooses.
    pub pool: ArrayView2<'a, f64>,
    /// Rows with a label (`m x features`).
    pub labeled: ArrayView2<'a, f64>,
    /// Probabilities of the pool's rows (`n x classes`), if a model knows them.
    pub probabilities: Option<ArrayView2<'a, f64>>,
    /// Answers of several models for the pool's rows, for a committee.
    pub members: Option<&'a Members>,
    /// Maximum number of rows.
    pub count: usize,
    /// Seed of the random numbers; another one for each query of an experiment.
    pub seed: u64,
}

impl<'a> Query<'a> {
    /// Returns a query without labeled rows, probabilities and members.
    #[must_use]
    pub fn new(pool: ArrayView2<'a, f64>, count: usize, seed: u64) -> Self {
        Self {
            pool,
            labeled: pool.split_at(Axis(0), 0).0,
            probabilities: None,
            members: None,
            count,
            seed,
        }
    }

    /// Returns the rows in one piece, after a check of their numbers.
    ///
    /// # Errors
    ///
    /// The labeled rows have another number of features, or a number is too large or not finite.
    pub(super) fn rows(&self) -> Result<Rows<'a>, QueryError> {
        if self.labeled.nrows() > 0 && self.labeled.ncols() != self.pool.ncols() {
            return Err(QueryError::Features {
                found: self.labeled.ncols(),
                expected: self.pool.ncols(),
            });
        }
        check(Source::Pool, self.pool)?;
        check(Source::Labeled, self.labeled)?;
        Ok(Rows::new(self.pool))
    }

    /// Returns the checked probabilities of the pool.
    ///
    /// # Errors
    ///
    /// There are none, they are of other rows, or a row holds no probabilities.
    pub(super) fn checked_probabilities(&self) -> Result<Rows<'a>, QueryError> {
        let given = self.probabilities.ok_or(QueryError::NoProbabilities)?;
        let probabilities = Rows::new(given);
        check_probabilities(&probabilities, self.pool.nrows())?;
        Ok(probabilities)
    }
}
