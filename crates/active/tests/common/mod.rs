//! Made-up rows, and comparisons of probabilities.

#![allow(dead_code, reason = "each test file uses a part")]

use ndarray::{Array2, ArrayView2, Axis};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

/// Returns rows around a center for each class, and their labels, in mixed order.
pub(crate) fn blobs(
    rows: usize,
    features: usize,
    classes: usize,
    seed: u64,
) -> (Array2<f64>, Vec<usize>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let centers = Array2::from_shape_fn((classes, features), |_| random.random_range(-1.0..1.0));
    let labels: Vec<usize> = (0..rows)
        .map(|row| {
            if row < classes {
                row
            } else {
                random.random_range(0..classes)
            }
        })
        .collect();
    let rows = Array2::from_shape_fn((rows, features), |(row, at)| {
        let noise: f64 = (0..4).map(|_| random.random_range(-0.7..0.7)).sum();
        centers[(labels[row], at)] + noise
    });
    (rows, labels)
}

/// Returns the largest difference of two arrays.
pub(crate) fn largest_difference(left: &Array2<f64>, right: &Array2<f64>) -> f64 {
    let pairs = left.iter().zip(right);
    pairs.fold(0.0, |most, (left, right)| most.max((left - right).abs()))
}

/// Returns the share of rows whose most probable class is the label.
pub(crate) fn accuracy(probabilities: &Array2<f64>, labels: &[usize]) -> f64 {
    let right = probabilities
        .outer_iter()
        .zip(labels)
        .filter(|(row, label)| {
            row.iter()
                .enumerate()
                .all(|(class, it)| class == **label || *it < row[**label])
        });
    #[allow(clippy::cast_precision_loss)] // There are few rows.
    let share = right.count() as f64 / labels.len() as f64;
    share
}

/// Returns the first half of the SHA-256 of an array's bits.
pub(crate) fn digest(numbers: &Array2<f64>) -> String {
    let mut hash = Sha256::new();
    for number in numbers {
        hash.update(number.to_bits().to_be_bytes());
    }
    let bytes = hash.finalize();
    let first = bytes.first_chunk().expect("32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

/// Returns the first rows.
pub(crate) fn first(rows: &Array2<f64>, count: usize) -> ArrayView2<'_, f64> {
    rows.view().split_at(Axis(0), count).0
}
