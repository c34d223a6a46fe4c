//! Tests of `lnnode` as a process: real nodes, channels and payments on loopback.

#![expect(clippy::print_stdout, reason = "a test tells what it measured")]

mod crash;
mod payments;
mod shape;
mod single;
mod support;
