//! Payments by x402, version 2, on EVM chains: wire types, and the rules of its schemes.
//!
//! - [`wire`], [`header`], [`Json`], [`Decimal`], [`Reason`]: what travels over HTTP
//! - [`exact`]: one payment by one signed token transfer (EIP-3009)
//! - [`batch`]: channels with cumulative vouchers (`batch-settlement`)
//! - [`extensions`]: the extensions that this service offers
//! - [`payer`]: the choice of an offer within a payer's limits
//!
//! Upstream has a specification and packages for npm. Error words follow the packages where they
//! differ, because clients speak the packages.
//! JSON text is made and read by the caller, over the serde traits of these types.

pub mod batch;
mod decimal;
pub mod exact;
pub mod extensions;
pub mod header;
mod json;
pub mod payer;
mod reason;
mod token;
pub mod wire;

pub use self::{
    decimal::Decimal,
    json::{Json, JsonError, Number},
    reason::Reason,
    token::{Authorization, Token, abi},
};
