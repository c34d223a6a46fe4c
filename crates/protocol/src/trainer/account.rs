//! What an address has in a trainer: money, good contributions, nonces.

use alloy_primitives::Address;

use crate::Rejection;

/// In bits.
const BALANCE_BITS: u32 = 96;
/// In bits.
const NONCE_BITS: u32 = 48;
/// The largest nonce that a trainer takes.
pub const LARGEST_NONCE: u64 = (1 << NONCE_BITS) - 1;

/// Number of nonces, up to the highest used one, of which a trainer knows whether they are used. It takes those below for
/// used ones.
pub const NONCE_WINDOW: u64 = 64;

/// How the code of an account begins that has a key and has delegated to other code (EIP-7702).
const DELEGATION: [u8; 2] = [0xef, 0x01];

/// Returns whether an account with this code is a contract, which may have no way to withdraw. Whoever has delegated to
/// code (EIP-7702) has a key, and can.
#[must_use]
pub fn is_contract(code: &[u8]) -> bool {
    !code.is_empty() && !code.starts_with(&DELEGATION)
}

/// Of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// Prepaid, in wei; below 2^96.
    pub(super) balance: u128,
    /// How many contributions have been refunded.
    pub(super) good: u64,
    pub(super) nonces: Nonces,
}

impl Account {
    /// Adds to the balance of the account, which is `owner`'s; in wei.
    pub(super) fn credit(&mut self, owner: Address, amount: u128) -> Result<(), Rejection> {
        self.balance = self
            .balance
            .checked_add(amount)
            .filter(|balance| balance >> BALANCE_BITS == 0)
            .ok_or(Rejection::BalanceOverflow { account: owner })?;
        Ok(())
    }

    /// Takes from the balance; in wei.
    pub(super) fn charge(&mut self, required: u128) -> Result<(), Rejection> {
        let balance = self.balance;
        self.balance = balance
            .checked_sub(required)
            .ok_or(Rejection::BalanceTooLow { required, balance })?;
        Ok(())
    }
}

/// Which nonces are used: the anti-replay window of RFC 4303, section 3.4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Nonces {
    /// The highest used one; 0 also where none is.
    highest: u64,
    /// Bit `k` is for the nonce `highest - k`; all older ones are used.
    window: u64,
}

impl Nonces {
    /// Whether the nonce can no longer be used; nor can those that no contract holds, from 2^48 on.
    pub(super) fn is_used(self, nonce: u64) -> bool {
        match self.highest.checked_sub(nonce) {
            Some(age) => age >= NONCE_WINDOW || self.window >> age & 1 == 1,
            None => nonce > LARGEST_NONCE,
        }
    }

    /// Returns whether any was ever used or cancelled.
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    /// The one after the highest used one.
    pub(super) fn next(self) -> u64 {
        if self.any() { self.highest + 1 } else { 0 }
    }

    /// Uses a nonce.
    pub(super) fn use_up(&mut self, nonce: u64) {
        self.advance(nonce);
        self.window |= shifted(1, self.highest - nonce);
    }

    /// Uses a nonce and all below it.
    pub(super) fn cancel(&mut self, last: u64) {
        let last = last.min(LARGEST_NONCE);
        self.advance(last);
        self.window |= shifted(u64::MAX, self.highest - last);
    }

    /// Moves the window up, so that it reaches the nonce.
    fn advance(&mut self, nonce: u64) {
        self.window = shifted(self.window, nonce.saturating_sub(self.highest));
        self.highest = self.highest.max(nonce);
    }
}

/// `bits << by`, also where that is beyond all of them.
fn shifted(bits: u64, by: u64) -> u64 {
    u32::try_from(by)
        .ok()
        .and_then(|by| bits.checked_shl(by))
        .unwrap_or_default()
}
