//! Client of models on a chain: rules for every program that sends transactions, and the HTTP API.
//!
//! The command line and the coordinator both use it, so that both pay by one policy and speak one
//! protocol.

pub mod api;
pub mod budget;
pub mod card;
pub mod claims;
pub mod contribute;
pub mod decode;
pub mod deploy;
pub mod described;
pub mod estimate;
pub mod federated;
pub mod files;
pub mod gas;
pub mod gas_fees;
pub mod identity;
pub mod initial;
pub mod journal;
pub mod label;
pub mod lock;
pub mod market;
pub mod model;
pub mod pinned;
pub mod predict;
pub mod registry;
pub mod relay;
pub mod send;
pub mod source;
pub mod split;
pub mod weights;
