//! Rows of what is relayed: signed batches, transactions and delegations. Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::trainer::SignedBatch;

/// Progress of a signed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Stored; it will be sent.
    Waiting,
    /// In a transaction that is not part of the chain yet.
    Sent {
        /// The last one, by its hash.
        transaction: Option<B256>,
    },
    /// Part of the chain. A reorganization may take it back: then it waits again.
    Included {
        /// By its hash.
        transaction: B256,
        /// By its number.
        block: u64,
        /// Position of its first contribution; the others follow it.
        position: u64,
    },
    /// It will not be part of the chain, unless somebody else relays it.
    Refused {
        /// In words.
        reason: String,
    },
}

/// Novelty of a signed batch that was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It is stored now, or waits again.
    New,
    /// The same one was stored before: nothing is added.
    Known,
}

/// A signed batch that was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The hash that its author signed.
    pub id: B256,
    /// For which model.
    pub trainer: Address,
    /// The batch as it was signed.
    pub batch: SignedBatch,
    /// Number of its contributions.
    pub contributions: u32,
    /// Time at which it was submitted, in Unix seconds.
    pub received: u64,
    /// Its progress.
    pub progress: Progress,
}

/// A transaction of the coordinator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRow {
    /// In the order in which they were made.
    pub id: i64,
    /// `relay`, `refund`, `announce`, `report` or `score`.
    pub purpose: String,
    /// For which model.
    pub trainer: Address,
    /// Account that sends it.
    pub from: Address,
    /// Nonce of the sender.
    pub nonce: u64,
    /// Hashes of all attempts, at rising fees.
    pub hashes: Vec<B256>,
    /// `sent`, `included`, `final` or `replaced`.
    pub state: &'static str,
    /// The number of its block.
    pub block: Option<u64>,
    /// Gas that it used.
    pub gas_used: Option<u64>,
    /// Time at which it was made, in Unix seconds.
    pub created: u64,
}

/// An account that asks the keeper to report for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegationRow {
    /// The account.
    pub account: Address,
    /// The last second in which the keeper may.
    pub until: u64,
    /// Time at which it was submitted, in Unix seconds.
    pub received: u64,
}
