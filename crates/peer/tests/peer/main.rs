//! Tests of peers: frames, reconciliation, tasks, and whole simulations.

mod framing;
mod handling;
mod reconciling;
mod simulating;
mod support;
