//! Tests hashes and signatures of authors, and provides people with keys.

use alloy_primitives::{Address, B256, U256, keccak256};
use cotrain_protocol::trainer::{Delegation, SignedBatch, domain, usual_signature};
use k256::ecdsa::SigningKey;

use crate::support::address;

/// Order of secp256k1.
const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/// A person who can sign.
pub(crate) struct Signer(SigningKey);

impl Signer {
    pub(crate) fn new(number: u8) -> Self {
        let key = B256::with_last_byte(number);
        Self(SigningKey::from_slice(key.as_slice()).expect("not zero"))
    }

    pub(crate) fn address(&self) -> Address {
        Address::from_private_key(&self.0)
    }

    /// Signs a hash as `r s v`.
    fn sign_hash(&self, hash: B256) -> Vec<u8> {
        let (signature, id) = self
            .0
            .sign_prehash_recoverable(hash.as_slice())
            .expect("a hash");
        let mut bytes = signature.to_bytes().to_vec();
        bytes.push(27 + u8::from(id.is_y_odd()));
        bytes
    }

    /// Returns the delegation with this person's signature.
    pub(crate) fn delegate(
        &self,
        chain_id: u64,
        trainer: Address,
        delegation: &Delegation,
    ) -> Delegation {
        let hash = delegation.signing_hash(&domain(chain_id, trainer));
        Delegation {
            signature: self.sign_hash(hash),
            ..delegation.clone()
        }
    }

    /// Returns the batch with this person's signature.
    pub(crate) fn sign(&self, chain_id: u64, trainer: Address, batch: SignedBatch) -> SignedBatch {
        let hash = batch.signing_hash(&domain(chain_id, trainer));
        SignedBatch {
            signature: self.sign_hash(hash),
            ..batch
        }
    }
}

fn batch(author: Address) -> SignedBatch {
    SignedBatch {
        author,
        relayer: Address::repeat_byte(0xcc),
        max_deposit: 0x0102 << 80,
        fee: 3,
        nonce: 0x0405_0000_0006,
        deadline: 0x07_0000_0008,
        items: vec![9, 10, 11],
        signature: vec![],
    }
}

#[test]
fn signing_hash_of_a_batch_is_that_of_eip_712() {
    let word = |number: u64| B256::from(U256::from(number));
    let domain_words = [
        keccak256(
            "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
        ),
        keccak256("cotrain"),
        keccak256("1"),
        word(31_337),
        Address::repeat_byte(0xbb).into_word(),
    ];
    let mut max_deposit = B256::ZERO;
    max_deposit[20..22].copy_from_slice(&[1, 2]);
    let batch_words = [
        keccak256(
            "Batch(address author,address relayer,uint96 maxDeposit,uint96 fee,uint48 nonce,uint40 deadline,bytes items)",
        ),
        Address::repeat_byte(0xaa).into_word(),
        Address::repeat_byte(0xcc).into_word(),
        max_deposit,
        word(3),
        word(0x0405_0000_0006),
        word(0x07_0000_0008),
        keccak256([9, 10, 11]),
    ];
    let hashes = [
        keccak256(domain_words.concat()),
        keccak256(batch_words.concat()),
    ];
    let expected = keccak256([&[0x19, 0x01], hashes.concat().as_slice()].concat());
    let domain = domain(31_337, Address::repeat_byte(0xbb));
    assert_eq!(
        batch(Address::repeat_byte(0xaa)).signing_hash(&domain),
        expected
    );
}

#[test]
fn signer_depends_on_each_field_of_a_batch_chain_and_trainer() {
    let key = Signer::new(1);
    let signed = key.sign(1, address(2), batch(key.address()));
    let author = Some(signed.author);
    assert_eq!(signed.signer(&domain(1, address(2))), author);
    assert_ne!(signed.signer(&domain(2, address(2))), author);
    assert_ne!(signed.signer(&domain(1, address(3))), author);
    let changes: [fn(&mut SignedBatch); 8] = [
        |batch| batch.author = address(1),
        |batch| batch.relayer = address(1),
        |batch| batch.relayer = Address::ZERO,
        |batch| batch.max_deposit += 1,
        |batch| batch.fee += 1,
        |batch| batch.nonce += 1,
        |batch| batch.deadline += 1,
        |batch| batch.items.push(0),
    ];
    for change in changes {
        let mut other = signed.clone();
        change(&mut other);
        assert_ne!(other.signer(&domain(1, address(2))), author);
    }
}

/// Checks both forms of signatures, as `ecrecover` behind solady's `ECDSA.tryRecoverCalldata` takes
/// them.
#[test]
fn signer_takes_signatures_of_two_forms_with_any_s() {
    let order: U256 = ORDER.parse().expect("a number");
    let domain = domain(1, address(2));
    let mut seen = [false; 2];
    for number in 1..=16 {
        let key = Signer::new(number);
        let signed = key.sign(1, address(2), batch(key.address()));
        let [r, s] = [0, 32].map(|at| U256::from_be_slice(&signed.signature[at..at + 32]));
        let v = signed.signature[64];
        seen[usize::from(v - 27)] = true;
        let recovers = |signature: Vec<u8>| {
            let signed = SignedBatch {
                signature,
                ..signed.clone()
            };
            signed.signer(&domain) == Some(key.address())
        };
        let long = |r: U256, s: U256, v: u8| {
            [&r.to_be_bytes::<32>()[..], &s.to_be_bytes::<32>(), &[v]].concat()
        };
        let short = |s: U256, v: u8| {
            let s = s | U256::from(v - 27) << 255_usize;
            [r.to_be_bytes::<32>(), s.to_be_bytes::<32>()].concat()
        };
        let flipped = 55 - v;
        assert!(recovers(long(r, s, v)));
        assert!(recovers(long(r, order - s, flipped)));
        assert!(recovers(short(s, v)));
        // Any s of 255 bits fits the short form, even some from the upper half of the range.
        if order - s < U256::from(1) << 255_usize {
            assert!(recovers(short(order - s, flipped)));
        }

        assert!(!recovers(long(r, s, flipped)));
        assert!(!recovers(long(r, order - s, v)));
        assert!(!recovers(short(s, flipped)));
        for v in (0..=255).filter(|v| !(27..=28).contains(v)) {
            assert!(!recovers(long(r, s, v)));
        }
        for length in (0..64).chain([66, 96]) {
            let mut other = long(r, s, v);
            other.resize(length, v);
            assert!(!recovers(other));
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn signer_is_none_if_a_number_of_the_signature_is_out_of_range() {
    let order: U256 = ORDER.parse().expect("a number");
    let key = Signer::new(1);
    let signed = key.sign(1, address(2), batch(key.address()));
    let [r, s] = [0, 32].map(|at| U256::from_be_slice(&signed.signature[at..at + 32]));
    let one = U256::from(1);
    for wrong in [U256::ZERO, order, order + one, U256::MAX - one, U256::MAX] {
        for (r, s) in [(wrong, s), (r, wrong), (wrong, wrong)] {
            for v in [27, 28] {
                let mut other = signed.clone();
                other.signature =
                    [&r.to_be_bytes::<32>()[..], &s.to_be_bytes::<32>(), &[v]].concat();
                assert_eq!(other.signer(&domain(1, address(2))), None);
            }
        }
    }
}

/// Checks signatures of hardware wallets, which end with 0 or 1. Anything else stays as it is.
#[test]
fn usual_signature_rewrites_what_hardware_wallets_write() {
    let signer = Signer::new(7);
    let rewritten = (0..20_u8)
        .filter(|number| {
            let hash = keccak256([*number]);
            let usual = signer.sign_hash(hash);
            let mut hardware = usual.clone();
            *hardware.last_mut().expect("65 bytes") -= 27;
            assert_eq!(
                usual_signature(hardware.clone(), hash, signer.address()),
                usual
            );
            assert_eq!(
                usual_signature(usual.clone(), hash, signer.address()),
                usual
            );
            // A signature by another account, of another hash, or of another length: a contract may
            // accept it.
            let other = Signer::new(8).address();
            assert_eq!(usual_signature(hardware.clone(), hash, other), hardware);
            let another = keccak256([*number, 1]);
            assert_eq!(
                usual_signature(hardware.clone(), another, signer.address()),
                hardware
            );
            hardware[64] == 1
        })
        .count();
    assert!((1..20).contains(&rewritten), "both values were rewritten");
    for bytes in [vec![], vec![0], vec![1; 64], vec![0; 65], vec![1; 66]] {
        let hash = keccak256([]);
        assert_eq!(
            usual_signature(bytes.clone(), hash, signer.address()),
            bytes
        );
    }
}

#[test]
fn decode_reads_what_encode_writes_and_nothing_else() {
    let relayer = Address::repeat_byte(0xcc);
    for relayer in [relayer, Address::ZERO] {
        let written = SignedBatch {
            relayer,
            signature: vec![7; 65],
            ..batch(address(1))
        };
        let bytes = written.encode();
        let read = SignedBatch::decode(&bytes, Address::repeat_byte(0xcc));
        assert_eq!(read, Some(written));
        for end in 0..bytes.len() {
            assert_eq!(SignedBatch::decode(&bytes[..end], relayer), None, "{end}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(SignedBatch::decode(&longer, relayer), None);
        let mut neither = bytes;
        neither[55] = 2;
        assert_eq!(SignedBatch::decode(&neither, relayer), None);
    }
}
