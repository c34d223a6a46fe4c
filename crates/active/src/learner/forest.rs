//! Random forest (Breiman 2001), grown as scikit-learn's `RandomForestClassifier` does.
//!
//! Each tree learns from as many rows as there are, drawn with replacement.
//! At each node it looks at the square root of the number of features, drawn anew.
//! It takes the split of the least Gini impurity, halfway between two values.
//! It ends with leaves of one class, or of rows that are all equal.
//! A leaf's shares of classes are its probabilities, and the forest's are the mean of its trees'.
//!
//! The values of a feature are in at most 256 bins.
//! With up to 256 different values, the splits are those of scikit-learn.

mod buckets;
mod grow;

use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::grow::Grower;
use super::bins::Bins;
use super::checks::{check_labeled, check_option, check_rows, check_sizes, contiguous};
use super::seen::Seen;
use super::tree::Tree;
use super::written::checked;
use super::{LearnError, Learner};
use crate::numbers::float;

/// Maximum number of trees.
pub const MAX_TREES: usize = 1_000;

/// Random forest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Forest {
    features: usize,
    seed: u64,
    seen: Seen,
    /// Number of trees to grow.
    count: usize,
    /// Trees, whose classes are indices of the classes with a label; none before learning.
    trees: Vec<Tree>,
}

checked!(Forest);

impl Forest {
    /// Returns a forest that has learned nothing.
    ///
    /// # Errors
    ///
    /// The number of classes, features or trees is out of range.
    pub fn new(
        classes: usize,
        features: usize,
        trees: usize,
        seed: u64,
    ) -> Result<Self, LearnError> {
        check_sizes(classes, features)?;
        check_option("trees", trees, 1, MAX_TREES)?;
        Ok(Self {
            features,
            seed,
            seen: Seen::none(classes),
            count: trees,
            trees: Vec::new(),
        })
    }

    /// Checks that the numbers fit each other.
    fn check(&self) -> Result<(), &'static str> {
        Self::new(self.seen.all(), self.features, self.count, self.seed)
            .map_err(|_| "the sizes are out of range")?;
        self.seen.check()?;
        let classes = self.seen.classes().len();
        let grown = if classes == 0 { 0 } else { self.count };
        if self.trees.len() != grown {
            return Err("the trees are not as many as the forest has");
        }
        if !self.trees.iter().all(|it| it.fits(self.features, classes)) {
            return Err("a tree does not fit the features or classes");
        }
        Ok(())
    }

    /// Returns the number of trees to grow, and the seed.
    pub(crate) fn options(&self) -> (usize, u64) {
        (self.count, self.seed)
    }

    /// Returns the trees.
    pub(crate) fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Returns the classes that have a label.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

impl Learner for Forest {
    fn classes(&self) -> usize {
        self.seen.all()
    }

    fn features(&self) -> usize {
        self.features
    }

    fn fit(&mut self, rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError> {
        check_labeled(&rows, labels, self.features, self.seen.all())?;
        let seen = Seen::of(labels, self.seen.all());
        let bins = Bins::new(&contiguous(&rows), self.features);
        let classes = seen.indices(labels);
        let mut grower = Grower::new(&bins, &classes, seen.classes().len());
        let trees = (0..self.count).map(|tree| {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_stream(tree as u64);
            grower.grow(&mut random)
        });
        self.trees = trees.collect();
        self.seen = seen;
        Ok(())
    }

    fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError> {
        check_rows(&rows, self.features)?;
        let mut found = Array2::zeros((rows.nrows(), self.classes()));
        let mut sums = vec![0.0; self.seen.classes().len()];
        let numbers = contiguous(&rows);
        let all = numbers.chunks_exact(self.features);
        for (row, mut found) in all.zip(found.axis_iter_mut(Axis(0))) {
            sums.fill(0.0);
            for tree in &self.trees {
                for &(class, share) in tree.answer(row) {
                    sums[class as usize] += share;
                }
            }
            for sum in &mut sums {
                *sum /= float(self.trees.len());
            }
            if let Some(found) = found.as_slice_mut() {
                self.seen.spread(&sums, found);
            }
        }
        Ok(found)
    }

    fn members(&self, rows: ArrayView2<'_, f64>) -> Result<Vec<Array2<f64>>, LearnError> {
        check_rows(&rows, self.features)?;
        let numbers = contiguous(&rows);
        let mut sums = vec![0.0; self.seen.classes().len()];
        let members = self.trees.iter().map(|tree| {
            let mut found = Array2::zeros((rows.nrows(), self.classes()));
            let all = numbers.chunks_exact(self.features);
            for (row, mut found) in all.zip(found.axis_iter_mut(Axis(0))) {
                sums.fill(0.0);
                for &(class, share) in tree.answer(row) {
                    sums[class as usize] = share;
                }
                if let Some(found) = found.as_slice_mut() {
                    self.seen.spread(&sums, found);
                }
            }
            found
        });
        Ok(members.collect())
    }

    fn copy(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }
}
