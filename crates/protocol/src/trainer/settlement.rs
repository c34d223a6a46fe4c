//! What has been settled of one contribution.

use alloy_primitives::Address;

/// How far a contribution is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Nobody has claimed anything of it.
    #[default]
    Untouched,
    /// Reporters have taken some of its deposit.
    Reported,
    /// Nothing can be claimed of it any more.
    Closed,
}

/// What has been settled of one contribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settlement {
    /// How far it is settled.
    pub status: Status,
    /// What reporters have taken of its deposit, in wei.
    pub taken: u128,
    /// Who reported it first; none where nobody has.
    pub first_reporter: Option<Address>,
}

impl Settlement {
    /// What is left of the deposit, in wei; none where the contribution is closed.
    pub(super) fn left(&self, deposit: u128) -> Option<u128> {
        // The deposit is that of the record, so no more has been taken of it.
        (self.status != Status::Closed).then(|| deposit.saturating_sub(self.taken))
    }
}
