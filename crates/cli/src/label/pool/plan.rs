//! Choices of a run, and the questions that follow from them.

use std::path::PathBuf;

use alloy_primitives::{hex, keccak256};
use cotrain_client::label::{NewSession, QuotesBody, RowBounds, StopRule};

use super::{draws::shuffled, table::Pool};

/// Maximum number of rows that stopping rules look at.
const FIXED: usize = 500;

/// Maximum size of a body, in bytes: the coordinator's own maximum is 1 MiB unless its host says
/// otherwise.
const MAX_BODY: usize = 900_000;

/// Size of a number in a body, in bytes.
const NUMBER: usize = 12;

/// Maximum number of rows in one call, as coordinators have it unless their hosts say otherwise.
const MAX_ROWS: usize = 5_000;

/// Choices of a run.
pub(super) struct Plan {
    /// Number of questions between two trainings.
    pub(super) batch: usize,
    /// Distance of the questions about random rows; 0 for none.
    pub(super) control: usize,
    pub(super) max_labels: Option<usize>,
    pub(super) seed: u64,
    pub(super) strategy: &'static str,
    pub(super) learner: &'static str,
    pub(super) out: Option<PathBuf>,
    pub(super) stopping: Vec<StopRule>,
    pub(super) units: Option<u64>,
}

impl Plan {
    /// Returns the options of a new session.
    pub(super) fn session(&self, pool: &Pool) -> NewSession {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let looks = |rule: &StopRule| !matches!(rule.kind.as_str(), "iterations" | "units");
        let fixed = self.stopping.iter().any(looks).then(|| {
            let rows: Vec<usize> = (0..pool.len()).collect();
            let mut rows = shuffled(&rows, self.seed, "fixed");
            rows.truncate(FIXED.min(rows_of_a_call(pool)));
            rows.into_iter().map(|row| pool.row(row).to_vec()).collect()
        });
        NewSession {
            learner: self.learner.to_owned(),
            classes: number(pool.classes.len()),
            features: number(pool.rows.ncols()),
            strategy: self.strategy.to_owned(),
            stopping: self.stopping.clone(),
            fixed,
            seed: self.seed,
            units: self.units,
        }
    }

    /// Returns the work of the first batch, for quotes.
    pub(super) fn first_batch(&self, pool: &Pool) -> QuotesBody {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let batch = number(self.batch);
        QuotesBody {
            learner: self.learner.to_owned(),
            features: number(pool.rows.ncols()),
            strategy: self.strategy.to_owned(),
            train: batch,
            decide: batch,
            // As many rows are searched whether they are held or sent.
            pool: number(pool.len().min(rows_of_a_call(pool))),
            count: batch,
        }
    }

    /// Returns `true` if a question is about a random row, by the number of questions before it.
    pub(super) fn is_control(&self, before: usize) -> bool {
        self.control > 0 && (before + 1).is_multiple_of(self.control)
    }

    /// Returns as many of these rows as the next query can look at: random ones if they are too many.
    pub(super) fn searched(&self, open: Vec<usize>, pool: &Pool, before: usize) -> Vec<usize> {
        let max = rows_of_a_call(pool);
        if open.len() <= max {
            return open;
        }
        let mut drawn = shuffled(&open, self.seed, &format!("query {before}"));
        drawn.truncate(max);
        drawn
    }
}

/// Returns the number of rows that one body can have.
pub(super) fn rows_of_a_call(pool: &Pool) -> usize {
    let row = NUMBER * pool.rows.ncols().max(1);
    (MAX_BODY / row).clamp(1, MAX_ROWS)
}

/// Returns `true` if a session holds the pool, so that its rows are sent once.
///
/// A query pays for all rows of a held pool. So one is held only if a query could send all of them.
pub(super) fn is_held(pool: &Pool, bounds: &RowBounds) -> bool {
    let (rows, numbers) = (pool.len(), pool.rows.len());
    let [rows_sent, numbers_sent, bytes] =
        [rows, numbers, NUMBER.saturating_mul(numbers)].map(|it| it as u64);
    rows <= rows_of_a_call(pool)
        && bounds.pools > 0
        && rows_sent <= bounds.pool_rows
        && numbers_sent <= bounds.pool_numbers
        && bytes <= bounds.upload
}

/// Returns a hash of what a session was opened with: its options, and the rows and classes.
pub(super) fn fingerprint(session: &NewSession, pool: &Pool) -> String {
    let mut bytes = format!("{session:?} {:?}", pool.classes).into_bytes();
    for number in &pool.rows {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    hex::encode(keccak256(bytes))
}
