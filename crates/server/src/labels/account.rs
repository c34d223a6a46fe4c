//! Account of a session: units that are left and spent.
//!
//! This is the rail "none": units are counted, and nobody pays for them.
//! A rail with money takes its place: it sells the units of [`Account::new`] and stores each charge.

/// Units of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    left: u64,
    spent: u64,
}

/// Units after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Units that the call cost.
    pub(crate) charged: u64,
    /// Units that all calls cost.
    pub(crate) spent: u64,
    /// Units that are left.
    pub(crate) left: u64,
}

/// Refusal of a call that costs more than is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the call costs {price} units, and the session has {left} left; ask for less, or open another session"
)]
pub(crate) struct OutOfUnits {
    /// Price of the call.
    pub(crate) price: u64,
    /// Units that are left.
    pub(crate) left: u64,
}

impl Account {
    /// Creates an account with a number of units.
    pub(crate) fn new(units: u64) -> Self {
        Self {
            left: units,
            spent: 0,
        }
    }

    /// Returns the account after a call. The caller takes it once the call has succeeded.
    pub(crate) fn charged(self, price: u64) -> Result<Self, OutOfUnits> {
        let Self { left, spent } = self;
        let left = left.checked_sub(price).ok_or(OutOfUnits { price, left })?;
        Ok(Self {
            left,
            spent: spent.saturating_add(price),
        })
    }

    /// Returns the number of units spent.
    pub(crate) fn spent(self) -> u64 {
        self.spent
    }

    /// Returns the receipt of a call that has been charged.
    pub(crate) fn receipt(self, charged: u64) -> Receipt {
        Receipt {
            charged,
            spent: self.spent,
            left: self.left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charged_takes_no_more_than_is_left() {
        let account = Account::new(10).charged(4).unwrap().charged(6).unwrap();
        assert_eq!((account.left, account.spent), (0, 10));
        assert_eq!(account.charged(1), Err(OutOfUnits { price: 1, left: 0 }));
        assert!(account.charged(0).is_ok());
        let receipt = Account::new(10).charged(4).unwrap().receipt(4);
        assert_eq!((receipt.charged, receipt.spent, receipt.left), (4, 4, 6));
    }
}
