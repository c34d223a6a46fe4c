//! What the store keeps, as everybody reads it. Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::{record::Contribution, trainer::SignedBatch};

/// What has become of a contribution's deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Nobody has claimed anything of it.
    Open,
    /// It was refunded to its author.
    Refunded,
    /// Reporters took a part of it; the rest is still open.
    Reported,
    /// Reporters took all of it.
    TakenByReports,
    /// It was claimed late.
    ClaimedLate,
}

/// One contribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContributionRow {
    /// As it was made.
    pub contribution: Contribution,
    /// The position of its batch's first contribution.
    pub batch: u64,
    /// The block that has it.
    pub block: u64,
    /// The transaction that made it.
    pub transaction: B256,
    /// The signed batch that it came in, where it was relayed.
    pub submission: Option<B256>,
    /// What has become of its deposit.
    pub settled: Settled,
    /// What is gone from the deposit, in wei.
    pub taken: u128,
}

/// One claim that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// Of which contribution.
    pub position: u64,
    /// Which claim.
    pub kind: ClaimKind,
    /// Who got something.
    pub account: Address,
    /// How much, in wei.
    pub amount: u128,
    /// The block that has it.
    pub block: u64,
    /// The transaction that made it.
    pub transaction: B256,
}

/// Which claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    /// The author's, of what the model agrees with.
    Refund,
    /// Another one's, of what the model disagrees with.
    Report,
    /// The owner's or anybody's, of what nobody claimed.
    LateClaim,
}

/// Where a signed batch is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Stored; it will be sent.
    Waiting,
    /// In a transaction that is not part of the chain yet.
    Sent {
        /// The transaction.
        transaction: B256,
    },
    /// Part of the chain. A reorganisation may take it back: then it is waiting again.
    Included {
        /// The transaction.
        transaction: B256,
        /// The block that has it.
        block: u64,
        /// The position of its first contribution.
        position: u64,
    },
    /// It will never be part of the chain.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A signed batch that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The EIP-712 hash that its author signed.
    pub id: B256,
    /// The trainer that it is for.
    pub trainer: Address,
    /// As its author signed it.
    pub batch: SignedBatch,
    /// How many it has.
    pub contributions: u32,
    /// When it was taken, in Unix seconds.
    pub received: u64,
    /// Where it is on its way.
    pub progress: Progress,
}

/// How good a model was.
#[derive(Debug, Clone, PartialEq)]
pub struct AccuracyRow {
    /// At the end of which block.
    pub block: u64,
    /// That block's time, in Unix seconds.
    pub time: u64,
    /// How many contributions it had learned from.
    pub contributions: u64,
    /// How many samples it was right about.
    pub correct: u64,
    /// How many samples there were.
    pub samples: u64,
}

/// One change, in the order in which it became known; ids only rise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Above that of every event before.
    pub id: i64,
    /// Of which model.
    pub trainer: Address,
    /// A stable word: `contributed`, `relayed`, `skipped`, `refunded`, `reported`, `claimed-late`, `claim-skipped`,
    /// `deposited`, `withdrawn`, `nonces-cancelled`, `rolled-back`, `accuracy`, `submitted`, `refused`.
    pub kind: String,
    /// The block that it is of.
    pub block: u64,
    /// The transaction that made it, where one did.
    pub transaction: Option<B256>,
    /// Whom it is about.
    pub account: Option<Address>,
    /// Which contribution it is about.
    pub position: Option<u64>,
    /// What else there is to say.
    pub detail: serde_json::Value,
}

/// A transaction that the coordinator sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRow {
    /// Above that of every transaction before.
    pub id: i64,
    /// `relay`, `refund` or `report`.
    pub purpose: String,
    /// Of which model.
    pub trainer: Address,
    /// Who signed it.
    pub from: Address,
    /// The sender's nonce.
    pub nonce: u64,
    /// Its hashes, one each time that it was sent with another fee; the newest is the last.
    pub hashes: Vec<B256>,
    /// `sent`, `included`, `final` or `replaced`.
    pub state: String,
    /// The block that has it.
    pub block: Option<u64>,
    /// The gas that it used.
    pub gas_used: Option<u64>,
    /// When it was first sent, in Unix seconds.
    pub created: u64,
}

/// What an account lets the keeper do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DelegationRow {
    /// For whom reports are made.
    pub account: Address,
    /// The last second of it, in Unix seconds.
    pub until: u64,
    /// When it was taken, in Unix seconds.
    pub received: u64,
}

/// Which rows are wanted: the first ones after a position or id, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The position or id of the last row before them.
    pub after: Option<i64>,
    /// The most rows.
    pub limit: u32,
}
