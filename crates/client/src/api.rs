//! Wire types of the coordinator's HTTP API, and its client.
//!
//! The coordinator's handlers read and write these very types, and the command line asks with [`Client`], so that
//! neither can drift from the other. With the feature `openapi`, each type says what the API's document has of it:
//! doc comments of wire types are part of that document, and a field whose name says everything has none.
//!
//! Readers are lenient to newer servers: unknown fields are skipped, and unknown values of an enum are kept as text.

mod accounts;
mod client;
mod markets;
mod models;
mod problem;
mod submissions;
mod text;

pub use self::{
    accounts::{AccountAnswer, DelegationBody, DelegationView},
    client::{ApiError, Client, MAX_ANSWER, MAX_WORDS, POLL_INTERVAL, Submitted},
    markets::{MarketAction, MarketPhase, MarketStage, MarketTermsView, MarketView},
    models::{BoundsView, EncodingView, Incentive, IncentiveView, ModelView, Price, WaitsView},
    problem::{NEXT_NONCE, PROBLEM_JSON, Problem},
    submissions::{SignedBatchBody, Status, SubmissionView},
    text::{Account, Data, Hash, Relayer, Wei},
};
