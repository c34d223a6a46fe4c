//! What is taken back where a chain was set back to an earlier state.

use alloy_primitives::{Address, B256};
use sqlx::Row;

use super::{
    Cursor, ModelId, Store, StoreError, address, hash, number, outbox::release, values::int,
};

/// A model that is followed, as far as finding it on a chain again needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Followed {
    pub(crate) id: ModelId,
    pub(crate) trainer: Address,
    /// The block in which it was closed.
    pub(crate) from_block: u64,
    pub(crate) cursor: Cursor,
}

impl Store {
    /// Returns the models of a chain that are followed.
    pub(crate) async fn followed(&self, chain_id: u64) -> Result<Vec<Followed>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, trainer, from_block, block, block_hash FROM models WHERE chain_id = $1 ORDER BY id",
        )
        .bind(int(chain_id))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Followed {
                    id: ModelId(row.try_get(0)?),
                    trainer: address(row, 1)?,
                    from_block: number(row, 2)?,
                    cursor: Cursor {
                        block: number(row, 3)?,
                        hash: hash(row, 4)?,
                    },
                })
            })
            .collect()
    }

    /// Returns the ids of a model's transactions that are part of no block, each with the hashes of its attempts.
    pub(crate) async fn unsent(&self, model: ModelId) -> Result<Vec<(i64, Vec<B256>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT t.id, a.hash FROM transactions t JOIN attempts a ON a.transaction_id = t.id \
             WHERE t.model = $1 AND t.state = 0 ORDER BY t.id",
        )
        .bind(model.0)
        .fetch_all(&self.pool)
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

    /// Forgets transactions that the chain lost, whose nonces may be others' now. What was in them waits again; with how
    /// many that are. Signed again with the same nonce, they would be the same, so nothing of them may stay.
    pub(crate) async fn give_up(&self, transactions: &[i64]) -> Result<u64, StoreError> {
        let mut writing = self.write().await?;
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

    /// Forgets a model with all that is stored of it.
    pub(crate) async fn forget_model(&self, model: ModelId) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        for statement in [
            "DELETE FROM attempts WHERE transaction_id IN (SELECT id FROM transactions WHERE model = $1)",
            "DELETE FROM transactions WHERE model = $1",
            "DELETE FROM submissions WHERE model = $1",
            "DELETE FROM delegations WHERE model = $1",
            "DELETE FROM accuracy WHERE model = $1",
            "DELETE FROM claims WHERE model = $1",
            "DELETE FROM contributions WHERE model = $1",
            "DELETE FROM events WHERE model = $1",
            "DELETE FROM blocks WHERE model = $1",
            "DELETE FROM models WHERE id = $1",
        ] {
            sqlx::query(statement)
                .bind(model.0)
                .execute(&mut *writing)
                .await?;
        }
        writing.commit().await?;
        Ok(())
    }
}
