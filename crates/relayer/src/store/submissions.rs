//! Signed batches that were submitted, and delegations.

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
    /// It is stored now.
    New,
    /// It was stored before.
    Known,
    /// Another one waits with the same nonce.
    Conflict,
    /// Together with what waits it may cost more than its author has.
    Uncovered {
        /// Maximum cost of all of it, in wei.
        required: u128,
    },
}

/// A signed batch that is to be stored.
#[derive(Debug, Clone)]
pub(crate) struct NewSubmission {
    pub(crate) model: ModelId,
    pub(crate) submission: Submission,
    /// Prepaid balance of its author, in wei.
    pub(crate) balance: u128,
}

/// Condition of one author's batches that are pending or on their way.
///
/// The plus keeps `SQLite` from the index of states, by which it reads all pending batches of the model.
const UNFINISHED_OF: &str = "s.model = $1 AND s.author = $2 AND +s.state < 2";

/// Statement for the highest nonce of an author's batches that are pending or included.
///
/// A nonce is at least 0. Saying so makes `SQLite` take the index of nonces.
const HIGHEST_NONCE: &str = "SELECT MAX(nonce) FROM submissions WHERE model = $1 AND author = $2 AND nonce >= 0 AND state < 3";

/// "cots", and the model: the lock of those who add to a model's submissions, in `PostgreSQL`.
const SUBMITTING: i64 = 0x636f_7473_0000_0000;

const COLUMNS: &str = "s.seq, s.id, m.trainer, s.author, s.nonce, s.deadline, s.max_deposit, s.fee, s.items, \
    s.signature, s.contributions, s.received, s.state, s.transaction_hash, s.block, s.position, s.reason, s.outbox, s.relayer";

impl RelayStore {
    /// Stores batches that wait; durable when it returns. In their order, what became of each. No nonce is taken twice,
    /// and no more money than there is, whoever else writes to the database.
    pub(crate) async fn insert_submissions(
        &self,
        submissions: &[NewSubmission],
    ) -> Result<Vec<Inserted>, StoreError> {
        let mut writing = self.chain.write().await?;
        if self.chain.is_postgres() {
            let models: BTreeSet<i64> = submissions.iter().map(|new| new.model.0).collect();
            for model in models {
                // Of two that add to the same author's, neither would see the other's.
                sqlx::query("SELECT pg_advisory_xact_lock($1)")
                    .bind(SUBMITTING | model)
                    .execute(&mut *writing)
                    .await?;
            }
        }
        let width = 13;
        let places = |row: usize| {
            let places: Vec<_> = (1..=width)
                .map(|place| format!("${}", row * width + place))
                .collect();
            format!("({})", places.join(","))
        };
        let rows: Vec<_> = (0..submissions.len()).map(places).collect();
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
            // The same one twice in one go: the first is new.
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

    /// Returns a batch with its progress.
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

    /// The one that waits or is included with a nonce.
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

    /// Returns the highest nonce of an author's that waits or is included.
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

    /// Returns what waits, or is on its way, of one author.
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

    /// Returns batches of a model, in the order in which they were submitted.
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

    /// Those that wait, or are on their way, for a model, in order.
    pub(crate) async fn unfinished(
        &self,
        model: ModelId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Submission)>, StoreError> {
        let which = "s.state < 2 AND s.seq > $2 ORDER BY s.seq";
        self.some(model, which, after, limit).await
    }

    /// Those that wait to be sent and have never failed: the ones first that allow the highest deposit, so that nobody is kept waiting by
    /// offers that are never taken up.
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

    /// Those that wait after a transaction with them failed on the chain.
    pub(crate) async fn failed(
        &self,
        model: ModelId,
        limit: u32,
    ) -> Result<Vec<Submission>, StoreError> {
        let which = "s.state = 0 AND s.failures > 0 AND s.seq > $2 ORDER BY s.seq";
        let rows = self.some(model, which, -1, limit).await?;
        Ok(rows.into_iter().map(|(_, submission)| submission).collect())
    }

    /// Those that wait and whose deadline is before `now`.
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

    /// `which` is a condition on `$2`, with an order.
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

    /// Lets one wait again that was refused; not where its nonce has gone to another one.
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

    /// Ends waiting: these will not be sent.
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
            // Not its id, which is a hash of its contents: from one, others could find out by guessing what was signed.
            let (author, nonce) = (address(&row, 0)?, number(&row, 1)?);
            let detail = serde_json::json!({ "author": author, "nonce": nonce, "reason": reason });
            note(&mut writing, model, block, "refused", &detail).await?;
        }
        writing.commit().await?;
        Ok(())
    }

    /// Names the last transaction of one that was sent.
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

    /// Stores what an account allows the keeper; a later one replaces an earlier one.
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

    /// The accounts that the keeper may report for until some time after `now`, with what they signed.
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

    /// Returns what one account allows the keeper.
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

/// Takes out again what an author cannot pay for of what was just inserted; with what all would cost together, in wei.
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
        let most = wei(&row, 1)?
            .saturating_mul(number(&row, 3)?.into())
            .saturating_add(wei(&row, 2)?);
        let required = committed.saturating_add(most);
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

/// With the number by which a page begins, and the transaction that it is in.
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

    /// An answer about one account must not cost more the more batches of others are pending.
    #[tokio::test]
    async fn questions_about_one_author_use_an_index_of_authors() {
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
