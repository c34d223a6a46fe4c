//! Queries of the index's rows.

use std::{collections::BTreeMap, fmt::Write as _};

use alloy_primitives::Address;
use cotrain_bindings::Revert;
use cotrain_protocol::record::{Claims, Record};
use sqlx::{AssertSqlSafe, Row};

use super::{
    chain::{read_contribution, read_kind, settled_code},
    database::ChainStore,
    error::StoreError,
    events::read_event,
    sql::{address, hash, int, number, wei},
};
use crate::{
    rows::{AccuracyRow, ClaimRow, ContributionFilter, ContributionRow, EventRow, Page, Settled},
    taken::ModelId,
};

const CONTRIBUTION: &str = "position, first_position, author, label, deposit, time, sample, block, transaction_hash, \
    submission, settled, taken";

impl ChainStore {
    /// Returns contributions, ordered by position.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn contributions(
        &self,
        model: ModelId,
        filter: ContributionFilter,
        page: Page,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        let mut conditions = String::new();
        if let Some(label) = filter.label {
            let _ = write!(conditions, " AND label = {label}");
        }
        if let Some(open) = filter.open {
            // Written as in the definition of the SQL index, so that the database can use it.
            conditions += if open {
                " AND settled < 2"
            } else {
                " AND settled >= 2"
            };
        }
        if filter.author.is_some() {
            conditions += " AND author = $4";
        }
        let statement = format!(
            "SELECT {CONTRIBUTION} FROM contributions WHERE model = $1 AND position > $2{conditions} \
             ORDER BY position LIMIT $3"
        );
        let mut query = sqlx::query(AssertSqlSafe(statement))
            .bind(model.0)
            .bind(page.after.unwrap_or(-1))
            .bind(i64::from(page.limit));
        if let Some(author) = filter.author {
            query = query.bind(author.to_vec());
        }
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(read_contribution).collect()
    }

    /// Returns one contribution; `None` if the position is unknown.
    pub(crate) async fn contribution(
        &self,
        model: ModelId,
        position: u64,
    ) -> Result<Option<ContributionRow>, StoreError> {
        let statement =
            format!("SELECT {CONTRIBUTION} FROM contributions WHERE model = $1 AND position = $2");
        let row = sqlx::query(AssertSqlSafe(statement))
            .bind(model.0)
            .bind(int(position))
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read_contribution).transpose()
    }

    /// Returns all contributions of one transaction, in order.
    async fn contributed_from(
        &self,
        model: ModelId,
        first_position: u64,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        // The positions of a transaction are consecutive, and a transaction cannot hold more.
        let statement = format!(
            "SELECT {CONTRIBUTION} FROM contributions WHERE model = $1 AND position >= $2 \
             AND position < $2 + 65536 AND first_position = $2 ORDER BY position"
        );
        let rows = sqlx::query(AssertSqlSafe(statement))
            .bind(model.0)
            .bind(int(first_position))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read_contribution).collect()
    }

    /// Returns claims with their proofs.
    /// `transactions` maps the first position of each transaction to the claimed positions.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn proved(
        &self,
        model: ModelId,
        transactions: BTreeMap<u64, Vec<u64>>,
    ) -> Result<Vec<Claims>, StoreError> {
        let mut groups = Vec::with_capacity(transactions.len());
        for (first_position, positions) in transactions {
            let rows = self
                .contributed_from(model, first_position)
                .await?
                .into_iter();
            let record = Record::of(first_position, rows.map(|row| row.contribution).collect());
            groups.push(record.claims(&positions));
        }
        Ok(groups)
    }

    /// Returns open contributions made until `time`, ordered by position.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn open_until(
        &self,
        model: ModelId,
        time: u64,
        author: Option<Address>,
        page: Page,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        let of = if author.is_some() {
            "AND author = $5"
        } else {
            ""
        };
        let statement = format!(
            "SELECT {CONTRIBUTION} FROM contributions WHERE model = $1 AND settled < {closed} AND position > $2 \
             AND time <= $3 {of} ORDER BY position LIMIT $4",
            closed = settled_code(Settled::Refunded)
        );
        let mut query = sqlx::query(AssertSqlSafe(statement))
            .bind(model.0)
            .bind(page.after.unwrap_or(-1))
            .bind(int(time))
            .bind(i64::from(page.limit));
        if let Some(author) = author {
            query = query.bind(author.to_vec());
        }
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(read_contribution).collect()
    }

    /// Returns the claims on the contributions from `first` to `last`, ordered by position and then
    /// as on the chain.
    pub(crate) async fn claims_on(
        &self,
        model: ModelId,
        first: u64,
        last: u64,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, kind, account, amount, block, transaction_hash FROM claims \
             WHERE model = $1 AND position >= $2 AND position <= $3 \
             ORDER BY position, block, log_index",
        )
        .bind(model.0)
        .bind(int(first))
        .bind(int(last))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ClaimRow {
                    position: number(row, 0)?,
                    kind: read_kind(row.try_get(1)?)?,
                    account: address(row, 2)?,
                    amount: wei(row, 3)?,
                    block: number(row, 4)?,
                    transaction: hash(row, 5)?,
                })
            })
            .collect()
    }

    /// Returns the claims on a contribution, in order.
    pub(crate) async fn claims(
        &self,
        model: ModelId,
        position: u64,
    ) -> Result<Vec<ClaimRow>, StoreError> {
        self.claims_on(model, position, position).await
    }

    /// Returns accuracies of a model, after the page's number of contributions.
    pub(crate) async fn accuracy(
        &self,
        model: ModelId,
        page: Page,
    ) -> Result<Vec<AccuracyRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT block, time, contributions, correct, samples FROM accuracy \
             WHERE model = $1 AND contributions > $2 ORDER BY contributions LIMIT $3",
        )
        .bind(model.0)
        .bind(page.after.unwrap_or(-1))
        .bind(i64::from(page.limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(AccuracyRow {
                    block: number(row, 0)?,
                    time: number(row, 1)?,
                    contributions: number(row, 2)?,
                    correct: number(row, 3)?,
                    samples: number(row, 4)?,
                })
            })
            .collect()
    }

    /// Returns the last measured accuracy; `None` if none was measured.
    pub(crate) async fn last_accuracy(
        &self,
        model: ModelId,
    ) -> Result<Option<AccuracyRow>, StoreError> {
        let row = sqlx::query("SELECT MAX(contributions) FROM accuracy WHERE model = $1")
            .bind(model.0)
            .fetch_one(&self.pool)
            .await?;
        let Some(last) = row.try_get::<Option<i64>, _>(0)? else {
            return Ok(None);
        };
        let page = Page {
            after: Some(last - 1),
            limit: 1,
        };
        Ok(self.accuracy(model, page).await?.pop())
    }

    /// Returns changes in the order in which they became known.
    /// `explain` describes a revert reason of a model's contracts as text.
    pub(crate) async fn events(
        &self,
        model: Option<ModelId>,
        page: Page,
        explain: impl Fn(Address, &Revert) -> String,
    ) -> Result<Vec<EventRow>, StoreError> {
        let of = if model.is_some() {
            "AND e.model = $3"
        } else {
            ""
        };
        let statement = format!(
            "SELECT e.id, m.trainer, e.kind, e.detail, e.block, e.log_index, e.transaction_hash, e.topics, e.data \
             FROM events e JOIN models m ON m.id = e.model WHERE e.id > $1 {of} ORDER BY e.id LIMIT $2"
        );
        let mut query = sqlx::query(AssertSqlSafe(statement))
            .bind(page.after.unwrap_or(-1))
            .bind(i64::from(page.limit));
        if let Some(model) = model {
            query = query.bind(model.0);
        }
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| read_event(row, &explain)).collect()
    }

    /// Returns the id of the last change; 0 if there is none.
    pub(crate) async fn last_event(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT MAX(id) FROM events")
            .fetch_one(&self.pool)
            .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.unwrap_or_default())
    }
}
