//! Phases of a market, and the stages of its scoring.

use std::fmt;

use crate::mechanism::MARKET_PHASES;

/// Phase of a market.
///
/// Time alone may bring it to the phases from [`Revealing`](Self::Revealing) to
/// [`Failed`](Self::Failed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The owner may commit to a test set and lock the bounty.
    Created,
    /// Anyone may draw a part of the test set. The provider then reveals it.
    Committed,
    /// Anyone may contribute.
    Open,
    /// The provider may reveal the other parts.
    Revealing,
    /// Anyone may drive the scoring.
    Scoring,
    /// Participants collect their balances, and the owner collects the rest.
    Settled,
    /// A deadline passed: participants collect their stakes, and anyone may burn the bounty.
    Failed,
    /// The bounty is burned, because the market failed or the drawn part was not revealed in time.
    ///
    /// Participants, if there are any, collect their stakes.
    Forfeited,
}

/// Next step of a pass of scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Stage {
    /// [`Market::restart`](super::Market::restart): a new model gets the words of the market's
    /// initial model.
    #[default]
    Copying,
    /// [`Market::score`](super::Market::score): the model learns the contributions, and their
    /// effect is measured.
    Teaching,
    /// [`Market::settle`](super::Market::settle): finds the pot that all participants can afford.
    Finding,
    /// [`Market::settle`](super::Market::settle): participants gain or lose their shares of the
    /// pot.
    Paying,
}

impl fmt::Display for Phase {
    /// Writes the name that the mechanism's description has.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(MARKET_PHASES[*self as usize])
    }
}

impl fmt::Display for Stage {
    /// Writes the stage in one word, in lower case.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Copying => "copying",
            Self::Teaching => "teaching",
            Self::Finding => "finding",
            Self::Paying => "paying",
        })
    }
}
