//! Economies of contributors over simulated time: scenario, agents, event queue, recorder.
//!
//! A [`scenario::Scenario`] says who contributes what to which model under which incentives.
//! [`simulate`] runs it and returns a [`run::Run`]; [`sweep::run`] runs it with many seeds and
//! settings. [`federated`] plays rounds of federated training. Every contribution, refund, report and late claim is made by a transaction that runs
//! the deployed bytecode, alone or with others.

pub mod agent;
pub mod agents;
mod beside;
mod bounds;
pub mod chance;
pub mod context;
mod digest;
mod engine;
mod error;
pub mod federated;
pub mod mechanism;
mod money;
mod prepared;
pub mod run;
pub mod scenario;
mod simulation;
pub mod sweep;
pub mod tables;
pub mod truth;
pub mod vocabulary;

pub use beside::Threads;
pub use bounds::Bounds;
pub use engine::{Options, Progress, beginning};
pub use error::{SimulateError, Stopped};
pub use simulation::{Simulation, simulate, simulate_on};

/// Compiles and runs the code of the page.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/extending.md")]
struct Extending;
