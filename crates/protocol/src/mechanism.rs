//! Incentive mechanisms, each described once: its terms, phases, claims and words.
//!
//! Bindings, client, indexer and simulator read these descriptions. A new mechanism brings a module with its
//! `DESCRIPTION`, a variant of [`Mechanism`] and one of [`Terms`]; what its contract does is in a module of its rules, such
//! as [`market`](crate::market).

mod deposit_refund_take;
mod phases;
mod points;
mod prediction_market;
mod term;
mod terms;

use std::{fmt, str::FromStr};

pub use self::{
    term::{Term, Unit},
    terms::Terms,
};

pub(crate) use self::{
    deposit_refund_take::{COST_WEIGHT_BITS, WAIT_BITS},
    phases::MARKET_PHASES,
    prediction_market::TERMS as MARKET_TERMS,
};

/// An incentive mechanism of this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// Contributions carry deposits, which are refunded, or taken by others.
    DepositRefundTake,
    /// Contributions are counted as good, and nothing is paid.
    Points,
    /// A bounty is divided by how much contributions improve the model on a hidden test set.
    PredictionMarket,
}

/// A kind of claim on one contribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClaimKind {
    /// The author takes back the deposit.
    Refund,
    /// Somebody else takes a share of the deposit.
    Report,
    /// The owner, or later anyone, takes what is left of the deposit.
    Late,
}

/// Everything about a mechanism that is not a rule of its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// Name in scenarios, results, options and the API.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Word for one contract of it, with its model.
    pub word: &'static str,
    /// Rules for people, in a few sentences.
    pub rules: &'static str,
    /// Word for the money that contributions carry, in the plural.
    pub stakes: &'static str,
    /// `true` if contributions carry money, and `false` if they cost no more than gas.
    pub carries_money: bool,
    /// Terms that the contract is created with, in its order.
    pub terms: &'static [Term],
    /// Names of the phases that a contract passes through, as people and the API read them; empty if it is always open.
    pub phases: &'static [&'static str],
    /// Claims that exist on single contributions.
    pub claims: &'static [ClaimKind],
    /// `true` if the model learns a contribution at once, and `false` if it does so when the contract is settled.
    pub learns_at_once: bool,
    /// `true` if it takes signed batches from relayers, which authors pay for from prepaid balances.
    pub takes_signed_batches: bool,
}

impl Mechanism {
    /// All mechanisms.
    pub const ALL: [Self; 3] = [
        Self::DepositRefundTake,
        Self::Points,
        Self::PredictionMarket,
    ];

    /// Returns the mechanism's description.
    #[must_use]
    pub const fn description(self) -> &'static Description {
        match self {
            Self::DepositRefundTake => &deposit_refund_take::DESCRIPTION,
            Self::Points => &points::DESCRIPTION,
            Self::PredictionMarket => &prediction_market::DESCRIPTION,
        }
    }

    /// Returns the name in scenarios, results, options and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.description().name
    }
}

impl fmt::Display for Mechanism {
    /// Writes the name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A name that no mechanism has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no mechanism `{name}`; expected one of {}", known_names())]
pub struct UnknownMechanism {
    name: String,
}

/// Returns the names of all mechanisms, with commas between them.
fn known_names() -> String {
    Mechanism::ALL.map(Mechanism::name).join(", ")
}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
            .ok_or_else(|| UnknownMechanism {
                name: name.to_owned(),
            })
    }
}
