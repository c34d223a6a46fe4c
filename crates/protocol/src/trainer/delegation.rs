//! What a reporter signs so that a keeper may report for them, by EIP-712.

use alloy_primitives::{Address, B256, aliases::U40};
use alloy_sol_types::{Eip712Domain, SolStruct};

use crate::signature::recover;

/// In a module of its own, for the type that is signed has the name of ours.
mod typed {
    alloy_sol_types::sol! {
        struct Delegation {
            address reporter;
            address keeper;
            uint40 until;
        }
    }
}

/// That somebody may report for somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Who reports, and gets the shares.
    pub reporter: Address,
    /// Who sends the reports, and gets nothing.
    pub keeper: Address,
    /// The last second in which they may be sent; below 2^40.
    pub until: u64,
    /// 65 bytes `r s v`, `v` being 27 or 28, or the 64 bytes of ERC-2098.
    pub signature: Vec<u8>,
}

impl Delegation {
    /// The hash that the reporter signs, for the trainer whose [`domain`](super::domain) it is. A time that the
    /// contract's type cannot hold is hashed as the highest that it can.
    #[must_use]
    pub fn signing_hash(&self, domain: &Eip712Domain) -> B256 {
        let delegation = typed::Delegation {
            reporter: self.reporter,
            keeper: self.keeper,
            until: U40::saturating_from(self.until),
        };
        delegation.eip712_signing_hash(domain)
    }

    /// Whose key the signature is from; none where it is nobody's.
    ///
    /// As for `ecrecover`, `s` may be in either half of its range.
    #[must_use]
    pub fn signer(&self, domain: &Eip712Domain) -> Option<Address> {
        recover(&self.signature, self.signing_hash(domain))
    }
}
