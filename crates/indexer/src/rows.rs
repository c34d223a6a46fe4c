//! Rows of the index. Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::record::Contribution;

pub use cotrain_protocol::mechanism::ClaimKind;

/// Settlement of a contribution.
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
    /// Returns `true` if something can still be claimed.
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
    /// Its settlement.
    pub settled: Settled,
    /// Sum gone from the deposit, in wei.
    pub taken: u128,
    /// Time of its last announcement, as far as the model's newest state says; `None` if never.
    pub announced: Option<u64>,
}

/// A claim that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Position of the contribution.
    pub position: u64,
    /// Kind of the claim.
    pub kind: ClaimKind,
    /// Account that got the money.
    pub account: Address,
    /// Sum, in wei.
    pub amount: u128,
    /// Its block's number.
    pub block: u64,
    /// Its transaction's hash.
    pub transaction: B256,
}

/// Accuracy of a model after a number of contributions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccuracyRow {
    /// The block of the last of these contributions.
    pub block: u64,
    /// The time of the last of these contributions, or of the beginning.
    pub time: u64,
    /// Number of contributions that it had learned from.
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
    /// Trainer of the model.
    pub trainer: Address,
    /// One of `contributed`, `relayed`, `skipped`, `refunded`, `announced`, `reported`, `claimed-late`, `claim-skipped`,
    /// `deposited`, `withdrawn`, `nonces-cancelled`, `rolled-back`, `accuracy`, `refused`; or, of a market,
    /// [`Fact::kind`](cotrain_protocol::market::Fact::kind).
    pub kind: String,
    /// The block that it is of.
    pub block: u64,
    /// Its transaction's hash, where it is the chain's.
    pub transaction: Option<B256>,
    /// Account that it concerns, if it is one.
    pub account: Option<Address>,
    /// Position of the contribution that it concerns, or of the first one.
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

/// Selection of contributions; all by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ContributionFilter {
    /// Only this author's.
    pub author: Option<Address>,
    /// With this label.
    pub label: Option<u16>,
    /// Only those of which something (true) or nothing (false) can still be claimed.
    pub open: Option<bool>,
}
