//! Follows models on a chain, relays what contributors sign, claims for them, and serves all of it over HTTP.

pub mod rows;
mod store;

pub use store::{Store, StoreError, without_password};
