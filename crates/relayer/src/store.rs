//! The relayer's tables: signed batches, delegations, and the transactions that it sends.

mod applying;
mod outbox;
mod rewinding;
mod submissions;
mod tables;

#[cfg(test)]
pub(crate) use self::outbox::{Attempt, NewTransaction};
pub(crate) use self::{
    outbox::{InFlight, Purpose},
    submissions::{Inserted, NewSubmission},
    tables::RelayStore,
};
