//! Helpers that tests of several crates share: a chain with a model on it, and people who use it.
//!
//! Everything here panics if it cannot go on, which fails the test.

// The documentation above tells when these functions panic.
#![allow(clippy::missing_panics_doc)]

mod lnd;
mod market;
mod postgres;
mod proxy;
pub mod shown;
mod stage;

pub use lnd::{LndDouble, LndFault};
pub use market::MarketStage;
pub use postgres::Postgres;
pub use proxy::{Fault, FaultyProxy};
pub use stage::{Stage, assert_same, items};
