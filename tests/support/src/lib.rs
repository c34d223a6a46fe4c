//! What tests of several crates share: a chain with a model on it, and people who use it.
//!
//! Everything here panics where it cannot go on: it is a test that fails then.

mod stage;

pub use stage::{Stage, assert_same, items};
