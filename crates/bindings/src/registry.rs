//! Calls of the registry of models, and decoders of its answers.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;

use crate::contracts::ModelRegistry::{
    Entry as Packed, countCall, entriesCall, entryCall, registerCall,
};

/// Registered model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Trainer of the model.
    pub trainer: Address,
    /// Number of the block with the event of the model's latest card, a
    /// [`Registered`](crate::events::Registered).
    pub card_block: u64,
}

/// Returns the calldata of `register`, which registers a model of the sender or replaces its card.
#[must_use]
pub fn register(trainer: Address, card: &[u8]) -> Vec<u8> {
    registerCall {
        trainer,
        card: Bytes::copy_from_slice(card),
    }
    .abi_encode()
}

/// Returns the calldata of `count`, which reads the number of models.
///
/// [`read_number`](crate::read_number) decodes the answer.
#[must_use]
pub fn registry_count() -> Vec<u8> {
    countCall {}.abi_encode()
}

/// Returns the calldata of `entries`, which reads at most `count` models from index `offset` on.
///
/// They are in the order of registration. The answer is shorter if there are fewer.
#[must_use]
pub fn registry_entries(offset: u64, count: u64) -> Vec<u8> {
    entriesCall {
        offset: U256::from(offset),
        max: U256::from(count),
    }
    .abi_encode()
}

/// Decodes the answer to [`registry_entries`].
#[must_use]
pub fn read_registry_entries(output: &[u8]) -> Option<Vec<Entry>> {
    let entries = entriesCall::abi_decode_returns(output).ok()?;
    Some(entries.iter().map(entry).collect())
}

/// Returns the calldata of `entry`, which reads the entry of one model.
#[must_use]
pub fn registry_entry(trainer: Address) -> Vec<u8> {
    entryCall { trainer }.abi_encode()
}

/// Decodes the answer to [`registry_entry`]. The inner entry is `None` if the model is not
/// registered.
#[must_use]
pub fn read_registry_entry(output: &[u8]) -> Option<Option<Entry>> {
    let one = entry(&entryCall::abi_decode_returns(output).ok()?);
    Some((!one.trainer.is_zero()).then_some(one))
}

fn entry(packed: &Packed) -> Entry {
    Entry {
        trainer: packed.trainer,
        card_block: packed.cardBlock,
    }
}
