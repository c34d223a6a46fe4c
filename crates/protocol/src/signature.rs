//! Signatures of hashes over secp256k1, by libsecp256k1, with the rules of the contracts.
//!
//! No other module makes or reads them.

use alloy_primitives::{Address, B256, b256};
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

/// Largest `s` in the lower half of its range: half the order of the curve, rounded down.
const HALF_ORDER: B256 =
    b256!("0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

/// Returns the account whose key signed `hash`, or `None` if the `ECDSA` of `OpenZeppelin` would revert.
///
/// A signature is 65 bytes `r s v`, with a `v` of 27 or 28 and an `s` in the lower half of its range.
/// So there is only one signature for a key, a hash and an `r`.
#[must_use]
pub fn recover_strict(signature: &[u8], hash: B256) -> Option<Address> {
    let signature: &[u8; 65] = signature.try_into().ok()?;
    if signature[32..64] > HALF_ORDER[..] {
        return None;
    }
    recover(signature, hash)
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

#[cfg(test)]
mod tests {
    use alloy_primitives::{U256, uint};

    use super::*;

    /// Order of the curve.
    const ORDER: U256 =
        uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);

    #[test]
    fn recover_strict_takes_one_form_of_a_signature() {
        let key = Key::new(B256::with_last_byte(7)).expect("a key");
        let hash = B256::repeat_byte(3);
        let signature = key.sign(hash);
        assert_eq!(recover_strict(&signature, hash), Some(key.address()));

        let mut mirrored = signature;
        let s = ORDER - U256::from_be_slice(&signature[32..64]);
        mirrored[32..64].copy_from_slice(&s.to_be_bytes::<32>());
        mirrored[64] = 27 + 28 - signature[64];
        assert_eq!(recover(&mirrored, hash), Some(key.address()));
        assert_eq!(recover_strict(&mirrored, hash), None);

        let mut bare = signature;
        bare[64] -= 27;
        assert_eq!(recover_strict(&bare, hash), None);
        let mut short = [0; 64];
        short.copy_from_slice(&signature[..64]);
        short[32] |= (signature[64] - 27) << 7;
        assert_eq!(recover(&short, hash), Some(key.address()));
        assert_eq!(recover_strict(&short, hash), None);
        assert_eq!(HALF_ORDER, B256::from(ORDER / U256::from(2)));
    }
}
