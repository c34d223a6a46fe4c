//! The clock of this machine: for durations, and for the times at which this process did something. Every rule of a
//! contract goes by the time of the chain (`Coordinator::now`, `Node::now`).

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix seconds.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
