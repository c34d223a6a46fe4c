//! Submitted signed batches, and delegations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use alloy_primitives::{Address, B256};
use cotrain_indexer::{
    ModelId, StoreError,
    rows::Page,
    store::{
        note,
        sql::{self, Value, Writing, address, hash, hash_option, int, number, number_option, wei},
    },
};
use cotrain_protocol::trainer::SignedBatch;
use sqlx::{AssertSqlSafe, Row, any::AnyRow};

use super::tables::RelayStore;
use crate::rows::{DelegationRow, Progress, Submission};

/// Outcome of storing a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    /// The batch is stored now.
    New,
    /// The batch was stored before.
    Known,
    /// Another unfinished batch has the same nonce.
    Conflict,
    /// Its author cannot pay for it together with the unfinished batches.
    Uncovered {
        /// Maximum cost of all of them together, in wei.
        required: u128,
    },
}

/// A signed batch that is about to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewSubmission {
    pub(crate) model: ModelId,
    pub(crate) submission: Submission,
    /// Prepaid balance of its author, in wei.
    pub(crate) balance: u128,
}

/// SQL condition for one author's waiting and sent batches.
///
/// The plus keeps `SQLite` from using the index of states.
/// With that index, it would read all pending batches of the model.
const UNFINISHED_OF: &str = "s.model = $1 AND s.author = $2 AND +s.state < 2";

/// SQL statement for the highest nonce of an author's unfinished or included batches.
///
/// A nonce is at least 0. The explicit condition makes `SQLite` use the index of nonces.
const HIGHEST_NONCE: &str = "SELECT MAX(nonce) FROM submissions WHERE model = $1 AND author = $2 AND nonce >= 0 AND state < 3";

/// Key of the `PostgreSQL` lock for adding to a model's submissions.
///
/// It is "cots", combined with the model's number.
const SUBMITTING: i64 = 0x636f_7473_0000_0000;

const COLUMNS: &str = "s.seq, s.id, m.trainer, s.author, s.nonce, s.deadline, s.max_deposit, s.fee, s.items, \
    s.signature, s.contributions, s.received, s.state, s.transaction_hash, s.block, s.position, s.reason, s.outbox, s.relayer";

impl RelayStore {
    /// Stores new batches and returns their outcomes in order; they are durable when this returns.
    ///
    /// Whoever else writes to the database, no nonce is used twice.
    /// No author commits more money than the balance holds.
    pub(crate) async fn insert_submissions(
        &self,
        submissions: &[NewSubmission],
    ) -> Result<Vec<Inserted>, StoreError> {
        let mut writing = self.chain.write().await?;
        if self.chain.is_postgres() {
            let models: BTreeSet<i64> = submissions.iter().map(|new| new.model.0).collect();
            for model in models {
                // Without the lock, two writers for one author would not see each other's batches.
                sqlx::query("SELECT pg_advisory_xact_lock($1)")
                    .bind(SUBMITTING | model)
                    .execute(&mut *writing)
                    .await?;
            }
        }
        let width = 13;
        let placeholders = |row: usize| {
            let values: Vec<_> = (1..=width)
                .map(|index| format!("${}", row * width + index))
                .collect();
            format!("({})", values.join(","))
        };
        let rows: Vec<_> = (0..submissions.len()).map(placeholders).collect();
        let statement = format!(
            "INSERT INTO submissions (model, id, author, nonce, deadline, max_deposit, fee, items, signature, \
             contributions, received, state, relayer) VALUES {} ON CONFLICT DO NOTHING RETURNING id",
            rows.join(",")
        );
        let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(false);
        for NewSubmission {
            model, submission, ..
        } in submissions
        {
            let batch = &submission.batch;
            query = query
                .bind(model.0)
                .bind(submission.id.to_vec())
                .bind(batch.author.to_vec())
                .bind(int(batch.nonce))
                .bind(int(batch.deadline))
                .bind(batch.max_deposit.to_be_bytes().to_vec())
                .bind(batch.fee.to_be_bytes().to_vec())
                .bind(batch.items.clone())
                .bind(batch.signature.clone())
                .bind(i64::from(submission.contributions))
                .bind(int(submission.received))
                .bind(0_i64)
                .bind(batch.relayer.to_vec());
        }
        let inserted = query.fetch_all(&mut *writing).await?;
        let mut inserted: HashSet<B256> = inserted
            .iter()
            .map(|row| hash(row, 0))
            .collect::<Result<_, _>>()?;
        let mut uncovered = HashMap::new();
        let authors: BTreeMap<(i64, Address), u128> = submissions
            .iter()
            .filter(|new| inserted.contains(&new.submission.id))
            .map(|new| ((new.model.0, new.submission.batch.author), new.balance))
            .collect();
        for ((model, author), balance) in authors {
            let over = uncover(&mut writing, ModelId(model), author, balance, &inserted).await?;
            uncovered.extend(over);
        }
        let mut outcomes = Vec::with_capacity(submissions.len());
        for NewSubmission { submission, .. } in submissions {
            if let Some(required) = uncovered.get(&submission.id) {
                outcomes.push(Inserted::Uncovered {
                    required: *required,
                });
                continue;
            }
            // If the same batch occurs twice in one call, the first one is new.
            outcomes.push(if inserted.remove(&submission.id) {
                Inserted::New
            } else {
                let known = sqlx::query("SELECT 1 FROM submissions WHERE id = $1")
                    .bind(submission.id.to_vec())
                    .fetch_optional(&mut *writing)
                    .await?;
                if known.is_some() {
                    Inserted::Known
                } else {
                    Inserted::Conflict
                }
            });
        }
        writing.commit().await?;
        Ok(outcomes)
    }

    /// Returns a batch with its progress; `None` if unknown.
    pub(crate) async fn submission(&self, id: B256) -> Result<Option<Submission>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM submissions s JOIN models m ON m.id = s.model WHERE s.id = $1"
        );
        let row = sqlx::query(AssertSqlSafe(statement))
            .bind(id.to_vec())
            .fetch_optional(self.chain.pool())
            .await?;
        let row = row.map(|row| read_submission(&row));
        match row {
            Some(read) => Ok(Some(self.with_attempt(read?).await?.1)),
            None => Ok(None),
        }
    }

    /// Returns the id of the unfinished or included batch with a nonce; `None` if there is none.
    pub(crate) async fn submission_with_nonce(
        &self,
        model: ModelId,
        author: Address,
        nonce: u64,
    ) -> Result<Option<B256>, StoreError> {
        let row = sqlx::query(
            "SELECT id FROM submissions WHERE model = $1 AND author = $2 AND nonce = $3 AND state < 3",
        )
        .bind(model.0)
        .bind(author.to_vec())
        .bind(int(nonce))
        .fetch_optional(self.chain.pool())
        .await?;
        row.map(|row| hash(&row, 0)).transpose()
    }

    /// Returns an author's highest nonce among unfinished or included batches.
    pub(crate) async fn highest_nonce(
        &self,
        model: ModelId,
        author: Address,
    ) -> Result<Option<u64>, StoreError> {
        let row = sqlx::query(HIGHEST_NONCE)
            .bind(model.0)
            .bind(author.to_vec())
            .fetch_one(self.chain.pool())
            .await?;
        number_option(&row, 0)
    }

    /// Returns the waiting and sent batches of one author.
    pub(crate) async fn unfinished_of(
        &self,
        model: ModelId,
        author: Address,
    ) -> Result<Vec<Submission>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM submissions s JOIN models m ON m.id = s.model \
             WHERE {UNFINISHED_OF}"
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(model.0)
            .bind(author.to_vec())
            .fetch_all(self.chain.pool())
            .await?;
        rows.iter()
            .map(|row| read_submission(row).map(|(_, submission, _)| submission))
            .collect()
    }

    /// Returns batches of a model, in order of submission.
    pub(crate) async fn submissions(
        &self,
        model: ModelId,
        author: Option<Address>,
        page: Page,
    ) -> Result<Vec<(i64, Submission)>, StoreError> {
        let of = if author.is_some() {
            "AND s.author = $4"
        } else {
            ""
        };
        let statement = format!(
            "SELECT {COLUMNS} FROM submissions s JOIN models m ON m.id = s.model \
             WHERE s.model = $1 AND s.seq > $2 {of} ORDER BY s.seq LIMIT $3"
        );
        let mut query = sqlx::query(AssertSqlSafe(statement))
            .bind(model.0)
            .bind(page.after.unwrap_or(-1))
            .bind(i64::from(page.limit));
        if let Some(author) = author {
            query = query.bind(author.to_vec());
        }
        let mut all = Vec::new();
        for row in query.fetch_all(self.chain.pool()).await? {
            all.push(self.with_attempt(read_submission(&row)?).await?);
        }
        Ok(all
            .into_iter()
            .map(|(seq, submission, _)| (seq, submission))
            .collect())
    }

    /// Returns the waiting and sent batches of a model, in order of submission.
    pub(crate) async fn unfinished(
        &self,
        model: ModelId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Submission)>, StoreError> {
        let which = "s.state < 2 AND s.seq > $2 ORDER BY s.seq";
        self.some(model, which, after, limit).await
    }

    /// Returns the waiting batches that have never failed.
    ///
    /// Those with the highest maximum deposit come first.
    /// So batches that allow too little cannot keep others waiting.
    pub(crate) async fn waiting(
        &self,
        model: ModelId,
        limit: u32,
    ) -> Result<Vec<Submission>, StoreError> {
        let which =
            "s.state = 0 AND s.failures = 0 AND s.seq > $2 ORDER BY s.max_deposit DESC, s.seq";
        let rows = self.some(model, which, -1, limit).await?;
        Ok(rows.into_iter().map(|(_, submission)| submission).collect())
    }

    /// Returns the batches that wait again after their transaction failed on the chain.
    pub(crate) async fn failed(
        &self,
        model: ModelId,
        limit: u32,
    ) -> Result<Vec<Submission>, StoreError> {
        let which = "s.state = 0 AND s.failures > 0 AND s.seq > $2 ORDER BY s.seq";
        let rows = self.some(model, which, -1, limit).await?;
        Ok(rows.into_iter().map(|(_, submission)| submission).collect())
    }

    /// Returns the waiting batches whose deadline is before `now`.
    pub(crate) async fn expired(
        &self,
        model: ModelId,
        now: u64,
        limit: u32,
    ) -> Result<Vec<Submission>, StoreError> {
        let which = "s.state = 0 AND s.deadline < $2 ORDER BY s.deadline";
        let rows = self.some(model, which, int(now), limit).await?;
        Ok(rows.into_iter().map(|(_, submission)| submission).collect())
    }

    /// Returns some batches; `which` is an SQL condition on `$2`, with an order.
    async fn some(
        &self,
        model: ModelId,
        which: &'static str,
        bound: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Submission)>, StoreError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM submissions s JOIN models m ON m.id = s.model \
             WHERE s.model = $1 AND {which} LIMIT $3"
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(model.0)
            .bind(bound)
            .bind(i64::from(limit))
            .fetch_all(self.chain.pool())
            .await?;
        rows.iter()
            .map(|row| read_submission(row).map(|(seq, submission, _)| (seq, submission)))
            .collect()
    }

    /// Makes a refused batch wait again; returns `false` if another batch has its nonce.
    pub(crate) async fn revive(&self, id: B256, now: u64) -> Result<bool, StoreError> {
        let mut writing = self.chain.write().await?;
        let changed = sqlx::query(
            "UPDATE submissions SET state = 0, outbox = NULL, reason = NULL, received = $2, failures = 0 \
             WHERE id = $1 AND state = 3 AND NOT EXISTS (SELECT 1 FROM submissions o WHERE o.model = submissions.model \
             AND o.author = submissions.author AND o.nonce = submissions.nonce AND o.state < 3)",
        )
        .bind(id.to_vec())
        .bind(int(now))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Refuses batches: they will not be sent.
    pub(crate) async fn refuse(
        &self,
        model: ModelId,
        block: u64,
        refused: &[(B256, String)],
    ) -> Result<(), StoreError> {
        let mut writing = self.chain.write().await?;
        for (id, reason) in refused {
            let row = sqlx::query(
                "UPDATE submissions SET state = 3, reason = $2, outbox = NULL WHERE id = $1 AND state < 2 \
                 RETURNING author, nonce",
            )
            .bind(id.to_vec())
            .bind(reason.clone())
            .fetch_optional(&mut *writing)
            .await?;
            let Some(row) = row else {
                continue;
            };
            // The event must not contain the id, which is a hash of the contents.
            // With the id, others could guess what the author signed and verify the guess.
            let (author, nonce) = (address(&row, 0)?, number(&row, 1)?);
            let detail = serde_json::json!({ "author": author, "nonce": nonce, "reason": reason });
            note(&mut writing, model, block, "refused", &detail).await?;
        }
        writing.commit().await?;
        Ok(())
    }

    /// Adds the last transaction's hash to a batch that was sent.
    async fn with_attempt(
        &self,
        (seq, mut submission, outbox): (i64, Submission, Option<i64>),
    ) -> Result<(i64, Submission, Option<i64>), StoreError> {
        if let (Progress::Sent { transaction }, Some(outbox)) = (&mut submission.progress, outbox) {
            *transaction = self
                .attempts(outbox)
                .await?
                .last()
                .map(|attempt| attempt.hash);
        }
        Ok((seq, submission, outbox))
    }

    /// Stores an account's delegation to the keeper; a later one replaces an earlier one.
    pub(crate) async fn delegate(
        &self,
        model: ModelId,
        row: DelegationRow,
        signature: &[u8],
    ) -> Result<(), StoreError> {
        let mut writing = self.chain.write().await?;
        sqlx::query("DELETE FROM delegations WHERE model = $1 AND account = $2")
            .bind(model.0)
            .bind(row.account.to_vec())
            .execute(&mut *writing)
            .await?;
        let values = vec![
            Value::Int(model.0),
            row.account.as_slice().into(),
            row.until.into(),
            signature.into(),
            row.received.into(),
        ];
        let into = "delegations (model, account, until, signature, received)";
        sql::insert(&mut writing, into, 5, values).await?;
        writing.commit().await?;
        Ok(())
    }

    /// Returns the accounts that the keeper may claim for after `now`, with their signatures.
    pub(crate) async fn delegations(
        &self,
        model: ModelId,
        now: u64,
    ) -> Result<Vec<(DelegationRow, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT account, until, received, signature FROM delegations \
             WHERE model = $1 AND until > $2 ORDER BY account",
        )
        .bind(model.0)
        .bind(int(now))
        .fetch_all(self.chain.pool())
        .await?;
        rows.iter()
            .map(|row| Ok((read_delegation(row)?, row.try_get(3)?)))
            .collect()
    }

    /// Returns the delegation of one account; `None` if there is none.
    pub(crate) async fn delegation(
        &self,
        model: ModelId,
        account: Address,
    ) -> Result<Option<DelegationRow>, StoreError> {
        let row = sqlx::query(
            "SELECT account, until, received FROM delegations WHERE model = $1 AND account = $2",
        )
        .bind(model.0)
        .bind(account.to_vec())
        .fetch_optional(self.chain.pool())
        .await?;
        row.map(|row| read_delegation(&row)).transpose()
    }
}

/// Deletes the inserted batches that an author cannot pay for.
/// Returns their ids, each with the sum that would have been required, in wei.
async fn uncover(
    writing: &mut Writing,
    model: ModelId,
    author: Address,
    balance: u128,
    inserted: &HashSet<B256>,
) -> Result<Vec<(B256, u128)>, StoreError> {
    let statement = format!(
        "SELECT s.id, s.max_deposit, s.fee, s.contributions FROM submissions s \
         WHERE {UNFINISHED_OF} ORDER BY s.seq"
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .bind(model.0)
        .bind(author.to_vec())
        .fetch_all(&mut **writing)
        .await?;
    let mut committed = 0_u128;
    let mut over = Vec::new();
    for row in rows {
        let id = hash(&row, 0)?;
        let max = wei(&row, 1)?
            .saturating_mul(number(&row, 3)?.into())
            .saturating_add(wei(&row, 2)?);
        let required = committed.saturating_add(max);
        if required <= balance || !inserted.contains(&id) {
            committed = required;
            continue;
        }
        sqlx::query("DELETE FROM submissions WHERE id = $1")
            .bind(id.to_vec())
            .execute(&mut **writing)
            .await?;
        over.push((id, required));
    }
    Ok(over)
}

/// Reads a batch, with its number for paging and the id of its transaction.
fn read_submission(row: &AnyRow) -> Result<(i64, Submission, Option<i64>), StoreError> {
    let contributions = u32::try_from(number(row, 10)?).map_err(|_| StoreError::Malformed {
        what: "a number of contributions",
    })?;
    let progress = match row.try_get::<i64, _>(12)? {
        0 => Progress::Waiting,
        1 => Progress::Sent { transaction: None },
        2 => Progress::Included {
            transaction: hash_option(row, 13)?.unwrap_or_default(),
            block: number_option(row, 14)?.unwrap_or_default(),
            position: number_option(row, 15)?.unwrap_or_default(),
        },
        3 => Progress::Refused {
            reason: row.try_get::<Option<String>, _>(16)?.unwrap_or_default(),
        },
        _ => {
            return Err(StoreError::Malformed {
                what: "the state of a signed batch",
            });
        }
    };
    let submission = Submission {
        id: hash(row, 1)?,
        trainer: address(row, 2)?,
        batch: SignedBatch {
            author: address(row, 3)?,
            relayer: address(row, 18)?,
            max_deposit: wei(row, 6)?,
            fee: wei(row, 7)?,
            nonce: number(row, 4)?,
            deadline: number(row, 5)?,
            items: row.try_get(8)?,
            signature: row.try_get(9)?,
        },
        contributions,
        received: number(row, 11)?,
        progress,
    };
    Ok((row.try_get(0)?, submission, row.try_get(17)?))
}

fn read_delegation(row: &AnyRow) -> Result<DelegationRow, StoreError> {
    Ok(DelegationRow {
        account: address(row, 0)?,
        until: number(row, 1)?,
        received: number(row, 2)?,
    })
}

#[cfg(test)]
mod tests {
    use cotrain_indexer::ChainStore;

    use super::*;

    /// The cost of an answer about one account must not grow with other accounts' pending batches.
    #[tokio::test]
    async fn unfinished_of_and_highest_nonce_use_an_index_of_authors() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db");
        let chain = ChainStore::open(&path.to_string_lossy()).await;
        let chain = chain.expect("a store");
        let read = format!(
            "SELECT {COLUMNS} FROM submissions s JOIN models m ON m.id = s.model WHERE {UNFINISHED_OF}"
        );
        let uncover =
            format!("SELECT s.id FROM submissions s WHERE {UNFINISHED_OF} ORDER BY s.seq");
        for statement in [read, uncover, HIGHEST_NONCE.to_owned()] {
            let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}")))
                .bind(1_i64)
                .bind(vec![0_u8; 20])
                .fetch_all(chain.pool())
                .await
                .expect("a plan");
            let steps: Vec<String> = plan.iter().map(|row| row.get(3)).collect();
            assert!(
                steps
                    .iter()
                    .any(|step| step.contains("model=? AND author=?")),
                "{statement}: {steps:?}"
            );
        }
    }
}
