//! Typed contracts, generated from the committed artifacts, and their reverts as typed errors.
//!
//! What goes to a contract is built here (`contribute`, `refund`, …: calldata from the types of
//! `protocol`), and what comes back is read here ([`events`], [`Revert`]). Nothing here talks to a
//! chain.

mod calls;
mod code;
mod contracts;
pub mod events;
mod revert;

pub use calls::{
    cancel_nonces, check, claim_late, close, contribute, create_model, created_model, deposit_to,
    evaluate, learn, predict, read_labels, read_number, read_settlement, read_words, refund, relay,
    report, state, withdraw_to, words, write,
};
pub use code::{classifier_code, factory_code, trainer_code};
pub use revert::Revert;
