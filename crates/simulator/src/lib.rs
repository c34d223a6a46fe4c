//! Economies of contributors over simulated time: scenario, agents, event queue, recorder.
//!
//! A [`scenario::Scenario`] says who contributes what to which model under which incentives;
//! [`simulate`] runs it and leaves a [`run::Run`]; [`sweep::run`] runs it with many seeds and settings. Every contribution, refund, report and late claim
//! is made by a transaction that runs the deployed bytecode, alone or with others.

mod agent;
mod digest;
mod economy;
mod engine;
mod error;
mod prepared;
pub mod run;
pub mod scenario;
pub mod sweep;
pub mod tables;

pub use engine::{Options, Progress, Threads, beginning, simulate, simulate_on};
pub use error::SimulateError;
