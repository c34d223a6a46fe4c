//! Transfers that a facilitator works on, and those that it remembers.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};

use crate::payments::chain::Transfer;

/// Maximum number of transfers whose outcome is unknown.
const MAX_PENDING: usize = 1_000;

/// Time after which a transfer whose outcome is unknown makes room for others.
const PENDING: Duration = Duration::from_hours(1);

/// Maximum number of transfers that were verified and not settled.
const MAX_VERIFIED: usize = 10_000;

/// Payer, token and nonce of a signed transfer.
pub(super) type TransferKey = (Address, Address, B256);

/// Transfers that this process works on.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// Those that a request settles now.
    busy: BTreeSet<TransferKey>,
    /// Those that were sent, and about which nobody got a final answer.
    pub(super) pending: BTreeMap<TransferKey, Pending>,
    /// Those that were good when they were verified, with the second in which they are forgotten.
    /// Anyone who knows a transfer may send it before it is settled here; it counts then, once.
    pub(super) verified: BTreeMap<TransferKey, u64>,
}

/// Transfer that was sent.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) transactions: Vec<B256>,
    since: Instant,
}

impl Transfers {
    /// Remembers a verified transfer until `end`. If there are too many, the first to end goes.
    pub(super) fn note_verified(&mut self, key: TransferKey, end: u64) {
        if self.verified.len() >= MAX_VERIFIED
            && let Some((first, _)) = self.verified.iter().min_by_key(|(_, end)| **end)
        {
            let first = *first;
            self.verified.remove(&first);
        }
        self.verified.insert(key, end);
    }

    /// Remembers a transfer that is about to be sent. Returns `false` if there are too many.
    pub(super) fn note_pending(
        &mut self,
        key: TransferKey,
        transaction: B256,
        now: Instant,
    ) -> bool {
        if self.pending.len() >= MAX_PENDING {
            self.pending.retain(|_, it| now - it.since < PENDING);
        }
        if self.pending.len() >= MAX_PENDING {
            return false;
        }
        let transactions = vec![transaction];
        let since = now;
        self.pending.insert(
            key,
            Pending {
                transactions,
                since,
            },
        );
        true
    }

    /// Forgets a transfer about which a final answer goes out.
    pub(super) fn forget(&mut self, key: &TransferKey) {
        self.pending.remove(key);
        self.verified.remove(key);
    }
}

/// Turn of the one request that may settle a transfer now.
pub(super) struct Turn {
    transfers: Arc<Mutex<Transfers>>,
    key: TransferKey,
}

impl Turn {
    /// Takes the turn, unless another request has it. That one alone answers that it is paid.
    pub(super) fn take(transfers: Arc<Mutex<Transfers>>, key: TransferKey) -> Option<Self> {
        let is_first = locked(&transfers).busy.insert(key);
        is_first.then(|| Self { transfers, key })
    }
}

pub(super) fn locked(transfers: &Mutex<Transfers>) -> MutexGuard<'_, Transfers> {
    transfers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Turn {
    fn drop(&mut self) {
        locked(&self.transfers).busy.remove(&self.key);
    }
}

pub(super) fn key_of(transfer: &Transfer) -> TransferKey {
    let terms = &transfer.authorization;
    (terms.from, transfer.token.address, terms.nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> TransferKey {
        let nonce = B256::left_padding_from(&number.to_be_bytes());
        (Address::ZERO, Address::ZERO, nonce)
    }

    #[test]
    fn transfers_forget_what_ends_first_and_keep_what_was_sent() {
        let mut transfers = Transfers::default();
        for number in 0..=MAX_VERIFIED {
            transfers.note_verified(key(number), 1_000 + number as u64);
        }
        assert_eq!(transfers.verified.len(), MAX_VERIFIED);
        assert!(!transfers.verified.contains_key(&key(0)));
        assert!(transfers.verified.contains_key(&key(MAX_VERIFIED)));

        let now = Instant::now();
        for number in 0..MAX_PENDING {
            assert!(transfers.note_pending(key(number), B256::ZERO, now));
        }
        assert!(!transfers.note_pending(key(MAX_PENDING), B256::ZERO, now));
        assert!(transfers.note_pending(key(MAX_PENDING), B256::ZERO, now + PENDING));
        assert_eq!(transfers.pending.len(), 1);
        transfers.forget(&key(MAX_PENDING));
        assert!(transfers.pending.is_empty());
    }
}
