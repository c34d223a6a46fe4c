//! Training of federated clients, attacks on rounds, and a laboratory that measures both.
//!
//! [`Network`] trains the same to the last bit on every machine, so the page can do it, too.
//! [`quantize()`] makes the update that a client submits.
//! [`attack`] has hostile clients, and [`laboratory`] plays rounds without a chain.

pub mod attack;
mod chance;
mod examples;
mod exponential;
pub mod laboratory;
mod network;
mod order;
mod quantize;
mod split;

pub use examples::{Examples, ExamplesError};
pub use exponential::exp2;
pub use network::{Network, Shape, Training};
pub use order::Order;
pub use quantize::{CLIP, clip, quantize};
pub use split::Split;
