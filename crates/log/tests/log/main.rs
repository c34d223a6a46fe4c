//! Tests of the log against the trainer of `cotrain-protocol`, and of its independence of order.

mod admitting;
mod merging;
mod naming;
mod relaying;
mod support;
