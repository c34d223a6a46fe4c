//! Facts of the chain: storing and rolling back.

use alloy_primitives::{Address, B256, LogData, U256};
use cotrain_protocol::record::Contribution;
use sqlx::{Row, any::AnyRow};

use super::{
    database::ChainStore,
    error::StoreError,
    sql::{self, Value, Writing, address, hash, hash_option, int, number, number_option, wei},
};
use crate::{
    rows::{AccuracyRow, ClaimKind, ContributionRow, Settled},
    taken::{Beginning, Claim, Cursor, Log, ModelId, Taken},
};

/// Returns the bytes of words as they are stored.
fn bytes_of(words: &[U256]) -> Vec<u8> {
    words.iter().flat_map(U256::to_be_bytes::<32>).collect()
}

/// Number of blocks whose hashes are kept. After a deeper fork, everything is read again.
const RECENT_BLOCKS: u64 = 256;

impl ChainStore {
    /// Returns a followed model's number, its cursor and its count of rollbacks; `None` if unknown.
    pub(crate) async fn model(
        &self,
        chain_id: u64,
        trainer: Address,
    ) -> Result<Option<(ModelId, Cursor, u64)>, StoreError> {
        let row = sqlx::query(
            "SELECT id, block, block_hash, rollbacks FROM models WHERE chain_id = $1 AND trainer = $2",
        )
        .bind(int(chain_id))
        .bind(trainer.to_vec())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let cursor = Cursor {
                block: number(&row, 1)?,
                hash: hash(&row, 2)?,
            };
            Ok((ModelId(row.try_get(0)?), cursor, number(&row, 3)?))
        })
        .transpose()
    }

    /// Adds a model with its first weights.
    pub(crate) async fn add_model(
        &self,
        chain_id: u64,
        trainer: Address,
        from: Cursor,
        beginning: &Beginning,
    ) -> Result<(), StoreError> {
        let Beginning { base, words, time } = beginning;
        let mut writing = self.write().await?;
        sqlx::query(
            "INSERT INTO models (chain_id, trainer, from_block, from_time, words, block, block_hash, rollbacks, \
             base, base_hash) VALUES ($1, $2, $3, $4, $5, $3, $6, 0, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(int(chain_id))
        .bind(trainer.to_vec())
        .bind(int(from.block))
        .bind(int(*time))
        .bind(bytes_of(words))
        .bind(from.hash.to_vec())
        .bind(base.map(|base| int(base.block)))
        .bind(base.map(|base| base.hash.to_vec()))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// Replaces the first weights by the weights after another block.
    pub(crate) async fn rebase(
        &self,
        model: ModelId,
        base: Cursor,
        time: u64,
        words: &[U256],
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE models SET base = $2, base_hash = $3, from_time = $4, words = $5, \
             rollbacks = rollbacks + 1 WHERE id = $1",
        )
        .bind(model.0)
        .bind(int(base.block))
        .bind(base.hash.to_vec())
        .bind(int(time))
        .bind(bytes_of(words))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// Returns the weights that a model began with.
    pub(crate) async fn beginning(&self, model: ModelId) -> Result<Beginning, StoreError> {
        let row = sqlx::query("SELECT words, from_time, base, base_hash FROM models WHERE id = $1")
            .bind(model.0)
            .fetch_one(&self.pool)
            .await?;
        let words: Vec<u8> = row.try_get(0)?;
        let words = words.chunks(32).map(U256::from_be_slice).collect();
        let base = match number_option(&row, 2)? {
            Some(block) => Some(Cursor {
                block,
                hash: hash(&row, 3)?,
            }),
            None => None,
        };
        Ok(Beginning {
            base,
            words,
            time: number(&row, 1)?,
        })
    }

    /// Stores the facts of blocks in one transaction.
    pub(crate) async fn take(&self, model: ModelId, taken: &Taken) -> Result<(), StoreError> {
        let Some(&(last, last_hash)) = taken.blocks.last() else {
            return Ok(());
        };
        let mut writing = self.write().await?;
        insert_logs(&mut writing, model, &taken.logs).await?;
        insert_contributions(&mut writing, model, &taken.contributions).await?;
        insert_claims(&mut writing, model, &taken.claims).await?;
        for claim in &taken.claims {
            settle(
                &mut writing,
                model,
                claim.position,
                claim.settled,
                claim.taken,
            )
            .await?;
        }
        if let Some(projection) = &self.projection {
            projection.take(&mut writing, model, taken).await?;
        }
        insert_accuracy(&mut writing, model, &taken.accuracy).await?;
        let blocks = taken.blocks.iter().flat_map(|(number, hash)| {
            [
                Value::Int(model.0),
                (*number).into(),
                hash.as_slice().into(),
            ]
        });
        sql::insert(
            &mut writing,
            "blocks (model, number, hash)",
            3,
            blocks.collect(),
        )
        .await?;
        sqlx::query(
            "DELETE FROM blocks WHERE model = $1 AND number < $2 \
             AND number > (SELECT from_block FROM models WHERE id = $1)",
        )
        .bind(model.0)
        .bind(int(last.saturating_sub(RECENT_BLOCKS)))
        .execute(&mut *writing)
        .await?;
        sqlx::query("UPDATE models SET block = $2, block_hash = $3 WHERE id = $1")
            .bind(model.0)
            .bind(int(last))
            .bind(last_hash.to_vec())
            .execute(&mut *writing)
            .await?;
        writing.commit().await?;
        if let Some(projection) = &self.projection {
            projection.on_taken(model, taken);
        }
        Ok(())
    }

    /// Returns the known blocks, from the highest to the lowest.
    pub(crate) async fn known_blocks(&self, model: ModelId) -> Result<Vec<Cursor>, StoreError> {
        let rows =
            sqlx::query("SELECT number, hash FROM blocks WHERE model = $1 ORDER BY number DESC")
                .bind(model.0)
                .fetch_all(&self.pool)
                .await?;
        rows.iter()
            .map(|row| {
                Ok(Cursor {
                    block: number(row, 0)?,
                    hash: hash(row, 1)?,
                })
            })
            .collect()
    }

    /// Returns `true` if the model's known blocks include this block.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn knows_block(&self, model: ModelId, block: Cursor) -> Result<bool, StoreError> {
        let row =
            sqlx::query("SELECT 1 FROM blocks WHERE model = $1 AND number = $2 AND hash = $3")
                .bind(model.0)
                .bind(int(block.block))
                .bind(block.hash.to_vec())
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.is_some())
    }

    /// Rolls back everything after the block `fork`, which both branches share.
    pub(crate) async fn roll_back(&self, model: ModelId, fork: Cursor) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let touched = sqlx::query(
            "SELECT DISTINCT position FROM claims WHERE model = $1 AND block > $2 \
             AND position IN (SELECT position FROM contributions WHERE model = $1 AND block <= $2)",
        )
        .bind(model.0)
        .bind(int(fork.block))
        .fetch_all(&mut *writing)
        .await?;
        for statement in [
            "DELETE FROM events WHERE model = $1 AND block > $2 AND log_index IS NOT NULL",
            "DELETE FROM claims WHERE model = $1 AND block > $2",
            "DELETE FROM contributions WHERE model = $1 AND block > $2",
            "DELETE FROM accuracy WHERE model = $1 AND block > $2",
            "DELETE FROM blocks WHERE model = $1 AND number > $2",
        ] {
            sqlx::query(statement)
                .bind(model.0)
                .bind(int(fork.block))
                .execute(&mut *writing)
                .await?;
        }
        if let Some(projection) = &self.projection {
            projection.roll_back(&mut writing, model, fork).await?;
        }
        for row in touched {
            let position = number(&row, 0)?;
            let (settled, taken) = settled_by_claims(&mut writing, model, position).await?;
            settle(&mut writing, model, position, settled, taken).await?;
        }
        sqlx::query(
            "UPDATE models SET block = $2, block_hash = $3, rollbacks = rollbacks + 1 WHERE id = $1",
        )
        .bind(model.0)
        .bind(int(fork.block))
        .bind(fork.hash.to_vec())
        .execute(&mut *writing)
        .await?;
        note(
            &mut writing,
            model,
            fork.block,
            "rolled-back",
            &serde_json::json!({}),
        )
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// Returns at most `limit` logs of a model after an event, in order, with the last one's id.
    pub(crate) async fn logs(
        &self,
        model: ModelId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Log)>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, block, log_index, transaction_hash, topics, data FROM events \
             WHERE model = $1 AND id > $2 AND log_index IS NOT NULL ORDER BY id LIMIT $3",
        )
        .bind(model.0)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, read_log(row, 1)?)))
            .collect()
    }
}

/// Reads a log from the columns `block, log_index, transaction_hash, topics, data`.
/// `first` is the index of the first of them.
pub(super) fn read_log(row: &AnyRow, first: usize) -> Result<Log, StoreError> {
    let topics: Vec<u8> = row.try_get(first + 3)?;
    let data: Vec<u8> = row.try_get(first + 4)?;
    let topics = topics
        .chunks(32)
        .map(|topic| B256::right_padding_from(topic))
        .collect();
    Ok(Log {
        block: number(row, first)?,
        index: number(row, first + 1)?,
        transaction: hash(row, first + 2)?,
        data: LogData::new(topics, data.into()).ok_or(StoreError::Malformed { what: "a log" })?,
    })
}

async fn insert_logs(
    writing: &mut Writing,
    model: ModelId,
    logs: &[Log],
) -> Result<(), StoreError> {
    let values = logs.iter().flat_map(|log| {
        let topics: Vec<u8> = log.data.topics().iter().flatten().copied().collect();
        [
            Value::Int(model.0),
            log.block.into(),
            log.index.into(),
            log.transaction.as_slice().into(),
            Value::Bytes(topics),
            log.data.data.as_ref().into(),
        ]
    });
    let into = "events (model, block, log_index, transaction_hash, topics, data)";
    sql::insert(writing, into, 6, values.collect()).await
}

async fn insert_contributions(
    writing: &mut Writing,
    model: ModelId,
    rows: &[ContributionRow],
) -> Result<(), StoreError> {
    let values = rows.iter().flat_map(|row| {
        let one = &row.contribution;
        [
            Value::Int(model.0),
            one.position.into(),
            row.first_position.into(),
            one.author.as_slice().into(),
            Value::Int(one.label.into()),
            one.deposit.into(),
            one.time.into(),
            one.sample.as_slice().into(),
            row.block.into(),
            row.transaction.as_slice().into(),
            Value::OptionalBytes(row.submission.map(|id| id.to_vec())),
            Value::Int(settled_code(row.settled)),
            row.taken.into(),
        ]
    });
    let into = "contributions (model, position, first_position, author, label, deposit, time, sample, block, \
                transaction_hash, submission, settled, taken)";
    sql::insert(writing, into, 13, values.collect()).await
}

async fn insert_claims(
    writing: &mut Writing,
    model: ModelId,
    claims: &[Claim],
) -> Result<(), StoreError> {
    let values = claims.iter().flat_map(|claim| {
        [
            Value::Int(model.0),
            claim.block.into(),
            claim.index.into(),
            claim.position.into(),
            Value::Int(kind_code(claim.kind)),
            claim.account.as_slice().into(),
            claim.amount.into(),
            claim.transaction.as_slice().into(),
        ]
    });
    let into =
        "claims (model, block, log_index, position, kind, account, amount, transaction_hash)";
    sql::insert(writing, into, 8, values.collect()).await
}

async fn insert_accuracy(
    writing: &mut Writing,
    model: ModelId,
    rows: &[AccuracyRow],
) -> Result<(), StoreError> {
    for row in rows {
        sqlx::query(
            "INSERT INTO accuracy (model, contributions, block, time, correct, samples) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(model.0)
        .bind(int(row.contributions))
        .bind(int(row.block))
        .bind(int(row.time))
        .bind(int(row.correct))
        .bind(int(row.samples))
        .execute(&mut **writing)
        .await?;
        let detail = serde_json::json!({
            "contributions": row.contributions, "correct": row.correct, "samples": row.samples,
        });
        note(writing, model, row.block, "accuracy", &detail).await?;
    }
    Ok(())
}

async fn settle(
    writing: &mut Writing,
    model: ModelId,
    position: u64,
    settled: Settled,
    taken: u128,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE contributions SET settled = $3, taken = $4 WHERE model = $1 AND position = $2",
    )
    .bind(model.0)
    .bind(int(position))
    .bind(settled_code(settled))
    .bind(taken.to_be_bytes().to_vec())
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Returns the settlement of a contribution by its remaining claims.
async fn settled_by_claims(
    writing: &mut Writing,
    model: ModelId,
    position: u64,
) -> Result<(Settled, u128), StoreError> {
    let rows = sqlx::query("SELECT kind, amount FROM claims WHERE model = $1 AND position = $2")
        .bind(model.0)
        .bind(int(position))
        .fetch_all(&mut **writing)
        .await?;
    // The closing claim is always the last one, and a rollback removes the latest claims first.
    let mut taken = 0_u128;
    for row in &rows {
        taken = taken.saturating_add(wei(row, 1)?);
    }
    Ok((
        if rows.is_empty() {
            Settled::Open
        } else {
            Settled::Reported
        },
        taken,
    ))
}

/// Adds an event within the caller's transaction.
///
/// # Errors
/// If the database fails.
pub async fn note(
    writing: &mut Writing,
    model: ModelId,
    block: u64,
    kind: &'static str,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO events (model, block, kind, detail) VALUES ($1, $2, $3, $4)")
        .bind(model.0)
        .bind(int(block))
        .bind(kind)
        .bind(detail.to_string())
        .execute(&mut **writing)
        .await?;
    Ok(())
}

pub(super) fn settled_code(settled: Settled) -> i64 {
    match settled {
        Settled::Open => 0,
        Settled::Reported => 1,
        Settled::Refunded => 2,
        Settled::TakenByReports => 3,
        Settled::ClaimedLate => 4,
    }
}

pub(super) fn read_settled(code: i64) -> Result<Settled, StoreError> {
    Ok(match code {
        0 => Settled::Open,
        1 => Settled::Reported,
        2 => Settled::Refunded,
        3 => Settled::TakenByReports,
        4 => Settled::ClaimedLate,
        _ => {
            return Err(StoreError::Malformed {
                what: "a settlement",
            });
        }
    })
}

fn kind_code(kind: ClaimKind) -> i64 {
    match kind {
        ClaimKind::Refund => 0,
        ClaimKind::Report => 1,
        ClaimKind::Late => 2,
    }
}

pub(super) fn read_kind(code: i64) -> Result<ClaimKind, StoreError> {
    Ok(match code {
        0 => ClaimKind::Refund,
        1 => ClaimKind::Report,
        2 => ClaimKind::Late,
        _ => return Err(StoreError::Malformed { what: "a claim" }),
    })
}

/// Reads a contribution from the columns that [`super::reads`] selects.
pub(super) fn read_contribution(row: &AnyRow) -> Result<ContributionRow, StoreError> {
    let label: i64 = row.try_get(3)?;
    Ok(ContributionRow {
        contribution: Contribution {
            position: number(row, 0)?,
            author: address(row, 2)?,
            label: u16::try_from(label).map_err(|_| StoreError::Malformed { what: "a label" })?,
            deposit: wei(row, 4)?,
            time: number(row, 5)?,
            sample: row.try_get(6)?,
        },
        first_position: number(row, 1)?,
        block: number(row, 7)?,
        transaction: hash(row, 8)?,
        submission: hash_option(row, 9)?,
        settled: read_settled(row.try_get(10)?)?,
        taken: wei(row, 11)?,
        // Only the state in memory knows announcements.
        announced: None,
    })
}
