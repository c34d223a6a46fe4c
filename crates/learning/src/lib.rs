//! Data sets, encoding as samples, initial training in floats, and rounding to the contracts'
//! numbers.
//!
//! [`data::load`] reads an example as text, numbers or indices, with a class.
//! [`encode::encode`] turns it into the bytes that a contract takes.
//! [`train::train`] fits a model in floats and rounds it to the integers that a contract stores.
//!
//! The same input and seed give the same bytes on every machine.
//! So floats are only added, subtracted, multiplied, divided, rounded and square-rooted, in a fixed
//! order.
//! Other functions differ between mathematics libraries, and matrix products between processors.
//! Only the laboratory of federated rounds uses others, of `libm`, which is the same everywhere.

pub mod agreement;
pub mod data;
mod digest;
mod eigen;
pub mod encode;
pub mod evaluation;
pub mod federated;
pub mod initial;
pub mod input;
pub mod neighbors;
pub mod pictures;
pub mod score;
pub mod sentences;
pub mod text;
pub mod train;
pub mod vectors;

pub use digest::digest;
pub use encode::Encoder;
pub use train::{accuracy, correct};
