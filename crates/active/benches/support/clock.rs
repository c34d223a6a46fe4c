//! Clock of benchmarks.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Returns the seconds that this thread has spent on a core; elapsed ones if the system does not tell.
pub(crate) fn now() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = text.split(' ').next().and_then(|it| it.parse().ok());
    spent
        .map_or_else(
            || START.get_or_init(Instant::now).elapsed(),
            Duration::from_nanos,
        )
        .as_secs_f64()
}
