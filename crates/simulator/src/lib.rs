//! Economies of contributors over simulated time: scenario, agents, event queue, recorder.

pub mod run;
pub mod tables;
