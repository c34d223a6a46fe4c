//! Coordinator: its configuration, its services, and the HTTP API over indexer and relayer.

pub mod api;
pub mod config;
mod coordinator;
mod encoders;
mod labels;
pub mod payments;
mod serve;
mod simulations;

pub use coordinator::{Coordinator, Health};
pub use encoders::Encoders;
pub use labels::Labels;
pub use serve::{ServeError, serve};
pub use simulations::Simulations;
