//! Tests of `lnnode` as a process: real nodes, channels and payments on loopback.

#![expect(clippy::print_stdout, reason = "a test tells what it measured")]

mod coordinator;
mod crash;
mod docs;
mod payments;
mod shape;
// The guide and the free part of the page are read in the same way.
#[path = "../../../tests/support/src/shown.rs"]
// Its items are public in the crate that the file belongs to.
#[allow(unreachable_pub)]
mod shown;
mod single;
// The coordinator compares certificates in the same way.
#[path = "../../../crates/client/src/pinned.rs"]
// Its function is public in the crate that the file belongs to.
#[allow(unreachable_pub)]
mod pinned;
mod support;
