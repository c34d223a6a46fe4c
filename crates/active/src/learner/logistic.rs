//! Multinomial logistic regression with a squared penalty.
//!
//! Its optimum is that of scikit-learn's `LogisticRegression(C=1)`: the least sum of the rows'
//! logarithmic losses and of `|w|² / (2 C)`, whose intercepts are free of the penalty.
//! As there, two classes have one vector of weights, and more have one each.
//! Classes without a label take no part.
//!
//! # Minimizing
//!
//! The steps are those of L-BFGS (Liu and Nocedal 1989).
//! Its first guess of the inverse Hessian is exact but for one thing: all classes share a mean
//! curvature of each row (`curvature.rs`).
//! The scores of a direction are computed once, so a step's length costs no pass over the rows.
//! It stops if half the step's predicted decrease is below `TOLERANCE` of the loss.
//! It starts from the last weights, and so needs a few steps after a few new labels.

mod curvature;
mod objective;
mod steps;

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use self::objective::Objective;
use self::steps::minimize;
use super::checks::{LARGEST, check_labeled, check_rows, check_sizes, contiguous};
use super::seen::Seen;
use super::written::checked;
use super::{LearnError, Learner};
use crate::numbers::{dot, float, softmax};

/// Logistic regression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Logistic {
    features: usize,
    /// Weight of the rows' losses against the penalty, scikit-learn's `C`.
    cost: f64,
    seen: Seen,
    /// Weights of each class, one after the other; zeros for a class without a label.
    weights: Vec<f64>,
    /// Intercept of each class.
    intercepts: Vec<f64>,
}

checked!(Logistic);

/// Description of the last fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// Sum of the losses and the penalty.
    pub loss: f64,
    /// Number of steps.
    pub steps: usize,
}

impl Logistic {
    /// Returns a model with `C = 1` that has learned nothing.
    ///
    /// # Errors
    ///
    /// The number of classes or features is out of range.
    pub fn new(classes: usize, features: usize) -> Result<Self, LearnError> {
        Self::with_cost(classes, features, 1.0)
    }

    /// Returns a model with a weight of the losses against the penalty, from `1e-6` to `1e6`.
    ///
    /// # Errors
    ///
    /// The number of classes or features, or the weight, is out of range.
    pub fn with_cost(classes: usize, features: usize, cost: f64) -> Result<Self, LearnError> {
        check_sizes(classes, features)?;
        if !(1e-6..=1e6).contains(&cost) {
            return Err(LearnError::Cost { found: cost });
        }
        Ok(Self {
            features,
            cost,
            seen: Seen::none(classes),
            weights: vec![0.0; classes * features],
            intercepts: vec![0.0; classes],
        })
    }

    /// Learns from all labeled rows like [`Learner::fit`], and returns the loss reached.
    ///
    /// # Errors
    ///
    /// The rows or labels do not fit; the model stays as it was.
    pub fn learn(
        &mut self,
        rows: &ArrayView2<'_, f64>,
        labels: &[usize],
    ) -> Result<Fit, LearnError> {
        let classes = self.seen.all();
        check_labeled(rows, labels, self.features, classes)?;
        let seen = Seen::of(labels, classes);
        let mut model = Self::with_cost(classes, self.features, self.cost)?;
        model.seen = seen;
        // One class needs no weights: its probability is 1 everywhere.
        let mut fit = Fit {
            loss: 0.0,
            steps: 0,
        };
        if model.seen.classes().len() > 1 {
            let objective = Objective::new(rows, &model.seen, labels, 1.0 / self.cost);
            let found = minimize(&objective, self.start(&model.seen));
            fit = Fit {
                loss: found.loss,
                steps: found.steps,
            };
            model.take(&found.parameters);
        }
        *self = model;
        Ok(fit)
    }

    /// Checks that the numbers fit each other.
    fn check(&self) -> Result<(), &'static str> {
        let sizes = Self::with_cost(self.seen.all(), self.features, self.cost);
        let sizes = sizes.map_err(|_| "the sizes are out of range")?;
        self.seen.check()?;
        let numbers = || self.weights.iter().chain(&self.intercepts);
        if sizes.weights.len() != self.weights.len()
            || sizes.intercepts.len() != self.intercepts.len()
            || !numbers().all(|it| it.abs() <= LARGEST)
        {
            return Err("the weights do not fit the sizes");
        }
        Ok(())
    }

    /// Returns the last weights of the classes as parameters of an objective.
    ///
    /// They are made to have the sum 0, which the optimum has.
    fn start(&self, seen: &Seen) -> Vec<f64> {
        let classes = seen.classes();
        let all = |class: usize| {
            let weights = self.row(class).iter();
            weights.chain(&self.intercepts[class..=class]).copied()
        };
        if let &[first, second] = classes {
            return all(second)
                .zip(all(first))
                .map(|(it, of)| it - of)
                .collect();
        }
        let mut means = vec![0.0; self.features + 1];
        for &class in classes {
            for (mean, value) in means.iter_mut().zip(all(class)) {
                *mean += value / float(classes.len());
            }
        }
        let centered = |&class| all(class).zip(&means).map(|(value, mean)| value - mean);
        classes.iter().flat_map(centered).collect()
    }

    /// Takes parameters of an objective as weights of the seen classes.
    fn take(&mut self, parameters: &[f64]) {
        let classes = self.seen.classes().to_vec();
        // Of two classes, the first one has the score 0.
        let scored = if classes.len() == 2 {
            &classes[1..]
        } else {
            &classes[..]
        };
        for (parameters, &class) in parameters.chunks_exact(self.features + 1).zip(scored) {
            let (weights, intercept) = parameters.split_at(self.features);
            let from = class * self.features;
            self.weights[from..from + self.features].copy_from_slice(weights);
            self.intercepts[class] = intercept[0];
        }
    }

    /// Returns the weights of a class.
    pub(crate) fn row(&self, class: usize) -> &[f64] {
        &self.weights[class * self.features..(class + 1) * self.features]
    }

    /// Returns the weights of all classes (`classes x features`), zeros for one without a label.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Returns the intercept of each class.
    #[must_use]
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// Returns the weight of the losses against the penalty.
    pub(crate) fn cost(&self) -> f64 {
        self.cost
    }

    /// Returns the classes that have a label.
    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }
}

impl Drop for Logistic {
    /// Overwrites the weights, which tell of the rows.
    fn drop(&mut self) {
        self.weights.zeroize();
        self.intercepts.zeroize();
    }
}

impl Learner for Logistic {
    fn classes(&self) -> usize {
        self.seen.all()
    }

    fn features(&self) -> usize {
        self.features
    }

    fn fit(&mut self, rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError> {
        self.learn(&rows, labels).map(|_| ())
    }

    fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError> {
        check_rows(&rows, self.features)?;
        let mut found = Array2::zeros((rows.nrows(), self.classes()));
        let mut scores = vec![0.0; self.seen.classes().len()];
        let numbers = contiguous(&rows);
        let all = numbers.chunks_exact(self.features);
        for (row, mut found) in all.zip(found.axis_iter_mut(Axis(0))) {
            for (&class, score) in self.seen.classes().iter().zip(&mut scores) {
                *score = self.intercepts[class] + dot(self.row(class), row);
            }
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
