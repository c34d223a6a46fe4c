//! Settlement of one contribution.

use alloy_primitives::Address;

/// Status of a contribution's settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Nobody has claimed the deposit.
    #[default]
    Untouched,
    /// Somebody has reported the contribution. Reporters have taken a part of its deposit, or
    /// nothing.
    Reported,
    /// Nobody can claim the deposit any more.
    Closed,
}

impl Status {
    /// Returns the status after a report. A report closes a contribution only if the whole deposit
    /// is taken.
    pub(super) fn after_report(taken: u128, deposit: u128) -> Self {
        if deposit != 0 && taken >= deposit {
            Self::Closed
        } else {
            Self::Reported
        }
    }
}

/// Period in which an announced contribution can be reported, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// First second of the period.
    pub earliest: u64,
    /// Last second of the period. After it the contribution needs a new announcement.
    pub until: u64,
}

impl Announcement {
    /// Returns the period that an announcement at `time` opens, for a notice in seconds.
    #[must_use]
    pub fn new(time: u64, notice: u64) -> Self {
        let earliest = time.saturating_add(notice);
        Self {
            earliest,
            until: earliest.saturating_add(notice),
        }
    }
}

/// State of one contribution's settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settlement {
    /// Status of the settlement.
    pub status: Status,
    /// Amount that reporters have taken of the deposit, in wei.
    pub taken: u128,
    /// First account that reported it; `None` if nobody has.
    pub first_reporter: Option<Address>,
}

impl Settlement {
    /// Returns the rest of the deposit, in wei; `None` if the contribution is closed.
    pub(super) fn left(&self, deposit: u128) -> Option<u128> {
        // The proof shows that `deposit` is the recorded one, so `taken` never exceeds it.
        (self.status != Status::Closed).then(|| deposit.saturating_sub(self.taken))
    }
}
