//! Batches that an author signs for others to send, by EIP-712.

use alloy_primitives::{
    Address, B256, Bytes,
    aliases::{U40, U48, U96},
};
use alloy_sol_types::{Eip712Domain, SolStruct, eip712_domain, sol};

use crate::signature::recover;

sol! {
    struct Batch {
        address author;
        address relayer;
        uint96 maxDeposit;
        uint96 fee;
        uint48 nonce;
        uint40 deadline;
        bytes items;
    }
}

/// A signed batch: its author pays for it from their balance, and a relayer sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBatch {
    /// Address that contributes.
    pub author: Address,
    /// The only account that may send it; the zero address lets anyone send it.
    pub relayer: Address,
    /// Maximum deposit for each contribution, in wei; below 2^96.
    pub max_deposit: u128,
    /// Fee that the sender gets, in wei; below 2^96.
    pub fee: u128,
    /// A nonce that the author has not used yet; below 2^48.
    pub nonce: u64,
    /// Last second in which it may be sent, in Unix seconds; below 2^40.
    pub deadline: u64,
    /// Bytes of one or more items.
    pub items: Vec<u8>,
    /// Signature: 65 bytes `r s v` with a `v` of 27 or 28, or the 64 bytes of ERC-2098.
    pub signature: Vec<u8>,
}

impl SignedBatch {
    /// Encodes the batch as the contract reads it. Several batches are concatenated.
    ///
    /// The format is `author (20 bytes) | maxDeposit (12) | fee (12) | nonce (6) | deadline (5) |
    /// bound (1) | length of items (4) | items | length of signature (2) | signature`.
    /// `bound` is 1 if only the relayer, who is the sender then, may send it, and 0 otherwise.
    /// A number that does not fit is encoded as the largest that does. Items and signature are cut.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let items = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        let signature = u16::try_from(self.signature.len()).unwrap_or(u16::MAX);
        [
            self.author.as_slice(),
            &U96::saturating_from(self.max_deposit).to_be_bytes::<12>(),
            &U96::saturating_from(self.fee).to_be_bytes::<12>(),
            &U48::saturating_from(self.nonce).to_be_bytes::<6>(),
            &U40::saturating_from(self.deadline).to_be_bytes::<5>(),
            &[u8::from(!self.relayer.is_zero())],
            &items.to_be_bytes(),
            &self.items[..items as usize],
            &signature.to_be_bytes(),
            &self.signature[..usize::from(signature)],
        ]
        .concat()
    }

    /// Decodes exactly one batch as [`encode`](Self::encode) writes it. `relayer` is whom a bound batch
    /// is read as bound to.
    ///
    /// Returns `None` if bytes are missing or left over, or if `bound` is neither 0 nor 1.
    #[must_use]
    pub fn decode(bytes: &[u8], relayer: Address) -> Option<Self> {
        let (author, rest) = bytes.split_first_chunk::<20>()?;
        let (max_deposit, rest) = rest.split_first_chunk::<12>()?;
        let (fee, rest) = rest.split_first_chunk::<12>()?;
        let (nonce, rest) = rest.split_first_chunk::<6>()?;
        let (deadline, rest) = rest.split_first_chunk::<5>()?;
        let ([bound], rest) = rest.split_first_chunk::<1>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (items, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let (length, signature) = rest.split_first_chunk::<2>()?;
        let relayer = match bound {
            0 => Address::ZERO,
            1 => relayer,
            _ => return None,
        };
        (signature.len() == usize::from(u16::from_be_bytes(*length))).then(|| Self {
            author: author.into(),
            relayer,
            max_deposit: U96::from_be_bytes(*max_deposit).to(),
            fee: U96::from_be_bytes(*fee).to(),
            nonce: U48::from_be_bytes(*nonce).to(),
            deadline: U40::from_be_bytes(*deadline).to(),
            items: items.to_vec(),
            signature: signature.to_vec(),
        })
    }

    /// Returns the hash that the author signs, for the trainer with this [`domain`].
    ///
    /// A number that the contract's type cannot hold is hashed as the largest that it can.
    #[must_use]
    pub fn signing_hash(&self, domain: &Eip712Domain) -> B256 {
        self.hash_for(self.relayer, domain)
    }

    /// Returns the account whose key signed what the contract reads if `sender` sends the batch.
    ///
    /// Returns `None` if the signature fits no account.
    /// The batch's bytes do not hold the relayer: the contract reads a bound batch as bound to the
    /// sender.
    #[must_use]
    pub fn signer_if_sent_by(&self, sender: Address, domain: &Eip712Domain) -> Option<Address> {
        let relayer = if self.relayer.is_zero() {
            Address::ZERO
        } else {
            sender
        };
        recover(&self.signature, self.hash_for(relayer, domain))
    }

    fn hash_for(&self, relayer: Address, domain: &Eip712Domain) -> B256 {
        let batch = Batch {
            author: self.author,
            relayer,
            maxDeposit: U96::saturating_from(self.max_deposit),
            fee: U96::saturating_from(self.fee),
            nonce: U48::saturating_from(self.nonce),
            deadline: U40::saturating_from(self.deadline),
            items: Bytes::copy_from_slice(&self.items),
        };
        batch.eip712_signing_hash(domain)
    }

    /// Returns `true` if `sender` may send it.
    #[must_use]
    pub fn may_be_sent_by(&self, sender: Address) -> bool {
        self.relayer.is_zero() || self.relayer == sender
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

/// Returns a signature of `hash` in the form that contracts take.
///
/// Hardware wallets write 0 and 1 for a `v` of 27 and 28.
/// Such a `v` is rewritten if the result is a signature by `signer`'s key.
/// Anything else stays as it is, because the code of a contract wallet may understand it.
#[must_use]
pub fn usual_signature(mut signature: Vec<u8>, hash: B256, signer: Address) -> Vec<u8> {
    if let [.., v @ (0 | 1)] = signature.as_mut_slice() {
        *v += 27;
        if recover(&signature, hash) != Some(signer)
            && let Some(v) = signature.last_mut()
        {
            *v -= 27;
        }
    }
    signature
}

/// Returns the EIP-712 domain, which binds signatures to one trainer on one chain.
#[must_use]
pub fn domain(chain_id: u64, trainer: Address) -> Eip712Domain {
    eip712_domain! {
        name: "cotrain",
        version: "1",
        chain_id: chain_id,
        verifying_contract: trainer,
    }
}
