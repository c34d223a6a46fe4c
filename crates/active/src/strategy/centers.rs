//! Centers that cover a pool: the row farthest from all centers is the next one.

use ndarray::ArrayView2;

use super::distance::{mean, squared};
use super::rank::{Distinct, Order};
use super::rows::Rows;
use crate::numbers::drawn;

/// Returns up to `count` different rows of `candidates`, each the farthest from all before it.
///
/// Labeled rows are centers from the start. Without any, the first center is the candidate that is
/// nearest to the mean of the candidates. It looks at each pair of a candidate and a center once.
/// Equally far ones go by the lower drawn number, then by the lower index.
pub(super) fn farthest_first(
    rows: &Rows<'_>,
    candidates: &[usize],
    labeled: ArrayView2<'_, f64>,
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let mut distances = vec![f64::INFINITY; candidates.len()];
    let approach = |distances: &mut [f64], center: &[f64]| {
        for (distance, &candidate) in distances.iter_mut().zip(candidates) {
            *distance = distance.min(squared(rows.row(candidate), center));
        }
    };
    if labeled.nrows() == 0 {
        // By the negative distance, the nearest one is the farthest. The first center replaces it.
        let middle = mean(candidates.iter().map(|&it| rows.row(it)), rows.columns());
        for (distance, &candidate) in distances.iter_mut().zip(candidates) {
            *distance = -squared(rows.row(candidate), &middle);
        }
    }
    for center in Rows::new(labeled).iter() {
        approach(&mut distances, center);
    }
    let mut is_left = vec![true; candidates.len()];
    let mut distinct = Distinct::default();
    while distinct.len() < count {
        let left = || (0..candidates.len()).filter(|&it| is_left[it]);
        let Some(most) = left().map(|it| Order(distances[it])).max() else {
            break;
        };
        let farthest = left().filter(|&it| Order(distances[it]) == most);
        let by_draw = |&it: &usize| (drawn(seed, rows.row(candidates[it])), candidates[it]);
        let Some(chosen) = farthest.min_by_key(by_draw) else {
            break;
        };
        is_left[chosen] = false;
        if distinct.add(rows, candidates[chosen]) {
            if distinct.len() == 1 && labeled.nrows() == 0 {
                distances.fill(f64::INFINITY);
            }
            approach(&mut distances, rows.row(candidates[chosen]));
        }
    }
    distinct.into_chosen()
}
