//! Follows models on a chain, relays what contributors sign, claims for them, and serves all of it over HTTP.

pub mod api;
pub mod card;
mod clock;
pub mod config;
mod coordinator;
mod evaluation;
mod evidence;
mod index;
mod keep;
mod model;
mod outbox;
mod pending;
pub mod registry;
mod relay;
mod rewind;
pub mod rows;
mod serve;
mod state;
mod store;

pub use coordinator::{Claimable, Coordinator, Health, LocalError, SubmitError};
pub use evaluation::EvaluationError;
pub use index::IndexError;
pub use model::{AccountView, HostedModel, ModelError, ModelInfo, Summary};
pub use rewind::Rewound;
pub use serve::{ServeError, serve};
pub use store::{Store, StoreError, without_password};
