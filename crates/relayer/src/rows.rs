//! Rows of what is relayed: signed batches, transactions and delegations. Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::trainer::SignedBatch;

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

/// Novelty of a signed batch that was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// It is stored now, or waits again.
    New,
    /// The same one was stored before: nothing is added.
    Known,
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
