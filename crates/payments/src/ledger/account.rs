//! Units of one account: bought, spent, reserved, left and refunded.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::key::{Owner, PaymentId};

/// Units of one payer. At every moment, bought = spent + reserved + left + refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    owner: Owner,
    /// Units bought, without those of payments that turned out void.
    bought: u64,
    spent: u64,
    reserved: u64,
    refunded: u64,
    /// Units of void payments that were spent before anybody knew. They are part of `spent`.
    lost: u64,
    /// Purchases, oldest first.
    purchases: Vec<Lot>,
    /// Sum that the account's channel was charged, in atomic units.
    charged: u128,
    /// Number of changes so far.
    changes: u64,
    /// Hash over all changes so far.
    head: B256,
}

/// Units of one purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lot {
    payment: PaymentId,
    left: u64,
    spent: u64,
    state: LotState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LotState {
    Usable,
    /// The payment is unknown again, so its units are neither spent nor refunded.
    Frozen,
    /// The payment is void.
    Revoked,
}

/// Units of a purchase that a reservation or a refund took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Payment of the purchase.
    pub payment: PaymentId,
    /// Number of units.
    pub units: u64,
}

impl Account {
    pub(super) fn new(owner: Owner) -> Self {
        Self {
            owner,
            bought: 0,
            spent: 0,
            reserved: 0,
            refunded: 0,
            lost: 0,
            purchases: Vec::new(),
            charged: 0,
            changes: 0,
            head: B256::ZERO,
        }
    }

    /// Returns the proof that spends the units.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// Returns the units bought, without those of payments that turned out void.
    #[must_use]
    pub const fn bought(&self) -> u64 {
        self.bought
    }

    /// Returns the units charged for work.
    #[must_use]
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// Returns the units that calls in progress have set aside.
    #[must_use]
    pub const fn reserved(&self) -> u64 {
        self.reserved
    }

    /// Returns the units that went back, or are on their way back, to those who paid.
    #[must_use]
    pub const fn refunded(&self) -> u64 {
        self.refunded
    }

    /// Returns the units that were spent of payments that turned out void: the host's loss.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns the units left, with those of payments that are unknown again.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.purchases.iter().map(|lot| lot.left).sum()
    }

    /// Returns the units that a call could reserve now.
    #[must_use]
    pub fn spendable(&self) -> u64 {
        let usable = self.purchases.iter().filter(|lot| lot.is_usable());
        usable.map(|lot| lot.left).sum()
    }

    /// Returns the sum that the account's channel was charged, in atomic units.
    #[must_use]
    pub const fn charged(&self) -> u128 {
        self.charged
    }

    /// Returns the number of changes so far, and the hash over them.
    ///
    /// A sealed snapshot names them, so an old one is known for what it is.
    #[must_use]
    pub const fn head(&self) -> (u64, B256) {
        (self.changes, self.head)
    }

    /// `true` if all units bought are accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let parts = [self.spent, self.reserved, self.left(), self.refunded];
        let sum: u128 = parts.map(u128::from).iter().sum();
        sum == self.bought.into() && self.lost <= self.spent
    }

    pub(super) fn set_owner(&mut self, owner: Owner) {
        self.owner = owner;
        self.changed();
    }

    /// Adds a purchase, or the units of one that is usable again.
    pub(super) fn credit(&mut self, payment: PaymentId, units: u64) {
        if let Some(lot) = self.lot(payment) {
            lot.state = LotState::Usable;
        } else {
            self.bought += units;
            self.purchases.push(Lot {
                payment,
                left: units,
                spent: 0,
                state: LotState::Usable,
            });
        }
        self.changed();
    }

    pub(super) fn freeze(&mut self, payment: PaymentId) {
        if let Some(lot) = self.lot(payment) {
            lot.state = LotState::Frozen;
            self.changed();
        }
    }

    pub(super) fn revoke(&mut self, payment: PaymentId) {
        if let Some(lot) = self.lot(payment) {
            lot.state = LotState::Revoked;
            let (left, spent) = (lot.left, lot.spent);
            lot.left = 0;
            self.bought -= left;
            self.lost += spent;
            self.changed();
        }
    }

    /// Returns the purchases that pay for units, oldest first, or `None` if too few are left.
    pub(super) fn take(&self, units: u64) -> Option<Vec<Taken>> {
        let mut missing = units;
        let mut taken = Vec::new();
        for lot in self.purchases.iter().filter(|lot| lot.is_usable()) {
            let part = lot.left.min(missing);
            if part > 0 {
                let payment = lot.payment;
                taken.push(Taken {
                    payment,
                    units: part,
                });
                missing -= part;
            }
        }
        (missing == 0).then_some(taken)
    }

    /// Returns the purchases that have units left, without those of unknown payments.
    pub(super) fn usable(&self) -> Vec<Taken> {
        self.take(self.spendable()).unwrap_or_default()
    }

    /// Sets aside what [`Self::take`] returned.
    pub(super) fn reserve(&mut self, taken: &[Taken]) {
        for part in taken {
            if let Some(lot) = self.lot(part.payment) {
                lot.left -= part.units;
                self.reserved += part.units;
            }
        }
        self.changed();
    }

    /// Sets aside units that a voucher pays for, or that are free.
    pub(super) fn reserve_unpaid(&mut self, units: u64) {
        self.bought += units;
        self.reserved += units;
        self.changed();
    }

    /// Returns the units that could be reserved again once some of those set aside are spent.
    pub(super) fn usable_rest(&self, taken: &[Taken], units: u64) -> u64 {
        let mut missing = units;
        let mut rest = 0;
        for part in taken {
            let spent = part.units.min(missing);
            missing -= spent;
            let lot = self.purchases.iter().find(|it| it.payment == part.payment);
            if lot.is_some_and(Lot::is_usable) {
                rest += part.units - spent;
            }
        }
        rest
    }

    /// Spends some of the units set aside, and puts the others back.
    pub(super) fn spend(&mut self, taken: &[Taken], units: u64) {
        let mut missing = units;
        for part in taken {
            let spent = part.units.min(missing);
            missing -= spent;
            let back = part.units - spent;
            self.reserved -= part.units;
            self.spent += spent;
            let Some(lot) = self.lot(part.payment) else {
                continue;
            };
            lot.spent += spent;
            if lot.state == LotState::Revoked {
                self.lost += spent;
                self.bought -= back;
            } else {
                lot.left += back;
            }
        }
        self.changed();
    }

    /// Spends some of the units that a voucher pays for, or that are free. The others were never bought.
    pub(super) fn spend_unpaid(&mut self, reserved: u64, units: u64) {
        self.reserved -= reserved;
        self.spent += units;
        self.bought -= reserved - units;
        self.changed();
    }

    pub(super) fn charge(&mut self, sum: u128) {
        self.charged = sum;
    }

    pub(super) fn refund(&mut self, taken: &[Taken]) {
        for part in taken {
            if let Some(lot) = self.lot(part.payment) {
                lot.left -= part.units;
                self.refunded += part.units;
            }
        }
        self.changed();
    }

    /// Puts the units of a failed refund back.
    pub(super) fn undo_refund(&mut self, taken: &[Taken]) {
        for part in taken {
            if let Some(lot) = self.lot(part.payment) {
                lot.left += part.units;
                self.refunded -= part.units;
            }
        }
        self.changed();
    }

    fn lot(&mut self, payment: PaymentId) -> Option<&mut Lot> {
        self.purchases.iter_mut().find(|lot| lot.payment == payment)
    }

    fn changed(&mut self) {
        self.changes += 1;
        let mut hash = Sha256::new();
        hash.update(self.head);
        hash.update(self.owner.hash());
        let numbers = [
            self.changes,
            self.bought,
            self.spent,
            self.reserved,
            self.refunded,
        ];
        for number in numbers {
            hash.update(number.to_be_bytes());
        }
        self.head = B256::from_slice(&hash.finalize());
    }
}

impl Lot {
    fn is_usable(&self) -> bool {
        self.state == LotState::Usable
    }
}
