//! Key from which the keys of the payers' macaroons follow.
//!
//! It is in the database beside the ledger: one backup has both, and a coordinator that takes the
//! database over knows the credentials. Whoever reads it there cannot spend, since that also takes
//! the preimage of a paid invoice, which is in no database of ours.

use cotrain_indexer::StoreError;
use thiserror::Error;

use crate::payments::books::{Books, BooksError};

/// Name of the rail in the database.
const RAIL: &str = "lightning";
/// Name of the key there.
const NAME: &[u8] = b"macaroons";

/// Reason why there is no key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The database fails.
    #[error("cannot read the key of the payers' credentials")]
    Read(#[from] StoreError),
    /// The database does not take a new key.
    #[error("cannot store a key for the payers' credentials")]
    Written(#[from] BooksError),
    /// The key has another length.
    #[error(
        "cannot use the key of the payers' credentials: it has {0} bytes, expected 32; restore the database from a backup"
    )]
    Damaged(usize),
    /// The system has no random numbers.
    #[error("cannot draw a key for the payers' credentials: {0}")]
    Random(String),
}

/// Reads the key, or makes one at the first start.
pub(super) async fn read_or_make(books: &Books) -> Result<[u8; 32], KeyError> {
    let states = books.states(RAIL).await?;
    if let Some((_, key)) = states.into_iter().find(|(name, _)| name == NAME) {
        let length = key.len();
        return key.try_into().map_err(|_| KeyError::Damaged(length));
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| KeyError::Random(error.to_string()))?;
    let writing = books.write(move |draft| {
        draft.keep(RAIL, NAME, Some(key.to_vec()));
        Ok(())
    });
    writing.await?;
    Ok(key)
}
