//! Rows in one piece of memory, and the checks of their numbers.

use ndarray::{Array2, ArrayView2, CowArray, Ix2};

use crate::wiped::wipe;

/// Maximum size of a number, so that no sum of squares overflows.
pub const MAX_NUMBER: f64 = 1e100;

/// Maximum difference of 1 and the sum of a row's probabilities, for models that round them.
const MAX_OFF: f64 = 1e-3;

/// Origin of a number that a query refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Rows of the pool.
    Pool,
    /// Labeled rows.
    Labeled,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pool => "row",
            Self::Labeled => "labeled row",
        })
    }
}

/// Reason why a strategy does not take a query.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The labeled rows have another number of features.
    #[error("a labeled row has {found} numbers; expected {expected}, as the pool has")]
    Features {
        /// Numbers of a labeled row.
        found: usize,
        /// Numbers of a row of the pool.
        expected: usize,
    },
    /// A number is not finite, or too large to be squared.
    #[error(
        "number {column} of {source_of} {row} is {found}; expected at most {MAX_NUMBER:e} in size"
    )]
    Number {
        /// Origin of the number.
        source_of: Source,
        /// Index of the row.
        row: usize,
        /// Index of the number.
        column: usize,
        /// The number.
        found: f64,
    },
    /// The strategy needs probabilities.
    #[error("the strategy needs probabilities; give those of each row of the pool")]
    NoProbabilities,
    /// The probabilities are of another number of rows.
    #[error(
        "there are probabilities of {found} rows; expected {expected}, one for each row of the pool"
    )]
    ProbabilityRows {
        /// Rows with probabilities.
        found: usize,
        /// Rows of the pool.
        expected: usize,
    },
    /// There are fewer than two classes.
    #[error("a row has {0} probabilities; expected at least 2")]
    Classes(usize),
    /// A row's numbers are no probabilities.
    #[error(
        "the probabilities of row {row} sum to {sum}; expected numbers from 0 to 1 whose sum is 1"
    )]
    Sum {
        /// Index of the row.
        row: usize,
        /// Their sum.
        sum: f64,
    },
    /// The strategy needs a committee.
    #[error("a committee needs the answers of at least 2 members; found {0}")]
    Members(usize),
    /// Members of a committee have different numbers of classes.
    #[error("member {member} answers with {found} probabilities; expected {expected}, as member 0")]
    MemberClasses {
        /// Index of the member.
        member: usize,
        /// Its number of classes.
        found: usize,
        /// Number of classes of the first member.
        expected: usize,
    },
    /// Two members of a committee are the same model.
    #[error(
        "members {first} and {second} give the same answers to every row; use different learners, or learn from samples of the labeled rows"
    )]
    Clones {
        /// Index of the one.
        first: usize,
        /// Index of the other.
        second: usize,
    },
    /// The exponent of the density is no usable number.
    #[error("the exponent of the density is {0}; expected a number from 0 to 100")]
    Beta(f64),
}

/// Rows in one piece of memory.
#[derive(Debug, Clone)]
pub(super) struct Rows<'a> {
    numbers: CowArray<'a, f64, Ix2>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(rows: ArrayView2<'a, f64>) -> Self {
        let numbers = if rows.is_standard_layout() {
            CowArray::from(rows)
        } else {
            CowArray::from(rows.as_standard_layout().into_owned())
        };
        Self { numbers }
    }

    /// Joins rows of two arrays with the same number of columns.
    pub(super) fn joined<'b>(parts: impl IntoIterator<Item = &'b [f64]>, columns: usize) -> Self {
        let parts: Vec<&[f64]> = parts.into_iter().collect();
        // Its memory has the right size at once: a vector that grows leaves copies behind.
        let numbers = parts.concat();
        let rows = numbers.len().checked_div(columns).unwrap_or(0);
        let joined = Array2::from_shape_vec((rows, columns), numbers);
        Self {
            numbers: CowArray::from(joined.unwrap_or_default()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.nrows()
    }

    pub(super) fn columns(&self) -> usize {
        self.numbers.ncols()
    }

    pub(super) fn row(&self, index: usize) -> &[f64] {
        let columns = self.columns();
        let all = self.numbers.as_slice().unwrap_or_default();
        &all[index * columns..(index + 1) * columns]
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.len()).map(|index| self.row(index))
    }
}

impl Drop for Rows<'_> {
    /// Overwrites a copy.
    fn drop(&mut self) {
        if self.numbers.is_owned() {
            wipe(&mut self.numbers);
        }
    }
}

/// Checks the numbers of a pool before any query.
pub(crate) fn check_pool(rows: ArrayView2<'_, f64>) -> Result<(), QueryError> {
    check(Source::Pool, rows)
}

/// Checks that all numbers can be squared and added.
pub(super) fn check(source_of: Source, rows: ArrayView2<'_, f64>) -> Result<(), QueryError> {
    let is_small = |number: f64| number.abs() <= MAX_NUMBER;
    for (row, numbers) in rows.rows().into_iter().enumerate() {
        // Without an early end, the loop is done in vectors.
        if numbers.iter().fold(true, |all, &it| all & is_small(it)) {
            continue;
        }
        if let Some(column) = numbers.iter().position(|&it| !is_small(it)) {
            return Err(QueryError::Number {
                source_of,
                row,
                column,
                found: numbers[column],
            });
        }
    }
    Ok(())
}

/// Checks that there are probabilities of two classes or more, for each of `expected` rows.
pub(super) fn check_probabilities(
    probabilities: &Rows<'_>,
    expected: usize,
) -> Result<(), QueryError> {
    let found = probabilities.len();
    if found != expected {
        return Err(QueryError::ProbabilityRows { found, expected });
    }
    if probabilities.columns() < 2 {
        return Err(QueryError::Classes(probabilities.columns()));
    }
    for (row, numbers) in probabilities.iter().enumerate() {
        let sum: f64 = numbers.iter().sum();
        let all = numbers.iter().all(|it| (0.0..=1.0).contains(it));
        // This is false for a sum that is no number.
        if !(all && (sum - 1.0).abs() <= MAX_OFF) {
            return Err(QueryError::Sum { row, sum });
        }
    }
    Ok(())
}
