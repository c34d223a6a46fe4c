//! Updates of signed batches and transactions within the index's own transactions.

use cotrain_indexer::{
    Cursor, Inclusion, ModelId, Skip, StoreError, Taken,
    store::{
        note,
        sql::{Writing, int},
    },
};

use super::tables::RelayStore;

impl RelayStore {
    /// Updates the signed batches that new blocks included or skipped.
    pub(crate) async fn apply(
        writing: &mut Writing,
        model: ModelId,
        taken: &Taken,
    ) -> Result<(), StoreError> {
        let Some(&(last, _)) = taken.blocks.last() else {
            return Ok(());
        };
        for inclusion in &taken.inclusions {
            include(writing, model, inclusion).await?;
        }
        for skip in &taken.skips {
            skip_submission(writing, model, skip, last).await?;
        }
        Ok(())
    }

    /// Rolls back everything after the block `fork`.
    ///
    /// Our transactions may be included again on the new branch; the outbox finds that out.
    pub(crate) async fn roll_back(
        writing: &mut Writing,
        model: ModelId,
        fork: Cursor,
    ) -> Result<(), StoreError> {
        for statement in [
            "UPDATE submissions SET state = CASE WHEN outbox IS NULL THEN 0 ELSE 1 END, block = NULL, position = NULL \
             WHERE model = $1 AND block > $2 AND state = 2",
            "UPDATE transactions SET state = 0, block = NULL, gas_used = NULL \
             WHERE model = $1 AND block > $2 AND state IN (1, 2)",
        ] {
            sqlx::query(statement)
                .bind(model.0)
                .bind(int(fork.block))
                .execute(&mut **writing)
                .await?;
        }
        Ok(())
    }

    /// Deletes all of the relayer's rows of a model.
    pub(crate) async fn forget(writing: &mut Writing, model: ModelId) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM attempts WHERE transaction_id IN (SELECT id FROM transactions WHERE model = $1)",
            "DELETE FROM transactions WHERE model = $1",
            "DELETE FROM submissions WHERE model = $1",
            "DELETE FROM delegations WHERE model = $1",
        ] {
            sqlx::query(statement)
                .bind(model.0)
                .execute(&mut **writing)
                .await?;
        }
        Ok(())
    }
}

async fn include(
    writing: &mut Writing,
    model: ModelId,
    included: &Inclusion,
) -> Result<(), StoreError> {
    // Refuse the other batch first, which frees the nonce for the included one.
    let reason = format!(
        "its nonce {} was used by another signed batch; sign it with the next one",
        included.nonce
    );
    sqlx::query(
        "UPDATE submissions SET state = 3, outbox = NULL, reason = $5 \
         WHERE model = $1 AND author = $2 AND nonce = $3 AND id <> $4 AND state < 3",
    )
    .bind(model.0)
    .bind(included.author.to_vec())
    .bind(int(included.nonce))
    .bind(included.id.to_vec())
    .bind(reason)
    .execute(&mut **writing)
    .await?;
    sqlx::query(
        "UPDATE submissions SET state = 2, transaction_hash = $2, block = $3, position = $4, reason = NULL \
         WHERE id = $1",
    )
    .bind(included.id.to_vec())
    .bind(included.transaction.to_vec())
    .bind(int(included.block))
    .bind(int(included.position))
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Updates a skipped batch, if one of our transactions skipped it.
///
/// Anyone can make the contract skip a batch of any author, so other skips do not count.
async fn skip_submission(
    writing: &mut Writing,
    model: ModelId,
    skip: &Skip,
    block: u64,
) -> Result<(), StoreError> {
    let changed = sqlx::query(
        "UPDATE submissions SET state = $4, reason = $5, outbox = NULL WHERE model = $1 AND author = $2 AND nonce = $3 \
         AND state < 2 AND outbox IN (SELECT transaction_id FROM attempts WHERE hash = $6)",
    )
    .bind(model.0)
    .bind(skip.author.to_vec())
    .bind(int(skip.nonce))
    .bind(if skip.passes { 0_i64 } else { 3 })
    .bind(skip.reason.clone())
    .bind(skip.transaction.to_vec())
    .execute(&mut **writing)
    .await?;
    if changed.rows_affected() > 0 && !skip.passes {
        let detail = serde_json::json!({ "author": skip.author, "nonce": skip.nonce, "reason": skip.reason });
        note(writing, model, block, "refused", &detail).await?;
    }
    Ok(())
}
