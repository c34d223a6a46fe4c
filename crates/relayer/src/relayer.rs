//! Pending batches of an index's models, and the sent transactions.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use cotrain_indexer::{HostedModel, Index, StoreError, rows::Page, with_sources};

use crate::{
    pending::Pending,
    queue::Queue,
    rows::{DelegationRow, Submission, TransactionRow},
    store::{Inserted, NewSubmission, RelayStore},
    writer::Writer,
};

/// Terms on which a coordinator relays signed batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayTerms {
    /// Account that sends the relay transactions.
    pub relayer: Address,
    /// Minimum fee for each contribution, in wei.
    pub min_fee: u128,
    /// Maximum number of pending signed batches of a model.
    pub max_waiting: u64,
}

/// Account of a trainer, with the pending batches of its address taken into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountView {
    /// Prepaid balance, in wei.
    pub balance: u128,
    /// Number of the account's contributions that were refunded.
    pub good: u64,
    /// Lowest nonce above all used and pending ones.
    pub next_nonce: u64,
    /// Maximum cost of all pending batches, in wei.
    pub committed: u128,
}

#[derive(Debug)]
struct Inner {
    index: Index,
    queue: Queue,
    writer: Writer,
    terms: Option<RelayTerms>,
    keeper: Option<Address>,
}

/// Takes signed batches and delegations for the models of an index; cheap to clone.
#[derive(Debug, Clone)]
pub struct Relayer(Arc<Inner>);

impl Relayer {
    /// Creates a relayer over the queue in the database of `index`, within a tokio runtime.
    ///
    /// It takes signed batches on `terms`, and delegations for `keeper`.
    /// It rejects them if the argument is `None`.
    #[must_use]
    pub fn new(
        index: Index,
        queue: Queue,
        terms: Option<RelayTerms>,
        keeper: Option<Address>,
    ) -> Self {
        let writer = Writer::start(queue.store().clone());
        Self(Arc::new(Inner {
            index,
            queue,
            writer,
            terms,
            keeper,
        }))
    }

    /// Returns the index that the relayer reads.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.0.index
    }

    /// Returns the terms of relaying; `None` if the coordinator does not relay.
    #[must_use]
    pub fn terms(&self) -> Option<RelayTerms> {
        self.0.terms
    }

    /// Returns the account that claims for others; `None` if there is no keeper.
    #[must_use]
    pub fn keeper(&self) -> Option<Address> {
        self.0.keeper
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    pub(crate) fn store(&self) -> &RelayStore {
        self.0.queue.store()
    }

    pub(crate) fn pending(&self, model: &HostedModel) -> Arc<Pending> {
        self.0.queue.pending(model.id())
    }

    /// Stores a signed batch; it is durable when this returns.
    pub(crate) async fn insert(&self, new: NewSubmission) -> Result<Inserted, StoreError> {
        self.0.writer.insert(new).await
    }

    /// Returns a signed batch with its progress, by its id; `None` if unknown.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn submission(&self, id: B256) -> Result<Option<Submission>, StoreError> {
        self.store().submission(id).await
    }

    /// Returns signed batches in order of submission, each with its number for paging.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn submissions(
        &self,
        model: &HostedModel,
        author: Option<Address>,
        page: Page,
    ) -> Result<Vec<(i64, Submission)>, StoreError> {
        self.store().submissions(model.id(), author, page).await
    }

    /// Returns the account of an address, with its pending batches in the database.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn account(
        &self,
        model: &HostedModel,
        address: Address,
    ) -> Result<AccountView, StoreError> {
        let (store, pending) = (self.store(), self.pending(model));
        pending.load_author(store, model.id(), address).await?;
        let mut account = account_of(model, &pending, address);
        // A higher nonce may be on the chain in a block that this process has not read yet.
        if let Some(highest) = store.highest_nonce(model.id(), address).await? {
            account.next_nonce = account.next_nonce.max(highest + 1);
        }
        Ok(account)
    }

    /// Returns sent transactions, in order of creation.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn transactions(&self, page: Page) -> Result<Vec<TransactionRow>, StoreError> {
        self.store().transactions(page).await
    }

    /// Returns an account's delegation to the keeper; `None` if there is none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn delegation(
        &self,
        model: &HostedModel,
        account: Address,
    ) -> Result<Option<DelegationRow>, StoreError> {
        self.store().delegation(model.id(), account).await
    }

    /// Reloads all pending batches from the database, as other processes store batches too.
    /// An error is only logged.
    pub async fn reconcile(&self) {
        for model in self.index().models() {
            if let Err(error) = self.queue().load(model.id()).await {
                tracing::warn!(error = %with_sources(&error), "cannot look for what is pending");
            }
        }
    }
}

/// Returns the account of an address, with its pending batches in memory.
pub(crate) fn account_of(model: &HostedModel, pending: &Pending, address: Address) -> AccountView {
    let waiting = pending.of(address);
    let account = model.account(address);
    AccountView {
        balance: account.balance,
        good: account.good,
        next_nonce: waiting.highest_nonce.map_or(account.next_nonce, |highest| {
            account.next_nonce.max(highest + 1)
        }),
        committed: waiting.committed,
    }
}
