//! What a market is created with.

use crate::Rejection;

/// What a market is created with, for ever. The bounds are those of [`Terms::validate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    /// What each contribution stakes, in wei: 1 to 2^96-1.
    pub stake: u128,
    /// How long the market is open, in seconds: 1 to 2^32-1.
    pub participation: u64,
    /// How long the provider has to reveal, in seconds, 1 to 2^32-1: the drawn part counted from the
    /// commitment, the others from the end of the participation.
    pub reveal_wait: u64,
    /// How long the scoring may take, in seconds counted from the last reveal: 1 to 2^32-1.
    pub scoring_wait: u64,
    /// With so many contributions the market closes early: 1 to 2^32-1.
    pub most_contributions: u64,
    /// After so many passes over the contributions the scoring ends: 1 to 2^16-1.
    pub most_passes: u64,
}

impl Terms {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`] for the first that is outside, in the order of declaration, with the
    /// contract's name for it.
    pub fn validate(&self) -> Result<(), Rejection> {
        within("stake", self.stake, 96)?;
        within("participation", self.participation.into(), 32)?;
        within("revealWait", self.reveal_wait.into(), 32)?;
        within("scoringWait", self.scoring_wait.into(), 32)?;
        within("mostContributions", self.most_contributions.into(), 32)?;
        within("mostPasses", self.most_passes.into(), 16)
    }
}

/// Whether the value is above 0 and has so many bits.
fn within(name: &'static str, value: u128, bits: u32) -> Result<(), Rejection> {
    if value == 0 || value >> bits != 0 {
        Err(Rejection::InvalidParameter { name, value })
    } else {
        Ok(())
    }
}
