//! Tasks that a peer gives to the program around it, and its errors.

use alloy_primitives::Address;
use cotrain_log::{Item, Refusal};
use thiserror::Error;

use crate::{frame::FrameError, link::LinkId};

/// Task for the program around a peer. Tasks are done in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write an item to disk, in place of any other of its turn, before further tasks.
    Store(Item),
    /// Send a frame.
    Send {
        /// Link to send it on.
        to: LinkId,
        /// Bytes of the frame.
        frame: Vec<u8>,
    },
    /// Close a link. The peer has forgotten it.
    Close {
        /// Link to close.
        link: LinkId,
        /// Fault of the other peer.
        fault: Fault,
    },
}

/// Fault for which a link is closed. An honest peer of the same log has none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// A frame is malformed.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The other peer has another log.
    #[error(
        "cannot replicate the log {theirs} here: expected {ours}; connect to a peer of the same log"
    )]
    OtherLog {
        /// Name that the other peer says.
        theirs: Address,
        /// Name of this peer's log.
        ours: Address,
    },
    /// An item is none.
    #[error(transparent)]
    Item(#[from] Refusal),
    /// Too many links are open.
    #[error("cannot open another link: {0} are open; connect to another peer")]
    TooManyLinks(usize),
}

/// Reason for which a peer does not take an item of its own user.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddError {
    /// The bytes are no item of the log.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another item with this nonce has a lower id.
    #[error("cannot add the item: the nonce {nonce} is used; sign it anew with the nonce {free}")]
    NonceUsed {
        /// Nonce of the item.
        nonce: u64,
        /// Lowest nonce that is free.
        free: u64,
    },
    /// Too many lower nonces are free.
    #[error(
        "cannot add the item: its nonce is {nonce}, expected one from {free} to {last}; sign it anew with {free}"
    )]
    Early {
        /// Nonce of the item.
        nonce: u64,
        /// Lowest nonce that is free.
        free: u64,
        /// Highest nonce that is taken now.
        last: u64,
    },
    /// The peer holds as much as it may.
    #[error("cannot add the item: the peer holds {items} items, its maximum; raise the limit")]
    Full {
        /// Number of items.
        items: usize,
    },
}
