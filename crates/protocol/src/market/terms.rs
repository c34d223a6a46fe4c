//! Terms that a market is created with.

use crate::{ContractError, mechanism::MARKET_TERMS as TERMS};

/// Terms of a market, fixed at its creation. [`Terms::validate`] checks their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    /// Stake of each contribution, in wei: 1 to 2^96-1.
    pub stake: u128,
    /// Time that the market is open, in seconds: 1 to 2^32-1.
    pub participation: u64,
    /// Time that the provider has to reveal, in seconds: 1 to 2^32-1.
    ///
    /// For the drawn part it runs from the commitment, for the others from the closing time.
    pub reveal_wait: u64,
    /// Maximum duration of the scoring after the last reveal, in seconds: 1 to 2^32-1.
    pub scoring_wait: u64,
    /// Number of contributions at which the market closes early: 1 to 2^32-1.
    pub most_contributions: u64,
    /// Maximum number of passes over the contributions: 1 to 2^16-1.
    pub most_passes: u64,
}

impl Terms {
    /// Checks that each term is within its bounds.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`] for the first that is outside, in the order of declaration,
    /// with the contract's name for it.
    pub fn validate(&self) -> Result<(), ContractError> {
        for (term, value) in TERMS.iter().zip(self.values()) {
            term.validate(value)?;
        }
        Ok(())
    }

    /// Returns the numbers in the order of declaration, which is the contract's.
    pub(crate) fn values(&self) -> [u128; TERMS.len()] {
        let Self {
            stake,
            participation,
            reveal_wait,
            scoring_wait,
            most_contributions,
            most_passes,
        } = *self;
        let [
            participation,
            reveal_wait,
            scoring_wait,
            most_contributions,
            most_passes,
        ] = [
            participation,
            reveal_wait,
            scoring_wait,
            most_contributions,
            most_passes,
        ]
        .map(u128::from);
        [
            stake,
            participation,
            reveal_wait,
            scoring_wait,
            most_contributions,
            most_passes,
        ]
    }

    /// Creates terms from these numbers. Returns `None` if one does not fit its type.
    pub(crate) fn from_values(values: [u128; TERMS.len()]) -> Option<Self> {
        let [
            stake,
            participation,
            reveal_wait,
            scoring_wait,
            most_contributions,
            most_passes,
        ] = values;
        let number = |value: u128| u64::try_from(value).ok();
        Some(Self {
            stake,
            participation: number(participation)?,
            reveal_wait: number(reveal_wait)?,
            scoring_wait: number(scoring_wait)?,
            most_contributions: number(most_contributions)?,
            most_passes: number(most_passes)?,
        })
    }
}
