//! The registry of models: its calls, and the answers read back.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;

use crate::contracts::ModelRegistry::{
    Entry as Packed, countCall, entriesCall, entryCall, registerCall,
};

/// A model that its owner made known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its trainer.
    pub trainer: Address,
    /// The number of the block that has the event of its latest card: a
    /// [`Registered`](crate::events::Registered).
    pub card_block: u64,
}

/// `register` of a registry: makes a model of the sender's known, or replaces its card.
#[must_use]
pub fn register(trainer: Address, card: &[u8]) -> Vec<u8> {
    registerCall {
        trainer,
        card: Bytes::copy_from_slice(card),
    }
    .abi_encode()
}

/// `count` of a registry: how many models are known, read by [`read_number`](crate::read_number).
#[must_use]
pub fn registry_count() -> Vec<u8> {
    countCall {}.abi_encode()
}

/// `entries` of a registry: at most `count` models from place `offset` on, in the order in which they became
/// known. The answer has what there is of them.
#[must_use]
pub fn registry_entries(offset: u64, count: u64) -> Vec<u8> {
    entriesCall {
        offset: U256::from(offset),
        most: U256::from(count),
    }
    .abi_encode()
}

/// The answer to [`registry_entries`].
#[must_use]
pub fn read_registry_entries(output: &[u8]) -> Option<Vec<Entry>> {
    let entries = entriesCall::abi_decode_returns(output).ok()?;
    Some(entries.iter().map(entry).collect())
}

/// `entry` of a registry: that of one model.
#[must_use]
pub fn registry_entry(trainer: Address) -> Vec<u8> {
    entryCall { trainer }.abi_encode()
}

/// The answer to [`registry_entry`]: none within it where the model is not known.
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
