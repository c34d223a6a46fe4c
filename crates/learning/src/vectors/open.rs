use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{MAX_TABLE_BYTES, Table, TableError};

/// Failure to open the file of a table of word vectors.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause of the failure.
        source: std::io::Error,
    },
    /// The file is too large for a table.
    #[error(
        "cannot read {}: it has more than {MAX_TABLE_BYTES} bytes, expected a table of word vectors",
        path.display()
    )]
    TooLarge {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file is no table.
    #[error("{}: {source}", path.display())]
    Table {
        /// Path of the file.
        path: PathBuf,
        /// Fault of the file.
        source: TableError,
    },
}

impl Table {
    /// Reads a table from a file of at most [`MAX_TABLE_BYTES`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let unread = |source| OpenError::Read {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unread)?;
        let limited = file.take(MAX_TABLE_BYTES + 1).read_to_end(&mut bytes);
        if limited.map_err(unread)? as u64 > MAX_TABLE_BYTES {
            return Err(OpenError::TooLarge {
                path: path.to_owned(),
            });
        }
        Self::read(&bytes).map_err(|source| OpenError::Table {
            path: path.to_owned(),
            source,
        })
    }
}
