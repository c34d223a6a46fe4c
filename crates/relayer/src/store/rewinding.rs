//! Transactions that a chain has lost because it was set back to an earlier state.

use alloy_primitives::B256;
use cotrain_indexer::{ModelId, StoreError, store::sql::hash};
use sqlx::Row;

use super::{outbox::release, tables::RelayStore};

impl RelayStore {
    /// Returns the ids of a model's transactions that no block includes, with all their hashes.
    pub(crate) async fn unsent(&self, model: ModelId) -> Result<Vec<(i64, Vec<B256>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT t.id, a.hash FROM transactions t JOIN attempts a ON a.transaction_id = t.id \
             WHERE t.model = $1 AND t.state = 0 ORDER BY t.id",
        )
        .bind(model.0)
        .fetch_all(self.chain.pool())
        .await?;
        let mut all: Vec<(i64, Vec<B256>)> = Vec::new();
        for row in rows {
            let (id, attempt) = (row.try_get(0)?, hash(&row, 1)?);
            match all.last_mut() {
                Some((last, hashes)) if *last == id => hashes.push(attempt),
                _ => all.push((id, vec![attempt])),
            }
        }
        Ok(all)
    }

    /// Deletes transactions that the chain has lost; returns the number of batches that wait again.
    ///
    /// Other transactions may now use their nonces.
    /// A batch that is signed again with the same nonce yields the same transaction.
    /// So the database must keep nothing of the old one.
    pub(crate) async fn give_up(&self, transactions: &[i64]) -> Result<u64, StoreError> {
        let mut writing = self.chain.write().await?;
        let mut released = 0;
        for id in transactions {
            released += release(&mut writing, *id).await?;
            for statement in [
                "DELETE FROM attempts WHERE transaction_id = $1",
                "DELETE FROM transactions WHERE id = $1",
            ] {
                sqlx::query(statement)
                    .bind(*id)
                    .execute(&mut *writing)
                    .await?;
            }
        }
        writing.commit().await?;
        Ok(released)
    }
}
