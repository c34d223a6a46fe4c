//! Growth of one tree from first and second derivatives.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::super::bins::{Bins, part};
use super::super::tree::Tree;
use crate::numbers::index;

/// Number of splits above a leaf at most.
const DEPTH: usize = 3;

/// Share of a leaf's best step that is taken.
const RATE: f64 = 0.2;

/// Penalty of half the squared number of a leaf, `λ`.
const PENALTY: f64 = 1.0;

/// Minimum sum of second derivatives of a leaf: rows that are certain give no split.
const MIN_CURVATURE: f64 = 1e-3;

/// Minimum gain of a split, above what rounding makes.
const MIN_GAIN: f64 = 1e-9;

/// Sums of the derivatives of some rows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Sums {
    first: f64,
    second: f64,
    rows: u32,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.first += other.first;
        self.second += other.second;
        self.rows += other.rows;
    }

    fn without(self, other: Self) -> Self {
        Self {
            first: self.first - other.first,
            second: self.second - other.second,
            rows: self.rows - other.rows,
        }
    }

    /// Returns twice the loss that the best number for these rows saves.
    fn value(self) -> f64 {
        self.first * self.first / (self.second + PENALTY)
    }
}

/// Best split of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    feature: usize,
    /// Highest bin that goes left.
    lower: u8,
    /// Lowest bin that goes right.
    upper: u8,
    gain: f64,
}

/// Node that is still to grow.
struct Pending {
    start: usize,
    end: usize,
    depth: usize,
    /// Split whose right child it is.
    right_of: Option<usize>,
}

/// Grower of trees, with the memory that they share.
pub(super) struct Grower<'a> {
    bins: &'a Bins,
    random: ChaCha8Rng,
    /// Number of features that a node looks at.
    looks: usize,
    /// Features in the order of the last draws.
    features: Vec<u32>,
    /// Derivatives of each row.
    derivatives: Vec<Sums>,
    /// Rows, in ranges of nodes.
    rows: Vec<u32>,
    /// Rows that go right.
    right: Vec<u32>,
    /// Sums of each bin.
    histogram: Vec<Sums>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(bins: &'a Bins, random: ChaCha8Rng) -> Self {
        let features = bins.features();
        Self {
            bins,
            random,
            looks: looks(features),
            features: (0..features).map(index).collect(),
            derivatives: Vec::with_capacity(bins.rows()),
            rows: Vec::with_capacity(bins.rows()),
            right: Vec::with_capacity(bins.rows()),
            histogram: Vec::new(),
        }
    }

    /// Grows a tree for a class, and tells the number that each row gets.
    pub(super) fn grow(
        &mut self,
        class: usize,
        derivatives: impl Iterator<Item = (f64, f64)>,
        mut tell: impl FnMut(usize, f64),
    ) -> Tree {
        self.derivatives.clear();
        self.derivatives
            .extend(derivatives.map(|(first, second)| Sums {
                first,
                second,
                rows: 1,
            }));
        self.rows.clear();
        self.rows.extend(0..index(self.bins.rows()));
        let mut tree = Tree::with_room(2 << DEPTH, 1 << DEPTH);
        let mut pending = vec![Pending {
            start: 0,
            end: self.rows.len(),
            depth: 0,
            right_of: None,
        }];
        while let Some(node) = pending.pop() {
            if let Some(split) = node.right_of {
                tree.turn_right(split);
            }
            let sums = self.sum(node.start, node.end);
            let split = if node.depth < DEPTH {
                self.best(node.start, node.end, sums)
            } else {
                None
            };
            let Some(split) = split else {
                let number = -RATE * sums.first / (sums.second + PENALTY);
                tree.leaf([(class, number)]);
                for &row in &self.rows[node.start..node.end] {
                    tell(row as usize, number);
                }
                continue;
            };
            let threshold = self.bins.between(split.feature, split.lower, split.upper);
            let parent = tree.split(split.feature, threshold);
            let codes = self.bins.codes(split.feature);
            let rows = &mut self.rows[node.start..node.end];
            let middle = node.start + part(rows, &mut self.right, codes, split.lower);
            pending.push(Pending {
                start: middle,
                end: node.end,
                depth: node.depth + 1,
                right_of: Some(parent),
            });
            pending.push(Pending {
                start: node.start,
                end: middle,
                depth: node.depth + 1,
                right_of: None,
            });
        }
        tree
    }

    fn sum(&self, start: usize, end: usize) -> Sums {
        let mut sums = Sums::default();
        for &row in &self.rows[start..end] {
            sums.add(self.derivatives[row as usize]);
        }
        sums
    }

    /// Returns the best split of a node; `None` if none gains.
    fn best(&mut self, start: usize, end: usize, all: Sums) -> Option<Split> {
        if all.rows < 2 || all.second < 2.0 * MIN_CURVATURE {
            return None;
        }
        let mut best: Option<Split> = None;
        for looked in 0..self.looks {
            let drawn = index(looked)..index(self.features.len());
            let drawn = self.random.random_range(drawn) as usize;
            self.features.swap(looked, drawn);
            let feature = self.features[looked] as usize;
            let found = self.look(start, end, feature, all);
            if let Some(found) = found
                && best.is_none_or(|best| found.gain > best.gain)
            {
                best = Some(found);
            }
        }
        best
    }

    /// Returns the best split of a node at a feature; `None` if none gains.
    fn look(&mut self, start: usize, end: usize, feature: usize, all: Sums) -> Option<Split> {
        let codes = self.bins.codes(feature);
        self.histogram.clear();
        self.histogram
            .resize(self.bins.count(feature), Sums::default());
        for &row in &self.rows[start..end] {
            let bin = usize::from(codes[row as usize]);
            self.histogram[bin].add(self.derivatives[row as usize]);
        }
        let mut best: Option<Split> = None;
        let mut left = Sums::default();
        let mut before = 0;
        for (bin, sums) in (0..=u8::MAX).zip(&self.histogram) {
            if sums.rows == 0 {
                continue;
            }
            if left.rows > 0 {
                let right = all.without(left);
                let gain = left.value() + right.value() - all.value();
                let is_curved = left.second >= MIN_CURVATURE && right.second >= MIN_CURVATURE;
                if is_curved && gain > best.map_or(MIN_GAIN, |best| best.gain) {
                    best = Some(Split {
                        feature,
                        lower: before,
                        upper: bin,
                        gain,
                    });
                }
            }
            left.add(*sums);
            before = bin;
        }
        best
    }
}

/// Returns the number of features that a node looks at: half of them, and at least 8.
fn looks(features: usize) -> usize {
    features.div_ceil(2).max(8).min(features)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;

    use super::*;

    /// Returns the best gain of any split of all rows.
    fn most(rows: &[f64], derivatives: &[(f64, f64)]) -> f64 {
        let value = |side: &[(f64, f64)]| {
            let first: f64 = side.iter().map(|it| it.0).sum();
            let second: f64 = side.iter().map(|it| it.1).sum();
            first * first / (second + PENALTY)
        };
        let mut most: f64 = 0.0;
        for feature in 0..3 {
            for cut in 0..derivatives.len() {
                let is_left = |row: &usize| rows[row * 3 + feature] <= rows[cut * 3 + feature];
                let (left, right): (Vec<_>, Vec<_>) = (0..derivatives.len()).partition(is_left);
                if right.is_empty() {
                    continue;
                }
                let [left, right] = [left, right].map(|side| {
                    value(&side.iter().map(|&row| derivatives[row]).collect::<Vec<_>>())
                });
                most = most.max(left + right - value(derivatives));
            }
        }
        most
    }

    proptest! {
        #[test]
        fn best_is_that_of_all_splits(
            rows in prop::collection::vec((0..6_u8).prop_map(f64::from), 36),
            derivatives in prop::collection::vec((-1.0..1.0, 0.01..0.25), 12),
        ) {
            let bins = Bins::new(&rows, 3);
            let mut grower = Grower::new(&bins, ChaCha8Rng::seed_from_u64(1));
            grower.rows = (0..12).collect();
            let sums = derivatives.iter().map(|&(first, second)| Sums { first, second, rows: 1 });
            grower.derivatives = sums.collect();
            let all = grower.sum(0, 12);
            let found = grower.best(0, 12, all).map_or(0.0, |split| split.gain);
            let expected = most(&rows, &derivatives);
            prop_assert!((found - expected).abs() < 1e-8, "{} {}", found, expected);
        }
    }

    #[test]
    fn grow_tells_the_number_of_each_row() {
        let rows = [0.0, 1.0, 2.0, 3.0];
        let bins = Bins::new(&rows, 1);
        let mut grower = Grower::new(&bins, ChaCha8Rng::seed_from_u64(1));
        let derivatives = [(-0.5, 0.25), (-0.5, 0.25), (0.5, 0.25), (0.5, 0.25)];
        let mut told = [0.0; 4];
        let tree = grower.grow(2, derivatives.into_iter(), |row, number| told[row] = number);
        // Both sides have G = ∓1 and H = 0.5, and no further split gains.
        for (row, number) in told.iter().enumerate() {
            let expected = if row < 2 { RATE / 1.5 } else { -RATE / 1.5 };
            assert!((number - expected).abs() < 1e-15, "{told:?}");
            assert_eq!(tree.answer(&[rows[row]]), [(2, *number)]);
        }
        assert_eq!(tree.len(), 3);
    }
}
