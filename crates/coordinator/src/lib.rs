//! Follows models on a chain, relays what contributors sign, claims for them, and serves all of it over HTTP.

pub mod rows;
mod index;
mod model;
mod pending;
pub mod card;
mod state;
mod store;

pub use store::{Store, StoreError, without_password};
