//! Active learning: models that give probabilities, and strategies that choose what to label next.
//!
//! It knows no money, no clock and no files.
//! Everything is deterministic: the same rows, labels and seed give the same bits on every machine.
//! So sums are made in a fixed order, and functions such as the exponential come from `libm`.
//!
//! Rows are `n x features` arrays of finite numbers, and labels are indices of classes.
//! Probabilities are `n x classes` arrays whose rows sum to 1.

#![allow(
    clippy::needless_pass_by_value,
    reason = "views of arrays are passed by value, as their copies are cheap"
)]

pub mod annotators;
pub mod calibration;
pub mod experiment;
pub mod export;
pub mod learner;
pub mod measure;
mod numbers;
pub mod session;
pub mod stopping;
pub mod strategy;
pub mod stream;
mod wiped;

pub use calibration::{Calibrated, Temperature, expected_calibration_error};
pub use export::{AnyLearner, Export, ExportError};
pub use learner::{Boosted, Deployable, Forest, LearnError, Learner, Logistic};
pub use measure::Measure;
pub use strategy::{Query, QueryError, Strategy};
