//! Facts of new blocks, on their way from the chain to memory and database.

use alloy_primitives::{Address, B256, LogData, U256};
use cotrain_chain::node::NodeLog;
use cotrain_protocol::trainer::FactError;

use crate::rows::{AccuracyRow, ClaimKind, ContributionRow, Settled};

/// Number of a followed model in its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(pub i64);

/// Last block that was taken of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Number of the block.
    pub block: u64,
    /// Hash of the block.
    pub hash: B256,
}

/// Beginning of a model, before its first event.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// Block after which the weights are those in `words`.
    /// `None` if it is the block of the closing.
    pub base: Option<Cursor>,
    /// Weights, as the contract stores them; empty if the events do not determine the weights.
    pub words: Vec<U256>,
    /// Time from which prices count before the first contribution, in Unix seconds.
    pub time: u64,
}

/// Log of a trainer, with its index in its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Number of the block.
    pub block: u64,
    /// Index in the block.
    pub index: u64,
    /// Hash of the transaction.
    pub transaction: B256,
    /// Topics and data.
    pub data: LogData,
}

impl From<NodeLog> for Log {
    fn from(log: NodeLog) -> Self {
        Self {
            block: log.block,
            index: log.index,
            transaction: log.transaction,
            data: log.log.data,
        }
    }
}

/// Signed batch that the chain has included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inclusion {
    /// Hash that its author signed.
    pub id: B256,
    /// Account that signed it.
    pub author: Address,
    /// Nonce that it used.
    pub nonce: u64,
    /// Hash of its transaction.
    pub transaction: B256,
    /// Number of its block.
    pub block: u64,
    /// Position of its first contribution.
    pub position: u64,
}

/// Claim that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Number of the block.
    pub block: u64,
    /// Index of its log in the block.
    pub index: u64,
    /// Hash of the transaction.
    pub transaction: B256,
    /// Position of the contribution.
    pub position: u64,
    /// Kind of the claim.
    pub kind: ClaimKind,
    /// Account that was paid.
    pub account: Address,
    /// Sum that was paid, in wei.
    pub amount: u128,
    /// Settlement of the contribution after the claim.
    pub settled: Settled,
    /// Sum paid out of the deposit after the claim, in wei.
    pub taken: u128,
}

/// Signed batch that a relay transaction skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// Account that signed it.
    pub author: Address,
    /// Nonce of the signed batch.
    pub nonce: u64,
    /// Hash of the transaction.
    pub transaction: B256,
    /// Reason as text.
    pub reason: String,
    /// `true` if the skip may be temporary, so that sending the batch again may help.
    pub passes: bool,
}

/// All facts of some blocks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// Numbers and hashes of the blocks, ascending; the last one is the new cursor.
    pub blocks: Vec<(u64, B256)>,
    /// Logs of the contract, in order.
    pub logs: Vec<Log>,
    /// Contributions that were added.
    pub contributions: Vec<ContributionRow>,
    /// Claims that succeeded.
    pub claims: Vec<Claim>,
    /// Signed batches that were included.
    pub inclusions: Vec<Inclusion>,
    /// Signed batches that were skipped.
    pub skips: Vec<Skip>,
    /// Accuracies that were measured.
    pub accuracy: Vec<AccuracyRow>,
}

/// Error of a log that contradicts the known state of its model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log {index} of block {block} does not follow from what is known of {trainer}")]
pub struct TakeError {
    /// Trainer of the model.
    pub trainer: Address,
    /// Number of the block.
    pub block: u64,
    /// Index of the log in the block.
    pub index: u64,
    /// Contradiction between the log and the state before it.
    pub source: FactError,
}
