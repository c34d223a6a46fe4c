//! Transfers that a facilitator works on, and those that it remembers.
//!
//! Each belongs to the server that knew it first. A transfer is public once it is sent, so anyone
//! could ask for its outcome, and the seller would learn that it was told to somebody else.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256};
use cotrain_payments::x402::wire::PaymentPayload;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::payments::chain::Transfer;

/// Maximum number of transfers whose outcome is unknown, of all clients and of each.
const MAX_PENDING: (usize, usize) = (1_000, 200);

/// Time after which a transfer whose outcome is unknown makes room for others, in seconds.
const PENDING: u64 = 3_600;

/// Maximum number of transfers that were verified and not settled, and of those that were answered.
const MAX_NOTED: usize = 10_000;

/// Payer, token and nonce of a signed transfer.
pub(super) type TransferKey = (Address, Address, B256);

/// Server that asks about a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asker {
    client: IpAddr,
    /// Hash of what the payment has beside its scheme's values, which the chain shows to all.
    about: B256,
}

impl Asker {
    pub(super) fn new(client: IpAddr, payment: &PaymentPayload) -> Self {
        // A server may add to the scheme's values between verifying and settling, and to nothing else.
        let about = (&payment.resource, &payment.accepted, &payment.extensions);
        // They came as JSON, so they have a form as JSON.
        let about = serde_json::to_vec(&about).unwrap_or_default();
        let about = B256::new(Sha256::digest(about).into());
        Self { client, about }
    }
}

/// Transfers that this process works on.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// Those that a request settles now.
    busy: BTreeSet<TransferKey>,
    /// Those that were sent, and about which nobody got a final answer.
    pending: BTreeMap<TransferKey, Pending>,
    /// Those that were good when they were verified.
    /// Anyone who knows a transfer may send it before it is settled here; it counts then, once.
    verified: BTreeMap<TransferKey, Verified>,
    /// Those of which somebody was told that they are paid.
    answered: BTreeSet<TransferKey>,
    /// Both by the number of their note, the oldest first.
    verified_by_age: BTreeMap<u64, TransferKey>,
    answered_by_age: BTreeMap<u64, TransferKey>,
    notes: u64,
}

/// Transfer that was sent, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) by: Asker,
    pub(super) transactions: Vec<B256>,
    /// Time at which it was noted, in Unix seconds.
    pub(super) since: u64,
    /// `true` if a process before this one has noted it, which may have ended before it sent it.
    #[serde(skip)]
    pub(super) is_resumed: bool,
}

#[derive(Debug)]
struct Verified {
    by: Asker,
    /// Second in which it is forgotten.
    end: u64,
    note: u64,
}

impl Transfers {
    /// Remembers a verified transfer until `end`. If there are too many, the oldest note goes.
    ///
    /// The first that verified it keeps it, and nobody who was late gets another answer.
    pub(super) fn note_verified(&mut self, key: TransferKey, by: Asker, end: u64, now: u64) {
        let is_others = self.verifier(&key, now).is_some_and(|it| it != by);
        if is_others || self.answered.contains(&key) {
            return;
        }
        self.forget_verified(&key);
        if self.verified.len() >= MAX_NOTED
            && let Some((_, oldest)) = self.verified_by_age.pop_first()
        {
            self.verified.remove(&oldest);
        }
        self.notes += 1;
        let note = self.notes;
        self.verified_by_age.insert(note, key);
        self.verified.insert(key, Verified { by, end, note });
    }

    /// Returns who verified a transfer first, unless that is over.
    pub(super) fn verifier(&self, key: &TransferKey, now: u64) -> Option<Asker> {
        let verified = self.verified.get(key)?;
        (now < verified.end).then_some(verified.by)
    }

    /// Returns a transfer that was sent.
    pub(super) fn pending(&self, key: &TransferKey) -> Option<&Pending> {
        self.pending.get(key)
    }

    /// Remembers a transfer that is about to be sent, and returns those that make room for it.
    /// Returns `None` if there are too many.
    pub(super) fn note_pending(
        &mut self,
        key: TransferKey,
        pending: Pending,
    ) -> Option<Vec<TransferKey>> {
        let now = pending.since;
        let mut old = Vec::new();
        if self.pending.len() >= MAX_PENDING.0 {
            let kept = |it: &Pending| now.saturating_sub(it.since) < PENDING;
            let gone = self.pending.extract_if(.., |_, it| !kept(it));
            old.extend(gone.map(|(key, _)| key));
        }
        let all = self.pending.values();
        let of_client = all.filter(|it| it.by.client == pending.by.client).count();
        if self.pending.len() >= MAX_PENDING.0 || of_client >= MAX_PENDING.1 {
            return None;
        }
        self.pending.insert(key, pending);
        Some(old)
    }

    /// Takes up a transfer that a process before this one has noted.
    pub(super) fn resume(&mut self, key: TransferKey, pending: Pending) {
        let is_resumed = true;
        let pending = Pending {
            is_resumed,
            ..pending
        };
        self.pending.insert(key, pending);
    }

    /// Forgets that a transfer was sent.
    pub(super) fn forget_pending(&mut self, key: &TransferKey) {
        self.pending.remove(key);
    }

    /// Forgets a transfer of which somebody is told that it is paid, and takes no new note of it.
    pub(super) fn answer(&mut self, key: TransferKey) {
        self.forget_pending(&key);
        self.forget_verified(&key);
        if !self.answered.insert(key) {
            return;
        }
        self.notes += 1;
        self.answered_by_age.insert(self.notes, key);
        if self.answered.len() > MAX_NOTED
            && let Some((_, oldest)) = self.answered_by_age.pop_first()
        {
            self.answered.remove(&oldest);
        }
    }

    fn forget_verified(&mut self, key: &TransferKey) {
        if let Some(verified) = self.verified.remove(key) {
            self.verified_by_age.remove(&verified.note);
        }
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
    use std::net::Ipv4Addr;

    use super::*;

    fn key(number: usize) -> TransferKey {
        let nonce = B256::left_padding_from(&number.to_be_bytes());
        (Address::ZERO, Address::ZERO, nonce)
    }

    fn asker(client: usize) -> Asker {
        let client = Ipv4Addr::from_bits(client.try_into().unwrap()).into();
        let about = B256::ZERO;
        Asker { client, about }
    }

    fn pending(client: usize, since: u64) -> Pending {
        Pending {
            by: asker(client),
            transactions: vec![B256::ZERO],
            since,
            is_resumed: false,
        }
    }

    #[test]
    fn transfers_forget_the_oldest_note_whatever_its_end() {
        let mut transfers = Transfers::default();
        for number in 0..=MAX_NOTED {
            transfers.note_verified(key(number), asker(0), 2_000_000 - number as u64, 0);
        }
        assert_eq!(transfers.verified.len(), MAX_NOTED);
        assert_eq!(transfers.verified_by_age.len(), MAX_NOTED);
        assert_eq!(transfers.verifier(&key(0), 0), None);
        assert_eq!(transfers.verifier(&key(MAX_NOTED), 0), Some(asker(0)));
        // A note that is renewed is young again.
        transfers.note_verified(key(1), asker(0), 2_000_000, 0);
        transfers.note_verified(key(0), asker(0), 2_000_000, 0);
        assert_eq!(transfers.verifier(&key(1), 0), Some(asker(0)));
        assert_eq!(transfers.verifier(&key(2), 0), None);
    }

    #[test]
    fn transfers_stay_with_who_verified_them_first_and_are_answered_once() {
        let mut transfers = Transfers::default();
        transfers.note_verified(key(0), asker(1), 100, 0);
        transfers.note_verified(key(0), asker(2), 900, 99);
        assert_eq!(transfers.verifier(&key(0), 99), Some(asker(1)));
        assert_eq!(transfers.verifier(&key(0), 100), None, "it is over");
        transfers.note_verified(key(0), asker(2), 900, 100);
        assert_eq!(transfers.verifier(&key(0), 100), Some(asker(2)));
        transfers.answer(key(0));
        // A check that began before the answer ends after it.
        transfers.note_verified(key(0), asker(2), 900, 100);
        assert_eq!(transfers.verifier(&key(0), 100), None);
        for number in 0..=MAX_NOTED {
            transfers.answer(key(number));
        }
        assert_eq!(transfers.answered.len(), MAX_NOTED);
    }

    #[test]
    fn transfers_keep_what_was_sent_with_room_for_each_client() {
        let mut transfers = Transfers::default();
        for number in 0..MAX_PENDING.1 {
            let noted = transfers.note_pending(key(number), pending(0, 7));
            assert_eq!(noted, Some(vec![]));
        }
        let next = key(MAX_PENDING.1);
        assert_eq!(transfers.note_pending(next, pending(0, 7)), None);
        for number in MAX_PENDING.1..MAX_PENDING.0 {
            let noted = transfers.note_pending(key(number), pending(number, 8));
            assert_eq!(noted, Some(vec![]));
        }
        let last = key(MAX_PENDING.0);
        let full = transfers.note_pending(last, pending(1, 7 + PENDING - 1));
        assert_eq!(full, None);
        let old = transfers.note_pending(last, pending(1, 7 + PENDING));
        assert_eq!(old.unwrap().len(), MAX_PENDING.1);
        transfers.answer(last);
        assert_eq!(transfers.pending(&last), None);
    }
}
