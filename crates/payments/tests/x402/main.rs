//! Tests of the rules of x402.

mod common;
mod exact;
mod wire;
