//! The gas margin: the only module that decides how far a gas limit exceeds the estimate.

use cotrain_chain::TRANSACTION_GAS_LIMIT;

/// Divisor of an estimate that gives its margin: a quarter.
///
/// The chain changes between estimate and inclusion. A slot that was cleared in between costs more,
/// and so does a lesson that the model would not have needed before. Unused gas is not paid, while
/// a transaction that runs out of gas pays for all of it. A wide margin costs only a few items less
/// in a transaction near the limit. So the command line, the relayer and the keeper share one.
const MARGIN_DIVISOR: u64 = 4;

/// Returns an amount of gas with the margin. The result may exceed the maximum of a transaction.
#[must_use]
pub const fn with_margin(gas: u64) -> u64 {
    gas.saturating_add(gas / MARGIN_DIVISOR)
}

/// Returns the gas limit of a transaction that would use `gas` now. It includes the margin, and is
/// at most the gas limit of any transaction.
#[must_use]
pub fn limit(gas: u64) -> u64 {
    with_margin(gas).min(TRANSACTION_GAS_LIMIT)
}

/// Returns `true` if a transaction that would use `gas` now has room for the whole margin.
#[must_use]
pub const fn fits(gas: u64) -> bool {
    with_margin(gas) <= TRANSACTION_GAS_LIMIT
}

/// Returns the gas of `count` items, if `size` of them in one transaction use `gas`.
#[must_use]
pub fn of_all(gas: u64, size: usize, count: u64) -> u64 {
    let all = u128::from(gas) * u128::from(count) / size.max(1) as u128;
    u64::try_from(all).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_margin_adds_a_quarter() {
        for (gas, with) in [
            (0, 0),
            (3, 3),
            (4, 5),
            (100_000, 125_000),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(with_margin(gas), with, "{gas}");
        }
    }

    #[test]
    fn fits_is_true_up_to_four_fifths_of_the_limit() {
        let largest = TRANSACTION_GAS_LIMIT / 5 * 4 + 1;
        assert!(fits(largest) && !fits(largest + 1));
        assert_eq!(limit(largest), TRANSACTION_GAS_LIMIT);
        // A single item without room for the margin gets the maximum gas.
        assert_eq!(limit(TRANSACTION_GAS_LIMIT), TRANSACTION_GAS_LIMIT);
        assert_eq!(limit(1_000), 1_250);
    }

    #[test]
    fn of_all_goes_by_the_share_of_one_transaction() {
        assert_eq!(of_all(900, 3, 3), 900);
        assert_eq!(of_all(900, 3, 7), 2_100);
        assert_eq!(of_all(900, 0, 2), 1_800);
        assert_eq!(of_all(u64::MAX, 1, u64::MAX), u64::MAX);
    }
}
