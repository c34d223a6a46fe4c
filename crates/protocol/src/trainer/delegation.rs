//! Delegations by EIP-712: a reporter signs that a keeper may report for them.

use alloy_primitives::{Address, B256, aliases::U40};
use alloy_sol_types::{Eip712Domain, SolStruct};

use crate::signature::recover;

/// A separate module, because the signed type has the same name as `Delegation`.
mod typed {
    alloy_sol_types::sol! {
        struct Delegation {
            address reporter;
            address keeper;
            uint40 until;
        }
    }
}

/// A signed right to report for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Account that reports and gets the shares.
    pub reporter: Address,
    /// Account that sends the reports and gets nothing.
    pub keeper: Address,
    /// Last second in which the keeper may send them, in Unix seconds; below 2^40.
    pub until: u64,
    /// Signature: 65 bytes `r s v` with a `v` of 27 or 28, or the 64 bytes of ERC-2098.
    pub signature: Vec<u8>,
}

impl Delegation {
    /// Returns the hash that the reporter signs, for the trainer with this
    /// [`domain`](super::domain).
    ///
    /// A time that the contract's type cannot hold is hashed as the largest that it can.
    #[must_use]
    pub fn signing_hash(&self, domain: &Eip712Domain) -> B256 {
        let delegation = typed::Delegation {
            reporter: self.reporter,
            keeper: self.keeper,
            until: U40::saturating_from(self.until),
        };
        delegation.eip712_signing_hash(domain)
    }

    /// Returns the account whose key made the signature, or `None` if the signature fits no
    /// account.
    ///
    /// As for `ecrecover`, `s` may be in either half of its range.
    #[must_use]
    pub fn signer(&self, domain: &Eip712Domain) -> Option<Address> {
        recover(&self.signature, self.signing_hash(domain))
    }
}
