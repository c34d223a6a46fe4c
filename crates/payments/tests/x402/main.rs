//! Tests of the rules of x402.

mod wire;
