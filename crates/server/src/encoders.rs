//! Tables of word vectors that a coordinator has, to encode texts with and to serve.

use std::{path::PathBuf, sync::Arc};

use axum::body::Bytes;
use cotrain_learning::vectors::{OpenError, Table, embedded};

/// Table of word vectors with the bytes of its file.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) table: Table,
    pub(crate) file: Bytes,
}

/// Tables of word vectors in the order of their SHA-256, each once; cheap to clone.
#[derive(Debug, Clone)]
pub struct Encoders(Arc<[Stored]>);

impl Default for Encoders {
    /// Returns the table that is part of the program.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Encoders {
    /// Returns these tables and the one that is part of the program.
    #[must_use]
    pub fn new(mut tables: Vec<Table>) -> Self {
        tables.push(embedded().clone());
        tables.sort_by_key(|table| table.id().sha256);
        tables.dedup_by_key(|table| table.id().sha256);
        let stored = |table: Table| Stored {
            file: table.to_bytes().into(),
            table,
        };
        Self(tables.into_iter().map(stored).collect())
    }

    /// Opens the tables of files, and adds the one that is part of the program.
    ///
    /// # Errors
    /// [`OpenError`] of the first file that cannot be read or is no table.
    pub fn open(files: &[PathBuf]) -> Result<Self, OpenError> {
        let tables = files.iter().map(|file| Table::open(file));
        Ok(Self::new(tables.collect::<Result<_, _>>()?))
    }

    /// Returns all tables.
    #[must_use]
    pub fn tables(&self) -> Vec<Table> {
        self.0.iter().map(|stored| stored.table.clone()).collect()
    }

    pub(crate) fn all(&self) -> &[Stored] {
        &self.0
    }

    /// Returns the table with this SHA-256.
    pub(crate) fn find(&self, sha256: [u8; 32]) -> Option<&Stored> {
        let at = self
            .0
            .binary_search_by_key(&sha256, |stored| stored.table.id().sha256);
        at.ok().map(|at| &self.0[at])
    }
}
