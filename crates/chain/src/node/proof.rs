//! Proofs of a contract's storage values against the hash of a block.

use alloy_consensus::{Header, TrieAccount};
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, keccak256};
use alloy_rpc_types_eth::EIP1186AccountProofResponse;
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, proof::verify_proof};

/// Reason why an answer proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The header belongs to another block.
    #[error("the header's hash is {found}")]
    Header {
        /// Hash of the header in the answer.
        found: B256,
    },
    /// The answer concerns another account.
    #[error("it is about the account {found}")]
    Account {
        /// Account in the answer.
        found: Address,
    },
    /// The state does not have this account with these contents.
    #[error("the account is not in the state: {reason}")]
    State {
        /// Description of the break in the path from the root.
        reason: String,
    },
    /// The answer has proofs of other slots than the requested ones.
    #[error("slot {slot:#x} was asked for and is not there")]
    Slot {
        /// Requested slot without a proof.
        slot: U256,
    },
    /// The storage does not have this value at this slot.
    #[error("slot {slot:#x} does not hold {value:#x}: {reason}")]
    Value {
        /// Slot of the value.
        slot: U256,
        /// Value that the answer claims.
        value: U256,
        /// Description of the break in the path from the root.
        reason: String,
    },
}

/// Returns the values at `slots` of `address` in the state after block `hash`, from the answer of
/// `eth_getProof`.
///
/// Only `hash` is trusted. The header must have that hash.
/// The header's state must contain the account, and the account's storage must contain the values.
///
/// # Errors
/// If any of that does not hold.
pub fn check(
    hash: B256,
    header: &Header,
    address: Address,
    slots: &[U256],
    answer: &EIP1186AccountProofResponse,
) -> Result<Vec<U256>, ProofError> {
    let found = header.hash_slow();
    if found != hash {
        return Err(ProofError::Header { found });
    }
    if answer.address != address {
        return Err(ProofError::Account {
            found: answer.address,
        });
    }
    let storage_root = account(header.state_root, answer)?;
    if slots.len() != answer.storage_proof.len() {
        let slot = slots.get(answer.storage_proof.len());
        return Err(ProofError::Slot {
            slot: slot.copied().unwrap_or_default(),
        });
    }
    slots
        .iter()
        .zip(&answer.storage_proof)
        .map(|(&slot, proved)| {
            if proved.key.as_b256() != B256::from(slot) {
                return Err(ProofError::Slot { slot });
            }
            let expected = Some(proved.value)
                .filter(|value| !value.is_zero())
                .map(alloy_rlp::encode);
            let path = Nibbles::unpack(keccak256(B256::from(slot)));
            verify_proof(storage_root, path, expected, &proved.proof).map_err(|error| {
                ProofError::Value {
                    slot,
                    value: proved.value,
                    reason: error.to_string(),
                }
            })?;
            Ok(proved.value)
        })
        .collect()
}

/// Verifies the account and returns the root of its storage; the empty root if the account does not
/// exist.
fn account(state_root: B256, answer: &EIP1186AccountProofResponse) -> Result<B256, ProofError> {
    // Nodes disagree on the hashes of an account that does not exist.
    let absent = answer.nonce == 0
        && answer.balance.is_zero()
        && [B256::ZERO, KECCAK256_EMPTY].contains(&answer.code_hash);
    let (expected, storage_root) = if absent {
        (None, EMPTY_ROOT_HASH)
    } else {
        let account = TrieAccount {
            nonce: answer.nonce,
            balance: answer.balance,
            storage_root: answer.storage_hash,
            code_hash: answer.code_hash,
        };
        (Some(alloy_rlp::encode(account)), answer.storage_hash)
    };
    let path = Nibbles::unpack(keccak256(answer.address));
    verify_proof(state_root, path, expected, &answer.account_proof).map_err(|error| {
        ProofError::State {
            reason: error.to_string(),
        }
    })?;
    Ok(storage_root)
}
