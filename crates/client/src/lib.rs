//! Client of models on a chain: the rules that every program follows that sends transactions, and the HTTP API that
//! coordinator and command line share.
//!
//! The command line and the coordinator use it alike, so that both pay by one policy and speak one language.

pub mod api;
pub mod fees;
pub mod market;
pub mod model;
pub mod source;
