//! Memory of items that are not wanted, so that nobody is asked for them again.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::B256;
use cotrain_log::{Set, Turn};

/// Ids of items that were refused, the latest ones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Refused {
    /// Turn of each item that came too early; `None` if it will never be taken.
    ids: BTreeMap<B256, Option<Turn>>,
    order: VecDeque<B256>,
}

impl Refused {
    /// Remembers an id, and forgets the oldest beyond a maximum.
    pub(crate) fn remember(&mut self, id: B256, early: Option<Turn>, most: usize) {
        if self.ids.insert(id, early).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > most {
            if let Some(oldest) = self.order.pop_front() {
                self.ids.remove(&oldest);
            }
        }
    }

    /// Returns `true` if an item would be refused again.
    pub(crate) fn has(&self, id: &B256, set: &Set, pending: u64) -> bool {
        match self.ids.get(id) {
            Some(Some(turn)) => is_early(*turn, set, pending),
            Some(None) => true,
            None => false,
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.ids.len().max(self.order.len())
    }
}

/// Returns `true` if an item must wait for items of its author with lower nonces.
///
/// The free nonce never falls, so an item that may be taken stays so. Peers that meet again therefore
/// agree in the end, whatever came first.
pub(crate) fn is_early(turn: Turn, set: &Set, pending: u64) -> bool {
    turn.nonce >= set.free_nonce(turn.author).saturating_add(pending)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    #[test]
    fn refused_is_bounded_and_forgets_the_oldest() {
        let (mut refused, set) = (Refused::default(), Set::default());
        for number in 0..10 {
            for _ in 0..2 {
                refused.remember(B256::with_last_byte(number), None, 4);
            }
        }
        assert_eq!(refused.len(), 4);
        assert!(!refused.has(&B256::with_last_byte(5), &set, 256));
        assert!(refused.has(&B256::with_last_byte(6), &set, 256));
    }

    #[test]
    fn refused_early_items_are_wanted_once_their_turn_is_near() {
        let (mut refused, set) = (Refused::default(), Set::default());
        let turn = Turn {
            author: Address::ZERO,
            nonce: 256,
        };
        refused.remember(B256::ZERO, Some(turn), 4);
        assert!(refused.has(&B256::ZERO, &set, 256));
        assert!(!refused.has(&B256::ZERO, &set, 257));
    }
}
