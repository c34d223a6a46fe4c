//! Tests signers of signatures, even at the edges of what a signature can hold.
//!
//! `protocol` uses libsecp256k1. It is compared with another library and with the chain's own
//! `ecrecover`.

use alloy_primitives::{Address, B256, U256};
use cotrain_chain::{Chain, Config, Embedded, Transaction};
use cotrain_protocol::signature::{Key, recover};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use proptest::{prelude::*, sample::select, test_runner::TestRunner};

use crate::{
    START,
    people::{ORDER, STRANGER},
};

/// Address of the precompile `ecrecover` on every chain.
const ECRECOVER: Address = Address::with_last_byte(1);

/// Signs with k256. Returns `r`, `s`, and whether the point's `y` is odd.
fn sign(key: &SigningKey, hash: B256) -> (U256, U256, bool) {
    let (signature, id) = key
        .sign_prehash_recoverable(hash.as_slice())
        .expect("a hash");
    let [r, s] = [signature.r(), signature.s()].map(|part| U256::from_be_slice(&part.to_bytes()));
    (r, s, id.is_y_odd())
}

/// Recovers with k256, which does not take the upper half of the range of `s`.
fn recover_by_k256(r: U256, s: U256, odd: bool, hash: B256) -> Option<Address> {
    let signature = Signature::from_scalars(r.to_be_bytes::<32>(), s.to_be_bytes::<32>()).ok()?;
    let (signature, odd) = match signature.normalize_s() {
        Some(lower) => (lower, !odd),
        None => (signature, odd),
    };
    let id = RecoveryId::new(odd, false);
    let key = VerifyingKey::recover_from_prehash(hash.as_slice(), &signature, id).ok()?;
    Some(Address::from_public_key(&key))
}

/// Recovers as a contract does, by the chain's `ecrecover`, which takes `v` as a word.
fn recover_by_chain(
    chain: &mut Embedded,
    r: U256,
    s: U256,
    v: U256,
    hash: B256,
) -> Option<Address> {
    let words = [hash.0, v.to_be_bytes(), r.to_be_bytes(), s.to_be_bytes()];
    let call = Transaction::call(STRANGER, ECRECOVER, words.concat()).with_gas_limit(100_000);
    let answer = chain.call(call).expect("an answer").output;
    (!answer.is_empty()).then(|| Address::from_word(B256::from_slice(&answer)))
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn words() -> impl Strategy<Value = U256> {
    any::<[u8; 32]>().prop_map(U256::from_be_bytes)
}

/// Draws numbers around the limits of `r` and `s`.
fn edges() -> impl Strategy<Value = U256> {
    let one = U256::ONE;
    select(vec![
        U256::ZERO,
        one,
        U256::from(2),
        (ORDER >> 1) - one,
        ORDER >> 1,
        (ORDER >> 1) + one,
        ORDER - one,
        ORDER,
        ORDER + one,
        (one << 255) - one,
        one << 255,
        U256::MAX - one,
        U256::MAX,
    ])
}

/// Draws keys, hashes and signatures: of the key, with the other `s`, and with wrong parts.
fn signatures() -> impl Strategy<Value = (SigningKey, B256, U256, U256, bool)> {
    let key = any::<[u8; 32]>().prop_filter_map("a key", |key| SigningKey::from_slice(&key).ok());
    let hash = prop_oneof![8 => words(), 1 => edges()].prop_map(B256::from);
    let other = || {
        let number = prop_oneof![1 => words(), 3 => edges()];
        prop_oneof![3 => Just(None), 1 => number.prop_map(Some)]
    };
    let flips = any::<[bool; 2]>();
    (key, hash, other(), other(), flips).prop_map(|(key, hash, other_r, other_s, [upper, odd])| {
        let (r, s, is_odd) = sign(&key, hash);
        let s = if upper { ORDER - s } else { s };
        let parity = is_odd ^ odd;
        (
            key,
            hash,
            other_r.unwrap_or(r),
            other_s.unwrap_or(s),
            parity,
        )
    })
}

#[test]
fn recover_is_the_same_by_all_libraries_and_the_chain() {
    let config = Config {
        start: START,
        gas_price: 0,
    };
    let chain = std::cell::RefCell::new(Embedded::new(config));
    let seen = std::cell::Cell::new([0; 3]);
    let mut runner = TestRunner::new(cases(1_500));
    let ran = runner.run(
        &(signatures(), any::<u8>()),
        |((key, hash, r, s, odd), any_v)| {
            let mut chain = chain.borrow_mut();
            let r_s = [r.to_be_bytes::<32>(), s.to_be_bytes()].concat();
            for v in [27, 28, 0, 1, 26, 29, any_v] {
                let expected = match v {
                    27 | 28 => recover_by_k256(r, s, v == 28, hash),
                    _ => None,
                };
                let long = [r_s.as_slice(), &[v]].concat();
                prop_assert_eq!(recover(&long, hash), expected, "v = {}", v);
                let by_chain = recover_by_chain(&mut chain, r, s, U256::from(v), hash);
                prop_assert_eq!(by_chain, expected, "v = {}", v);
                prop_assert_ne!(expected, Some(Address::ZERO));
            }
            // In the short form, the highest bit of `s` tells which of two keys it is.
            let (short_s, short_odd) = (s & (U256::MAX >> 1), s.bit(255));
            prop_assert_eq!(
                recover(&r_s, hash),
                recover_by_k256(r, short_s, short_odd, hash)
            );
            for length in [0, 1, 32, 63] {
                prop_assert_eq!(recover(&r_s[..length], hash), None);
            }
            let longer = [r_s.as_slice(), &[27, 27]].concat();
            prop_assert_eq!(recover(&longer, hash), None);

            let mut counts = seen.get();
            counts[match recover_by_k256(r, s, odd, hash) {
                None => 0,
                Some(account) if account == Address::from_private_key(&key) => 1,
                Some(_) => 2,
            }] += 1;
            seen.set(counts);
            Ok(())
        },
    );
    ran.expect("the same");
    let seen = seen.get();
    assert!(
        seen.iter().all(|count| *count > 100),
        "{seen:?} of nobody, of the key, of others"
    );
}

/// Checks that both libraries sign alike, on which the digests of simulations depend.
///
/// If a hash is not below the order, k256 deviates from RFC 6979. No one will ever see such a hash.
#[test]
fn sign_makes_the_same_signature_by_both_libraries() {
    let secret = prop_oneof![4 => words(), 1 => edges()].prop_map(B256::from);
    let hash = prop_oneof![4 => words(), 1 => edges()].prop_map(B256::from);
    let mut runner = TestRunner::new(cases(1_000));
    let ran = runner.run(&(secret, hash), |(secret, hash)| {
        let other = SigningKey::from_slice(secret.as_slice()).ok();
        let key = Key::new(secret);
        prop_assert_eq!(key.is_some(), other.is_some());
        if let (Some(key), Some(other)) = (key, other) {
            prop_assert_eq!(key.address(), Address::from_private_key(&other));
            let (r, s, odd) = sign(&other, hash);
            let expected = [r.to_be_bytes::<32>(), s.to_be_bytes()].concat();
            let signature = key.sign(hash);
            if U256::from_be_bytes(hash.0) < ORDER {
                prop_assert_eq!(&signature[..64], expected.as_slice());
                prop_assert_eq!(signature[64], 27 + u8::from(odd));
            }
            prop_assert_eq!(recover(&signature, hash), Some(key.address()));
        }
        Ok(())
    });
    ran.expect("the same");
}
