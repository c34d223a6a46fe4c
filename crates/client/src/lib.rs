//! Client of models on a chain: the rules that every program follows that sends transactions.
//!
//! The command line and the coordinator use it alike, so that both pay by one policy.

pub mod fees;
