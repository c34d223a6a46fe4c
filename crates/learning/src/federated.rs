//! Training of federated clients on their own examples.
//!
//! [`Network`] trains the same to the last bit on every machine, so the page can do it, too.
//! [`quantize`] makes the update that a client submits.

mod examples;
mod exponential;
mod network;
mod order;
mod quantize;

pub use examples::{Examples, ExamplesError};
pub use exponential::exp2;
pub use network::{Network, Shape, Training};
pub use order::Order;
pub use quantize::{clip, quantize};
