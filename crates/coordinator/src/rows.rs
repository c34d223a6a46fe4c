//! What is stored and served, row by row. Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::{record::Contribution, trainer::SignedBatch};

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

/// Where a signed batch is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Stored; it will be sent.
    Waiting,
    /// In a transaction that is not part of the chain yet.
    Sent {
        /// The last one, by its hash.
        transaction: Option<B256>,
    },
    /// Part of the chain. A reorganisation may take it back: then it waits again.
    Included {
        /// By its hash.
        transaction: B256,
        /// By its number.
        block: u64,
        /// Of its first contribution; the others follow it.
        position: u64,
    },
    /// It will not be part of the chain, unless somebody else relays it.
    Refused {
        /// In words.
        reason: String,
    },
}

/// Whether a signed batch was taken just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// It is new.
    Now,
    /// The same one was taken before: nothing is added.
    Before,
}

/// A signed batch that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The hash that its author signed.
    pub id: B256,
    /// For which model.
    pub trainer: Address,
    /// What was handed in.
    pub batch: SignedBatch,
    /// How many contributions it has.
    pub contributions: u32,
    /// When it was handed in.
    pub received: u64,
    /// Where it is.
    pub progress: Progress,
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

/// A transaction of the coordinator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRow {
    /// In the order in which they were made.
    pub id: i64,
    /// `relay`, `refund`, `announce` or `report`.
    pub purpose: String,
    /// For which model.
    pub trainer: Address,
    /// Who sends it.
    pub from: Address,
    /// Of the sender.
    pub nonce: u64,
    /// Of every attempt, at rising fees.
    pub hashes: Vec<B256>,
    /// `sent`, `included`, `final` or `replaced`.
    pub state: &'static str,
    /// The number of its block.
    pub block: Option<u64>,
    /// What it used.
    pub gas_used: Option<u64>,
    /// When it was made.
    pub created: u64,
}

/// An account that asks the keeper to report for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegationRow {
    /// Whose.
    pub account: Address,
    /// The last second in which the keeper may.
    pub until: u64,
    /// When it was handed in.
    pub received: u64,
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
