use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Table, TableError, TableId};

/// Reason why bytes are not the table of word vectors that a card names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NamedTableError {
    /// The bytes are damaged, or of another table.
    #[error(
        "cannot use the table of word vectors: the SHA-256 of its {bytes} bytes is {}, expected {}; fetch it from another place",
        found.hexadecimal(),
        expected.hexadecimal()
    )]
    Sha256 {
        /// Number of the bytes.
        bytes: usize,
        /// SHA-256 of the bytes.
        found: TableId,
        /// Table that the card names.
        expected: TableId,
    },
    /// The card contradicts the table.
    #[error(
        "cannot use the table of word vectors {}: it has {found} dimensions, and the model's card says {}; ask the model's owner for a card that fits",
        expected.hexadecimal(),
        expected.dimensions
    )]
    Dimensions {
        /// Number of dimensions of the table.
        found: usize,
        /// Table that the card names.
        expected: TableId,
    },
    /// The bytes are those that the card names, and no table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl Table {
    /// Reads the table that a card names, from bytes that may be any. They are compared by their
    /// SHA-256 before anything is read.
    ///
    /// # Errors
    /// [`NamedTableError`].
    pub fn read_named(bytes: &[u8], expected: TableId) -> Result<Self, NamedTableError> {
        let found = TableId {
            sha256: Sha256::digest(bytes).into(),
            ..expected
        };
        if found != expected {
            return Err(NamedTableError::Sha256 {
                bytes: bytes.len(),
                found,
                expected,
            });
        }
        let table = Self::read(bytes)?;
        match table.dimensions() {
            found if found != expected.dimensions => {
                Err(NamedTableError::Dimensions { found, expected })
            }
            _ => Ok(table),
        }
    }
}
