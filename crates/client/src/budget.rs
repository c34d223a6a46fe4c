//! Limit of what a program spends, checked before each transaction.

use std::sync::{Mutex, PoisonError};

use cotrain_protocol::Amount;

/// Limit of spending, and the money spent so far, in wei.
#[derive(Debug, Default)]
pub struct Budget {
    limit: Option<u128>,
    spent: Mutex<u128>,
}

/// A transaction could cost more than is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the next transaction could cost {}, and {} of {} is left; allow more, or do less",
    Amount(*cost),
    Amount(*left),
    Amount(*limit)
)]
pub struct OverBudget {
    /// Maximum cost of the transaction, in wei.
    pub cost: u128,
    /// Rest of the limit, in wei.
    pub left: u128,
    /// The limit, in wei.
    pub limit: u128,
}

impl Budget {
    /// Creates a budget of `limit` wei; `None` is no limit.
    #[must_use]
    pub fn new(limit: Option<u128>) -> Self {
        Self {
            limit,
            spent: Mutex::new(0),
        }
    }

    /// Returns the rest of the limit, in wei; `None` if there is no limit.
    #[must_use]
    pub fn left(&self) -> Option<u128> {
        let spent = *self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        self.limit.map(|limit| limit.saturating_sub(spent))
    }

    /// Checks that a transaction with a maximum cost of `cost` wei stays within the limit.
    ///
    /// # Errors
    /// [`OverBudget`].
    pub fn check(&self, cost: u128) -> Result<(), OverBudget> {
        match (self.left(), self.limit) {
            (Some(left), Some(limit)) if cost > left => Err(OverBudget { cost, left, limit }),
            _ => Ok(()),
        }
    }

    /// Takes off `amount` spent wei.
    pub fn spend(&self, amount: u128) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        *spent = spent.saturating_add(amount);
    }

    /// Puts `amount` wei back that was taken off and not spent.
    pub fn give_back(&self, amount: u128) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        *spent = spent.saturating_sub(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_kept_to_the_wei() {
        let budget = Budget::new(Some(100));
        budget.check(100).expect("all of it");
        budget.spend(60);
        budget.check(40).expect("the rest");
        let over = budget.check(41).unwrap_err();
        assert_eq!(
            over.to_string(),
            "the next transaction could cost 41 wei, and 40 wei of 100 wei is left; allow more, or do less"
        );
        budget.give_back(10);
        assert_eq!(budget.left(), Some(50));
        budget.spend(u128::MAX);
        assert_eq!(budget.left(), Some(0));
        Budget::default().check(u128::MAX).expect("no limit");
    }
}
