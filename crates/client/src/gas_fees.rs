//! Fee policy: the first price that a transaction offers, and the next one while it is pending.
//!
//! The policy is a pure function of the node's fees, the previous offer and a maximum.

use cotrain_chain::node::GasFees;
use cotrain_protocol::GasPrice;

/// Factor by which an offer rises, as a fraction. Nodes replace a transaction by one with the same
/// nonce only if both fees rise by 10 %; this is a little more.
const BUMP: (u128, u128) = (1_125, 1_000);

/// Default maximum, as a multiple of the chain's current fees. A transaction may be pending for
/// another reason, such as a sender without money. It must not offer more and more then.
const DEFAULT_MAXIMUM_FACTOR: u128 = 4;

/// Price that a transaction offers for a unit of gas, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Maximum of base fee and tip together, in wei.
    pub max_fee: u128,
    /// Maximum tip for the builder of the block, in wei; it is part of `max_fee`.
    pub priority_fee: u128,
}

/// Next step for a transaction that is not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Replace it by the same one with this offer.
    Raise(Offer),
    /// Send it again unchanged: a higher offer would exceed this maximum, in wei.
    AtMaximum(u128),
}

/// A maximum that does not even pay the base fee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a unit of gas costs {} now, and at most {} may be paid; allow more, or wait",
    GasPrice(*base),
    GasPrice(*maximum)
)]
pub struct TooDear {
    /// Base fee of the next block, in wei.
    pub base: u128,
    /// Configured maximum, in wei.
    pub maximum: u128,
}

/// Returns the first offer. It suffices until the base fee has doubled, and never exceeds
/// `maximum`.
///
/// # Errors
/// [`TooDear`] if `maximum` is below the base fee.
pub fn first(gas_fees: &GasFees, maximum: Option<u128>) -> Result<Offer, TooDear> {
    let maximum = maximum.unwrap_or(u128::MAX);
    if maximum < gas_fees.base {
        return Err(TooDear {
            base: gas_fees.base,
            maximum,
        });
    }
    let max_fee = gas_fees.max().min(maximum);
    Ok(Offer {
        max_fee,
        priority_fee: gas_fees.priority.min(max_fee),
    })
}

/// Returns the price of a unit of gas now, in wei: base fee and tip.
#[must_use]
pub const fn price(gas_fees: &GasFees) -> u128 {
    gas_fees.base.saturating_add(gas_fees.priority)
}

/// Returns `true` if a unit of gas now costs more than `maximum`, in wei; `None` means no maximum.
/// A service that has time then waits.
#[must_use]
pub fn is_too_dear(gas_fees: &GasFees, maximum: Option<u128>) -> bool {
    maximum.is_some_and(|maximum| price(gas_fees) > maximum)
}

/// Returns the maximum offer for a pending transaction, in wei a unit of gas: `maximum`, or four
/// times the chain's current fees.
#[must_use]
pub fn max(gas_fees: &GasFees, maximum: Option<u128>) -> u128 {
    maximum.unwrap_or_else(|| gas_fees.max().saturating_mul(DEFAULT_MAXIMUM_FACTOR))
}

/// Returns the next step for a transaction that has been pending for long. No offer exceeds
/// [`max`].
///
/// Fees rise by an eighth. A previous offer that covers base fee and tip has a tip that is too low
/// for the builders of blocks. If the operator has set a maximum, the tip then doubles, and the
/// last offer gives the builders all that the maximum leaves.
#[must_use]
pub fn next(before: Offer, gas_fees: &GasFees, maximum: Option<u128>) -> Next {
    let configured = maximum.is_some();
    let maximum = max(gas_fees, maximum);
    let least = Offer {
        max_fee: bumped(before.max_fee),
        priority_fee: bumped(before.priority_fee),
    };
    if least.max_fee > maximum {
        return Next::AtMaximum(maximum);
    }
    let covered = before.max_fee >= gas_fees.base.saturating_add(before.priority_fee);
    let tip = if configured && covered {
        before.priority_fee.saturating_mul(2)
    } else {
        0
    };
    let tip = tip.max(least.priority_fee).max(gas_fees.priority);
    let max_fee = least
        .max_fee
        .max(gas_fees.max())
        .max(gas_fees.base.saturating_add(tip))
        .min(maximum);
    if configured && covered && bumped(max_fee) > maximum {
        // No offer can follow this one, so it uses the whole maximum.
        return Next::Raise(Offer {
            max_fee: maximum,
            priority_fee: tip.max(maximum.saturating_sub(gas_fees.base)).min(maximum),
        });
    }
    Next::Raise(Offer {
        max_fee,
        priority_fee: tip.min(max_fee),
    })
}

/// Returns a fee that replaces this one.
fn bumped(fee: u128) -> u128 {
    fee.saturating_mul(BUMP.0) / BUMP.1 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const GWEI: u128 = 1_000_000_000;

    fn gas_fees(base: u128, priority: u128) -> GasFees {
        GasFees { base, priority }
    }

    /// All offers until the maximum, and the maximum.
    fn offers(gas_fees: &GasFees, maximum: Option<u128>) -> (Vec<Offer>, u128) {
        let mut all = vec![first(gas_fees, maximum).expect("an offer")];
        loop {
            let before = *all.last().expect("one");
            match next(before, gas_fees, maximum) {
                Next::AtMaximum(maximum) => return (all, maximum),
                Next::Raise(offer) => {
                    // Nodes require this rise before they replace a transaction.
                    assert!(
                        offer.max_fee * 10 >= before.max_fee * 11,
                        "{before:?} {offer:?}"
                    );
                    assert!(
                        offer.priority_fee * 10 >= before.priority_fee * 11
                            || offer.priority_fee == offer.max_fee
                    );
                    assert!(offer.priority_fee <= offer.max_fee);
                    all.push(offer);
                }
            }
            assert!(all.len() < 200, "it has no end");
        }
    }

    #[test]
    fn first_offer_is_enough_while_the_base_fee_doubles() {
        let offer = first(&gas_fees(10 * GWEI, GWEI), None);
        assert_eq!(
            offer,
            Ok(Offer {
                max_fee: 21 * GWEI,
                priority_fee: GWEI
            })
        );
        let capped = first(&gas_fees(10 * GWEI, 20 * GWEI), Some(15 * GWEI));
        assert_eq!(
            capped,
            Ok(Offer {
                max_fee: 15 * GWEI,
                priority_fee: 15 * GWEI
            })
        );
        let dear = first(&gas_fees(10 * GWEI, GWEI), Some(9 * GWEI));
        assert_eq!(
            dear,
            Err(TooDear {
                base: 10 * GWEI,
                maximum: 9 * GWEI
            })
        );
        assert_eq!(
            dear.unwrap_err().to_string(),
            "a unit of gas costs 10 gwei now, and at most 9 gwei may be paid; allow more, or wait"
        );
    }

    #[test]
    fn is_too_dear_counts_base_fee_and_tip() {
        let now = gas_fees(10, 3);
        assert_eq!(price(&now), 13);
        assert!(!is_too_dear(&now, None) && !is_too_dear(&now, Some(13)));
        assert!(is_too_dear(&now, Some(12)) && is_too_dear(&now, Some(10)));
        // No fees of a node make the sum overflow.
        let mad = gas_fees(u128::MAX, 1);
        assert_eq!(price(&mad), u128::MAX);
        assert!(is_too_dear(&mad, Some(u128::MAX - 1)) && !is_too_dear(&mad, None));
    }

    #[test]
    fn next_offer_stays_below_the_maximum() {
        let now = gas_fees(10 * GWEI, GWEI);
        let (all, maximum) = offers(&now, None);
        assert_eq!(maximum, 4 * now.max());
        assert_eq!(max(&now, None), maximum);
        assert!(all.len() > 8 && all.iter().all(|offer| offer.max_fee <= maximum));
        for maximum in [21 * GWEI, 22 * GWEI, 30 * GWEI, 100 * GWEI] {
            let (all, at) = offers(&now, Some(maximum));
            assert_eq!(at, maximum);
            assert_eq!(max(&now, Some(maximum)), maximum);
            assert!(all.iter().all(|offer| offer.max_fee <= maximum));
        }
    }

    #[test]
    fn next_raises_the_tip_until_it_is_above_the_minimum_of_a_chain() {
        // A chain almost without a base fee, and without tips in its history.
        let quiet = gas_fees(7, 1_000_000);
        let (all, _) = offers(&quiet, Some(100 * GWEI));
        let tips: Vec<_> = all.iter().map(|offer| offer.priority_fee).collect();
        assert!(tips.windows(2).all(|pair| pair[1] > pair[0]), "{tips:?}");
        assert!(tips.iter().any(|tip| *tip >= 30 * GWEI), "{tips:?}");
        assert!(tips.len() < 25, "{tips:?}");
        // With a high base fee, the tip rises within the offered maximum.
        let (all, maximum) = offers(&gas_fees(10 * GWEI, 1_000_000), Some(80 * GWEI));
        assert!(
            all.iter().any(|offer| offer.priority_fee > 20 * GWEI),
            "{all:?}"
        );
        assert!(all.iter().all(|offer| offer.max_fee <= maximum));
        // Without a maximum, the tip stays near the chain's own.
        let (all, _) = offers(&gas_fees(10 * GWEI, GWEI), None);
        assert!(
            all.iter().all(|offer| offer.priority_fee <= 5 * GWEI),
            "{all:?}"
        );
    }

    #[test]
    fn next_follows_higher_fees_of_the_chain() {
        let before = Offer {
            max_fee: 10 * GWEI,
            priority_fee: GWEI,
        };
        let now = gas_fees(30 * GWEI, 2 * GWEI);
        assert_eq!(
            next(before, &now, None),
            Next::Raise(Offer {
                max_fee: 62 * GWEI,
                priority_fee: 2 * GWEI
            })
        );
        assert_eq!(
            next(before, &now, Some(11 * GWEI)),
            Next::AtMaximum(11 * GWEI)
        );
    }
}
