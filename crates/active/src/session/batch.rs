//! Rows, labels and probabilities that callers give to a session.

use ndarray::Array2;

use super::{
    Session,
    limits::{SessionError, at_most},
};
use crate::annotators::{Opinion, OpinionError};

/// Difference of a sum of probabilities from 1 that is taken for rounding.
const ROUNDING: f64 = 1e-3;

/// Rows and opinions to learn from.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// New rows (`n x features`).
    pub rows: Array2<f64>,
    /// Opinions about new and earlier rows. The first new row has the index [`Session::rows`].
    pub opinions: Vec<Opinion>,
    /// Probabilities that the caller's own model gives to its fixed set; `None` if no rule looks at them.
    pub fixed: Option<Array2<f64>>,
}

/// Rows of a stream, or probabilities that the caller's own model gives to them.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Rows for the session's model (`n x features`).
    Rows(Array2<f64>),
    /// Probabilities of the caller's model (`n x classes`).
    Probabilities(Array2<f64>),
}

/// Rows without a label.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Rows (`n x features`); `None` if the session has no features.
    pub rows: Option<Array2<f64>>,
    /// Probabilities of the caller's own model (`n x classes`); `None` if the session has a model.
    pub probabilities: Option<Array2<f64>>,
}

impl Batch {
    /// Checks the batch against a session and its limits.
    pub(super) fn check(&self, session: &Session) -> Result<(), SessionError> {
        let (limits, labeled) = (&session.limits, &session.labeled);
        limits.check_call(&self.rows)?;
        session.check_features(&self.rows)?;
        let new = self.rows.nrows();
        at_most("labeled rows", labeled.count + new, limits.rows)?;
        let numbers = labeled.numbers.len() + self.rows.len();
        session.check_numbers(numbers)?;
        at_most("labels of a call", self.opinions.len(), limits.call)?;
        let opinions = labeled.opinions.len() + self.opinions.len();
        let max = limits.rows.saturating_mul(limits.opinions);
        at_most("labels", opinions, max)?;
        let mut has_opinion = vec![false; new];
        for opinion in &self.opinions {
            if let Some(index) = opinion.row.checked_sub(labeled.count)
                && let Some(has) = has_opinion.get_mut(index)
            {
                *has = true;
            } else if opinion.row >= labeled.count + new {
                return Err(OpinionError::Row {
                    found: opinion.row,
                    rows: labeled.count + new,
                }
                .into());
            }
        }
        if let Some(row) = has_opinion.iter().position(|has| !has) {
            return Err(SessionError::Unlabeled { row });
        }
        match &self.fixed {
            Some(_) if session.model.is_some() => Err(SessionError::HasModel),
            Some(fixed) => {
                limits.check_call(fixed)?;
                session.check_given(fixed)
            }
            None => Ok(()),
        }
    }
}

impl Session {
    /// Checks rows and opinions to learn from, as [`Session::train`] does before it learns.
    ///
    /// # Errors
    ///
    /// The batch does not fit the session or its limits.
    pub fn check_training(&self, batch: &Batch) -> Result<(), SessionError> {
        batch.check(self)?;
        self.classes_with(&batch.opinions).map(drop)
    }

    /// Checks rows of the stream, as [`Session::decide`] does before it asks a model.
    ///
    /// # Errors
    ///
    /// The session has no gate, or the rows do not fit the session or its limits.
    pub fn check_stream(&self, input: &Input) -> Result<(), SessionError> {
        if self.stream.is_none() {
            return Err(SessionError::NoGate);
        }
        match input {
            Input::Rows(rows) => self.check_rows(rows),
            Input::Probabilities(given) => {
                self.limits.check_call(given)?;
                self.check_given(given)
            }
        }
    }

    /// Checks rows for the session's model, as [`Session::predict`] does before it asks the model.
    ///
    /// # Errors
    ///
    /// The caller has its own model, or the rows do not fit the session or its limits.
    pub fn check_rows(&self, rows: &Array2<f64>) -> Result<(), SessionError> {
        self.limits.check_call(rows)?;
        if self.model.is_none() {
            return Err(SessionError::NoModel);
        }
        self.check_features(rows)
    }

    /// Checks a pool, as [`Session::query`] does before it chooses.
    ///
    /// # Errors
    ///
    /// The pool does not fit the session or its limits.
    pub fn check_query(&self, pool: &Pool) -> Result<(), SessionError> {
        let rows = pool.rows(self)?;
        self.check_probabilities(pool.probabilities.as_ref(), rows.nrows())
    }

    /// Checks the probabilities of a pool, which a caller with its own model gives.
    pub(super) fn check_probabilities(
        &self,
        given: Option<&Array2<f64>>,
        rows: usize,
    ) -> Result<(), SessionError> {
        match given {
            Some(given) => {
                self.limits.check_call(given)?;
                self.check_given(given)?;
                if given.nrows() != rows {
                    return Err(SessionError::Pool {
                        found: given.nrows(),
                        expected: rows,
                    });
                }
                Ok(())
            }
            None if self.model.is_none() && self.asks().needs_probabilities() => {
                Err(SessionError::NoModel)
            }
            None => Ok(()),
        }
    }

    /// Checks the numbers of labeled rows, together with those of the fixed set.
    pub(super) fn check_numbers(&self, labeled: usize) -> Result<(), SessionError> {
        let fixed = self.opening.fixed.as_ref().map_or(0, Array2::len);
        let what = "numbers of labeled rows and the fixed set";
        at_most(what, labeled.saturating_add(fixed), self.limits.numbers)
    }

    pub(super) fn check_features(&self, rows: &Array2<f64>) -> Result<(), SessionError> {
        let (found, expected) = (rows.ncols(), self.opening.features);
        if found != expected && rows.nrows() > 0 {
            return Err(SessionError::Features { found, expected });
        }
        Ok(())
    }

    /// Checks probabilities of the caller's own model.
    pub(super) fn check_given(&self, given: &Array2<f64>) -> Result<(), SessionError> {
        if self.model.is_some() {
            return Err(SessionError::HasModel);
        }
        if given.ncols() != self.classes && given.nrows() > 0 {
            return Err(SessionError::Classes {
                row: 0,
                found: given.ncols(),
                expected: self.classes,
            });
        }
        for (row, numbers) in given.rows().into_iter().enumerate() {
            let sum: f64 = numbers.iter().sum();
            let are_shares = numbers.iter().all(|it| (0.0..=1.0).contains(it));
            if !are_shares || (sum - 1.0).abs() > ROUNDING {
                return Err(SessionError::Probabilities { row, sum });
            }
        }
        Ok(())
    }
}
