//! The clock of this machine, for durations and for the times of this process's own actions.
//!
//! The rules of contracts use the time of the chain (`Index::now`, `Node::now`).

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the machine's time, in Unix seconds.
#[must_use]
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
