//! Phases of a market, and the stages of its scoring.

use std::fmt;

use crate::mechanism::MARKET_PHASES;

/// Phase of a market. Time alone may bring it to those from [`Revealing`](Self::Revealing) to
/// [`Failed`](Self::Failed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The owner may commit to a test set and lock the bounty.
    Created,
    /// A part of the test set is to be drawn and revealed.
    Committed,
    /// Anyone may contribute.
    Open,
    /// The other parts are to be revealed.
    Revealing,
    /// Anyone may drive the scoring.
    Scoring,
    /// Participants collect their balances, the owner what they do not need.
    Settled,
    /// The owner's part was not done in time: participants collect their stakes, and anyone may burn the bounty.
    Failed,
    /// The bounty is burned, because the drawn part was not revealed in time or the market failed: participants, if
    /// there are any, collect their stakes.
    Forfeited,
}

/// Next step of a pass of scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// [`Market::restart`](super::Market::restart): a new model gets the words that the market began with.
    #[default]
    Copying,
    /// [`Market::score`](super::Market::score): the contributions are taught and what they changed is measured.
    Teaching,
    /// [`Market::settle`](super::Market::settle): how much of the bounty the participants can afford to play for.
    Finding,
    /// [`Market::settle`](super::Market::settle): the participants are paid, or pay.
    Paying,
}

impl fmt::Display for Phase {
    /// Writes the name that the mechanism's description has.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(MARKET_PHASES[*self as usize])
    }
}

impl fmt::Display for Stage {
    /// In words.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Copying => "copying",
            Self::Teaching => "teaching",
            Self::Finding => "finding",
            Self::Paying => "paying",
        })
    }
}
