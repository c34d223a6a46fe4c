//! Sealed snapshots: a session's state, which only its payer can open.
//!
//! A snapshot names the session and the head of its account's ledger, and has no units. So an old
//! one opens for what it is, and wins nothing back.

use alloy_primitives::B256;
use alloy_sol_types::{Eip712Domain, SolStruct, eip712_domain, sol};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ledger::AccountId;

/// Version of the form, which is the first byte.
const VERSION: u8 = 1;
/// Name of the form, in keys and in what the seal covers.
const NAME: &[u8] = b"cotrain-snapshot/1";
/// Length of the nonce.
const NONCE: usize = 24;
/// Length of what stands before the sealed bytes: version, nonce, number of changes and head.
const HEADER: usize = 1 + NONCE + 8 + 32;

/// Text that a wallet shows before it signs for a key.
const PURPOSE: &str = "Opens the sealed snapshots of my labeling sessions. Sign it only for a service that may see them.";

sol! {
    /// Message whose signature by a wallet makes keys of snapshots.
    #[derive(Debug, PartialEq, Eq)]
    struct SnapshotKey {
        string purpose;
    }
}

/// Domain of the message: it has no chain, so the wallet may be on any.
const DOMAIN: Eip712Domain = eip712_domain! {
    name: "cotrain labels",
    version: "1",
};

/// Key of one session's snapshots. It is wiped from memory.
pub struct SealKey(Zeroizing<[u8; 32]>);

/// Snapshot that was opened.
pub struct Opened {
    /// State of the session. It is wiped from memory.
    pub state: Zeroizing<Vec<u8>>,
    /// Number of the account's changes, and hash over them, at the time of the sealing.
    pub head: (u64, B256),
}

/// Fault of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// The bytes are no snapshot of this version.
    #[error(
        "cannot open the snapshot: expected version {VERSION} and more than {HEADER} bytes; use the bytes that the service gave"
    )]
    Form,
    /// The key, the session or the bytes are other ones.
    #[error(
        "cannot open the snapshot: it was sealed by another secret, for another session, or was changed"
    )]
    Key,
    /// The state is too large for the cipher.
    #[error("cannot seal the state: it is too large")]
    TooLarge,
}

/// Returns the message that a wallet signs to make keys, and its digest of EIP-712.
///
/// The wallet must sign the same message alike each time (RFC 6979), as usual wallets do.
#[must_use]
pub fn wallet_message() -> (SnapshotKey, B256) {
    let message = SnapshotKey {
        purpose: PURPOSE.to_owned(),
    };
    let digest = message.eip712_signing_hash(&DOMAIN);
    (message, digest)
}

impl SealKey {
    /// Makes the key of a session from the payer's random secret.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32], session: AccountId) -> Self {
        Self::derive(secret, b"secret", session)
    }

    /// Makes the key of a session from a wallet's signature of [`wallet_message`].
    ///
    /// Its first 64 bytes count, `r` and `s`: wallets write the last one differently.
    #[must_use]
    pub fn from_signature(signature: &[u8; 65], session: AccountId) -> Self {
        Self::derive(&signature[..64], b"signature", session)
    }

    fn derive(material: &[u8], kind: &[u8], session: AccountId) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        let hkdf = Hkdf::<Sha256>::new(Some(NAME), material);
        let info = [kind, &session.0[..]];
        // It fails for more than 8,160 bytes only.
        let made = hkdf.expand_multi_info(&info, &mut key[..]);
        debug_assert!(made.is_ok());
        Self(key)
    }

    /// Seals a session's state. No nonce of a key may be used twice, so take a random one.
    ///
    /// `head` is that of the session's account.
    ///
    /// # Errors
    /// [`SealError::TooLarge`]
    pub fn seal(
        &self,
        session: AccountId,
        head: (u64, B256),
        nonce: &[u8; NONCE],
        state: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut bytes = vec![VERSION];
        bytes.extend(nonce);
        bytes.extend(head.0.to_be_bytes());
        bytes.extend(head.1);
        let covered = covered(session, &bytes);
        let payload = Payload {
            msg: state,
            aad: &covered,
        };
        let sealed = self.cipher().encrypt(&(*nonce).into(), payload);
        bytes.extend(sealed.map_err(|_| SealError::TooLarge)?);
        Ok(bytes)
    }

    /// Opens a snapshot of a session.
    ///
    /// # Errors
    /// [`SealError`]
    pub fn open(&self, session: AccountId, bytes: &[u8]) -> Result<Opened, SealError> {
        let (header, sealed) = bytes.split_at_checked(HEADER).ok_or(SealError::Form)?;
        let rest = header.strip_prefix(&[VERSION]).ok_or(SealError::Form)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Form)?;
        let (changes, head) = rest.split_first_chunk::<8>().ok_or(SealError::Form)?;
        let covered = covered(session, header);
        let payload = Payload {
            msg: sealed,
            aad: &covered,
        };
        let state = self.cipher().decrypt(&(*nonce).into(), payload);
        Ok(Opened {
            state: Zeroizing::new(state.map_err(|_| SealError::Key)?),
            head: (u64::from_be_bytes(*changes), B256::from_slice(head)),
        })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

/// Returns what the seal covers beside the state: name, session, version, nonce and head.
fn covered(session: AccountId, header: &[u8]) -> Vec<u8> {
    [NAME, &session.0[..], header].concat()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use cotrain_protocol::signature::Key;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        ledger::{
            Asked, Entry, Ledger, Owner, PaymentKey, Purchase, SettlementSeen, Source, Token,
        },
        price::UnitPrice,
    };

    const SESSION: AccountId = AccountId(B256::repeat_byte(1));
    const HEAD: (u64, B256) = (7, B256::repeat_byte(2));
    const NONCE_BYTES: [u8; NONCE] = [3; NONCE];

    fn key() -> SealKey {
        SealKey::from_secret(&[9; 32], SESSION)
    }

    fn sealed() -> Vec<u8> {
        let sealed = key().seal(SESSION, HEAD, &NONCE_BYTES, b"weights");
        sealed.expect("sealed")
    }

    #[test]
    fn seal_opens_with_its_key_and_session_only() {
        let opened = key().open(SESSION, &sealed()).expect("opened");
        assert_eq!((&opened.state[..], opened.head), (&b"weights"[..], HEAD));
        let other = AccountId(B256::repeat_byte(5));
        let refused = |key: &SealKey, session| key.open(session, &sealed()).err();
        assert_eq!(refused(&key(), other), Some(SealError::Key));
        let foreign = SealKey::from_secret(&[9; 32], other);
        assert_eq!(refused(&foreign, SESSION), Some(SealError::Key));
        let wrong = SealKey::from_secret(&[8; 32], SESSION);
        assert_eq!(refused(&wrong, SESSION), Some(SealError::Key));
    }

    #[test]
    fn seal_breaks_by_any_change_of_a_bit() {
        let bytes = sealed();
        assert!(!bytes.windows(7).any(|part| part == b"weights"));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let expected = if at == 0 {
                SealError::Form
            } else {
                SealError::Key
            };
            assert_eq!(key().open(SESSION, &changed).err(), Some(expected), "{at}");
        }
        for end in 0..bytes.len() {
            assert!(key().open(SESSION, &bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn seal_key_of_a_wallet_is_the_same_for_all_forms_of_its_signature() {
        let wallet = Key::new(B256::repeat_byte(0x11)).expect("a key");
        let (message, digest) = wallet_message();
        assert_eq!(message.purpose, PURPOSE);
        let signature = wallet.sign(digest);
        assert_eq!(signature, wallet.sign(digest));
        let mut other = signature;
        other[64] -= 27;
        let [first, second] = [signature, other].map(|it| SealKey::from_signature(&it, SESSION));
        assert_eq!(first.0, second.0);
        let secret: &[u8; 32] = signature[..32].try_into().expect("32 bytes");
        assert_ne!(first.0, SealKey::from_secret(secret, SESSION).0);
        // A change of the message would lock all snapshots of wallets.
        let expected = "0x2947a33d0258a2431b8806e496da6599386cc4c406747541432947aef1afbe68";
        assert_eq!(digest.to_string(), expected);
    }

    /// Ledger with an account that has bought 10 units.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        let one = |number: u64| number.try_into().expect("not zero");
        let price = UnitPrice {
            amount: one(1),
            units: one(1),
        };
        let payment = PaymentKey::Authorization {
            payer: Address::ZERO,
            token: Token {
                chain: 1,
                address: Address::ZERO,
            },
            nonce: B256::ZERO,
        };
        let purchase = Purchase {
            account: SESSION,
            quote: price.quote(10),
            price,
            refund_fee: None,
        };
        let opened = ledger.open(SESSION, Owner::Token(B256::ZERO));
        apply(&mut ledger, &opened.expect("opened"));
        let sent = ledger.send_payment(payment, purchase, 1);
        apply(&mut ledger, &sent.expect("sent"));
        let seen = SettlementSeen::Transferred {
            transaction: B256::ZERO,
        };
        let seen = ledger.see_payment(payment.id(), seen).expect("evidence");
        apply(&mut ledger, &seen.expect("something new"));
        ledger
    }

    fn apply(ledger: &mut Ledger, entry: &Entry) {
        ledger.apply(entry).expect("applied");
    }

    #[test]
    fn seal_of_an_old_snapshot_wins_no_units_back() {
        let mut ledger = ledger();
        let head = |ledger: &Ledger| ledger.account(SESSION).expect("opened").head();
        let before = head(&ledger);
        let old = key()
            .seal(SESSION, before, &NONCE_BYTES, b"old")
            .expect("sealed");
        let asked = ledger.reserve(SESSION, 4, Source::Purchases, None);
        let Ok(Asked::Begin(reservation, entry)) = asked else {
            panic!("not begun");
        };
        apply(&mut ledger, &entry);
        let committed = ledger.commit(reservation, 4, None).expect("committed");
        apply(&mut ledger, &committed);
        // The old snapshot opens, with its own head, and says that it is old.
        let opened = key().open(SESSION, &old).expect("opened");
        assert_eq!(opened.head, before);
        assert!(opened.head.0 < head(&ledger).0 && opened.head.1 != head(&ledger).1);
        // The present head in its place breaks the seal.
        let mut forged = old.clone();
        let (changes, hash) = head(&ledger);
        forged[1 + NONCE..HEADER]
            .copy_from_slice(&[&changes.to_be_bytes()[..], &hash[..]].concat());
        assert_eq!(key().open(SESSION, &forged).err(), Some(SealError::Key));
        // Units are the ledger's alone.
        assert_eq!(ledger.account(SESSION).expect("opened").spendable(), 6);
    }

    proptest! {
        #[test]
        fn seal_opens_what_was_sealed_and_never_panics(
            state in prop::collection::vec(any::<u8>(), 0..300),
            changes in any::<u64>(),
            nonce in any::<[u8; NONCE]>(),
            noise in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let sealed = key().seal(SESSION, (changes, HEAD.1), &nonce, &state).expect("sealed");
            let opened = key().open(SESSION, &sealed).expect("opened");
            prop_assert_eq!(&opened.state[..], &state[..]);
            prop_assert_eq!(opened.head, (changes, HEAD.1));
            prop_assert!(key().open(SESSION, &noise).is_err());
        }
    }
}
