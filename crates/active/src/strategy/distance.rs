//! Squared Euclidean distances, with sums in a fixed order.

use zeroize::Zeroizing;

use crate::numbers::float;

/// Number of sums side by side, so that processors can add them at once.
const LANES: usize = 8;

/// Numbers between two comparisons with a limit.
const STEP: usize = 4 * LANES;

/// Returns the squared distance of two rows of the same length.
pub(super) fn squared(one: &[f64], other: &[f64]) -> f64 {
    let (ones, last_of_one) = one.as_chunks::<LANES>();
    let (others, last_of_other) = other.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (one, other) in ones.iter().zip(others) {
        for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
            let difference = one - other;
            *sum += difference * difference;
        }
    }
    let last = last_of_one.iter().zip(last_of_other);
    let last: f64 = last.map(|(one, other)| (one - other) * (one - other)).sum();
    sums.iter().sum::<f64>() + last
}

/// Returns the squared distance of two rows; `None` if it is not below the limit.
///
/// It is the sum of the distances of parts, so that its bits can differ from those of [`squared`].
pub(super) fn squared_below(one: &[f64], other: &[f64], limit: f64) -> Option<f64> {
    let mut sum = 0.0;
    for (one, other) in one.chunks(STEP).zip(other.chunks(STEP)) {
        sum += squared(one, other);
        if sum >= limit {
            return None;
        }
    }
    // Rows without numbers are all equal.
    (sum < limit).then_some(sum)
}

/// Returns the means of the numbers of rows, which are overwritten when they go: those of one row are its own.
pub(super) fn mean<'a>(
    rows: impl ExactSizeIterator<Item = &'a [f64]>,
    columns: usize,
) -> Zeroizing<Vec<f64>> {
    let count = float(rows.len().max(1));
    let mut sums = Zeroizing::new(vec![0.0; columns]);
    for row in rows {
        for (sum, number) in sums.iter_mut().zip(row) {
            *sum += number;
        }
    }
    for sum in sums.iter_mut() {
        *sum /= count;
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn squared_agrees_with_the_sum_of_squares(
            pairs in prop::collection::vec((-10.0..10.0_f64, -10.0..10.0_f64), 0..100),
        ) {
            let (one, other): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
            let expected: f64 = pairs.iter().map(|(one, other)| (one - other).powi(2)).sum();
            let found = squared(&one, &other);
            prop_assert!((found - expected).abs() <= 1e-9 * (1.0 + expected));
            let below = squared_below(&one, &other, expected + 1.0);
            prop_assert!((below.expect("below") - expected).abs() <= 1e-9 * (1.0 + expected));
            prop_assert_eq!(squared_below(&one, &other, expected * 0.5 - 1e-9), None);
        }
    }
}
