//! Typed contracts, generated from the committed artifacts, and their reverts as typed errors.
//!
//! The functions build calldata for contracts from the types of `protocol` (`contribute`, `refund`,
//! …).
//! They also decode answers, logs ([`events`]) and reverts ([`Revert`]). This crate does not talk
//! to a chain.

mod calls;
pub mod channels;
mod code;
mod contracts;
pub mod events;
pub mod federated;
pub mod market;
mod model;
pub mod prediction_fees;
mod registry;
mod revert;

pub use calls::{
    announce, cancel_nonces, check, claim_late, close, contribute, create_model, created_model,
    deposit_to, evaluate, function_name, is_valid_signature, learn, predict, read_address,
    read_labels, read_number, read_settlement, read_valid_signature, read_words, refund, relay,
    report, report_for, state, term, withdraw_to, words, write,
};
pub use code::{
    DEPLOYER, arguments_of, classifier_code, contract_code, deploy_call, deployed_at, factory_code,
    implementation_of, is_deployer, known_classifier, known_mechanism, registry_code,
};
pub use model::{Description, DescriptionError, describe, read_description};
pub use registry::{
    Entry, read_registry_entries, read_registry_entry, register, registry_count, registry_entries,
    registry_entry,
};
pub use revert::Revert;
