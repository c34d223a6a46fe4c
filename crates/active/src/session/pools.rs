//! Pools that a session holds, so that a caller sends their rows once.

use std::{borrow::Cow, collections::BTreeMap, collections::HashMap, sync::Arc};

use ndarray::{Array2, ArrayView2, Axis};
use zeroize::Zeroize as _;

use super::{
    Session,
    batch::Pool,
    limits::{SessionError, at_most},
};
use crate::{
    numbers::drawn,
    strategy::check_pool,
    wiped::{Wiped, wipe},
};

/// Id of a pool, which the caller makes of its content.
pub type PoolId = [u8; 32];

/// Rows without a label that a session holds.
#[derive(Debug, Clone)]
pub(super) struct StoredPool {
    rows: Array2<f64>,
    /// Hash of each row, by which labeled ones are found.
    hashes: Vec<u64>,
}

/// All pools of a session.
pub(super) type Pools = BTreeMap<PoolId, Arc<StoredPool>>;

impl StoredPool {
    /// Returns the memory of the pool, in bytes.
    pub(super) fn bytes(&self) -> usize {
        bytes(self.rows.nrows(), self.rows.ncols())
    }
}

impl Drop for StoredPool {
    /// Overwrites the rows.
    fn drop(&mut self) {
        wipe(&mut self.rows);
        self.hashes.zeroize();
    }
}

/// Returns the memory of a pool, in bytes.
fn bytes(rows: usize, features: usize) -> usize {
    rows.saturating_mul(features.saturating_add(1))
        .saturating_mul(size_of::<f64>())
}

/// Rows of a pool that are not labeled yet.
pub(super) struct Unlabeled<'a> {
    all: &'a Array2<f64>,
    /// Copy of the rows without a label, and their indices; `None` if no row has one.
    some: Option<(Wiped, Vec<usize>)>,
}

impl Unlabeled<'_> {
    /// Returns the rows.
    pub(super) fn rows(&self) -> ArrayView2<'_, f64> {
        match &self.some {
            Some((rows, _)) => rows.view(),
            None => self.all.view(),
        }
    }

    /// Returns the index of each in the pool; `None` if all rows are there.
    pub(super) fn indices(&self) -> Option<&[usize]> {
        self.some.as_ref().map(|(_, indices)| indices.as_slice())
    }
}

impl Session {
    /// Returns the number of bytes that a pool of so many rows would add.
    #[must_use]
    pub fn pool_bytes(&self, rows: usize) -> usize {
        bytes(rows, self.opening.features)
    }

    /// Takes a pool under the id of its content. A pool that is there already stays.
    ///
    /// # Errors
    ///
    /// The session has no features, a number is out of range, or the pool is above the limits.
    pub fn with_pool(&self, id: PoolId, rows: Array2<f64>) -> Result<Self, SessionError> {
        self.check_pool(id, rows.nrows())?;
        self.check_features(&rows)?;
        check_pool(rows.view())?;
        let hashes = rows.outer_iter();
        let hashes = hashes.map(|row| drawn(0, row)).collect();
        let mut next = self.clone();
        let stored = StoredPool { rows, hashes };
        next.pools.entry(id).or_insert_with(|| Arc::new(stored));
        Ok(next)
    }

    /// Checks that a pool of so many rows fits the session and its limits.
    ///
    /// # Errors
    ///
    /// The session has no features, or the pool is above the limits.
    pub fn check_pool(&self, id: PoolId, rows: usize) -> Result<(), SessionError> {
        let features = self.opening.features;
        if features == 0 {
            return Err(SessionError::Featureless);
        }
        if rows == 0 {
            return Err(SessionError::TooFew {
                what: "rows of the pool",
                found: 0,
                least: 1,
            });
        }
        let others = || self.pools.iter().filter(|(other, _)| **other != id);
        at_most("pools", others().count() + 1, self.limits.pools)?;
        at_most("rows of a pool", rows, self.limits.pool_rows)?;
        let held: usize = others().map(|(_, pool)| pool.rows.len()).sum();
        let numbers = held.saturating_add(rows.saturating_mul(features));
        at_most("numbers of all pools", numbers, self.limits.pool_numbers)
    }

    /// Deletes a pool.
    ///
    /// # Errors
    ///
    /// There is no such pool.
    pub fn without_pool(&self, id: &PoolId) -> Result<Self, SessionError> {
        let mut next = self.clone();
        next.pools.remove(id).ok_or(SessionError::UnknownPool)?;
        Ok(next)
    }

    /// Returns the ids of all pools with their numbers of rows.
    pub fn pools(&self) -> impl Iterator<Item = (&PoolId, usize)> {
        self.pools.iter().map(|(id, pool)| (id, pool.rows.nrows()))
    }

    /// Returns a row of a pool.
    ///
    /// # Errors
    ///
    /// There is no such pool, or no such row in it.
    pub fn pool_row(&self, id: &PoolId, row: usize) -> Result<Vec<f64>, SessionError> {
        let rows = self.stored(id)?;
        at_most("index of a pool's row", row, rows.nrows() - 1)?;
        Ok(rows.row(row).to_vec())
    }

    /// Returns the number of rows of a pool.
    ///
    /// # Errors
    ///
    /// There is no such pool.
    pub fn pool_rows(&self, id: &PoolId) -> Result<usize, SessionError> {
        self.stored(id).map(Array2::nrows)
    }

    /// Chooses rows of a pool that the session holds, as [`Session::query`] does.
    ///
    /// `given` has the probabilities of all its rows, if the caller has its own model.
    ///
    /// # Errors
    ///
    /// Those of [`Session::query`], or there is no such pool.
    pub fn query_pool(
        &self,
        id: &PoolId,
        given: Option<&Array2<f64>>,
        count: usize,
    ) -> Result<(Self, Vec<usize>), SessionError> {
        self.check_pool_query(id, given)?;
        let pool = self.pools.get(id).ok_or(SessionError::UnknownPool)?;
        let unlabeled = self.unlabeled(&pool.rows, Some(&pool.hashes));
        self.ask(&unlabeled, given, count)
    }

    /// Checks a question for a pool that the session holds, as [`Session::query_pool`] does.
    ///
    /// # Errors
    ///
    /// There is no such pool, or the probabilities are not those of its rows.
    pub fn check_pool_query(
        &self,
        id: &PoolId,
        given: Option<&Array2<f64>>,
    ) -> Result<(), SessionError> {
        self.check_probabilities(given, self.pool_rows(id)?)
    }

    fn stored(&self, id: &PoolId) -> Result<&Array2<f64>, SessionError> {
        let pool = self.pools.get(id).ok_or(SessionError::UnknownPool)?;
        Ok(&pool.rows)
    }

    /// Returns the rows of a pool that are equal to no labeled one.
    pub(super) fn unlabeled<'a>(
        &self,
        rows: &'a Array2<f64>,
        hashes: Option<&[u64]>,
    ) -> Unlabeled<'a> {
        let features = self.opening.features;
        let mut labeled: HashMap<u64, Vec<&[f64]>> = HashMap::new();
        // Without features, nothing tells which rows the labels are of.
        for row in self.labeled.numbers.chunks_exact(features.max(1)) {
            let same = labeled.entry(drawn(0, row)).or_default();
            same.push(row);
        }
        let is_unlabeled = |index: &usize| {
            let row = rows.row(*index);
            let hash = match hashes.and_then(|hashes| hashes.get(*index)) {
                Some(hash) => *hash,
                None => drawn(0, row),
            };
            let same = labeled.get(&hash);
            !same.is_some_and(|same| same.iter().any(|other| row.iter().eq(other.iter())))
        };
        let mut found = Unlabeled {
            all: rows,
            some: None,
        };
        if labeled.is_empty() {
            return found;
        }
        let indices: Vec<usize> = (0..rows.nrows()).filter(is_unlabeled).collect();
        if indices.len() < rows.nrows() {
            found.some = Some((Wiped::selected(&rows.view(), &indices), indices));
        }
        found
    }
}

impl Pool {
    /// Returns the rows of the pool. Without features, a row is its index: so all rows differ.
    pub(super) fn rows(&self, session: &Session) -> Result<Cow<'_, Array2<f64>>, SessionError> {
        match (&self.rows, &self.probabilities) {
            (Some(rows), _) => {
                session.limits.check_call(rows)?;
                session.check_features(rows)?;
                Ok(Cow::Borrowed(rows))
            }
            (None, Some(given)) if session.opening.features == 0 => {
                #[expect(clippy::cast_precision_loss, reason = "a call has few rows")]
                let rows = Array2::from_shape_fn((given.nrows(), 1), |(row, _)| row as f64);
                Ok(Cow::Owned(rows))
            }
            (None, _) => Err(SessionError::PoolRows),
        }
    }
}

/// Returns the given ones of some rows.
pub(super) fn selected<'a>(
    rows: &'a Array2<f64>,
    indices: Option<&[usize]>,
) -> Cow<'a, Array2<f64>> {
    match indices {
        Some(indices) => Cow::Owned(rows.select(Axis(0), indices)),
        None => Cow::Borrowed(rows),
    }
}

/// Returns an array of labeled rows.
pub(super) fn view(
    numbers: &[f64],
    rows: usize,
    features: usize,
) -> Result<ArrayView2<'_, f64>, SessionError> {
    ArrayView2::from_shape((rows, features), numbers).map_err(|_| SessionError::Torn)
}
