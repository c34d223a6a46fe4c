//! Bounds of a run that somebody else pays for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::error::{SimulateError, Stopped};

/// Bounds of a run. It ends with an error in the turn after it has gone beyond one.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Maximum number of values that the run keeps: one for each event, and one for each agent in
    /// each evaluation.
    pub max_values: usize,
    /// Time at which the run ends if it is not finished.
    pub deadline: Instant,
    /// Flag that ends the run once it is `true`.
    pub canceled: Arc<AtomicBool>,
}

impl Bounds {
    /// Returns an error if a run with so many values must end.
    pub(crate) fn check(&self, values: usize) -> Result<(), SimulateError> {
        let stopped = if self.canceled.load(Ordering::Relaxed) {
            Stopped::Canceled
        } else if values > self.max_values {
            Stopped::TooLarge
        } else if Instant::now() >= self.deadline {
            Stopped::TooLong
        } else {
            return Ok(());
        };
        Err(SimulateError::Stopped(stopped))
    }
}
