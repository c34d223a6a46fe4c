//! Accounts of sessions: units that are left and spent.
//!
//! With the rail "none", units are counted in memory, and nobody pays for them. With others, the
//! ledger counts them: a call reserves its units before the work, and is charged after it.

use std::sync::Arc;

use alloy_primitives::B256;
use cotrain_payments::{
    ledger::{self, AccountId, Ledger, Owner},
    rail::{Hold, Presented, RefusalReason},
    x402::wire::SettlementResponse,
};

use super::{
    caller::{Caller, PURCHASE},
    receipt::{OutOfUnits, Receipt},
    refusal::Refusal,
};
use crate::payments::{Begun, PayError, Payments, Rail, RailKind, Sale};

/// Units of a session.
#[derive(Debug, Clone)]
pub(super) enum Account {
    Free(Counted),
    Booked(Booked),
}

/// Units that are counted in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    left: u64,
    spent: u64,
}

/// Account of the ledger, with the rail that opened it.
#[derive(Debug, Clone)]
pub(super) struct Booked {
    pub(super) payments: Payments,
    pub(super) rail: Arc<dyn Rail>,
    pub(super) account: AccountId,
}

/// Units that a call has set aside. It ends by [`Held::commit`], or is given back.
#[derive(Debug)]
pub(super) struct Held {
    price: u64,
    units: Units,
    /// Result of a payment that came with the call.
    response: Option<SettlementResponse>,
}

#[derive(Debug)]
enum Units {
    /// Account of a call that is free.
    Unchanged(Account),
    /// Account after the call.
    Free(Counted),
    Booked(Booked, Hold),
}

impl Counted {
    /// Creates an account with a number of units.
    pub(super) fn new(units: u64) -> Self {
        Self {
            left: units,
            spent: 0,
        }
    }

    /// Returns the account after a call. The caller takes it once the call has succeeded.
    pub(super) fn charged(self, price: u64) -> Result<Self, OutOfUnits> {
        let Self { left, spent } = self;
        let left = left.checked_sub(price).ok_or(OutOfUnits { price, left })?;
        Ok(Self {
            left,
            spent: spent.saturating_add(price),
        })
    }

    /// Returns the receipt of a call that has been charged.
    pub(super) fn receipt(self, charged: u64) -> Receipt {
        Receipt {
            charged,
            spent: self.spent,
            left: self.left,
        }
    }
}

impl Account {
    /// Returns the number of the account's changes and the hash over them, which snapshots name.
    ///
    /// No ledger has the charges of an account that is counted in memory.
    pub(super) fn head(&self) -> (u64, B256) {
        match self {
            Self::Free(_) => (0, B256::ZERO),
            Self::Booked(booked) => booked.head(),
        }
    }

    /// Returns the units as they are now.
    pub(super) fn receipt(&self) -> Receipt {
        match self {
            Self::Free(counted) => counted.receipt(0),
            Self::Booked(booked) => booked.receipt(0),
        }
    }

    /// Sets units aside for a call. A payment that came with it buys units first.
    pub(super) async fn hold(&self, caller: &Caller, price: u64) -> Result<Held, Refusal> {
        if price == 0 {
            return Ok(Held {
                price,
                units: Units::Unchanged(self.clone()),
                response: None,
            });
        }
        let booked = match self {
            Self::Free(counted) => {
                let units = Units::Free(counted.charged(price)?);
                return Ok(Held {
                    price,
                    units,
                    response: None,
                });
            }
            Self::Booked(booked) => booked,
        };
        let sale = caller.sale(price, price.max(PURCHASE), Some(booked.account));
        let is_purchase = booked.rail.kind() == RailKind::Exact;
        let mut response = None;
        if caller.presented.payment.is_some() && is_purchase {
            let kind = Some(booked.rail.kind());
            let admitting = booked.payments.admit(&caller.presented, &sale, kind);
            let (_, admitted) = admitting.await?;
            response = admitted.response;
        }
        match booked.hold(&caller.presented, &sale).await {
            Ok(held) => Ok(Held { response, ..held }),
            Err(refusal) => Err(refusal.after(response)),
        }
    }
}

impl Booked {
    /// Returns the proof of the owner.
    pub(super) fn owner(&self) -> Option<Owner> {
        let owner = |ledger: &Ledger| ledger.account(self.account).map(ledger::Account::owner);
        self.payments.books()?.read(owner)
    }

    /// Makes a fresh token the account's, if the answer tells one.
    pub(super) async fn tell_token(&self, fresh: Option<Owner>) -> Result<(), Refusal> {
        let (Some(owner), Some(books)) = (fresh, self.payments.books()) else {
            return Ok(());
        };
        let replaced = books.replace_owner(self.account, owner).await;
        replaced.map_err(|error| Refusal::Unpayable(error.into()))
    }

    /// Keeps the units of an account that was closed, and whose session opens again.
    pub(super) async fn reopened(&self) -> Result<(), Refusal> {
        let reopened = self.rail.reopened(self.account).await;
        reopened.map_err(Refusal::Unpayable)
    }

    /// Returns the number of the account's changes, and the hash over them.
    pub(super) fn head(&self) -> (u64, B256) {
        let head = |ledger: &Ledger| Some(ledger.account(self.account)?.head());
        let books = self.payments.books();
        books.and_then(|books| books.read(head)).unwrap_or_default()
    }

    /// Checks that a request proves the owner.
    pub(super) fn prove(&self, presented: &Presented) -> Result<(), Refusal> {
        let owner = self.owner().ok_or(Refusal::Unknown)?;
        let proven = self.rail.prove(presented, owner);
        proven.map_err(|reason| match reason {
            RefusalReason::Scheme => Refusal::Token,
            reason => Refusal::proof(reason),
        })
    }

    /// Returns the refusal of a call that comes without a payment, with the offers.
    pub(super) async fn unpaid(&self, caller: &Caller, price: u64) -> Refusal {
        let sale = caller.sale(price, price.max(PURCHASE), Some(self.account));
        let (error, kind) = (RefusalReason::Unpaid.into(), Some(self.rail.kind()));
        self.payments.refused(error, &sale, kind).await.into()
    }

    /// Returns the units, and those that a call cost.
    pub(super) fn receipt(&self, charged: u64) -> Receipt {
        let units = |ledger: &Ledger| {
            let account = ledger.account(self.account)?;
            Some((account.spent(), account.spendable()))
        };
        let books = self.payments.books();
        let (spent, left) = books
            .and_then(|books| books.read(units))
            .unwrap_or_default();
        Receipt {
            charged,
            spent,
            left,
        }
    }

    /// Sets units aside for a sale.
    pub(super) async fn hold(&self, presented: &Presented, sale: &Sale) -> Result<Held, Refusal> {
        match self.rail.reserve(self.account, presented, sale).await {
            Ok(Begun::Held(hold)) => Ok(Held {
                price: sale.price,
                units: Units::Booked(self.clone(), hold),
                response: None,
            }),
            Ok(Begun::Done(paid)) => Err(Refusal::AnswerLost {
                charged: paid.receipt.units,
                left: paid.receipt.left,
            }),
            Err(error) => {
                let kind = Some(self.rail.kind());
                Err(self.payments.refused(error, sale, kind).await.into())
            }
        }
    }
}

impl Held {
    /// Returns the receipt that the call has once it is charged.
    pub(super) fn receipt(&self) -> Receipt {
        match &self.units {
            Units::Unchanged(account) => account.receipt(),
            Units::Free(counted) => counted.receipt(self.price),
            Units::Booked(booked, hold) => {
                // The units are reserved: they are neither left nor spent yet.
                let receipt = booked.receipt(self.price);
                Receipt {
                    spent: receipt.spent.saturating_add(self.price),
                    left: hold.left,
                    ..receipt
                }
            }
        }
    }

    /// Charges the call. Returns the account after it, and the contents of `PAYMENT-RESPONSE`.
    ///
    /// After an error the call has cost nothing.
    pub(super) async fn commit(self) -> Result<(Account, Option<SettlementResponse>), Refusal> {
        match self.units {
            Units::Unchanged(account) => Ok((account, None)),
            Units::Free(counted) => Ok((Account::Free(counted), None)),
            Units::Booked(booked, hold) => match booked.rail.commit(&hold, self.price).await {
                Ok(paid) => Ok((Account::Booked(booked), paid.response.or(self.response))),
                Err(error) => {
                    booked.rail.release(&hold).await;
                    Err(Refusal::uncommitted(error).after(self.response))
                }
            },
        }
    }

    /// Ends the call, which costs nothing. Returns its refusal, with the result of a payment that came
    /// with it.
    pub(super) async fn refuse(self, refusal: Refusal) -> Refusal {
        if let Units::Booked(booked, hold) = self.units {
            booked.rail.release(&hold).await;
        }
        refusal.after(self.response)
    }
}

impl Refusal {
    fn uncommitted(error: PayError) -> Self {
        tracing::warn!(%error, "a call whose work succeeded is not charged");
        Self::Unpayable(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charged_takes_no_more_than_is_left() {
        let account = Counted::new(10).charged(4).unwrap().charged(6).unwrap();
        assert_eq!((account.left, account.spent), (0, 10));
        assert_eq!(account.charged(1), Err(OutOfUnits { price: 1, left: 0 }));
        assert!(account.charged(0).is_ok());
        let receipt = Counted::new(10).charged(4).unwrap().receipt(4);
        assert_eq!((receipt.charged, receipt.spent, receipt.left), (4, 4, 6));
    }
}
