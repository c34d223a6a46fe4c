//! Facts of the chain and of the node, as only they know them.

use alloy_primitives::{Address, B256};
use cotrain_payments::{
    ledger::{AccountId, PaymentKey, Token},
    price::UnitPrice,
};

/// Transfer that may happen once, as the chain knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Pending,
    Reverted,
    Moved,
    Final,
    Never,
}

impl Truth {
    /// Returns what may become of it next.
    pub(crate) fn next(self, pick: u8, can_revert: bool) -> Self {
        match (self, pick % 4) {
            (Self::Pending, 0) if can_revert => Self::Reverted,
            (Self::Pending | Self::Reverted, 1) => Self::Never,
            (Self::Pending | Self::Reverted, _) => Self::Moved,
            (Self::Moved, 0) => Self::Pending,
            (Self::Moved, _) => Self::Final,
            (last, _) => last,
        }
    }

    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Final | Self::Never)
    }
}

#[derive(Debug)]
pub(crate) struct Authorization {
    pub(crate) key: PaymentKey,
    pub(crate) account: u8,
    pub(crate) units: u64,
    pub(crate) amount: u128,
    pub(crate) truth: Truth,
}

#[derive(Debug)]
pub(crate) struct Invoice {
    pub(crate) hash: B256,
    pub(crate) account: u8,
    pub(crate) amount: u64,
    pub(crate) expires: u64,
    /// Amount and index, once it is paid.
    pub(crate) paid: Option<(u64, u64)>,
}

#[derive(Debug)]
pub(crate) struct Refund {
    pub(crate) account: u8,
    pub(crate) units: u64,
    pub(crate) amount: u128,
    pub(crate) truth: Truth,
}

pub(crate) fn price() -> UnitPrice {
    let number = |number: u64| number.try_into().expect("not zero");
    UnitPrice {
        amount: number(7),
        units: number(3),
    }
}

pub(crate) fn name(account: u8) -> AccountId {
    AccountId(B256::with_last_byte(account))
}

pub(crate) fn payer(account: u8) -> Address {
    Address::with_last_byte(account)
}

pub(crate) fn token() -> Token {
    Token {
        chain: 31_337,
        address: Address::with_last_byte(99),
    }
}
