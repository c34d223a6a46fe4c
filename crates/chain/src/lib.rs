//! A chain to run contracts on: the trait, and the EVM inside the process.
