//! Follows models on a chain, relays what contributors sign, claims for them, and serves all of it over HTTP.

pub mod api;
pub mod config;
pub mod coordinator;
pub mod rows;
