//! Signed batches of all models: in the database, and in memory as far as they are pending.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use alloy_primitives::Address;
use cotrain_chain::node::Node;
use cotrain_indexer::{
    ChainStore, Cursor, IndexError, ModelId, SetBack, StoreError, Taken,
    store::{Done, Followed, Projection, sql::Writing},
};

use crate::{pending::Pending, store::RelayStore};

/// The relayer's part of a database, with a copy in memory of what is pending; cheap to clone.
///
/// It follows the chain as the [`Projection`] of the database's index.
#[derive(Debug, Clone)]
pub struct Queue {
    store: RelayStore,
    pending: Arc<Mutex<HashMap<ModelId, Arc<Pending>>>>,
}

/// What was taken back of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewound {
    /// Address of the model's trainer.
    pub trainer: Address,
    /// Last block that was read of it.
    pub from: u64,
    /// Last of these that the chain still has; `None` if the model is not on the chain any more, and forgotten.
    pub to: Option<u64>,
    /// Signed batches that were sent, and wait again.
    pub waiting_again: u64,
}

impl Queue {
    /// Opens a database, and creates it if it is a file that is not there: a path, or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::Migrate`].
    pub async fn open(database: &str) -> Result<Self, StoreError> {
        Ok(Self {
            store: RelayStore::new(ChainStore::open(database).await?),
            pending: Arc::default(),
        })
    }

    /// Returns the index of the same database, which applies to the queue what it learns from the chain.
    #[must_use]
    pub fn chain_store(&self) -> ChainStore {
        self.store
            .chain()
            .clone()
            .with_projection(Arc::new(self.clone()))
    }

    pub(crate) fn store(&self) -> &RelayStore {
        &self.store
    }

    /// Returns what is pending of a model.
    pub(crate) fn pending(&self, model: ModelId) -> Arc<Pending> {
        let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(model).or_default().clone()
    }

    /// Makes memory what the database has of a model's pending batches.
    pub(crate) async fn load(&self, model: ModelId) -> Result<(), StoreError> {
        self.pending(model).load(&self.store, model).await
    }

    /// Makes the database know no more of the node's chain than the node does. Transactions that are lost are given up,
    /// and the signed batches in them wait again: they are sent with nonces that fit the chain. Nothing else may use
    /// the database meanwhile.
    ///
    /// # Errors
    /// [`IndexError::OtherChain`] if a model is not on the chain although the chain is long enough to have it.
    pub async fn rewind(&self, node: &Node) -> Result<Vec<Rewound>, IndexError> {
        let index = self.chain_store();
        let head = node.head().await?.number;
        let mut all = Vec::new();
        for model in index.followed(node.chain_id()).await? {
            let (to, waiting_again) = match index.set_back(node, head, &model).await? {
                SetBack::Unchanged => continue,
                SetBack::To(block) => (Some(block), self.give_up_lost(node, &model).await?),
                SetBack::Forgotten => (None, 0),
            };
            all.push(Rewound {
                trainer: model.trainer,
                from: model.cursor.block,
                to,
                waiting_again,
            });
        }
        Ok(all)
    }

    /// Gives up transactions that are in no block of the chain; returns the number of batches that wait again.
    async fn give_up_lost(&self, node: &Node, model: &Followed) -> Result<u64, IndexError> {
        let mut lost = Vec::new();
        for (id, attempts) in self.store.unsent(model.id).await? {
            let mut included = false;
            for attempt in attempts {
                included |= node.receipt(attempt).await?.is_some();
            }
            if !included {
                lost.push(id);
            }
        }
        Ok(self.store.give_up(&lost).await?)
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.store.chain().close().await;
    }
}

impl Projection for Queue {
    fn take<'a>(&'a self, writing: &'a mut Writing, model: ModelId, taken: &'a Taken) -> Done<'a> {
        Box::pin(RelayStore::apply(writing, model, taken))
    }

    fn roll_back<'a>(&'a self, writing: &'a mut Writing, model: ModelId, fork: Cursor) -> Done<'a> {
        Box::pin(RelayStore::roll_back(writing, model, fork))
    }

    fn forget<'a>(&'a self, writing: &'a mut Writing, model: ModelId) -> Done<'a> {
        Box::pin(RelayStore::forget(writing, model))
    }

    fn on_taken(&self, model: ModelId, taken: &Taken) {
        let pending = self.pending(model);
        for included in &taken.inclusions {
            pending.forget(included.author, included.nonce);
        }
    }

    fn on_loaded(&self, model: ModelId) -> Done<'_> {
        Box::pin(self.load(model))
    }
}
