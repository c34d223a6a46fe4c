//! Pending signed batches: the money and the nonces that they reserve.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256};

use cotrain_indexer::{ModelId, StoreError};

use crate::{rows::Submission, store::RelayStore};

/// Pending batches of one model: a copy of the database in memory, so checks need no query.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<HashMap<Address, HashMap<u64, Waiter>>>);

/// A pending batch.
#[derive(Debug, Clone, Copy)]
struct Waiter {
    id: B256,
    /// Maximum cost to the author, in wei.
    max: u128,
    contributions: u32,
    /// Time of submission, in Unix seconds.
    received: u64,
    deadline: u64,
    /// `true` while the batch is being stored, so the store may not have it yet.
    storing: bool,
}

impl Waiter {
    fn new(submission: &Submission, storing: bool) -> Self {
        Self {
            storing,
            id: submission.id,
            max: max_cost(submission),
            contributions: submission.contributions,
            received: submission.received,
            deadline: submission.batch.deadline,
        }
    }
}

/// Summary of the pending batches of all authors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Urgency {
    pub(crate) contributions: u64,
    /// Time of the earliest submission, in Unix seconds.
    pub(crate) oldest: u64,
    pub(crate) earliest_deadline: u64,
}

/// Summary of the pending batches of one author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Waiting {
    pub(crate) highest_nonce: Option<u64>,
    /// Maximum cost of all of them together, in wei.
    pub(crate) committed: u128,
}

/// Returns the maximum cost of a signed batch to its author, in wei.
pub(crate) fn max_cost(submission: &Submission) -> u128 {
    let batch = &submission.batch;
    batch
        .max_deposit
        .saturating_mul(submission.contributions.into())
        .saturating_add(batch.fee)
}

impl Pending {
    /// Reloads all batches from the store; keeps those that are still being stored.
    pub(crate) async fn load(&self, store: &RelayStore, model: ModelId) -> Result<(), StoreError> {
        let mut all: HashMap<_, HashMap<_, _>> = HashMap::new();
        let mut after = -1;
        loop {
            let some = store.unfinished(model, after, 5_000).await?;
            let Some((last, _)) = some.last() else {
                break;
            };
            after = *last;
            for (_, submission) in &some {
                let of = all.entry(submission.batch.author).or_default();
                of.insert(submission.batch.nonce, Waiter::new(submission, false));
            }
        }
        let mut known = self.lock();
        for (author, waiters) in &*known {
            let storing = waiters.iter().filter(|(_, waiter)| waiter.storing);
            for (nonce, waiter) in storing {
                let of: &mut HashMap<_, _> = all.entry(*author).or_default();
                of.entry(*nonce).or_insert(*waiter);
            }
        }
        *known = all;
        Ok(())
    }

    /// Reloads one author's batches from the store, as other processes store batches too.
    pub(crate) async fn load_author(
        &self,
        store: &RelayStore,
        model: ModelId,
        author: Address,
    ) -> Result<(), StoreError> {
        let some = store.unfinished_of(model, author).await?;
        let mut all = self.lock();
        let mut of = all.remove(&author).unwrap_or_default();
        of.retain(|_, waiter| waiter.storing);
        for submission in &some {
            of.insert(submission.batch.nonce, Waiter::new(submission, false));
        }
        if !of.is_empty() {
            all.insert(author, of);
        }
        Ok(())
    }

    /// Reserves the nonce of a batch that is about to be stored.
    ///
    /// Returns `true` if the batch is new.
    ///
    /// # Errors
    /// The id of another batch that already has this nonce.
    pub(crate) fn reserve(&self, submission: &Submission) -> Result<bool, B256> {
        let mut all = self.lock();
        let of = all.entry(submission.batch.author).or_default();
        match of.get(&submission.batch.nonce) {
            Some(other) if other.id != submission.id => Err(other.id),
            known => {
                let new = known.is_none();
                of.insert(submission.batch.nonce, Waiter::new(submission, new));
                Ok(new)
            }
        }
    }

    /// Marks a batch as stored.
    pub(crate) fn stored(&self, author: Address, nonce: u64) {
        let mut all = self.lock();
        if let Some(waiter) = all.get_mut(&author).and_then(|of| of.get_mut(&nonce)) {
            waiter.storing = false;
        }
    }

    /// Removes a batch, whatever its outcome.
    pub(crate) fn forget(&self, author: Address, nonce: u64) {
        let mut all = self.lock();
        if let Some(of) = all.get_mut(&author) {
            of.remove(&nonce);
            if of.is_empty() {
                all.remove(&author);
            }
        }
    }

    /// Returns the highest nonce and the total cost of an author's pending batches.
    pub(crate) fn of(&self, author: Address) -> Waiting {
        let all = self.lock();
        let mut waiting = Waiting::default();
        for (nonce, waiter) in all.get(&author).into_iter().flatten() {
            waiting.highest_nonce = waiting.highest_nonce.max(Some(*nonce));
            waiting.committed = waiting.committed.saturating_add(waiter.max);
        }
        waiting
    }

    /// Returns the number of pending batches.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(HashMap::len).sum()
    }

    /// Returns the number of pending contributions, the earliest submission and the next deadline.
    /// `None` if no batch is pending.
    pub(crate) fn urgency(&self) -> Option<Urgency> {
        let all = self.lock();
        let waiters = all.values().flat_map(HashMap::values);
        let urgency = waiters.map(|waiter| Urgency {
            contributions: waiter.contributions.into(),
            oldest: waiter.received,
            earliest_deadline: waiter.deadline,
        });
        urgency.reduce(|a, b| Urgency {
            contributions: a.contributions + b.contributions,
            oldest: a.oldest.min(b.oldest),
            earliest_deadline: a.earliest_deadline.min(b.earliest_deadline),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, HashMap<u64, Waiter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
