//! Digest of a chain's whole state. It is the same for every kind of chain.

use alloy_primitives::{Address, B256, Keccak256, U256};

/// Digest of the accounts added so far. Callers add them in order of address, without empty ones.
#[derive(Default)]
pub(crate) struct StateDigest(Keccak256);

impl StateDigest {
    /// Adds an account. Its storage may come in any order, with or without zeros.
    pub(crate) fn account(
        &mut self,
        address: Address,
        balance: U256,
        nonce: u64,
        code_hash: B256,
        mut storage: Vec<(U256, U256)>,
    ) {
        self.0.update(address);
        self.0.update(balance.to_be_bytes::<32>());
        self.0.update(nonce.to_be_bytes());
        self.0.update(code_hash);
        storage.retain(|(_, value)| !value.is_zero());
        storage.sort_unstable();
        for (slot, value) in storage {
            self.0.update(slot.to_be_bytes::<32>());
            self.0.update(value.to_be_bytes::<32>());
        }
    }

    pub(crate) fn finalize(self) -> B256 {
        self.0.finalize()
    }
}
