//! Similarity of a row to the rows of its pool.

use super::distance::{mean, squared};
use super::rows::Rows;
use crate::numbers::{drawn, float};

/// Maximum number of rows with which each row is compared.
const REFERENCES: usize = 2_000;

/// Returns the mean similarity of each row to the rows of the pool.
///
/// The similarity of two rows is `1 / (1 + d / s)`. Here `d` is their squared distance and `s` the
/// mean of all squared distances, so that the unit of the numbers does not matter. A pool of more
/// than 2,000 rows is represented by 2,000 that the seed draws.
pub(super) fn densities(rows: &Rows<'_>, seed: u64) -> Vec<f64> {
    let references = references(rows, seed, REFERENCES);
    let middle = mean(rows.iter(), rows.columns());
    // The mean over all pairs is twice the mean distance from the middle.
    let spread: f64 = rows.iter().map(|row| squared(row, &middle)).sum();
    let scale = 2.0 * spread / float(rows.len().max(1));
    let similarity = |one: &[f64], other: &[f64]| {
        if scale > 0.0 {
            1.0 / (1.0 + squared(one, other) / scale)
        } else {
            1.0
        }
    };
    let density = |row: &[f64]| {
        let all = references.iter().map(|&it| similarity(row, rows.row(it)));
        all.sum::<f64>() / float(references.len())
    };
    rows.iter().map(density).collect()
}

/// Returns up to `count` indices of rows that the seed draws, in order; all if there are no more.
pub(super) fn references(rows: &Rows<'_>, seed: u64, count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..rows.len()).collect();
    if all.len() > count {
        all.sort_by_cached_key(|&index| (drawn(seed, rows.row(index)), index));
        all.truncate(count);
        all.sort_unstable();
    }
    all
}
