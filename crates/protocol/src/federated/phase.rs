//! Phases of a federated round, and reasons that its contract gives.

use std::fmt;

/// State of a round's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoundPhase {
    /// Authors commit to updates. The time runs from the first commitment on.
    Open,
    /// Authors reveal their updates.
    Reveal,
    /// A block's hash draws a part of the test set.
    Draw,
    /// The owner reveals the drawn part.
    Test,
    /// Anyone supplies the updates again, and the contract sums up losses.
    Score,
    /// Anyone supplies the admitted updates again, and the contract adds their aggregate.
    Aggregate,
    /// Anyone books stakes and rewards.
    Settle,
}

/// Reason for which an account cannot commit to an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommitProblem {
    /// The account has committed in this round before.
    CommittedAlready,
    /// The account's free balance is below the stake.
    BalanceTooLow,
    /// The account is the owner, who knows the test set.
    Owner,
    /// The signature is not the author's, or is too old.
    NotSigned,
}

impl fmt::Display for RoundPhase {
    /// Writes the phase in one word, in lower case.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Open => "open",
            Self::Reveal => "reveal",
            Self::Draw => "draw",
            Self::Test => "test",
            Self::Score => "score",
            Self::Aggregate => "aggregate",
            Self::Settle => "settle",
        })
    }
}

impl fmt::Display for CommitProblem {
    /// Writes the reason with the next step.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::CommittedAlready => {
                "it has committed in this round before; wait for the next one"
            }
            Self::BalanceTooLow => {
                "its free balance is below the stake; deposit more of the stake token"
            }
            Self::Owner => "the owner knows the test set; commit with another account",
            Self::NotSigned => {
                "the signature is not of this author, round and hash, or too old; sign again"
            }
        })
    }
}
