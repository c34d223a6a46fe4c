//! Checks that rows and labels fit a learner, and limits of sizes.

use std::borrow::Cow;

use ndarray::ArrayView2;

use super::LearnError;

/// Largest absolute value of a number: its square, summed over all rows, is still finite.
pub const LARGEST: f64 = 1e100;

/// Maximum number of classes.
pub const MAX_CLASSES: usize = 1_000;

/// Maximum number of features.
pub const MAX_FEATURES: usize = 100_000;

/// Maximum of labeled rows times features: 256 MiB.
pub const MAX_NUMBERS: usize = 1 << 25;

/// Checks the sizes of a new learner.
pub(super) fn check_sizes(classes: usize, features: usize) -> Result<(), LearnError> {
    check_option("classes", classes, 2, MAX_CLASSES)?;
    check_option("features", features, 1, MAX_FEATURES)
}

/// Checks a whole number that a learner is made of.
pub(super) fn check_option(
    name: &'static str,
    found: usize,
    minimum: usize,
    maximum: usize,
) -> Result<(), LearnError> {
    if (minimum..=maximum).contains(&found) {
        return Ok(());
    }
    Err(LearnError::Option {
        name,
        found,
        minimum,
        maximum,
    })
}

/// Checks rows to answer for.
pub(super) fn check_rows(rows: &ArrayView2<'_, f64>, features: usize) -> Result<(), LearnError> {
    if rows.ncols() != features {
        return Err(LearnError::Features {
            found: rows.ncols(),
            expected: features,
        });
    }
    for ((row, column), &found) in rows.indexed_iter() {
        if !found.is_finite() {
            return Err(LearnError::Finite { row, column, found });
        }
        if found.abs() > LARGEST {
            return Err(LearnError::Large { row, column, found });
        }
    }
    Ok(())
}

/// Checks rows with labels to learn from.
pub(crate) fn check_labeled(
    rows: &ArrayView2<'_, f64>,
    labels: &[usize],
    features: usize,
    classes: usize,
) -> Result<(), LearnError> {
    if rows.nrows() != labels.len() {
        return Err(LearnError::Labels {
            labels: labels.len(),
            rows: rows.nrows(),
        });
    }
    if labels.is_empty() {
        return Err(LearnError::Empty);
    }
    let numbers = rows.len();
    if numbers > MAX_NUMBERS {
        return Err(LearnError::Numbers {
            found: numbers,
            maximum: MAX_NUMBERS,
        });
    }
    if let Some((row, &found)) = labels.iter().enumerate().find(|&(_, &it)| it >= classes) {
        return Err(LearnError::Class {
            row,
            found,
            classes,
        });
    }
    check_rows(rows, features)
}

/// Returns the numbers of rows, one row after the other, copied only if they stand otherwise.
pub(super) fn contiguous<'a>(rows: &'a ArrayView2<'_, f64>) -> Cow<'a, [f64]> {
    match rows.as_slice() {
        Some(numbers) => Cow::Borrowed(numbers),
        None => Cow::Owned(rows.iter().copied().collect()),
    }
}
