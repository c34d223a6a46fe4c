//! Digest that tells whether two runs are the same.

use alloy_primitives::{B256, hex};
use sha3::{Digest, Sha3_256};

use crate::{run::Run, tables};

/// Returns the SHA3-256 of a run's tables, as CSV, and of the chain's final state, in lower-case
/// hexadecimal.
pub(crate) fn digest(run: &Run, state: B256) -> String {
    let mut hasher = Sha3_256::new();
    hasher.update(tables::series_csv(run));
    hasher.update(tables::events_csv(run));
    hasher.update(state);
    hex::encode(hasher.finalize())
}
