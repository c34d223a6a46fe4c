//! Participants and their signatures.

use std::sync::LazyLock;

use alloy_primitives::{Address, B256, U256, uint};
use cotrain_protocol::trainer::{Delegation, SignedBatch, domain};
use k256::ecdsa::SigningKey;

pub(crate) const OWNER: Address = Address::repeat_byte(0x0a);
/// Account that never contributes, but relays and claims.
pub(crate) const STRANGER: Address = Address::repeat_byte(9);

/// Authors and reporters.
pub(crate) static AUTHORS: LazyLock<[Author; 4]> = LazyLock::new(|| [1, 2, 3, 4].map(Author::new));

/// Order of secp256k1.
pub(crate) const ORDER: U256 =
    uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

/// Returns the authors, the owner and a stranger.
pub(crate) fn everyone() -> [Address; 6] {
    let [a, b, c, d] = AUTHORS.each_ref().map(|author| author.address);
    [a, b, c, d, OWNER, STRANGER]
}

/// A person who can sign.
pub(crate) struct Author {
    pub(crate) address: Address,
    key: SigningKey,
}

/// Form of a valid signature.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// The 65 bytes `r s v`.
    Long,
    /// The 64 bytes of ERC-2098.
    Compact,
    /// The bytes `r s v` with the other `s`, in the upper half of its range, which recovers the
    /// same key.
    Malleable,
}

impl Author {
    fn new(number: u8) -> Self {
        let key = B256::with_last_byte(number);
        let key = SigningKey::from_slice(key.as_slice()).expect("not zero");
        Self {
            address: Address::from_private_key(&key),
            key,
        }
    }

    /// Returns the batch with this author's signature.
    pub(crate) fn sign(
        &self,
        chain_id: u64,
        trainer: Address,
        form: Form,
        batch: SignedBatch,
    ) -> SignedBatch {
        let hash = batch.signing_hash(&domain(chain_id, trainer));
        SignedBatch {
            signature: self.sign_hash(form, hash),
            ..batch
        }
    }

    /// Returns the delegation with this author's signature.
    pub(crate) fn delegate(
        &self,
        chain_id: u64,
        trainer: Address,
        form: Form,
        delegation: &Delegation,
    ) -> Delegation {
        let hash = delegation.signing_hash(&domain(chain_id, trainer));
        Delegation {
            signature: self.sign_hash(form, hash),
            ..delegation.clone()
        }
    }

    fn sign_hash(&self, form: Form, hash: B256) -> Vec<u8> {
        let (signature, id) = self
            .key
            .sign_prehash_recoverable(hash.as_slice())
            .expect("a hash");
        let (r, s, odd) = (signature.r().to_bytes(), signature.s(), id.is_y_odd());
        let s = U256::from_be_slice(&s.to_bytes());
        let (s, last) = match form {
            Form::Long => (s, vec![27 + u8::from(odd)]),
            Form::Compact => (s | U256::from(odd) << 255, vec![]),
            Form::Malleable => (ORDER - s, vec![27 + u8::from(!odd)]),
        };
        [&r, s.to_be_bytes::<32>().as_slice(), &last].concat()
    }
}
