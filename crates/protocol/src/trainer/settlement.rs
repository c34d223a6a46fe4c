//! What has been settled of one contribution.

use alloy_primitives::{Address, U256};

/// `taken` of a closed contribution: all of its 96 bits.
const CLOSED: u128 = (1 << 96) - 1;

/// Of one contribution; zero as long as nobody has claimed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Settlement {
    /// In wei, or [`CLOSED`]. A deposit is below 2^92.
    taken: u128,
    /// Zero where nobody has reported.
    first_reporter: Address,
}

impl Settlement {
    pub(super) fn is_closed(&self) -> bool {
        self.taken == CLOSED
    }

    /// What is left of the deposit, in wei; none where the contribution is closed.
    pub(super) fn left(&self, deposit: u128) -> Option<u128> {
        // The deposit is that of the record, so no more has been taken of it.
        (!self.is_closed()).then(|| deposit.saturating_sub(self.taken))
    }

    pub(super) fn first_reporter(&self) -> Option<Address> {
        (!self.first_reporter.is_zero()).then_some(self.first_reporter)
    }

    pub(super) fn set_first_reporter(&mut self, reporter: Address) {
        self.first_reporter = reporter;
    }

    pub(super) fn take(&mut self, share: u128) {
        self.taken += share;
    }

    pub(super) fn close(&mut self) {
        self.taken = CLOSED;
    }

    /// `taken (96 bits, low) | first reporter (160 bits)`.
    pub(super) fn word(&self) -> U256 {
        U256::from(self.taken) | U256::from_be_slice(self.first_reporter.as_slice()) << 96_usize
    }
}
