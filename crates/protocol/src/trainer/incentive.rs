//! What a contribution costs, how long claims wait, and what a reporter's share is.

use alloy_primitives::U256;

use crate::{
    Rejection,
    mechanism::{COST_WEIGHT_BITS, WAIT_BITS},
};

/// In seconds.
const HOUR: u128 = 3_600;

/// Who pays whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Incentive {
    /// Each contribution costs a deposit, the more the faster contributions come; reporters share
    /// the deposits of bad ones in proportion to their good ones.
    DepositRefundTake {
        /// In wei, below 2^80: `cost_weight * 3600 / sqrt(seconds since the last contribution)` is the
        /// deposit.
        cost_weight: u128,
    },
    /// Good contributions are counted, nothing is paid.
    Points,
}

impl Incentive {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`].
    pub fn validate(&self) -> Result<(), Rejection> {
        match *self {
            Self::DepositRefundTake { cost_weight } if cost_weight >> COST_WEIGHT_BITS != 0 => {
                Err(Rejection::InvalidParameter {
                    name: "costWeight",
                    value: cost_weight,
                })
            }
            _ => Ok(()),
        }
    }

    /// The deposit of each of `n` contributions in one transaction, `elapsed` seconds after the last
    /// one, in wei; `n` of 0 is taken for 1.
    #[must_use]
    pub fn price(&self, n: u64, elapsed: u64) -> u128 {
        match *self {
            Self::DepositRefundTake { cost_weight } => {
                let interval = elapsed / n.max(1);
                cost_weight.saturating_mul(HOUR) / u128::from(interval.isqrt().max(1))
            }
            Self::Points => 0,
        }
    }

    /// Returns what a reporter takes of a deposit of which `left` is left, in wei: the share, rounded down, and at
    /// most what is left.
    pub(super) fn share(&self, deposit: u128, left: u128, good: u64, total_good: u64) -> u128 {
        let share = match self {
            Self::DepositRefundTake { .. } => {
                U256::from(deposit) * U256::from(good) / U256::from(total_good.max(1))
            }
            Self::Points => U256::ZERO,
        };
        u128::try_from(share).ok().unwrap_or(left).min(left)
    }
}

/// How long after a contribution claims may be made, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waits {
    /// A refund or a report.
    pub refund: u64,
    /// The owner's late claim; at least as long.
    pub owner_claim: u64,
    /// Anyone's late claim; at least as long, and below 2^40.
    pub any_address_claim: u64,
    /// The notice before a report, from its announcement on; 0 if none is needed. Together with the wait for a refund
    /// at most the owner's wait.
    pub report_notice: u64,
}

impl Waits {
    /// Checks the order and the bounds.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`] for the first wait that is above the next one, or else for the
    /// last one, or else for the notice.
    pub fn validate(&self) -> Result<(), Rejection> {
        let invalid = |name, value: u64| {
            Err(Rejection::InvalidParameter {
                name,
                value: value.into(),
            })
        };
        if self.refund > self.owner_claim {
            invalid("refundWait", self.refund)
        } else if self.owner_claim > self.any_address_claim {
            invalid("ownerClaimWait", self.owner_claim)
        } else if self.any_address_claim >> WAIT_BITS != 0 {
            invalid("anyAddressClaimWait", self.any_address_claim)
        } else if self.report_notice > (self.owner_claim - self.refund) / 2 {
            invalid("reportNotice", self.report_notice)
        } else {
            Ok(())
        }
    }
}
