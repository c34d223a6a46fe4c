//! Sum of the losses and the penalty, with its gradient and its curvature.

use std::borrow::Cow;

use ndarray::ArrayView2;

use super::super::checks::contiguous;
use super::super::seen::Seen;
use super::curvature::Curvature;
use crate::numbers::{add_scaled, dot, float, softmax};

/// Function of the parameters: for each scored class its weights, then its intercept.
///
/// If there are two classes, the second one alone is scored, and the first one has the score 0.
pub(super) struct Objective<'a> {
    /// All numbers, one row after the other.
    rows: Cow<'a, [f64]>,
    features: usize,
    /// Index of the class of each row.
    targets: Vec<usize>,
    /// Number of scored classes.
    scored: usize,
    penalty: f64,
}

impl<'a> Objective<'a> {
    /// Returns the function of labeled rows; `penalty` is the factor of half the squared weights.
    pub(super) fn new(
        rows: &'a ArrayView2<'_, f64>,
        seen: &Seen,
        labels: &[usize],
        penalty: f64,
    ) -> Self {
        let classes = seen.classes().len();
        Self {
            rows: contiguous(rows),
            features: rows.ncols(),
            targets: seen.indices(labels),
            scored: if classes == 2 { 1 } else { classes },
            penalty,
        }
    }

    /// Returns the number of parameters.
    pub(super) fn len(&self) -> usize {
        self.scored * (self.features + 1)
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.rows.chunks_exact(self.features)
    }

    /// Returns the parameters of each scored class.
    fn each<'b>(&self, parameters: &'b [f64]) -> impl Iterator<Item = &'b [f64]> + Clone + use<'b> {
        parameters.chunks_exact(self.features + 1)
    }

    /// Returns the scores of all rows, one row after the other, which are linear in the parameters.
    pub(super) fn scores(&self, parameters: &[f64]) -> Vec<f64> {
        let mut scores = Vec::with_capacity(self.targets.len() * self.scored);
        let classes = self.each(parameters);
        let classes: Vec<_> = classes.map(|it| it.split_at(self.features)).collect();
        for row in self.rows() {
            scores.extend(
                classes
                    .iter()
                    .map(|(weights, last)| last[0] + dot(weights, row)),
            );
        }
        scores
    }

    /// Returns the product of the penalized parameters of two vectors, times the penalty.
    pub(super) fn penalty(&self, left: &[f64], right: &[f64]) -> f64 {
        let classes = self.each(left).zip(self.each(right));
        let products =
            classes.map(|(left, right)| dot(&left[..self.features], &right[..self.features]));
        self.penalty * products.sum::<f64>()
    }

    /// Replaces a vector by its product with the inverse of a curvature that all classes share.
    pub(super) fn solve(&self, curvature: &Curvature, vector: &mut [f64]) {
        for class in vector.chunks_exact_mut(self.features + 1) {
            curvature.solve(class);
        }
    }

    /// Returns the sum of the losses of scores, and replaces them by its derivatives.
    pub(super) fn losses(&self, scores: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (scores, &target) in scores.chunks_exact_mut(self.scored).zip(&self.targets) {
            if let [score] = scores {
                // Logarithm of 1 + exp(score), of which neither part overflows.
                let small = libm::exp(-score.abs());
                let value = score.max(0.0) + libm::log1p(small);
                let high = 1.0 / (1.0 + small);
                let second = if *score >= 0.0 { high } else { 1.0 - high };
                let is_second = float(target);
                sum += value - is_second * *score;
                *score = second - is_second;
            } else {
                let own = scores[target];
                sum += softmax(scores) - own;
                scores[target] -= 1.0;
            }
        }
        sum
    }

    /// Returns the gradient at parameters whose losses have these derivatives.
    pub(super) fn gradient(&self, parameters: &[f64], derivatives: &[f64]) -> Vec<f64> {
        let mut gradient: Vec<f64> = parameters.iter().map(|it| self.penalty * it).collect();
        let mut classes: Vec<_> = gradient
            .chunks_exact_mut(self.features + 1)
            .map(|it| it.split_at_mut(self.features))
            .collect();
        for (_, intercept) in &mut classes {
            intercept[0] = 0.0;
        }
        for (row, derivatives) in self.rows().zip(derivatives.chunks_exact(self.scored)) {
            for ((weights, intercept), &derivative) in classes.iter_mut().zip(derivatives) {
                add_scaled(weights, derivative, row);
                intercept[0] += derivative;
            }
        }
        gradient
    }

    /// Returns the mean curvature of the scored classes, given the derivatives of the losses.
    pub(super) fn curvature(&self, derivatives: &[f64]) -> Curvature {
        // A probability `p` has the curvature `p (1 - p)`.
        // A derivative is `p`, or `p - 1` for the row's own class.
        let curvatures = derivatives.chunks_exact(self.scored).map(|derivatives| {
            let sizes = derivatives.iter().map(|it| it.abs() * (1.0 - it.abs()));
            sizes.sum::<f64>() / float(self.scored)
        });
        Curvature::new(self.rows().zip(curvatures), self.features, self.penalty)
    }
}

// Exact numbers are meant.
#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    /// Returns the function's value and gradient at parameters.
    fn at(objective: &Objective<'_>, parameters: &[f64]) -> (f64, Vec<f64>) {
        let mut scores = objective.scores(parameters);
        let losses = objective.losses(&mut scores);
        let value = losses + 0.5 * objective.penalty(parameters, parameters);
        (value, objective.gradient(parameters, &scores))
    }

    proptest! {
        #[test]
        fn gradient_is_that_of_finite_differences(
            numbers in prop::collection::vec(-2.0..2.0, 21),
            labels in prop::collection::vec(0..4_usize, 7),
            parameters in prop::collection::vec(-1.5..1.5, 16),
            penalty in 0.1..3.0,
        ) {
            let rows = Array2::from_shape_vec((7, 3), numbers).expect("21 numbers");
            let rows = rows.view();
            let objective = Objective::new(&rows, &Seen::of(&labels, 4), &labels, penalty);
            let parameters = &parameters[..objective.len()];
            let (_, gradient) = at(&objective, parameters);
            for (index, found) in gradient.iter().enumerate() {
                let moved = |step: f64| {
                    let mut parameters = parameters.to_vec();
                    parameters[index] += step;
                    at(&objective, &parameters).0
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                prop_assert!((found - expected).abs() <= 1e-7, "{found} {expected}");
            }
        }
    }

    #[test]
    fn losses_are_those_of_the_formula() {
        let rows = Array2::zeros((3, 1));
        let rows = rows.view();
        let labels = [0, 1, 2];
        let objective = Objective::new(&rows, &Seen::of(&labels, 3), &labels, 1.0);
        let mut scores = vec![1.0, 2.0, 3.0, 0.0, 0.0, 0.0, -800.0, 800.0, 0.0];
        let expected =
            libm::log(libm::exp(-2.0) + libm::exp(-1.0) + 1.0) + 2.0 + libm::log(3.0) + 800.0;
        assert!((objective.losses(&mut scores) - expected).abs() < 1e-12);
        let labels = [0, 1];
        let objective = Objective::new(&rows, &Seen::of(&labels, 2), &labels, 1.0);
        let mut scores = vec![3.0, -800.0];
        let expected = libm::log(1.0 + libm::exp(3.0)) + 800.0;
        assert!((objective.losses(&mut scores) - expected).abs() < 1e-12);
        assert!((scores[0] - 1.0 / (1.0 + libm::exp(-3.0))).abs() < 1e-15);
        assert_eq!(scores[1], -1.0);
    }
}
