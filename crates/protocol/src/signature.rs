//! Signatures of hashes over secp256k1, by libsecp256k1, with the rules of the contracts.
//!
//! No other module makes or reads them.

use alloy_primitives::{Address, B256};
use secp256k1::{
    Message, PublicKey, SECP256K1, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};

/// Returns the account whose key signed `hash`, or `None` if the signature fits no account.
///
/// A signature is 65 bytes `r s v`, with a `v` of 27 or 28, or the 64 bytes of ERC-2098.
/// As for `ecrecover`, `s` may be in either half of its range.
#[must_use]
pub fn recover(signature: &[u8], hash: B256) -> Option<Address> {
    let (r_s, rest) = signature.split_first_chunk::<64>()?;
    let mut r_s = *r_s;
    let odd = match rest {
        [] => {
            let odd = r_s[32] & 0x80 != 0;
            r_s[32] &= 0x7f;
            odd
        }
        [v @ (27 | 28)] => *v == 28,
        _ => return None,
    };
    let id = if odd {
        RecoveryId::One
    } else {
        RecoveryId::Zero
    };
    let signature = RecoverableSignature::from_compact(&r_s, id).ok()?;
    let key = SECP256K1.recover_ecdsa(Message::from_digest(hash.0), &signature);
    Some(address_of(&key.ok()?))
}

fn address_of(key: &PublicKey) -> Address {
    // The first byte tells the format of the coordinates.
    Address::from_raw_public_key(&key.serialize_uncompressed()[1..])
}

/// Secret key of a simulated account. Nothing wipes it from memory.
#[derive(Debug, Clone)]
pub struct Key {
    secret: SecretKey,
    address: Address,
}

impl Key {
    /// Creates the key with this number. Returns `None` if it is zero or not below the order of the
    /// curve.
    #[must_use]
    pub fn new(secret: B256) -> Option<Self> {
        let secret = SecretKey::from_byte_array(secret.0).ok()?;
        let address = address_of(&PublicKey::from_secret_key(SECP256K1, &secret));
        Some(Self { secret, address })
    }

    /// Returns the account of this key.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Signs a hash as `r s v`.
    ///
    /// The signature is deterministic (RFC 6979), with an `s` in the lower half of its range.
    #[must_use]
    pub fn sign(&self, hash: B256) -> [u8; 65] {
        let message = Message::from_digest(hash.0);
        let (id, r_s) = SECP256K1
            .sign_ecdsa_recoverable(message, &self.secret)
            .serialize_compact();
        let odd = matches!(id, RecoveryId::One | RecoveryId::Three);
        let mut signature = [27 + u8::from(odd); 65];
        signature[..64].copy_from_slice(&r_s);
        signature
    }
}
