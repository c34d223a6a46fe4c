//! Prices, payments and receipts of the labeling service.
//!
//! It holds types and rules: no I/O, no clock, no random numbers.
//! Times, keys and random bytes are arguments.

// Money is counted in whole numbers.
#![deny(clippy::float_arithmetic)]

pub mod bolt11;
pub mod budget;
pub mod l402;
pub mod ledger;
pub mod lnd;
pub mod macaroon;
pub mod price;
pub mod rail;
pub mod seal;
pub mod x402;
