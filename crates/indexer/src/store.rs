//! The index's persistent data, in `SQLite` or `PostgreSQL`.
//!
//! Both databases run the same statements.
//! Changes that belong together share a transaction, so a killed process leaves all or none.
//! Another service may keep tables in the same database.
//! They can follow the chain in the same transactions; see [`Projection`].

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
