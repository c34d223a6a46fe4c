//! Follows models on a chain, relays what contributors sign, claims for them, and serves all of it over HTTP.

pub mod card;
pub mod config;
mod index;
mod model;
mod pending;
pub mod rows;
mod state;
mod store;

pub use index::IndexError;
pub use model::{AccountView, HostedModel, ModelError, ModelInfo, Summary};
pub use store::{Store, StoreError, without_password};
