//! What has been settled of one contribution.

use alloy_primitives::Address;

/// How far a contribution is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Nobody has claimed anything of it.
    #[default]
    Untouched,
    /// Somebody has reported it; reporters have taken some of its deposit, or nothing.
    Reported,
    /// Nothing can be claimed of it any more.
    Closed,
}

impl Status {
    /// Returns the status of a contribution that has just been reported: only taking all of a deposit closes it.
    pub(super) fn after_report(taken: u128, deposit: u128) -> Self {
        if deposit != 0 && taken >= deposit {
            Self::Closed
        } else {
            Self::Reported
        }
    }
}

/// The time within which an announced contribution can be reported, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// The first second.
    pub earliest: u64,
    /// The last second; after it the contribution has to be announced anew.
    pub until: u64,
}

impl Announcement {
    /// Returns what an announcement at `time` allows, with a notice in seconds.
    #[must_use]
    pub fn new(time: u64, notice: u64) -> Self {
        let earliest = time.saturating_add(notice);
        Self {
            earliest,
            until: earliest.saturating_add(notice),
        }
    }
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
