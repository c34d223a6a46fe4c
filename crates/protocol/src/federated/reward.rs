//! Sieve of harmful updates, and shares of a round's emission.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};

/// Consequence of a leave-one-out value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgment {
    /// The update harms by more than the margin: it is left out of the aggregate.
    Excluded,
    /// The update does not help: it is aggregated and earns nothing.
    Unrewarded,
    /// The update helps, and earns a share.
    Rewarded,
}

/// Judges an update by its leave-one-out value and the margin of the sieve.
#[must_use]
pub fn judge(leave_one_out: i64, margin: u64) -> Judgment {
    if leave_one_out > 0 {
        Judgment::Rewarded
    } else if leave_one_out.unsigned_abs() > margin {
        Judgment::Excluded
    } else {
        Judgment::Unrewarded
    }
}

/// Returns the tokens of the emission that each update earns, in proportion to its positive value.
///
/// Updates with equal roots share what one of them would get.
/// Shares are rounded down, so their sum never exceeds the emission.
#[must_use]
pub fn shares(emission: u128, updates: &[(B256, i64)]) -> Vec<u128> {
    let gain = |value: i64| u64::try_from(value).unwrap_or_default();
    // Number of the updates with each root, and their largest gain.
    let mut roots: BTreeMap<B256, (u64, u64)> = BTreeMap::new();
    for &(root, value) in updates {
        let (copies, largest) = roots.entry(root).or_default();
        *copies += 1;
        *largest = gain(value).max(*largest);
    }
    let total: u128 = roots.values().map(|it| u128::from(it.1)).sum();
    updates
        .iter()
        .map(|(root, value)| {
            let copies = roots.get(root).map_or(1, |it| it.0);
            let share = U256::from(emission) * U256::from(gain(*value));
            // Without a gain the total may be 0. Otherwise, a share is at most the emission.
            share
                .checked_div(U256::from(total) * U256::from(copies))
                .and_then(|share| u128::try_from(share).ok())
                .unwrap_or_default()
        })
        .collect()
}
