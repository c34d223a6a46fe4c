//! What is stored and served, row by row. Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::record::Contribution;

/// How far a contribution is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Nobody has claimed anything.
    Open,
    /// Reporters have taken some of the deposit, and some is left.
    Reported,
    /// The author has got back what was left.
    Refunded,
    /// Reporters have taken all.
    TakenByReports,
    /// Somebody has taken what was left, late.
    ClaimedLate,
}

impl Settled {
    /// Whether something can still be claimed.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Reported)
    }
}

/// A contribution, where it is on the chain, and what became of its deposit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContributionRow {
    /// As it was made.
    pub contribution: Contribution,
    /// The position of the first contribution of its transaction, which names their root.
    pub batch: u64,
    /// Its block's number.
    pub block: u64,
    /// Its transaction's hash.
    pub transaction: B256,
    /// The id of the signed batch that it came in, where it was relayed.
    pub submission: Option<B256>,
    /// How far it is settled.
    pub settled: Settled,
    /// What is gone from the deposit.
    pub taken: u128,
    /// When it was last announced, as far as the model's newest state says; `None` if never.
    pub announced: Option<u64>,
}

/// Which claim was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    /// By the author, or for the author.
    Refund,
    /// Of a share, by somebody else.
    Report,
    /// Of all that was left, by the owner or anyone.
    LateClaim,
}

/// A claim that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Of the contribution.
    pub position: u64,
    /// Which.
    pub kind: ClaimKind,
    /// Who got the money.
    pub account: Address,
    /// How much.
    pub amount: u128,
    /// Its block's number.
    pub block: u64,
    /// Its transaction's hash.
    pub transaction: B256,
}

/// How good a model was after so many contributions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccuracyRow {
    /// The block of the last of these contributions.
    pub block: u64,
    /// The time of the last of these contributions, or of the beginning.
    pub time: u64,
    /// How many contributions it had learned from.
    pub contributions: u64,
    /// Samples of the test data that it predicted right.
    pub correct: u64,
    /// Samples of the test data.
    pub samples: u64,
}

/// One change; ids only rise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// In the order in which the changes became known.
    pub id: i64,
    /// Of which model.
    pub trainer: Address,
    /// One of `contributed`, `relayed`, `skipped`, `refunded`, `announced`, `reported`, `claimed-late`, `claim-skipped`,
    /// `deposited`, `withdrawn`, `nonces-cancelled`, `rolled-back`, `accuracy`, `refused`.
    pub kind: String,
    /// The block that it is of.
    pub block: u64,
    /// Its transaction's hash, where it is the chain's.
    pub transaction: Option<B256>,
    /// Whose it is, where it is one account's.
    pub account: Option<Address>,
    /// Of which contribution, or of the first one.
    pub position: Option<u64>,
    /// The rest, by the kind.
    pub detail: serde_json::Value,
}

/// Some rows of many, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Those after this position or id; none: from the first one on.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Page {
    /// All that there is from the first row on, up to `limit`.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { after: None, limit }
    }
}

/// Which contributions are wanted; all where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContributionFilter {
    /// Of this author.
    pub author: Option<Address>,
    /// With this label.
    pub label: Option<u16>,
    /// Of which something can still be claimed, or nothing.
    pub open: Option<bool>,
}
