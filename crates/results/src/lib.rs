//! Presentation of runs and sweeps: pages for a browser, charts and text for a terminal, JSON for
//! programs, and the directory of results.
//!
//! Nothing here writes to stdout or stderr: the caller prints.

mod chart;
mod error;
pub mod federated;
#[cfg(test)]
mod fixture;
pub mod format;
pub mod labels;
pub mod measured;
mod page;
mod predicted;
pub mod results;
pub mod run;
pub mod sweep;

pub use error::ResultsError;
