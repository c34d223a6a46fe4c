//! Vectors of federated rounds for other implementations, and tests of training.
//!
//! With the variable `COTRAIN_WRITE_VECTORS` the tests write the vectors.

mod attacks;
#[path = "../learners/committed.rs"]
mod committed;
mod laboratory;
mod rules;
mod strokes;
mod training;

use committed::check;
