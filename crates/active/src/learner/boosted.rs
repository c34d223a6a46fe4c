//! Gradient-boosted trees for several classes.
//!
//! The formulas are those of `XGBoost` (Chen and Guestrin 2016, sections 2.1 and 2.2).
//! Each round grows a tree for each class that has a label, from the first and second derivatives
//! of the logarithmic loss, `p - y` and `p (1 - p)`.
//! A leaf whose rows sum to `G` and `H` adds `-rate · G / (H + λ)` to the class's score.
//! A split's gain is `G²/(H + λ)` of both sides less that of the whole.
//! Before the first round, a score is the logarithm of the class's share of the labels.
//!
//! The defaults suit few labels: a leaf may have one row, as a class often has one label.
//! So `λ`, shallow trees and a small rate keep the scores low, and each node looks at a part of the
//! features only.

mod grow;

use ndarray::{Array2, ArrayView2, Axis};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::grow::Grower;
use super::bins::Bins;
use super::checks::{LARGEST, check_labeled, check_option, check_rows, check_sizes, contiguous};
use super::seen::Seen;
use super::tree::Tree;
use super::written::checked;
use super::{LearnError, Learner};
use crate::numbers::{float, softmax};

/// Maximum number of rounds.
pub const MAX_ROUNDS: usize = 500;

/// Gradient-boosted trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Boosted {
    features: usize,
    seed: u64,
    seen: Seen,
    /// Number of rounds to learn.
    rounds: usize,
    /// Score of each class with a label before the first round.
    base: Vec<f64>,
    /// Trees, one for each class with a label, round after round; none before learning.
    trees: Vec<Tree>,
}

checked!(Boosted);

impl Boosted {
    /// Returns a model that has learned nothing; 50 rounds suit a few hundred labels.
    ///
    /// # Errors
    ///
    /// The number of classes, features or rounds is out of range.
    pub fn new(
        classes: usize,
        features: usize,
        rounds: usize,
        seed: u64,
    ) -> Result<Self, LearnError> {
        check_sizes(classes, features)?;
        check_option("rounds", rounds, 1, MAX_ROUNDS)?;
        Ok(Self {
            features,
            seed,
            seen: Seen::none(classes),
            rounds,
            base: Vec::new(),
            trees: Vec::new(),
        })
    }

    /// Checks that the numbers fit each other.
    fn check(&self) -> Result<(), &'static str> {
        Self::new(self.seen.all(), self.features, self.rounds, self.seed)
            .map_err(|_| "the sizes are out of range")?;
        self.seen.check()?;
        let classes = self.seen.classes().len();
        // One class has the probability 1 without trees.
        let grown = if classes < 2 {
            0
        } else {
            self.rounds * classes
        };
        if self.trees.len() != grown || self.base.len() != classes {
            return Err("the trees or scores are not as many as the classes and rounds need");
        }
        if !self.trees.iter().all(|it| it.fits(self.features, classes)) {
            return Err("a tree does not fit the features or classes");
        }
        if !self.base.iter().all(|it| it.abs() <= LARGEST) {
            return Err("a score is too large");
        }
        Ok(())
    }

    /// Adds a row's scores to those before the first round.
    fn add_scores(&self, row: &[f64], scores: &mut [f64]) {
        scores.copy_from_slice(&self.base);
        for tree in &self.trees {
            for &(class, number) in tree.answer(row) {
                scores[class as usize] += number;
            }
        }
    }

    /// Returns the number of rounds to learn, and the seed.
    pub(crate) fn options(&self) -> (usize, u64) {
        (self.rounds, self.seed)
    }

    /// Returns the trees.
    pub(crate) fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Returns the classes that have a label.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Returns the scores of the classes with a label before the first round.
    pub(crate) fn base(&self) -> &[f64] {
        &self.base
    }
}

impl Learner for Boosted {
    fn classes(&self) -> usize {
        self.seen.all()
    }

    fn features(&self) -> usize {
        self.features
    }

    fn fit(&mut self, rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError> {
        check_labeled(&rows, labels, self.features, self.seen.all())?;
        let seen = Seen::of(labels, self.seen.all());
        let classes = seen.classes().len();
        let targets = seen.indices(labels);
        let mut counts = vec![0; classes];
        for &target in &targets {
            counts[target] += 1;
        }
        let share = |&count: &usize| libm::log(float(count) / float(labels.len()));
        let base: Vec<f64> = counts.iter().map(share).collect();
        let mut trees = Vec::new();
        if classes > 1 {
            let bins = Bins::new(&contiguous(&rows), self.features);
            let mut grower = Grower::new(&bins, ChaCha8Rng::seed_from_u64(self.seed));
            let mut scores = base.repeat(labels.len());
            for _ in 0..self.rounds {
                let mut probabilities = scores.clone();
                for row in probabilities.chunks_exact_mut(classes) {
                    softmax(row);
                }
                for class in 0..classes {
                    let own = probabilities.iter().skip(class).step_by(classes);
                    let derivatives = own.zip(&targets).map(|(probability, &target)| {
                        let label = if target == class { 1.0 } else { 0.0 };
                        (probability - label, probability * (1.0 - probability))
                    });
                    let tree = grower.grow(class, derivatives, |row, number| {
                        scores[row * classes + class] += number;
                    });
                    trees.push(tree);
                }
            }
        }
        self.base = base;
        self.trees = trees;
        self.seen = seen;
        Ok(())
    }

    fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError> {
        check_rows(&rows, self.features)?;
        let mut found = Array2::zeros((rows.nrows(), self.classes()));
        let mut scores = vec![0.0; self.base.len()];
        let numbers = contiguous(&rows);
        let all = numbers.chunks_exact(self.features);
        for (row, mut found) in all.zip(found.axis_iter_mut(Axis(0))) {
            self.add_scores(row, &mut scores);
            softmax(&mut scores);
            if let Some(found) = found.as_slice_mut() {
                self.seen.spread(&scores, found);
            }
        }
        Ok(found)
    }

    fn copy(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }
}
