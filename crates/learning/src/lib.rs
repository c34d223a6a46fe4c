//! Data sets, encoding to samples, initial training in floats, quantizing to the numbers of the
//! contracts.
//!
//! The way of an example: [`data::load`] reads it as text, numbers or indices with a class;
//! [`encode::encode`] turns it into the bytes that a contract takes; [`train::train`] fits a model
//! in floats and rounds it to the integers that a contract stores.
//!
//! Everything here gives the same bytes for the same input and seed on every machine: floats meet
//! only `+ - * /`, square roots and rounding, in a fixed order, because other functions differ
//! between mathematics libraries and matrix products between processors.

pub mod data;
pub mod encode;
pub mod initial;
pub mod input;
pub mod text;
pub mod train;

pub use encode::Encoder;
pub use train::{accuracy, correct};
