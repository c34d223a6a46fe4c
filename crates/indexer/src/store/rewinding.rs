//! Followed models, and deleting one that the chain has lost.

use alloy_primitives::Address;
use sqlx::Row;

use super::{
    database::ChainStore,
    error::StoreError,
    sql::{address, hash, int, number},
};
use crate::taken::{Cursor, ModelId};

/// Followed model, with the facts that are needed to find it on a chain again.
#[derive(Debug, Clone, Copy)]
pub struct Followed {
    /// Number of the model in the database.
    pub id: ModelId,
    /// Address of its trainer.
    pub trainer: Address,
    /// Number of the block in which the model was closed.
    pub from_block: u64,
    /// Last block that the follower took.
    pub cursor: Cursor,
}

impl ChainStore {
    /// Returns the followed models of a chain.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn followed(&self, chain_id: u64) -> Result<Vec<Followed>, StoreError> {
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

    /// Deletes a model with all its rows.
    pub(crate) async fn forget_model(&self, model: ModelId) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        if let Some(projection) = &self.projection {
            projection.forget(&mut writing, model).await?;
        }
        for statement in [
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
