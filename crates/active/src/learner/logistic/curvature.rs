//! Inverse of a mean curvature, the same for each class.

use zeroize::Zeroize as _;

use crate::numbers::{add_scaled, dot};

/// Maximum number of features for which features that vary together are respected.
///
/// Beyond it, the matrix would cost more than the steps that it saves.
const MAX_JOINT: usize = 256;

/// Least curvature of a row.
///
/// It bounds the steps of the intercepts, which have no penalty, once all rows are certain.
const LEAST: f64 = 1e-4;

/// Curvature of one class's weights and intercept: `sum(c x xᵀ)` and the penalty, factored.
pub(super) enum Curvature {
    /// Rows of the lower triangle `L` of Cholesky's factors `L Lᵀ`, the intercept last.
    Joint(Vec<Vec<f64>>),
    /// Diagonal, the intercept last.
    Single(Vec<f64>),
}

impl Curvature {
    /// Returns the curvature of rows that have each its own.
    pub(super) fn new<'a>(
        rows: impl Iterator<Item = (&'a [f64], f64)>,
        features: usize,
        penalty: f64,
    ) -> Self {
        if features <= MAX_JOINT {
            return Self::joint(rows, features, penalty);
        }
        let mut diagonal = vec![penalty; features];
        let mut sum = 0.0;
        for (row, curvature) in rows {
            let curvature = curvature.max(LEAST);
            for (entry, value) in diagonal.iter_mut().zip(row) {
                *entry += curvature * value * value;
            }
            sum += curvature;
        }
        diagonal.push(sum);
        Self::Single(diagonal)
    }

    fn joint<'a>(
        rows: impl Iterator<Item = (&'a [f64], f64)>,
        features: usize,
        penalty: f64,
    ) -> Self {
        let mut matrix: Vec<Vec<f64>> = (0..=features).map(|at| vec![0.0; at + 1]).collect();
        let mut extended = vec![1.0; features + 1];
        for (row, curvature) in rows {
            let curvature = curvature.max(LEAST);
            extended[..features].copy_from_slice(row);
            for (target, value) in matrix.iter_mut().zip(&extended) {
                let length = target.len();
                add_scaled(target, curvature * value, &extended[..length]);
            }
        }
        // It has the last row.
        extended.zeroize();
        for (at, row) in matrix[..features].iter_mut().enumerate() {
            row[at] += penalty;
        }
        factor(&mut matrix);
        Self::Joint(matrix)
    }

    /// Replaces a class's weights and intercept by their product with the inverse.
    pub(super) fn solve(&self, vector: &mut [f64]) {
        match self {
            Self::Joint(matrix) => {
                for (at, row) in matrix.iter().enumerate() {
                    vector[at] = (vector[at] - dot(&row[..at], &vector[..at])) / row[at];
                }
                for (at, row) in matrix.iter().enumerate().rev() {
                    let value = vector[at] / row[at];
                    vector[at] = value;
                    add_scaled(&mut vector[..at], -value, &row[..at]);
                }
            }
            Self::Single(diagonal) => {
                for (value, entry) in vector.iter_mut().zip(diagonal) {
                    *value /= entry;
                }
            }
        }
    }
}

/// Replaces the lower triangle of a matrix by its factor (Cholesky).
///
/// A pivot that rounding has made too small keeps a trifle of the diagonal.
/// So the product stays positive definite, which is all that a step needs.
fn factor(matrix: &mut [Vec<f64>]) {
    for at in 0..matrix.len() {
        let (before, rest) = matrix.split_at_mut(at);
        let row = &mut rest[0];
        for (column, other) in before.iter().enumerate() {
            row[column] = (row[column] - dot(&other[..column], &row[..column])) / other[column];
        }
        let diagonal = row[at];
        let pivot = diagonal - dot(&row[..at], &row[..at]);
        let least = (1e-12 * diagonal).max(f64::MIN_POSITIVE);
        row[at] = libm::sqrt(pivot.max(least));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::float;

    #[test]
    fn solve_inverts_the_curvature() {
        let rows: Vec<Vec<f64>> = (0..9_usize)
            .map(|row| {
                (0..4)
                    .map(|at| float((row * 7 + at * 5 + row * at) % 11))
                    .collect()
            })
            .collect();
        let pairs = || rows.iter().map(|row| (row.as_slice(), 0.25));
        let solution = [1.0, -2.0, 0.5, 3.0, -1.0];
        let extended = |row: &[f64]| [row, &[1.0]].concat();
        let mut joint = [0.5, -1.0, 0.25, 1.5, 0.0];
        for row in &rows {
            let row = extended(row);
            add_scaled(&mut joint, 0.25 * dot(&row, &solution), &row);
        }
        Curvature::new(pairs(), 4, 0.5).solve(&mut joint);
        for (found, expected) in joint.iter().zip(solution) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
        let wide: Vec<Vec<f64>> = rows.iter().map(|row| row.repeat(100)).collect();
        let pairs = wide.iter().map(|row| (row.as_slice(), 0.25));
        let mut single = vec![1.0; 401];
        Curvature::new(pairs, 400, 0.5).solve(&mut single);
        let square: f64 = rows.iter().map(|row| row[3] * row[3]).sum();
        assert!((single[399] - 1.0 / (0.5 + 0.25 * square)).abs() < 1e-15);
        assert!((single[400] - 1.0 / (0.25 * 9.0)).abs() < 1e-15);
    }

    #[test]
    fn factor_stays_positive_for_huge_and_equal_features() {
        let row = [1e100, 1e100, 0.0];
        let curvature = Curvature::new([(&row[..], 0.25); 3].into_iter(), 3, 1.0);
        let mut vector = [1e100, -1e100, 1.0, 2.0];
        let before = vector;
        curvature.solve(&mut vector);
        assert!(vector.iter().all(|it| it.is_finite()), "{vector:?}");
        assert!(dot(&before, &vector) > 0.0);
    }
}
