//! Wire types of the coordinator's HTTP API, and its client.
//!
//! The coordinator's handlers read and write these very types, and the command line sends its
//! requests with [`Client`]. So neither can drift from the other. The doc comments of wire types
//! are also the descriptions in the OpenAPI document, which the feature `openapi` enables. A field
//! whose name says everything has no doc comment.
//!
//! Readers accept answers of newer servers: they skip unknown fields and keep unknown values of an
//! enum as text.

mod accounts;
mod client;
mod encoders;
mod markets;
mod models;
mod problem;
mod submissions;
mod text;

pub(crate) use self::client::{body, refused, send};
pub use self::{
    accounts::{AccountAnswer, DelegationBody, DelegationView},
    client::{ApiError, Client, MAX_ANSWER, MAX_WORDS, POLL_INTERVAL, Submitted},
    encoders::EncoderView,
    markets::{MarketAction, MarketPhase, MarketStage, MarketTermsView, MarketView},
    models::{
        AccuracyPoint, BoundsView, EncodingView, Incentive, IncentiveView, ModelView,
        ParametersView, Price, WaitsView,
    },
    problem::{NEXT_NONCE, PROBLEM_JSON, Problem},
    submissions::{SignedBatchBody, Status, SubmissionView},
    text::{Account, Data, Hash, Relayer, Wei},
};
