//! State of the link to another peer.

use std::collections::VecDeque;

use alloy_primitives::{B256, keccak256};

use crate::{
    limits::{Bucket, Limits},
    range::Key,
};

/// Number of an open link, which the caller chooses. A link that was closed may use it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// An id that the other peer offers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) id: B256,
    /// `true` if others are told of the item once it is here.
    pub(crate) fresh: bool,
}

/// Link to another peer.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// Number that this peer has drawn for the link.
    pub(crate) ours: B256,
    /// Number of the other peer; `None` before its `Hello`.
    pub(crate) theirs: Option<B256>,
    /// Time of the last `Hello` that was sent.
    pub(crate) greeted: u64,
    pub(crate) bucket: Bucket,
    /// Offers that were not asked for yet.
    pub(crate) offers: VecDeque<Offer>,
    /// Number of items that the other peer is asked for.
    pub(crate) asked: usize,
    /// Number of items that it was asked for in vain.
    pub(crate) withheld: u64,
    /// `true` if so many ids were offered that a reconciliation has to follow.
    pub(crate) again: bool,
}

impl Link {
    pub(crate) fn new(ours: B256, limits: &Limits, now: u64) -> Self {
        Self {
            ours,
            theirs: None,
            greeted: now,
            bucket: Bucket::full(limits, now),
            offers: VecDeque::new(),
            asked: 0,
            withheld: 0,
            again: false,
        }
    }

    /// Returns the key of fingerprints; `None` before the other peer's `Hello`.
    ///
    /// It is the first half of the hash of both numbers, the lower one first.
    pub(crate) fn key(&self) -> Option<Key> {
        let theirs = self.theirs?;
        let (low, high) = (self.ours.min(theirs), self.ours.max(theirs));
        let hash = keccak256([low.0, high.0].as_flattened());
        let (key, _) = hash.split_first_chunk()?;
        Some(Key(*key))
    }

    /// Returns `true` if this peer opens the first reconciliation.
    pub(crate) fn leads(&self) -> bool {
        self.theirs.is_some_and(|theirs| self.ours < theirs)
    }
}
