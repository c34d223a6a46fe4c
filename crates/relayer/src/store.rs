//! The relayer's tables: signed batches, delegations, and the transactions that it sends.

mod applying;
mod outbox;
mod rewinding;
mod submissions;
mod tables;

pub(crate) use self::{
    outbox::{Attempt, NewTransaction, Outgoing},
    submissions::{Inserted, NewSubmission},
    tables::RelayStore,
};
