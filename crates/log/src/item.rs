//! Items of a log: signed batches that its terms admit.

use std::sync::Arc;

use alloy_primitives::{Address, B256, keccak256};
use cotrain_protocol::{ContractError, trainer::SignedBatch};
use thiserror::Error;

/// Number of bytes before the items of a signed batch.
const HEAD: usize = 60;
/// Number of bytes after them: the signature and its length.
const TAIL: usize = 67;

/// Author and nonce of an item. Items are folded in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Account that signed the item.
    pub author: Address,
    /// The author's number of the item.
    pub nonce: u64,
}

/// A signed batch that the terms of a log admit. [`Terms::item`](crate::Terms::item) makes it.
///
/// A copy shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    turn: Turn,
    id: B256,
    bytes: Arc<[u8]>,
}

impl Item {
    /// Creates an item from bytes that encode this batch, with a signature of 65 bytes.
    pub(crate) fn new(batch: &SignedBatch, bytes: &[u8]) -> Self {
        Self {
            turn: Turn {
                author: batch.author,
                nonce: batch.nonce,
            },
            id: Self::id_of(bytes),
            bytes: bytes.into(),
        }
    }

    /// Returns the id of an item with these bytes: their Keccak-256.
    #[must_use]
    pub fn id_of(bytes: &[u8]) -> B256 {
        keccak256(bytes)
    }

    /// Returns the item's author and nonce.
    #[must_use]
    pub fn turn(&self) -> Turn {
        self.turn
    }

    /// Returns the item's id.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.id
    }

    /// Returns the item as peers send and store it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the encoded samples with their labels.
    #[must_use]
    pub fn batch(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(TAIL);
        self.bytes.get(HEAD..end).unwrap_or_default()
    }
}

/// Reason for which a log does not admit bytes as an item. It depends on bytes and terms alone.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There are too many bytes.
    #[error(
        "cannot take an item of {length} bytes: expected at most {max}; sign fewer samples at once"
    )]
    TooLarge {
        /// Number of bytes.
        length: usize,
        /// Maximum number of bytes.
        max: usize,
    },
    /// The bytes are not one signed batch.
    #[error(
        "cannot read an item of {length} bytes: expected exactly one signed batch; encode it as the specification says"
    )]
    Malformed {
        /// Number of bytes.
        length: usize,
    },
    /// Only one account may send the batch, and nobody sends the items of a log.
    #[error("cannot take a batch that is bound to a relayer; sign it for anyone")]
    Bound,
    /// The model's authors are listed, and this account is not one of them.
    #[error(
        "cannot take an item of {author}: the log lists its authors; ask them to found a log that lists you"
    )]
    Stranger {
        /// Author that the batch names.
        author: Address,
    },
    /// The hash that the author signed has too few zero bits at its end.
    #[error(
        "cannot take an item with a stamp of {found} bits: expected at least {bits}; draft it anew"
    )]
    Stamp {
        /// Number of zero bits.
        found: u32,
        /// Minimum number of zero bits.
        bits: u32,
    },
    /// A trainer would skip the batch, or the signature is not of the one form that a log takes.
    #[error("cannot take the item: {0}; sign a batch that fits the log's model")]
    Rule(#[from] ContractError),
}
