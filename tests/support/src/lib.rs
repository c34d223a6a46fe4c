//! What tests of several crates share: a chain with a model on it, and people who use it.
//!
//! Everything here panics where it cannot go on: it is a test that fails then.

// Said once, above.
#![allow(clippy::missing_panics_doc)]

mod market;
mod postgres;
mod proxy;
mod stage;

pub use market::MarketStage;
pub use postgres::Postgres;
pub use proxy::{Fault, FaultyProxy};
pub use stage::{Stage, assert_same, items};
