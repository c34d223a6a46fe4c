//! Eigenvectors of symmetric matrices, the same on every machine.

/// Maximum number of sweeps. The method converges quadratically: ten are plenty.
const MAX_SWEEPS: usize = 30;

/// Rows of a matrix.
pub(crate) type Rows = Vec<Vec<f64>>;

/// Eigenvalues, the largest first, with the eigenvectors as rows in the same order.
pub(crate) struct Eigen {
    pub(crate) values: Vec<f64>,
    pub(crate) vectors: Rows,
}

/// Returns the eigenvalues and eigenvectors of a symmetric matrix, by cyclic Jacobi rotations.
///
/// It only adds, subtracts, multiplies, divides and takes square roots, in a fixed order. A linear
/// algebra library chooses other orders on other processors. The number of largest size in each
/// eigenvector is positive; the first one of these if there are several.
pub(crate) fn eigen(mut matrix: Rows) -> Eigen {
    let size = matrix.len();
    let mut vectors: Rows = (0..size)
        .map(|row| {
            (0..size)
                .map(|column| if row == column { 1.0 } else { 0.0 })
                .collect()
        })
        .collect();
    let total: f64 = matrix.iter().flatten().map(|value| value * value).sum();
    for _ in 0..MAX_SWEEPS {
        let above = matrix
            .iter()
            .enumerate()
            .flat_map(|(row, values)| &values[row + 1..]);
        let above: f64 = above.map(|value| value * value).sum();
        // Floats have 53 bits, and this is a square.
        if above <= total * f64::EPSILON * f64::EPSILON {
            break;
        }
        for row in 0..size {
            for column in row + 1..size {
                rotate(&mut matrix, &mut vectors, row, column);
            }
        }
    }
    let mut found: Vec<(f64, Vec<f64>)> = (0..size)
        .map(|at| matrix[at][at])
        .zip(vectors.into_iter().map(signed))
        .collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let (values, vectors) = found.into_iter().unzip();
    Eigen { values, vectors }
}

/// Returns the sums of the products of the numbers of vectors, less their means: their covariance
/// times their count. Sums are in the order of the vectors.
pub(crate) fn scatter<'a>(vectors: impl Iterator<Item = &'a [f32]>, mean: &[f64]) -> Rows {
    let width = mean.len();
    let mut sums = vec![vec![0.0; width]; width];
    for vector in vectors {
        let from_mean = difference(vector, mean);
        for (row, (sums, &one)) in sums.iter_mut().zip(&from_mean).enumerate() {
            // The matrix is symmetric: this is one half.
            for (sum, &other) in sums[row..].iter_mut().zip(&from_mean[row..]) {
                *sum += one * other;
            }
        }
    }
    for row in 1..width {
        let (above, from) = sums.split_at_mut(row);
        for (mirrored, above) in from[0].iter_mut().zip(above) {
            *mirrored = above[row];
        }
    }
    sums
}

/// Returns the numbers of a vector, less their means.
pub(crate) fn difference(vector: &[f32], mean: &[f64]) -> Vec<f64> {
    let numbers = vector.iter().zip(mean);
    numbers
        .map(|(&number, mean)| f64::from(number) - mean)
        .collect()
}

/// Turns a vector around if its number of largest size is negative.
fn signed(vector: Vec<f64>) -> Vec<f64> {
    let largest = vector.iter().fold(0.0_f64, |largest, &value| {
        if value.abs() > largest.abs() {
            value
        } else {
            largest
        }
    });
    if largest < 0.0 {
        vector.into_iter().map(|value| -value).collect()
    } else {
        vector
    }
}

/// Turns two axes, the first one before the other, so that the matrix is 0 at their place.
fn rotate(matrix: &mut Rows, vectors: &mut Rows, p: usize, q: usize) {
    let beside = matrix[p][q];
    if beside == 0.0 {
        return;
    }
    // The smaller of the two angles, by its tangent.
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * beside);
    let root = (theta * theta + 1.0).sqrt();
    let tangent = if theta < 0.0 {
        1.0 / (theta - root)
    } else {
        1.0 / (theta + root)
    };
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    turn(matrix, p, q, cosine, sine);
    for row in matrix.iter_mut() {
        (row[p], row[q]) = turned(row[p], row[q], cosine, sine);
    }
    matrix[p][q] = 0.0;
    matrix[q][p] = 0.0;
    turn(vectors, p, q, cosine, sine);
}

/// Turns two rows, the first one before the other.
fn turn(rows: &mut Rows, p: usize, q: usize, cosine: f64, sine: f64) {
    let (before, from) = rows.split_at_mut(q);
    for (one, other) in before[p].iter_mut().zip(&mut from[0]) {
        (*one, *other) = turned(*one, *other, cosine, sine);
    }
}

fn turned(one: f64, other: f64, cosine: f64, sine: f64) -> (f64, f64) {
    (cosine * one - sine * other, sine * one + cosine * other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::eigen;

    #[test]
    fn eigen_of_a_small_matrix_is_known() {
        let found = eigen(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
        let half = 0.5_f64.sqrt();
        let numbers = found.values.iter().chain(found.vectors.iter().flatten());
        for (found, expected) in numbers.zip([3.0, 1.0, half, half, half, -half]) {
            assert!(
                (found - expected).abs() < 1e-12,
                "{found} is not {expected}"
            );
        }
    }

    proptest! {
        #[test]
        fn eigen_decomposes_any_symmetric_matrix(
            values in proptest::collection::vec(-10.0..10.0, 64), size in 1_usize..=8,
        ) {
            let row = |row: usize| move |column: usize| (row.min(column), row.max(column));
            let value = |(row, column): (usize, usize)| values[row * 8 + column];
            let matrix: Vec<Vec<f64>> =
                (0..size).map(|at| (0..size).map(row(at)).map(value).collect()).collect();
            let found = eigen(matrix.clone());
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            prop_assert!(found.values.is_sorted_by(|a, b| a >= b));
            for (value, vector) in found.values.iter().zip(&found.vectors) {
                prop_assert!((product(vector, vector) - 1.0).abs() < 1e-12);
                for (row, number) in matrix.iter().zip(vector) {
                    prop_assert!((product(row, vector) - value * number).abs() < 1e-9);
                }
            }
        }
    }
}
