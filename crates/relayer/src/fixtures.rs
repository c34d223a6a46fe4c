//! Rows for the tests of the tables.

use alloy_primitives::{Address, B256};
use cotrain_indexer::{ChainStore, ModelId};
use cotrain_protocol::trainer::SignedBatch;
use sqlx::Row;

use crate::rows::{Progress, Submission};

/// Adds a followed model on chain 1 to the database; returns its number.
pub(crate) async fn followed(chain: &ChainStore) -> ModelId {
    let mut transaction = chain.write().await.expect("a transaction");
    let added = sqlx::query(
        "INSERT INTO models (chain_id, trainer, from_block, from_time, words, block, block_hash, rollbacks) \
         VALUES (1, $1, 0, 0, $2, 0, $3, 0) RETURNING id",
    )
    .bind(Address::repeat_byte(1).to_vec())
    .bind(Vec::<u8>::new())
    .bind(B256::ZERO.to_vec())
    .fetch_one(&mut *transaction)
    .await
    .expect("stored");
    transaction.commit().await.expect("stored");
    ModelId(added.try_get(0).expect("an id"))
}

/// Returns a signed batch of the model; its id ends with the byte `nonce + 1`.
pub(crate) fn submission(nonce: u64) -> Submission {
    let id = B256::with_last_byte(u8::try_from(nonce).expect("small") + 1);
    Submission {
        id,
        trainer: Address::repeat_byte(1),
        batch: SignedBatch {
            author: Address::repeat_byte(2),
            relayer: Address::repeat_byte(3),
            max_deposit: 5,
            fee: 0,
            nonce,
            deadline: 100,
            items: vec![1],
            signature: vec![2],
        },
        contributions: 1,
        received: 0,
        progress: Progress::Waiting,
    }
}
