//! Signed batches of all models: in the database, with the pending ones also in memory.

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

/// The relayer's tables in a database, with a copy of the pending batches in memory.
///
/// The queue is cheap to clone.
/// It follows the chain as the [`Projection`] of the database's index.
#[derive(Debug, Clone)]
pub struct Queue {
    store: RelayStore,
    pending: Arc<Mutex<HashMap<ModelId, Arc<Pending>>>>,
}

/// Rollback of one model's blocks and transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewound {
    /// Address of the model's trainer.
    pub trainer: Address,
    /// Last block that the index had taken of the model.
    pub from: u64,
    /// Last of these blocks that the chain still has.
    /// `None` if the chain no longer has the model, and the database has deleted it.
    pub to: Option<u64>,
    /// Number of sent batches that are waiting again.
    pub waiting_again: u64,
}

impl Queue {
    /// Opens a database by a path or a `postgres://` URL; creates a missing file.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::Migrate`].
    pub async fn open(database: &str) -> Result<Self, StoreError> {
        Ok(Self {
            store: RelayStore::new(ChainStore::open(database).await?),
            pending: Arc::default(),
        })
    }

    /// Returns the index of the same database, which applies the chain's changes to the queue.
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

    /// Returns the pending batches of a model.
    pub(crate) fn pending(&self, model: ModelId) -> Arc<Pending> {
        let mut all = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(model).or_default().clone()
    }

    /// Reloads a model's pending batches from the database.
    pub(crate) async fn load(&self, model: ModelId) -> Result<(), StoreError> {
        self.pending(model).load(&self.store, model).await
    }

    /// Rolls the database back until it knows no more of the chain than the node does.
    ///
    /// The queue gives up lost transactions, and their signed batches wait again.
    /// The outbox then sends them with nonces that fit the chain.
    /// No other process may use the database meanwhile.
    ///
    /// # Errors
    /// [`IndexError::OtherChain`] if the chain reaches a model's first block but lacks the model,
    /// or if the database or the node fails.
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

    /// Gives up transactions that no block contains; returns the number of batches that wait again.
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

#[cfg(test)]
mod tests {
    use alloy_primitives::{B256, Bytes};
    use cotrain_indexer::{Inclusion, Skip};

    use super::*;
    use crate::{
        fixtures::{followed, submission},
        rows::{Progress, Submission},
        store::{Attempt, NewSubmission, NewTransaction},
    };

    /// Calls a method of the projection within a transaction, as the index does.
    macro_rules! within {
        ($queue:ident . $method:ident ( $($argument:expr),* )) => {{
            let mut writing = $queue.store.chain().write().await.expect("a transaction");
            $queue.$method(&mut writing, $($argument),*).await.expect("applied");
            writing.commit().await.expect("stored");
        }};
    }

    async fn progress(queue: &Queue, one: &Submission) -> Option<Progress> {
        let found = queue.store.submission(one.id).await.expect("read");
        found.map(|found| found.progress)
    }

    fn inclusion(one: &Submission, id: B256) -> Inclusion {
        Inclusion {
            id,
            author: one.batch.author,
            nonce: one.batch.nonce,
            transaction: B256::repeat_byte(9),
            block: 7,
            position: 4,
        }
    }

    #[tokio::test]
    async fn queue_follows_inclusions_skips_and_rollbacks() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("db");
        let queue = Queue::open(&database.to_string_lossy()).await;
        let queue = queue.expect("a queue");
        let model = followed(queue.store.chain()).await;
        let all = [0, 1, 2, 3].map(submission);
        let new = all.clone().map(|submission| NewSubmission {
            model,
            submission,
            balance: 1_000,
        });
        queue.store.insert_submissions(&new).await.expect("stored");
        queue.on_loaded(model).await.expect("loaded");
        assert_eq!(queue.pending(model).len(), 4);
        let [included, crowded_out, skipped, held_up] = &all;
        // One of our transactions contains two of them.
        let transaction = NewTransaction {
            model,
            purpose: "relay",
            sender: included.batch.relayer,
            nonce: 0,
            to: included.trainer,
            data: Bytes::new(),
            gas_limit: 21_000,
            created: 0,
        };
        let attempt = Attempt {
            hash: B256::repeat_byte(8),
            raw: Bytes::new(),
            max_fee: 2,
            priority_fee: 1,
            sent: 0,
        };
        let ids = [skipped.id, held_up.id];
        let sent = queue.store.enqueue(&transaction, &attempt, &ids).await;
        sent.expect("stored");
        let skip = |one: &Submission, passes, transaction| Skip {
            author: one.batch.author,
            nonce: one.batch.nonce,
            transaction,
            reason: "no money".to_owned(),
            passes,
        };
        let taken = Taken {
            blocks: vec![(7, B256::repeat_byte(7))],
            inclusions: vec![
                inclusion(included, included.id),
                inclusion(crowded_out, B256::repeat_byte(0xee)),
            ],
            // Anyone can make the contract skip a batch, so only skips of our transaction count.
            skips: vec![
                skip(skipped, false, B256::repeat_byte(5)),
                skip(skipped, false, attempt.hash),
                skip(held_up, true, attempt.hash),
            ],
            ..Taken::default()
        };
        within!(queue.take(model, &taken));
        queue.on_taken(model, &taken);
        let expected = Progress::Included {
            transaction: B256::repeat_byte(9),
            block: 7,
            position: 4,
        };
        assert_eq!(progress(&queue, included).await, Some(expected));
        let refused = progress(&queue, crowded_out).await;
        assert!(
            matches!(&refused, Some(Progress::Refused { reason }) if reason.contains("nonce 1 was used")),
            "{refused:?}"
        );
        let reason = "no money".to_owned();
        let refused = Some(Progress::Refused { reason });
        assert_eq!(progress(&queue, skipped).await, refused);
        assert_eq!(progress(&queue, held_up).await, Some(Progress::Waiting));
        // The next reload of memory removes refused batches.
        assert_eq!(queue.pending(model).len(), 2);
        queue.on_loaded(model).await.expect("loaded");
        assert_eq!(queue.pending(model).len(), 1);

        let fork = Cursor {
            block: 6,
            hash: B256::ZERO,
        };
        within!(queue.roll_back(model, fork));
        assert_eq!(progress(&queue, included).await, Some(Progress::Waiting));
        assert_eq!(progress(&queue, skipped).await, refused);
        queue.on_loaded(model).await.expect("loaded");
        assert_eq!(queue.pending(model).len(), 2);

        within!(queue.forget(model));
        for one in &all {
            assert_eq!(progress(&queue, one).await, None);
        }
        let sender = included.batch.relayer;
        assert_eq!(queue.store.outgoing(1, sender).await.expect("read"), []);
    }
}
