//! Transfers that a facilitator has sent, in the coordinator's database.
//!
//! Without them, a restart would call a paid transfer used, and its payer would pay again.

use alloy_primitives::{Address, B256};
use cotrain_indexer::{ChainStore, StoreError};

use super::transfers::{Pending, TransferKey};
use crate::payments::books::{keep_alone, states};

/// Name of the facilitator among the states of the books.
const STATES: &str = "facilitator";

/// Returns all transfers that were sent, and of which nobody was told the outcome.
pub(super) async fn all(store: &ChainStore) -> Result<Vec<(TransferKey, Pending)>, StoreError> {
    let malformed = StoreError::Malformed {
        what: "a transfer of the facilitator",
    };
    let all = states(store, STATES).await?;
    let read = |(name, state): (Vec<u8>, Vec<u8>)| {
        let (payer, rest) = name.split_at_checked(Address::len_bytes())?;
        let (token, nonce) = rest.split_at_checked(Address::len_bytes())?;
        let nonce = B256::try_from(nonce).ok()?;
        let key = (
            Address::from_slice(payer),
            Address::from_slice(token),
            nonce,
        );
        Some((key, serde_json::from_slice(&state).ok()?))
    };
    let all: Option<Vec<_>> = all.into_iter().map(read).collect();
    all.ok_or(malformed)
}

/// Stores a transfer that is about to be sent.
pub(super) async fn keep(
    store: &ChainStore,
    key: TransferKey,
    pending: &Pending,
) -> Result<(), StoreError> {
    // It has texts and numbers only.
    let state = serde_json::to_vec(pending).unwrap_or_default();
    keep_alone(store, STATES, name(key), Some(state)).await
}

/// Deletes a transfer whose outcome is told.
pub(super) async fn forget(store: &ChainStore, key: TransferKey) -> Result<(), StoreError> {
    keep_alone(store, STATES, name(key), None).await
}

fn name((payer, token, nonce): TransferKey) -> Vec<u8> {
    [payer.as_slice(), token.as_slice(), nonce.as_slice()].concat()
}
