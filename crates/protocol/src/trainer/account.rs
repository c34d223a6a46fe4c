//! Account of an address with a trainer: money, good contributions, nonces.

use alloy_primitives::Address;

use crate::ContractError;

/// Size of a balance in wei, in bits.
const BALANCE_BITS: u32 = 96;
/// Size of a nonce, in bits.
const NONCE_BITS: u32 = 48;
/// Largest nonce that a trainer takes.
pub const LARGEST_NONCE: u64 = (1 << NONCE_BITS) - 1;

/// Number of nonces, up to the highest used one, that a trainer tracks one by one. Lower ones count
/// as used.
pub const NONCE_WINDOW: u64 = 64;

/// First bytes of the code of an account that has a key and has delegated to other code (EIP-7702).
const DELEGATION: [u8; 2] = [0xef, 0x01];

/// Returns `true` if an account with this code is a contract, which may be unable to withdraw.
///
/// An account that has delegated to code (EIP-7702) has a key, and can withdraw.
#[must_use]
pub fn is_contract(code: &[u8]) -> bool {
    !code.is_empty() && !code.starts_with(&DELEGATION)
}

/// State of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Account {
    /// Prepaid money in wei; below 2^96.
    pub(super) balance: u128,
    /// Number of refunded contributions.
    pub(super) good: u64,
    pub(super) nonces: Nonces,
}

impl Account {
    /// Adds `amount` wei to the balance. `owner` is the account's address, for the error.
    pub(super) fn credit(&mut self, owner: Address, amount: u128) -> Result<(), ContractError> {
        self.balance = self
            .balance
            .checked_add(amount)
            .filter(|balance| balance >> BALANCE_BITS == 0)
            .ok_or(ContractError::BalanceOverflow { account: owner })?;
        Ok(())
    }

    /// Takes `required` wei from the balance.
    pub(super) fn charge(&mut self, required: u128) -> Result<(), ContractError> {
        let balance = self.balance;
        self.balance = balance
            .checked_sub(required)
            .ok_or(ContractError::BalanceTooLow { required, balance })?;
        Ok(())
    }
}

/// Used nonces, in the anti-replay window of RFC 4303, section 3.4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Nonces {
    /// Highest used nonce; 0 also if none is used.
    highest: u64,
    /// Bits of used nonces: bit `k` is for the nonce `highest - k`. All older ones are used.
    window: u64,
}

impl Nonces {
    /// Returns `true` if the nonce can no longer be used. Nonces from 2^48 on cannot, since no
    /// contract can store them.
    pub(super) fn is_used(self, nonce: u64) -> bool {
        match self.highest.checked_sub(nonce) {
            Some(age) => age >= NONCE_WINDOW || self.window >> age & 1 == 1,
            None => nonce > LARGEST_NONCE,
        }
    }

    /// Returns `true` if any nonce was ever used or canceled.
    pub(super) fn any(self) -> bool {
        self != Self::default()
    }

    /// Returns the nonce after the highest used one; 0 if none is used.
    pub(super) fn next(self) -> u64 {
        if self.any() { self.highest + 1 } else { 0 }
    }

    /// Marks a nonce as used.
    pub(super) fn use_up(&mut self, nonce: u64) {
        self.advance(nonce);
        self.window |= shifted(1, self.highest - nonce);
    }

    /// Marks a nonce and all below it as used.
    pub(super) fn cancel(&mut self, last: u64) {
        let last = last.min(LARGEST_NONCE);
        self.advance(last);
        self.window |= shifted(u64::MAX, self.highest - last);
    }

    /// Moves the window up until it includes the nonce.
    fn advance(&mut self, nonce: u64) {
        self.window = shifted(self.window, nonce.saturating_sub(self.highest));
        self.highest = self.highest.max(nonce);
    }
}

/// Returns `bits << by`, and 0 if `by` exceeds the width.
fn shifted(bits: u64, by: u64) -> u64 {
    u32::try_from(by)
        .ok()
        .and_then(|by| bits.checked_shl(by))
        .unwrap_or_default()
}
