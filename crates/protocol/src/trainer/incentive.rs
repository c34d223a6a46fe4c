//! Price of a contribution, waits before claims, and share of a reporter.

use alloy_primitives::U256;

use crate::{
    ContractError,
    mechanism::{COST_WEIGHT_BITS, WAIT_BITS},
};

/// Seconds in an hour.
const HOUR: u128 = 3_600;

/// Rules of deposits and shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Incentive {
    /// Each contribution costs a deposit, which is higher the faster contributions come.
    ///
    /// Reporters share the deposits of bad contributions in proportion to their good ones.
    DepositRefundTake {
        /// Cost weight in wei, below 2^80.
        ///
        /// The deposit is `cost_weight * 3600 / sqrt(seconds since the last contribution)`.
        cost_weight: u128,
    },
    /// Good contributions are counted, and nothing is paid.
    Points,
}

impl Incentive {
    /// Checks that the cost weight is within its bounds.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`].
    pub fn validate(&self) -> Result<(), ContractError> {
        match *self {
            Self::DepositRefundTake { cost_weight } if cost_weight >> COST_WEIGHT_BITS != 0 => {
                Err(ContractError::InvalidParameter {
                    name: "costWeight",
                    value: cost_weight,
                })
            }
            _ => Ok(()),
        }
    }

    /// Returns the deposit for each of `n` contributions in one transaction, in wei; `n` of 0
    /// counts as 1.
    ///
    /// The transaction comes `elapsed` seconds after the last contribution.
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

    /// Returns a reporter's share of a deposit, in wei, rounded down.
    ///
    /// It is at most `left`, the rest of the deposit.
    #[must_use]
    pub fn share(&self, deposit: u128, left: u128, good: u64, total_good: u64) -> u128 {
        let share = match self {
            Self::DepositRefundTake { .. } => {
                U256::from(deposit) * U256::from(good) / U256::from(total_good.max(1))
            }
            Self::Points => U256::ZERO,
        };
        u128::try_from(share).ok().unwrap_or(left).min(left)
    }
}

/// Times from a contribution to its claims, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Waits {
    /// Wait for a refund or a report.
    pub refund: u64,
    /// Wait for the owner's late claim; at least `refund`.
    pub owner_claim: u64,
    /// Wait for anyone's late claim; at least `owner_claim`, and below 2^40.
    pub any_address_claim: u64,
    /// Notice between an announcement and a report; 0 if reports need none.
    ///
    /// It is at most half of the time between `refund` and `owner_claim`.
    pub report_notice: u64,
}

impl Waits {
    /// Checks the order and the bounds of the waits.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`] for the first wait that is above the next one, or else for
    /// the last one, or else for the notice.
    pub fn validate(&self) -> Result<(), ContractError> {
        let invalid = |name, value: u64| {
            Err(ContractError::InvalidParameter {
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
