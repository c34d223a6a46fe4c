//! Rows of the relayer: signed batches, transactions and delegations.
//!
//! Money is in wei, time in Unix seconds.

use alloy_primitives::{Address, B256};
use cotrain_protocol::trainer::SignedBatch;

/// Progress of a signed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Stored, and to be sent.
    Waiting,
    /// Part of a transaction that the chain has not included yet.
    Sent {
        /// Hash of the transaction's last attempt.
        transaction: Option<B256>,
    },
    /// Part of the chain. After a reorganization it may wait again.
    Included {
        /// Hash of the transaction.
        transaction: B256,
        /// Number of the block.
        block: u64,
        /// Position of its first contribution; the others follow it.
        position: u64,
    },
    /// Refused by this relayer; only another relayer could still include it.
    Refused {
        /// Reason, as text.
        reason: String,
    },
}

/// Novelty of a submitted signed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Novelty {
    /// The batch is stored now, or waits again.
    New,
    /// The batch was stored before, and nothing changed.
    Known,
}

/// A submitted signed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Hash that its author signed.
    pub id: B256,
    /// Trainer of its model.
    pub trainer: Address,
    /// Batch as its author signed it.
    pub batch: SignedBatch,
    /// Number of its contributions.
    pub contributions: u32,
    /// Time at which it was submitted, in Unix seconds.
    pub received: u64,
    /// Progress of the batch.
    pub progress: Progress,
}

/// A transaction of the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRow {
    /// Id of the transaction, in order of creation.
    pub id: i64,
    /// Purpose: `relay`, `refund`, `announce`, `report` or `score`.
    pub purpose: String,
    /// Trainer of its model.
    pub trainer: Address,
    /// Account that sends it.
    pub from: Address,
    /// Nonce of the sender.
    pub nonce: u64,
    /// Hashes of all attempts, in order of rising fees.
    pub hashes: Vec<B256>,
    /// State: `sent`, `included`, `final` or `replaced`.
    pub state: &'static str,
    /// Number of its block; `None` if it is not included.
    pub block: Option<u64>,
    /// Gas that it used; `None` if it is not included.
    pub gas_used: Option<u64>,
    /// Time of its creation, in Unix seconds.
    pub created: u64,
}

/// An account that lets the keeper claim for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DelegationRow {
    /// Address of the account.
    pub account: Address,
    /// Last second of the delegation, in Unix seconds.
    pub until: u64,
    /// Time of submission, in Unix seconds.
    pub received: u64,
}
