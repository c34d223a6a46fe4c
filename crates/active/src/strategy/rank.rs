//! Order of rows by a score, with ties that no order of the pool decides, and without duplicates.

use std::collections::HashMap;

use super::rows::Rows;
use crate::numbers::drawn;

/// Chosen rows, among which no two are equal.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    chosen: Vec<usize>,
    by_draw: HashMap<u64, Vec<usize>>,
}

impl Distinct {
    /// Adds a row unless an equal one is there, and returns `true` if it did.
    pub(super) fn add(&mut self, rows: &Rows<'_>, index: usize) -> bool {
        let row = rows.row(index);
        let same = self.by_draw.entry(drawn(0, row)).or_default();
        if same.iter().any(|&other| rows.row(other) == row) {
            return false;
        }
        same.push(index);
        self.chosen.push(index);
        true
    }

    pub(super) fn len(&self) -> usize {
        self.chosen.len()
    }

    pub(super) fn into_chosen(self) -> Vec<usize> {
        self.chosen
    }
}

/// Returns the indices of up to `count` different rows with the lowest scores, the lowest first.
///
/// Equal scores go by the lower drawn number, then by the lower index.
pub(super) fn lowest<K: Ord + Copy>(
    rows: &Rows<'_>,
    scores: &[K],
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let all = scores.len();
    let mut looked_at = count.min(all);
    loop {
        let mut distinct = Distinct::default();
        for index in ordered(rows, scores, looked_at, seed) {
            if distinct.len() == count {
                break;
            }
            distinct.add(rows, index);
        }
        if distinct.len() == count || looked_at == all {
            return distinct.into_chosen();
        }
        // Duplicates have taken the places of others.
        looked_at = looked_at.saturating_mul(4).min(all);
    }
}

/// Returns the indices of the `count` lowest scores and of all that equal the last of them, in order.
fn ordered<K: Ord + Copy>(rows: &Rows<'_>, scores: &[K], count: usize, seed: u64) -> Vec<usize> {
    let Some(last) = count.checked_sub(1) else {
        return Vec::new();
    };
    let mut sorted = scores.to_vec();
    let (_, &mut limit, _) = sorted.select_nth_unstable(last);
    let indices = 0..scores.len();
    let mut found: Vec<usize> = indices.filter(|&it| scores[it] <= limit).collect();
    found.sort_by_cached_key(|&index| (scores[index], drawn(seed, rows.row(index)), index));
    found
}

/// Number with the order of [`f64::total_cmp`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Order(pub(super) f64);

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Order {}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Order {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // The sum turns -0 into 0, since these are equal.
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr2;

    use super::*;

    #[test]
    fn drawn_is_equal_for_equal_rows_and_spreads_others() {
        assert_eq!(drawn(7, &[0.0, 1.0]), drawn(7, &[-0.0, 1.0]));
        assert_ne!(drawn(7, &[0.0, 1.0]), drawn(7, &[1.0, 0.0]));
        assert_ne!(drawn(7, &[0.0, 1.0]), drawn(8, &[0.0, 1.0]));
        // Of 10,000 rows that count up, about one half draws a number below the middle.
        let low = (0..10_000)
            .map(|it| drawn(3, &[f64::from(it), 0.5]))
            .filter(|&it| it < 1 << 63)
            .count();
        assert!((4_800..5_200).contains(&low), "{low}");
    }

    #[test]
    fn lowest_skips_equal_rows_and_orders_ties_by_the_seed() {
        let numbers = arr2(&[[1.0], [2.0], [1.0], [3.0], [4.0]]);
        let rows = Rows::new(numbers.view());
        let scores = [0.1, 0.3, 0.1, 0.2, 0.9].map(Order);
        assert_eq!(lowest(&rows, &scores, 3, 0), [0, 3, 1]);
        assert!(lowest(&rows, &scores, 0, 0).is_empty());
        assert_eq!(lowest(&rows, &scores, 9, 0), [0, 3, 1, 4]);
        let firsts: std::collections::HashSet<_> = (0..40)
            .map(|seed| lowest(&rows, &[Order(0.5); 5], 1, seed)[0])
            .collect();
        assert_eq!(firsts, [0, 1, 3, 4].into());
    }
}
