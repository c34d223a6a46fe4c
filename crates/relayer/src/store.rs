//! The relayer's tables: signed batches, delegations, and the transactions that it sends.

mod applying;
mod outbox;
mod rewinding;
mod submissions;
mod tables;

pub(crate) use self::{
    outbox::{InFlight, Purpose},
    submissions::{Inserted, NewSubmission},
    tables::RelayStore,
};
