//! Words common to agents, mechanisms and results.

use cotrain_protocol::mechanism::Description;

/// Side of an agent, which tells whether its success is the mechanism's success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stance {
    /// Tells the truth as far as it knows.
    Honest,
    /// Takes no side: it only buys.
    Neutral,
    /// Lies, or exploits those who tell the truth.
    Hostile,
}

impl Stance {
    /// Returns the name used in listings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::Neutral => "neutral",
            Self::Hostile => "hostile",
        }
    }
}

/// Kind of an agent's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Contribution of a labeled sample with a deposit.
    Contribution,
    /// Return of the agent's own deposit.
    Refund,
    /// Share taken of another agent's deposit.
    Report,
    /// Late claim of all that was left of a deposit.
    LateClaim,
    /// Notice that a contribution may be reported.
    Announcement,
}

impl Action {
    /// Returns the name used in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Contribution => "contribution",
            Self::Refund => "refund",
            Self::Report => "report",
            Self::LateClaim => "late_claim",
            Self::Announcement => "announcement",
        }
    }
}

/// Figure that a mechanism adds to those of all runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Name as text, with its unit, such as `bounty that was not paid, units`.
    pub name: &'static str,
    /// Value, as a number.
    pub value: String,
}

/// Words for describing runs of a mechanism. Pages and summaries say nothing else about
/// contributions and money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabulary {
    /// Fate of a contribution and its money, in sentences.
    pub rules: &'static str,
    /// Money that an agent has put in and may get back, such as `deposits`.
    pub stakes: &'static str,
    /// `true` if contributions teach the model at once, so that those that changed it can be
    /// counted.
    pub learns_at_once: bool,
    /// `true` if there are refunds, reports and late claims.
    pub has_claims: bool,
}

impl From<&'static Description> for Vocabulary {
    fn from(description: &'static Description) -> Self {
        Self {
            rules: description.rules,
            stakes: description.stakes,
            learns_at_once: description.learns_at_once,
            has_claims: !description.claims.is_empty(),
        }
    }
}
