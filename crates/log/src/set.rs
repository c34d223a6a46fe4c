//! The set of items that a peer holds.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::{Bound, RangeBounds},
};

use alloy_primitives::{Address, B256};

use crate::item::{Item, Turn};

/// Outcome of an item that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It takes a turn that was free.
    New,
    /// It takes the turn of an item with a higher id, which this is.
    Replaced(B256),
    /// The set has it.
    Known,
    /// An item with a lower id has its turn, and it stays out.
    Superseded,
}

/// The items of a log, at most one for each author and nonce: the one with the lowest id.
///
/// So an author who signs many items with one nonce fills no memory. The set of all items ever added
/// decides the result, whatever their order: [`merge`](Self::merge) is commutative, associative and
/// idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    items: BTreeMap<Turn, Item>,
    turns: BTreeMap<B256, Turn>,
    /// Lowest nonce of each author that is free.
    free: BTreeMap<Address, u64>,
    bytes: usize,
}

impl Set {
    /// Adds an item.
    pub fn add(&mut self, item: Item) -> Added {
        let (turn, id, length) = (item.turn(), item.id(), item.bytes().len());
        let added = match self.items.entry(turn) {
            Entry::Vacant(entry) => {
                entry.insert(item);
                Added::New
            }
            Entry::Occupied(mut entry) => {
                let other = entry.get().id();
                if other == id {
                    return Added::Known;
                }
                if other < id {
                    return Added::Superseded;
                }
                let old = entry.insert(item);
                self.turns.remove(&other);
                self.bytes = self.bytes.saturating_sub(old.bytes().len());
                Added::Replaced(other)
            }
        };
        self.turns.insert(id, turn);
        self.bytes = self.bytes.saturating_add(length);
        if added == Added::New {
            let free = self.free.entry(turn.author).or_default();
            let at = |nonce| Turn { nonce, ..turn };
            while self.items.contains_key(&at(*free)) {
                *free += 1;
            }
        }
        added
    }

    /// Adds all items of another set.
    pub fn merge(&mut self, other: &Self) {
        for item in other.items.values() {
            self.add(item.clone());
        }
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns `true` if there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the size of all items, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the item with this id.
    #[must_use]
    pub fn get(&self, id: &B256) -> Option<&Item> {
        self.items.get(self.turns.get(id)?)
    }

    /// Returns `true` if an item has this id.
    #[must_use]
    pub fn contains(&self, id: &B256) -> bool {
        self.turns.contains_key(id)
    }

    /// Returns the item of a turn.
    #[must_use]
    pub fn at(&self, turn: Turn) -> Option<&Item> {
        self.items.get(&turn)
    }

    /// Returns the lowest nonce of an author that no item has.
    #[must_use]
    pub fn free_nonce(&self, author: Address) -> u64 {
        self.free.get(&author).copied().unwrap_or_default()
    }

    /// Returns all items in the order of the fold.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// Returns the items after a turn in the order of the fold; all items for `None`.
    pub fn after(&self, turn: Option<Turn>) -> impl Iterator<Item = &Item> {
        let start = turn.map_or(Bound::Unbounded, Bound::Excluded);
        self.items
            .range((start, Bound::Unbounded))
            .map(|(_, item)| item)
    }

    /// Returns the ids within a range, in ascending order.
    pub fn ids(&self, range: impl RangeBounds<B256>) -> impl Iterator<Item = &B256> {
        self.turns.range(range).map(|(id, _)| id)
    }
}
