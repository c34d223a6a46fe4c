//! Everything that outlives the process, in `SQLite` or `PostgreSQL`.
//!
//! The statements are the same for both. Whatever belongs together is one transaction, so that a process that is
//! killed leaves all of it or nothing. Another service may keep tables of its own in the same database, and have them
//! follow the chain in the same transactions: see [`Projection`].

mod chain;
mod database;
mod error;
mod events;
mod reads;
mod rewinding;
pub mod sql;

pub use self::{
    chain::note,
    database::{ChainStore, Done, Leadership, Projection, without_password},
    error::StoreError,
    rewinding::Followed,
};
