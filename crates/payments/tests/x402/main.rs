//! Tests of the rules of x402.

mod channel;
mod common;
mod exact;
mod payer;
mod story;
mod wire;
