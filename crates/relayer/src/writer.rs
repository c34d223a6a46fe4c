//! Stores signed batches, many in one database transaction.

use cotrain_indexer::{StoreError, with_sources};
use tokio::sync::{mpsc, oneshot};

use crate::store::{Inserted, NewSubmission, RelayStore};

/// Maximum number of signed batches in one database transaction.
const STORED_TOGETHER: usize = 512;

/// Signed batch queued for storage, with the channel for the outcome.
type ToStore = (NewSubmission, oneshot::Sender<Result<Inserted, StoreError>>);

/// Queue of the task that stores signed batches.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::Sender<ToStore>);

impl Writer {
    /// Starts the task, within a tokio runtime. The task ends with the writer.
    pub(crate) fn start(store: RelayStore) -> Self {
        let (writer, to_store) = mpsc::channel(4 * STORED_TOGETHER);
        tokio::spawn(store_together(store, to_store));
        Self(writer)
    }

    /// Stores a signed batch; it is durable when this returns.
    pub(crate) async fn insert(&self, new: NewSubmission) -> Result<Inserted, StoreError> {
        let (answer, stored) = oneshot::channel();
        let gone = StoreError::Database(sqlx::Error::PoolClosed);
        if self.0.send((new, answer)).await.is_err() {
            return Err(gone);
        }
        stored.await.unwrap_or(Err(gone))
    }
}

/// Stores all queued batches in one transaction.
/// A transaction costs one write to the disk, however many batches it contains.
async fn store_together(store: RelayStore, mut to_store: mpsc::Receiver<ToStore>) {
    let mut some = Vec::with_capacity(STORED_TOGETHER);
    while to_store.recv_many(&mut some, STORED_TOGETHER).await > 0 {
        let (submissions, answers): (Vec<_>, Vec<_>) = some.drain(..).unzip();
        match store.insert_submissions(&submissions).await {
            Ok(outcomes) => {
                for (answer, outcome) in answers.into_iter().zip(outcomes) {
                    // The caller may have gone; the batch is stored anyway.
                    let _ = answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::error!(error = %with_sources(&error), "cannot store what was submitted");
                for answer in answers {
                    let _ = answer.send(Err(StoreError::Database(sqlx::Error::PoolClosed)));
                }
            }
        }
    }
}
