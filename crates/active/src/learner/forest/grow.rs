//! Growth of one tree: rows drawn with replacement, features drawn at each node.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::super::bins::{Bins, part};
use super::super::tree::Tree;
use super::buckets::Buckets;
use crate::numbers::index;

/// Grower of trees, with the memory that they share.
pub(super) struct Grower<'a> {
    bins: &'a Bins,
    /// Class of each row.
    classes: &'a [usize],
    /// Number of features that a node looks at.
    looks: usize,
    /// Features in the order of the last draws.
    features: Vec<u32>,
    /// Times that each row is drawn.
    weights: Vec<u64>,
    /// Drawn rows, in ranges of nodes.
    rows: Vec<u32>,
    /// Class and weight of each row of a node.
    node: Vec<(usize, u64)>,
    /// Rows of a node by their bins of a feature.
    buckets: Buckets,
    /// Rows that go right.
    right: Vec<u32>,
    /// Sums of weights by class: of a node, left of a split, and right of it.
    all: Vec<u64>,
    left: Vec<u64>,
    rest: Vec<u64>,
}

/// Best split of a node.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    feature: usize,
    /// Highest bin that goes left.
    lower: u8,
    /// Lowest bin that goes right.
    upper: u8,
    /// Sum of both sides' squared weights of classes over their weight; the more, the purer.
    purity: f64,
}

/// Node that is still to grow.
struct Pending {
    start: usize,
    end: usize,
    /// Split whose right child it is.
    right_of: Option<usize>,
}

impl<'a> Grower<'a> {
    pub(super) fn new(bins: &'a Bins, classes: &'a [usize], count: usize) -> Self {
        let features = bins.features();
        Self {
            bins,
            classes,
            looks: features.isqrt().max(1),
            features: (0..features).map(index).collect(),
            weights: vec![0; bins.rows()],
            rows: Vec::with_capacity(bins.rows()),
            node: Vec::with_capacity(bins.rows()),
            buckets: Buckets::new(bins.rows()),
            right: Vec::with_capacity(bins.rows()),
            all: vec![0; count],
            left: vec![0; count],
            rest: vec![0; count],
        }
    }

    /// Grows a tree.
    pub(super) fn grow(&mut self, random: &mut ChaCha8Rng) -> Tree {
        self.draw(random);
        // Each leaf has a row at least, and no more classes than rows.
        let leaves = self.rows.len();
        let mut tree = Tree::with_room(2 * leaves, leaves);
        let mut pending = vec![Pending {
            start: 0,
            end: self.rows.len(),
            right_of: None,
        }];
        while let Some(node) = pending.pop() {
            if let Some(split) = node.right_of {
                tree.turn_right(split);
            }
            self.count(node.start, node.end);
            let Some(split) = self.best(node.start, node.end, random) else {
                let weight: u64 = self.all.iter().sum();
                let classes = self.all.iter().enumerate().filter(|&(_, &it)| it > 0);
                tree.leaf(classes.map(|(class, &own)| (class, share(own, weight))));
                continue;
            };
            let threshold = self.bins.between(split.feature, split.lower, split.upper);
            let parent = tree.split(split.feature, threshold);
            let middle = self.part(node.start, node.end, split);
            pending.push(Pending {
                start: middle,
                end: node.end,
                right_of: Some(parent),
            });
            pending.push(Pending {
                start: node.start,
                end: middle,
                right_of: None,
            });
        }
        // A copy has no spare room.
        tree.clone()
    }

    /// Draws as many rows as there are, with replacement.
    fn draw(&mut self, random: &mut ChaCha8Rng) {
        let count = index(self.bins.rows());
        self.weights.fill(0);
        for _ in 0..count {
            self.weights[random.random_range(0..count) as usize] += 1;
        }
        self.rows.clear();
        let drawn = (0..count).filter(|&row| self.weights[row as usize] > 0);
        self.rows.extend(drawn);
        for (feature, at) in self.features.iter_mut().zip(0..) {
            *feature = at;
        }
    }

    /// Reads the classes and weights of a node, and sums the weights by class.
    fn count(&mut self, start: usize, end: usize) {
        self.all.fill(0);
        self.node.clear();
        for &row in &self.rows[start..end] {
            let (class, weight) = (self.classes[row as usize], self.weights[row as usize]);
            self.all[class] += weight;
            self.node.push((class, weight));
        }
    }

    /// Returns the best split of a node; `None` if its rows have one class or are all equal.
    ///
    /// It looks at further features while all so far have one value.
    fn best(&mut self, start: usize, end: usize, random: &mut ChaCha8Rng) -> Option<Split> {
        if self.all.iter().filter(|&&weight| weight > 0).count() < 2 {
            return None;
        }
        let mut best: Option<Split> = None;
        for looked in 0..self.features.len() {
            if looked >= self.looks && best.is_some() {
                break;
            }
            let drawn = random.random_range(index(looked)..index(self.features.len()));
            self.features.swap(looked, drawn as usize);
            let feature = self.features[looked] as usize;
            if let Some(found) = self.look(start, end, feature)
                && best.is_none_or(|best| found.purity > best.purity)
            {
                best = Some(found);
            }
        }
        best
    }

    /// Returns the best split of a node at a feature; `None` if it has one value.
    fn look(&mut self, start: usize, end: usize, feature: usize) -> Option<Split> {
        let codes = self.bins.codes(feature);
        let rows = &self.rows[start..end];
        self.buckets
            .fill(rows.iter().map(|&row| codes[row as usize]));
        self.left.fill(0);
        self.rest.copy_from_slice(&self.all);
        let (mut left_weight, mut rest_weight) = (0, self.all.iter().sum::<u64>());
        let (mut left_squares, mut rest_squares) =
            (0, self.all.iter().map(|it| it * it).sum::<u64>());
        let mut best: Option<Split> = None;
        let mut bins = self.buckets.bins();
        let mut lower = bins.next()?;
        for upper in bins {
            for member in self.buckets.members(lower) {
                let (class, weight) = self.node[member];
                let (left, rest) = (&mut self.left[class], &mut self.rest[class]);
                left_squares += (2 * *left + weight) * weight;
                rest_squares -= (2 * *rest - weight) * weight;
                *left += weight;
                *rest -= weight;
                left_weight += weight;
                rest_weight -= weight;
            }
            let purity = share(left_squares, left_weight) + share(rest_squares, rest_weight);
            if best.is_none_or(|best| purity > best.purity) {
                best = Some(Split {
                    feature,
                    lower,
                    upper,
                    purity,
                });
            }
            lower = upper;
        }
        best
    }

    /// Moves the rows of a node that go left before the others. Returns the first that goes right.
    fn part(&mut self, start: usize, end: usize, split: Split) -> usize {
        let codes = self.bins.codes(split.feature);
        let rows = &mut self.rows[start..end];
        start + part(rows, &mut self.right, codes, split.lower)
    }
}

/// Returns a share of a weight.
// Squares of weights stay below 2^50: there are at most 2^25 rows.
#[allow(clippy::cast_precision_loss)]
fn share(part: u64, weight: u64) -> f64 {
    part as f64 / weight as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng as _;

    use super::*;
    use crate::numbers::float;

    /// Returns the Gini impurity of classes, times their number.
    fn impurity(classes: &[usize]) -> f64 {
        let count = float(classes.len());
        let own = |class| float(classes.iter().filter(|&&it| it == class).count());
        let squares: f64 = (0..3).map(|class| own(class) * own(class)).sum();
        count - squares / count
    }

    /// Returns the least impurity of both sides of any split; `None` if all rows are equal.
    fn least(rows: &[f64], classes: &[usize]) -> Option<f64> {
        let mut least: Option<f64> = None;
        for feature in 0..3 {
            let value = |row: usize| rows[row * 3 + feature];
            for cut in 0..classes.len() {
                let (mut left, mut right) = (Vec::new(), Vec::new());
                for (row, &class) in classes.iter().enumerate() {
                    let side = if value(row) <= value(cut) {
                        &mut left
                    } else {
                        &mut right
                    };
                    side.push(class);
                }
                if !right.is_empty() {
                    let found = impurity(&left) + impurity(&right);
                    least = Some(least.map_or(found, |least| least.min(found)));
                }
            }
        }
        least
    }

    proptest! {
        #[test]
        fn best_is_that_of_all_splits(
            rows in prop::collection::vec((0..6_u8).prop_map(f64::from), 36),
            classes in prop::collection::vec(0..3_usize, 12),
        ) {
            let bins = Bins::new(&rows, 3);
            let mut grower = Grower::new(&bins, &classes, 3);
            grower.looks = 3;
            grower.weights.fill(1);
            grower.rows = (0..12).collect();
            grower.count(0, 12);
            let pure = classes.iter().all(|&class| class == classes[0]);
            let found = grower.best(0, 12, &mut ChaCha8Rng::seed_from_u64(1));
            let expected = if pure { None } else { least(&rows, &classes) };
            // Both sides' impurities sum to the number of rows less the purity.
            let found_impurity = found.map(|split| 12.0 - split.purity);
            match (found_impurity, expected) {
                (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-9),
                (found, expected) => prop_assert_eq!(found, expected),
            }
            if let Some(split) = found {
                let threshold = bins.between(split.feature, split.lower, split.upper);
                let middle = grower.part(0, 12, split);
                let value = |at: usize| rows[grower.rows[at] as usize * 3 + split.feature];
                prop_assert!((0..middle).all(|at| value(at) <= threshold));
                prop_assert!((middle..12).all(|at| value(at) > threshold));
            }
        }
    }

    #[test]
    fn grow_parts_all_drawn_rows_that_differ() {
        let rows: Vec<f64> = (0..40_usize).map(|row| float(row * 7 % 40)).collect();
        let classes: Vec<usize> = (0..20).map(|row| row % 3).collect();
        let bins = Bins::new(&rows, 2);
        let mut grower = Grower::new(&bins, &classes, 3);
        let tree = grower.grow(&mut ChaCha8Rng::seed_from_u64(3));
        for &row in &grower.rows {
            let at = row as usize;
            let numbers = tree.answer(&rows[at * 2..at * 2 + 2]);
            assert_eq!(numbers, [(index(classes[at]), 1.0)]);
        }
    }
}
