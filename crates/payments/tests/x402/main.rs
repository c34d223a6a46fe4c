//! Tests of the rules of x402.

mod channel;
mod common;
mod contracts;
mod exact;
mod official;
mod payer;
mod story;
mod wire;
