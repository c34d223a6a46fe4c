//! Clusters of rows by k-means, and the choice of typical rows (`TypiClust`).
//!
//! `TypiClust` is by Hacohen, Dekel and Weinshall, "Active Learning on a Budget: Opposite
//! Strategies Suit High and Low Budgets", 2022. It needs no model, so it suits the first labels.

use ndarray::ArrayView2;
use zeroize::Zeroizing;

use super::density::references;
use super::distance::{mean, squared, squared_below};
use super::rank::{Distinct, Order};
use super::rows::Rows;
use crate::numbers::{drawn, float, mixed};

/// Maximum number of clusters, as in the paper.
const CLUSTERS: usize = 500;

/// Maximum number of rounds of k-means.
const ROUNDS: usize = 20;

/// Maximum number of nearest neighbors that make a row typical, as in the paper.
const NEIGHBORS: usize = 20;

/// Maximum number of rows of the pool that are clustered.
const ROWS: usize = 10_000;

/// Maximum number of rows of a cluster with which each of its rows is compared.
const COMPARED: usize = 1_000;

/// Returns up to `count` different rows of the pool, each from a cluster with the fewest labels.
///
/// Pool and labeled rows are clustered together, into as many clusters as there are labels and
/// questions, up to 500. Of the clusters with the fewest labels, the largest one is next. The
/// chosen row counts as a label then. It has the smallest mean distance to its nearest neighbors in
/// the cluster, up to 20. Of a pool of more than 10,000 rows, the seed draws 10,000.
pub(super) fn typical(
    pool: &Rows<'_>,
    labeled: ArrayView2<'_, f64>,
    count: usize,
    seed: u64,
) -> Vec<usize> {
    let candidates = references(pool, seed, ROWS);
    let labeled = Rows::new(labeled);
    let of_pool = candidates.iter().map(|&it| pool.row(it));
    let all = Rows::joined(of_pool.chain(labeled.iter()), pool.columns());
    let draws: Vec<u64> = all.iter().map(|row| drawn(seed, row)).collect();
    let wanted = labeled.len().saturating_add(count).min(CLUSTERS);
    let mut clusters: Vec<Cluster> = grouped(&all, &draws, wanted)
        .into_iter()
        .map(|rows| Cluster {
            labels: rows.iter().filter(|&&it| it >= candidates.len()).count(),
            draw: rows.iter().map(|&it| draws[it]).min(),
            unasked: None,
            rows,
        })
        .collect();
    let mut distinct = Distinct::default();
    while distinct.len() < count {
        let open = clusters.iter_mut().filter(|it| !it.is_used_up());
        let next = open.min_by_key(|it| (it.labels, usize::MAX - it.rows.len(), it.draw));
        let Some(cluster) = next else {
            break;
        };
        let Some(row) = cluster.next(&all, &draws, candidates.len()) else {
            continue;
        };
        if distinct.add(pool, candidates[row]) {
            cluster.labels += 1;
        }
    }
    distinct.into_chosen()
}

/// Center of a cluster, which can be a row.
type Center = Zeroizing<Vec<f64>>;

/// Rows that are near each other.
struct Cluster {
    rows: Vec<usize>,
    labels: usize,
    /// Lowest draw of a row, which orders clusters of the same size.
    draw: Option<u64>,
    /// Rows without a label, the most typical one last; `None` before the first question.
    unasked: Option<Vec<usize>>,
}

impl Cluster {
    fn is_used_up(&self) -> bool {
        self.unasked.as_ref().is_some_and(Vec::is_empty)
    }

    /// Returns the most typical row that was not returned before. Those from `labeled` on have
    /// labels.
    fn next(&mut self, all: &Rows<'_>, draws: &[u64], labeled: usize) -> Option<usize> {
        let rows = &self.rows;
        let unasked = self.unasked.get_or_insert_with(|| {
            let mut unasked: Vec<usize> = rows.iter().copied().filter(|&it| it < labeled).collect();
            let mut others = rows.clone();
            others.sort_unstable_by_key(|&it| (draws[it], it));
            others.truncate(COMPARED);
            let order = |&it: &usize| (Order(sparseness(all, it, &others)), draws[it], it);
            unasked.sort_by_cached_key(order);
            unasked.reverse();
            unasked
        });
        unasked.pop()
    }
}

/// Returns the mean distance of a row to its nearest neighbors among others; 0 if it is alone.
fn sparseness(all: &Rows<'_>, row: usize, others: &[usize]) -> f64 {
    let others = others.iter().filter(|&&it| it != row);
    let mut squares: Vec<f64> = others
        .map(|&other| squared(all.row(row), all.row(other)))
        .collect();
    let count = squares.len().min(NEIGHBORS);
    if count == 0 {
        return 0.0;
    }
    squares.select_nth_unstable_by(count - 1, f64::total_cmp);
    let nearest = &mut squares[..count];
    // The order of the selection depends on the order of the rows.
    nearest.sort_unstable_by(f64::total_cmp);
    nearest.iter().map(|it| it.sqrt()).sum::<f64>() / float(count)
}

/// Returns the rows of each of up to `count` clusters by k-means, without empty ones.
///
/// The first centers are rows that their draws choose with chances by the squared distance to the
/// nearest center so far (k-means++). So the order of the rows does not matter.
fn grouped(rows: &Rows<'_>, draws: &[u64], count: usize) -> Vec<Vec<usize>> {
    let mut nearest = vec![0_usize; rows.len()];
    let mut distances = vec![f64::INFINITY; rows.len()];
    let mut centers: Vec<Center> = Vec::new();
    for step in 0..count as u64 {
        let race = |row: usize| {
            let weight = if step == 0 { 1.0 } else { distances[row] };
            // The first arrival at rates by weight: row `r` wins with chance `weight / all weights`.
            -libm::log(uniform(mixed(draws[row] ^ mixed(step)))) / weight
        };
        let open = (0..rows.len()).filter(|&row| distances[row] > 0.0);
        let Some(chosen) = open.min_by_key(|&row| (Order(race(row)), draws[row], row)) else {
            break;
        };
        let center = Center::new(rows.row(chosen).to_vec());
        for (index, row) in rows.iter().enumerate() {
            if let Some(distance) = squared_below(row, &center, distances[index]) {
                (distances[index], nearest[index]) = (distance, centers.len());
            }
        }
        centers.push(center);
    }
    for _ in 0..ROUNDS {
        centers = means(rows, &nearest, centers);
        if !assign(rows, &centers, &mut nearest) {
            break;
        }
    }
    let mut clusters = vec![Vec::new(); centers.len()];
    for (index, &cluster) in nearest.iter().enumerate() {
        if let Some(cluster) = clusters.get_mut(cluster) {
            cluster.push(index);
        }
    }
    clusters.retain(|it| !it.is_empty());
    clusters
}

/// Returns a number from 0 to 1, both excluded, from random bits.
fn uniform(bits: u64) -> f64 {
    // These bits and the half fit in the 53 bits of a float.
    #[allow(clippy::cast_precision_loss)]
    let upper = (bits >> 12) as f64;
    (upper + 0.5) * 2.0_f64.powi(-52)
}

/// Returns the means of the rows of each cluster; an empty one keeps its center.
fn means(rows: &Rows<'_>, nearest: &[usize], centers: Vec<Center>) -> Vec<Center> {
    let mut members = vec![Vec::new(); centers.len()];
    for (index, &cluster) in nearest.iter().enumerate() {
        if let Some(members) = members.get_mut(cluster) {
            members.push(index);
        }
    }
    let pairs = centers.into_iter().zip(members);
    pairs
        .map(|(center, members)| {
            if members.is_empty() {
                center
            } else {
                mean(members.iter().map(|&it| rows.row(it)), rows.columns())
            }
        })
        .collect()
}

/// Gives each row its nearest center, and returns `true` if one changed.
fn assign(rows: &Rows<'_>, centers: &[Center], nearest: &mut [usize]) -> bool {
    let mut changed = false;
    for (row, nearest) in rows.iter().zip(nearest) {
        let before = *nearest;
        // Its last center is most likely the nearest one, so that others are given up early.
        let Some(last) = centers.get(before) else {
            continue;
        };
        let mut limit = squared_below(row, last, f64::INFINITY).unwrap_or(f64::INFINITY);
        for (index, center) in centers.iter().enumerate() {
            if index == before {
                continue;
            }
            if let Some(distance) = squared_below(row, center, limit) {
                (limit, *nearest) = (distance, index);
            }
        }
        changed |= *nearest != before;
    }
    changed
}
