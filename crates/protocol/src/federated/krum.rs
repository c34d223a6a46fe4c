//! Multi-Krum (Blanchard et al., "Machine Learning with Adversaries", 2017).

use super::{FederatedError, Rule, encoding::check_lengths};

/// Returns the score of each update: the sum of its smallest squared distances to others.
///
/// With `n` updates and `f` hostile ones, `n - f - 2` distances count.
///
/// # Errors
/// Those of [`Rule::check`], and [`FederatedError::WrongLength`].
pub fn krum_scores(updates: &[&[i16]], hostile: usize) -> Result<Vec<u64>, FederatedError> {
    let count = updates.len();
    Rule::MultiKrum.check(count, hostile)?;
    check_lengths(updates)?;
    let mut distances = vec![vec![0; count]; count];
    for one in 0..count {
        for other in 0..one {
            let distance = squared_distance(updates[one], updates[other]);
            distances[one][other] = distance;
            distances[other][one] = distance;
        }
    }
    let nearest = count - hostile - 2;
    Ok(distances
        .into_iter()
        .enumerate()
        .map(|(own, mut distances)| {
            distances.swap_remove(own);
            distances.sort_unstable();
            distances[..nearest].iter().sum()
        })
        .collect())
}

/// Returns the indices of the `n - f` updates with the lowest scores, in ascending order.
///
/// The lower index wins among equal scores.
///
/// # Errors
/// Those of [`krum_scores`].
pub fn select_multi_krum(updates: &[&[i16]], hostile: usize) -> Result<Vec<usize>, FederatedError> {
    let scores = krum_scores(updates, hostile)?;
    let mut order: Vec<usize> = (0..updates.len()).collect();
    order.sort_by_key(|&index| scores[index]);
    order.truncate(updates.len() - hostile);
    order.sort_unstable();
    Ok(order)
}

fn squared_distance(one: &[i16], other: &[i16]) -> u64 {
    let square = |(a, b): (&i16, &i16)| u64::from(a.abs_diff(*b)).pow(2);
    one.iter().zip(other).map(square).sum()
}
