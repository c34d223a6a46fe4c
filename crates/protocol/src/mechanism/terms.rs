//! Terms: the numbers that the contract of a mechanism is created with.

use super::Mechanism;
use crate::{
    market,
    trainer::{Incentive, Waits},
};

/// Terms of one contract, of any mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Terms {
    /// Terms of a trainer.
    Trainer {
        /// Rules of payment.
        incentive: Incentive,
        /// Waits before claims.
        waits: Waits,
    },
    /// Terms of a prediction market.
    Market(market::Terms),
}

impl Terms {
    /// Returns the mechanism that has these terms.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        match self {
            Self::Trainer {
                incentive: Incentive::DepositRefundTake { .. },
                ..
            } => Mechanism::DepositRefundTake,
            Self::Trainer {
                incentive: Incentive::Points,
                ..
            } => Mechanism::Points,
            Self::Market(_) => Mechanism::PredictionMarket,
        }
    }

    /// Returns the waits before claims; `None` if the mechanism has no claims on single contributions.
    #[must_use]
    pub const fn waits(&self) -> Option<Waits> {
        match *self {
            Self::Trainer { waits, .. } => Some(waits),
            Self::Market(_) => None,
        }
    }

    /// Returns the numbers in the order of the mechanism's [`terms`](super::Description::terms), which is the contract's.
    #[must_use]
    pub fn values(&self) -> Vec<u128> {
        match *self {
            Self::Trainer { incentive, waits } => {
                let Waits {
                    refund,
                    owner_claim,
                    any_address_claim,
                    report_notice,
                } = waits;
                let mut values: Vec<u128> = [refund, owner_claim, any_address_claim, report_notice]
                    .map(u128::from)
                    .into();
                if let Incentive::DepositRefundTake { cost_weight } = incentive {
                    values.push(cost_weight);
                }
                values
            }
            Self::Market(terms) => terms.values().into(),
        }
    }

    /// Returns the terms with these numbers, in the order of [`values`](Self::values); `None` if they are too many, too
    /// few, or do not fit their types. Other bounds are not checked.
    #[must_use]
    pub fn from_values(mechanism: Mechanism, values: &[u128]) -> Option<Self> {
        let incentive = match (mechanism, values) {
            (Mechanism::DepositRefundTake, &[.., cost_weight]) => {
                Incentive::DepositRefundTake { cost_weight }
            }
            (Mechanism::Points, _) => Incentive::Points,
            (Mechanism::PredictionMarket, values) => {
                let values = values.try_into().ok()?;
                return market::Terms::from_values(values).map(Self::Market);
            }
            _ => return None,
        };
        if values.len() != mechanism.description().terms.len() {
            return None;
        }
        let seconds = |index: usize| u64::try_from(values[index]).ok();
        let waits = Waits {
            refund: seconds(0)?,
            owner_claim: seconds(1)?,
            any_address_claim: seconds(2)?,
            report_notice: seconds(3)?,
        };
        Some(Self::Trainer { incentive, waits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism::Unit;

    #[test]
    fn terms_values_are_read_back() {
        let waits = Waits {
            refund: 1,
            owner_claim: 2,
            any_address_claim: 3,
            report_notice: 4,
        };
        let market = market::Terms {
            stake: 1,
            participation: 2,
            reveal_wait: 3,
            scoring_wait: 4,
            most_contributions: 5,
            most_passes: 6,
        };
        let all = [
            Terms::Trainer {
                incentive: Incentive::DepositRefundTake { cost_weight: 5 },
                waits,
            },
            Terms::Trainer {
                incentive: Incentive::Points,
                waits,
            },
            Terms::Market(market),
        ];
        for (terms, mechanism) in all.into_iter().zip(Mechanism::ALL) {
            assert_eq!(terms.mechanism(), mechanism);
            let has_claims = !mechanism.description().claims.is_empty();
            assert_eq!(terms.waits().is_some(), has_claims);
            let values = terms.values();
            assert_eq!(values, (1..=values.len() as u128).collect::<Vec<_>>());
            assert_eq!(values.len(), mechanism.description().terms.len());
            assert_eq!(Terms::from_values(mechanism, &values), Some(terms));
            assert_eq!(Terms::from_values(mechanism, &values[1..]), None);
            let seconds = mechanism.description().terms.iter();
            for (index, _) in seconds
                .enumerate()
                .filter(|(_, it)| it.unit == Unit::Seconds)
            {
                let mut wide = values.clone();
                wide[index] = u128::MAX;
                assert_eq!(Terms::from_values(mechanism, &wide), None);
            }
        }
    }

    #[test]
    fn mechanism_names_are_read_back() {
        for mechanism in Mechanism::ALL {
            assert_eq!(mechanism.name().parse(), Ok(mechanism));
        }
        let unknown = "lottery".parse::<Mechanism>().unwrap_err().to_string();
        for mechanism in Mechanism::ALL {
            assert!(unknown.contains(mechanism.name()), "{unknown}");
        }
    }
}
