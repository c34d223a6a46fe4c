//! Our transactions, stored before they are sent so that none is lost or made twice.

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_chain::keys::{Signed, Unsigned};
use cotrain_client::send::{Outgoing, TxStore};
use cotrain_indexer::{
    ModelId, StoreError,
    rows::Page,
    store::sql::{Writing, address, hash, int, number, number_option, wei},
};
use sqlx::{Row, any::AnyRow};

use super::tables::RelayStore;
use crate::{clock, rows::TransactionRow};

/// A transaction to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewTransaction {
    pub(crate) model: ModelId,
    /// Purpose: `relay`, `refund`, `announce`, `report` or `score`.
    pub(crate) purpose: &'static str,
    pub(crate) sender: Address,
    pub(crate) nonce: u64,
    pub(crate) to: Address,
    pub(crate) data: Bytes,
    pub(crate) gas_limit: u64,
    /// Time of creation, in Unix seconds.
    pub(crate) created: u64,
}

/// A signed attempt at a transaction. Fees are in wei per unit of gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) hash: B256,
    pub(crate) raw: Bytes,
    pub(crate) max_fee: u128,
    pub(crate) priority_fee: u128,
    /// Time of the signature, in Unix seconds.
    pub(crate) sent: u64,
}

/// Purpose of a transaction, with the further facts that are stored with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Purpose {
    pub(crate) model: ModelId,
    /// Name: `relay`, `refund`, `announce`, `report` or `score`.
    pub(crate) name: &'static str,
    /// Account that sends the transaction.
    pub(crate) sender: Address,
    /// Ids of the signed batches that the transaction contains.
    pub(crate) submissions: Vec<B256>,
}

/// A transaction that is not final yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub(crate) id: i64,
    pub(crate) model: ModelId,
    /// Purpose: `relay`, `refund`, `announce`, `report` or `score`.
    pub(crate) purpose: String,
    /// Number of its block; `None` if no known block includes it.
    pub(crate) block: Option<u64>,
    /// Time of the last signature, in Unix seconds.
    pub(crate) sent: u64,
    pub(crate) transaction: Outgoing,
}

/// Stores transactions in the database, with the signed batches that they contain.
impl TxStore for RelayStore {
    type Purpose = Purpose;
    type Id = i64;
    type Error = StoreError;

    async fn insert(&mut self, purpose: &Purpose, outgoing: &Outgoing) -> Result<i64, StoreError> {
        let unsigned = &outgoing.unsigned;
        let now = clock::now();
        let new = NewTransaction {
            model: purpose.model,
            purpose: purpose.name,
            sender: purpose.sender,
            nonce: unsigned.nonce,
            to: unsigned.to.unwrap_or_default(),
            data: unsigned.data.clone(),
            gas_limit: unsigned.gas_limit,
            created: now,
        };
        let attempt = Attempt::last_of(outgoing, now);
        self.enqueue(&new, &attempt, &purpose.submissions).await
    }

    async fn add_signature(&mut self, id: &i64, outgoing: &Outgoing) -> Result<(), StoreError> {
        let attempt = Attempt::last_of(outgoing, clock::now());
        self.add_attempt(*id, &attempt).await
    }
}

impl Attempt {
    /// Returns the last signature of a transaction; `sent` is its time, in Unix seconds.
    fn last_of(outgoing: &Outgoing, sent: u64) -> Self {
        Self {
            hash: outgoing.last.hash,
            raw: outgoing.last.raw.clone(),
            max_fee: outgoing.unsigned.max_fee,
            priority_fee: outgoing.unsigned.priority_fee,
            sent,
        }
    }

    fn into_signed(self) -> Signed {
        Signed {
            hash: self.hash,
            raw: self.raw,
        }
    }
}

impl RelayStore {
    /// Stores a transaction with its first attempt, and links the signed batches that it contains.
    pub(crate) async fn enqueue(
        &self,
        new: &NewTransaction,
        attempt: &Attempt,
        submissions: &[B256],
    ) -> Result<i64, StoreError> {
        let mut writing = self.chain.write().await?;
        let row = sqlx::query(
            "INSERT INTO transactions (model, purpose, sender, nonce, target, data, gas_limit, created, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) RETURNING id",
        )
        .bind(new.model.0)
        .bind(new.purpose)
        .bind(new.sender.to_vec())
        .bind(int(new.nonce))
        .bind(new.to.to_vec())
        .bind(new.data.to_vec())
        .bind(int(new.gas_limit))
        .bind(int(new.created))
        .fetch_one(&mut *writing)
        .await?;
        let id: i64 = row.try_get(0)?;
        insert_attempt(&mut writing, id, attempt).await?;
        for submission in submissions {
            sqlx::query(
                "UPDATE submissions SET state = 1, outbox = $2 WHERE id = $1 AND state = 0",
            )
            .bind(submission.to_vec())
            .bind(id)
            .execute(&mut *writing)
            .await?;
        }
        writing.commit().await?;
        Ok(id)
    }

    /// Stores a further attempt at a transaction.
    pub(crate) async fn add_attempt(&self, id: i64, attempt: &Attempt) -> Result<(), StoreError> {
        let mut writing = self.chain.write().await?;
        insert_attempt(&mut writing, id, attempt).await?;
        writing.commit().await?;
        Ok(())
    }

    /// Returns the attempts at a transaction, in order of rising fees.
    pub(crate) async fn attempts(&self, id: i64) -> Result<Vec<Attempt>, StoreError> {
        let rows = sqlx::query(
            "SELECT hash, raw, max_fee, priority_fee, sent FROM attempts WHERE transaction_id = $1 ORDER BY max_fee",
        )
        .bind(id)
        .fetch_all(self.chain.pool())
        .await?;
        rows.iter().map(read_attempt).collect()
    }

    /// Returns the sender's transactions on a chain that are not final, ordered by nonce.
    pub(crate) async fn outgoing(
        &self,
        chain_id: u64,
        sender: Address,
    ) -> Result<Vec<InFlight>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, model, nonce, target, data, gas_limit, state, block, purpose FROM transactions \
             WHERE sender = $1 AND state < 2 ORDER BY nonce, id",
        )
        .bind(sender.to_vec())
        .fetch_all(self.chain.pool())
        .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.try_get(0)?;
            let data: Vec<u8> = row.try_get(4)?;
            let attempts = self.attempts(id).await?;
            let malformed = StoreError::Malformed {
                what: "a transaction without a signature",
            };
            let Some(last) = attempts.last().cloned() else {
                return Err(malformed);
            };
            let unsigned = Unsigned {
                chain_id,
                nonce: number(&row, 2)?,
                to: Some(address(&row, 3)?),
                value: U256::ZERO,
                data: data.into(),
                gas_limit: number(&row, 5)?,
                max_fee: last.max_fee,
                priority_fee: last.priority_fee,
            };
            let signed = attempts.into_iter().map(Attempt::into_signed).collect();
            all.push(InFlight {
                id,
                model: ModelId(row.try_get(1)?),
                purpose: row.try_get(8)?,
                block: number_option(&row, 7)?,
                sent: last.sent,
                transaction: Outgoing::new(unsigned, signed).ok_or(malformed)?,
            });
        }
        Ok(all)
    }

    /// Returns the nonce after the last assigned one of this chain.
    pub(crate) async fn next_nonce(
        &self,
        chain_id: u64,
        sender: Address,
    ) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT MAX(t.nonce) FROM transactions t JOIN models m ON m.id = t.model \
             WHERE t.sender = $1 AND m.chain_id = $2 AND t.state < 3",
        )
        .bind(sender.to_vec())
        .bind(int(chain_id))
        .fetch_one(self.chain.pool())
        .await?;
        Ok(number_option(&row, 0)?.map_or(0, |last| last + 1))
    }

    /// Returns `true` if a transaction of this purpose is pending for a model.
    pub(crate) async fn is_on_its_way(
        &self,
        model: ModelId,
        purpose: &'static str,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM transactions WHERE model = $1 AND purpose = $2 AND state = 0 LIMIT 1",
        )
        .bind(model.0)
        .bind(purpose)
        .fetch_optional(self.chain.pool())
        .await?;
        Ok(row.is_some())
    }

    /// Returns `true` if a transaction of this purpose is pending for a model, or not yet read.
    ///
    /// `read` is the last block whose logs were read.
    pub(crate) async fn is_unread(
        &self,
        model: ModelId,
        purpose: &'static str,
        read: u64,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM transactions WHERE model = $1 AND purpose = $2 \
             AND (state = 0 OR (state IN (1, 2) AND block > $3)) LIMIT 1",
        )
        .bind(model.0)
        .bind(purpose)
        .bind(int(read))
        .fetch_optional(self.chain.pool())
        .await?;
        Ok(row.is_some())
    }

    /// Returns the maximum total cost of a model's transactions of one purpose, in wei.
    ///
    /// Each counts with the gas that it used or may use, at the highest price that it offered.
    /// The transaction with the id `except` does not count.
    /// Replaced ones do: the node may only have lost their receipts.
    pub(crate) async fn cost(
        &self,
        model: ModelId,
        purpose: &str,
        except: Option<i64>,
    ) -> Result<u128, StoreError> {
        let rows = sqlx::query(
            "SELECT id, COALESCE(gas_used, gas_limit) FROM transactions \
             WHERE model = $1 AND purpose = $2 AND id <> $3",
        )
        .bind(model.0)
        .bind(purpose)
        .bind(except.unwrap_or(-1))
        .fetch_all(self.chain.pool())
        .await?;
        let mut cost = 0_u128;
        for row in rows {
            let attempts = self.attempts(row.try_get(0)?).await?;
            let price = attempts.last().map_or(0, |attempt| attempt.max_fee);
            cost = cost.saturating_add(price.saturating_mul(number(&row, 1)?.into()));
        }
        Ok(cost)
    }

    /// Records that the chain included a transaction.
    ///
    /// If it failed there, its signed batches wait again, to be sent one by one.
    /// A batch that fails again is refused.
    pub(crate) async fn set_included(
        &self,
        id: i64,
        block: u64,
        gas_used: u64,
        success: bool,
    ) -> Result<(), StoreError> {
        let mut writing = self.chain.write().await?;
        sqlx::query("UPDATE transactions SET state = 1, block = $2, gas_used = $3 WHERE id = $1")
            .bind(id)
            .bind(int(block))
            .bind(int(gas_used))
            .execute(&mut *writing)
            .await?;
        if !success {
            sqlx::query(
                "UPDATE submissions SET failures = failures + 1, outbox = NULL, \
                 state = CASE WHEN failures > 0 THEN 3 ELSE 0 END, \
                 reason = 'the transaction with it failed on the chain, and again when it was sent alone' \
                 WHERE outbox = $1 AND state = 1",
            )
            .bind(id)
            .execute(&mut *writing)
            .await?;
        }
        writing.commit().await?;
        Ok(())
    }

    /// Records that a transaction's block is too deep to be rolled back.
    pub(crate) async fn set_final(&self, id: i64) -> Result<(), StoreError> {
        self.set_state(id, 2).await
    }

    /// Records that the chain's present branch does not include the transaction.
    pub(crate) async fn set_sent(&self, id: i64) -> Result<(), StoreError> {
        let mut writing = self.chain.write().await?;
        sqlx::query(
            "UPDATE transactions SET state = 0, block = NULL, gas_used = NULL WHERE id = $1",
        )
        .bind(id)
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// Records that another transaction used the nonce, so this one can never be included.
    /// Its signed batches wait again.
    pub(crate) async fn set_replaced(&self, id: i64) -> Result<(), StoreError> {
        let mut writing = self.chain.write().await?;
        sqlx::query("UPDATE transactions SET state = 3 WHERE id = $1")
            .bind(id)
            .execute(&mut *writing)
            .await?;
        release(&mut writing, id).await?;
        writing.commit().await?;
        Ok(())
    }

    /// Makes the signed batches of a read transaction pending again, if it did not settle them.
    ///
    /// It has settled a batch if it included or skipped the batch.
    pub(crate) async fn release_unsettled(&self, id: i64) -> Result<(), StoreError> {
        let unsettled =
            sqlx::query("SELECT 1 FROM submissions WHERE outbox = $1 AND state = 1 LIMIT 1")
                .bind(id)
                .fetch_optional(self.chain.pool())
                .await?;
        if unsettled.is_none() {
            return Ok(());
        }
        let mut writing = self.chain.write().await?;
        release(&mut writing, id).await?;
        writing.commit().await?;
        Ok(())
    }

    async fn set_state(&self, id: i64, state: i64) -> Result<(), StoreError> {
        let mut writing = self.chain.write().await?;
        sqlx::query("UPDATE transactions SET state = $2 WHERE id = $1")
            .bind(id)
            .bind(state)
            .execute(&mut *writing)
            .await?;
        writing.commit().await?;
        Ok(())
    }

    /// Returns transactions, in order of creation.
    pub(crate) async fn transactions(&self, page: Page) -> Result<Vec<TransactionRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT t.id, t.purpose, m.trainer, t.sender, t.nonce, t.state, t.block, t.gas_used, t.created \
             FROM transactions t JOIN models m ON m.id = t.model WHERE t.id > $1 ORDER BY t.id LIMIT $2",
        )
        .bind(page.after.unwrap_or(-1))
        .bind(i64::from(page.limit))
        .fetch_all(self.chain.pool())
        .await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.try_get(0)?;
            let attempts = self.attempts(id).await?;
            all.push(TransactionRow {
                id,
                purpose: row.try_get(1)?,
                trainer: address(&row, 2)?,
                from: address(&row, 3)?,
                nonce: number(&row, 4)?,
                hashes: attempts.iter().map(|attempt| attempt.hash).collect(),
                state: match row.try_get::<i64, _>(5)? {
                    0 => "sent",
                    1 => "included",
                    2 => "final",
                    3 => "replaced",
                    _ => {
                        return Err(StoreError::Malformed {
                            what: "the state of a transaction",
                        });
                    }
                },
                block: number_option(&row, 6)?,
                gas_used: number_option(&row, 7)?,
                created: number(&row, 8)?,
            });
        }
        Ok(all)
    }
}

async fn insert_attempt(
    writing: &mut Writing,
    id: i64,
    attempt: &Attempt,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO attempts (transaction_id, hash, raw, max_fee, priority_fee, sent) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id)
    .bind(attempt.hash.to_vec())
    .bind(attempt.raw.to_vec())
    .bind(attempt.max_fee.to_be_bytes().to_vec())
    .bind(attempt.priority_fee.to_be_bytes().to_vec())
    .bind(int(attempt.sent))
    .execute(&mut **writing)
    .await?;
    Ok(())
}

pub(super) async fn release(writing: &mut Writing, id: i64) -> Result<u64, StoreError> {
    let released = sqlx::query(
        "UPDATE submissions SET state = 0, outbox = NULL WHERE outbox = $1 AND state = 1",
    )
    .bind(id)
    .execute(&mut **writing)
    .await?;
    Ok(released.rows_affected())
}

fn read_attempt(row: &AnyRow) -> Result<Attempt, StoreError> {
    let raw: Vec<u8> = row.try_get(1)?;
    Ok(Attempt {
        hash: hash(row, 0)?,
        raw: raw.into(),
        max_fee: wei(row, 2)?,
        priority_fee: wei(row, 3)?,
        sent: number(row, 4)?,
    })
}

#[cfg(test)]
mod tests {
    use cotrain_indexer::ChainStore;

    use super::*;
    use crate::{
        fixtures::{followed, submission},
        rows::Progress,
        store::NewSubmission,
    };

    /// Stores a transaction with these batches, which then fails on the chain.
    async fn fail(store: &RelayStore, model: ModelId, nonce: u64, ids: &[B256]) {
        let new = NewTransaction {
            model,
            purpose: "relay",
            sender: Address::repeat_byte(3),
            nonce,
            to: Address::repeat_byte(1),
            data: Bytes::new(),
            gas_limit: 21_000,
            created: 0,
        };
        let attempt = Attempt {
            hash: B256::repeat_byte(u8::try_from(nonce).expect("small") + 1),
            raw: Bytes::new(),
            max_fee: 2,
            priority_fee: 1,
            sent: 0,
        };
        let id = store.enqueue(&new, &attempt, ids).await.expect("stored");
        assert!(
            store
                .waiting(model, 10)
                .await
                .expect("read")
                .iter()
                .all(|one| !ids.contains(&one.id))
        );
        store
            .set_included(id, 7, 21_000, false)
            .await
            .expect("stored");
    }

    #[tokio::test]
    async fn set_included_retries_batches_alone_and_refuses_one_that_failed_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let chain = ChainStore::open(&folder.path().join("db").to_string_lossy())
            .await
            .expect("a store");
        let model = followed(&chain).await;
        let store = RelayStore::new(chain);
        let (one, two) = (submission(0), submission(1));
        let both = [one.clone(), two.clone()].map(|submission| NewSubmission {
            model,
            submission,
            balance: 1_000,
        });
        store.insert_submissions(&both).await.expect("stored");

        fail(&store, model, 0, &[one.id, two.id]).await;
        assert_eq!(store.waiting(model, 10).await.expect("read"), []);
        assert_eq!(
            store.failed(model, 10).await.expect("read"),
            [one.clone(), two.clone()]
        );

        fail(&store, model, 1, &[one.id]).await;
        assert_eq!(store.failed(model, 10).await.expect("read"), [two]);
        let refused = store
            .submission(one.id)
            .await
            .expect("read")
            .expect("known")
            .progress;
        assert!(matches!(refused, Progress::Refused { reason } if reason.contains("failed")));

        // A batch that is submitted again starts afresh.
        assert!(store.revive(one.id, 9).await.expect("stored"));
        let waiting = store.waiting(model, 10).await.expect("read");
        assert_eq!(
            waiting.iter().map(|one| one.id).collect::<Vec<_>>(),
            [one.id]
        );
    }

    #[tokio::test]
    async fn cost_counts_what_each_transaction_may_cost_and_is_unread_until_its_block_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("db");
        let chain = ChainStore::open(&path.to_string_lossy()).await;
        let chain = chain.expect("a store");
        let model = followed(&chain).await;
        let store = RelayStore::new(chain);
        let cost = async |except| store.cost(model, "score", except).await.expect("read");
        let is_unread = async |read| {
            let unread = store.is_unread(model, "score", read).await;
            unread.expect("read")
        };
        let attempt = |number: u8, max_fee| Attempt {
            hash: B256::repeat_byte(number),
            raw: Bytes::new(),
            max_fee,
            priority_fee: 1,
            sent: 0,
        };
        let send = async |purpose, nonce: u8| {
            let new = NewTransaction {
                model,
                purpose,
                sender: Address::repeat_byte(3),
                nonce: nonce.into(),
                to: Address::repeat_byte(1),
                data: Bytes::new(),
                gas_limit: 1_000,
                created: 0,
            };
            let sent = store.enqueue(&new, &attempt(nonce, 2), &[]).await;
            sent.expect("stored")
        };
        assert_eq!((cost(None).await, is_unread(0).await), (0, false));

        send("report", 1).await;
        let one = send("score", 2).await;
        assert_eq!((cost(None).await, cost(Some(one)).await), (2_000, 0));
        assert!(is_unread(100).await);
        // A higher offer replaces the earlier one in the cost.
        store
            .add_attempt(one, &attempt(12, 5))
            .await
            .expect("stored");
        assert_eq!(cost(None).await, 5_000);

        // An included transaction costs the gas that it used, even if it failed.
        store
            .set_included(one, 7, 300, false)
            .await
            .expect("stored");
        assert_eq!(cost(None).await, 1_500);
        assert_eq!((is_unread(6).await, is_unread(7).await), (true, false));
        store.set_final(one).await.expect("stored");
        assert_eq!((cost(None).await, is_unread(6).await), (1_500, true));

        let two = send("score", 3).await;
        assert_eq!((cost(None).await, cost(Some(two)).await), (3_500, 1_500));
        // After a reorganization, the branch may not include it.
        store.set_included(two, 8, 400, true).await.expect("stored");
        store.set_sent(two).await.expect("stored");
        assert_eq!((cost(None).await, is_unread(8).await), (3_500, true));
        store.set_replaced(two).await.expect("stored");
        assert_eq!((cost(None).await, is_unread(8).await), (3_500, false));
    }
}
