//! Tests payloads of each version through batches, records and proofs, and refused forms.

use alloy_primitives::{Address, B256, keccak256};
use cotrain_protocol::{
    classifier::Kind,
    payload::{Commitment, CommitmentError, DataError, Payload, PayloadVersion, UnknownPayload},
    record::Record,
    sample::{Encoding, Item, encode_batch, parse_batch},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::support::cases;

/// Draws commitments whose locations have any length that an item holds. Most are short.
fn commitments() -> impl Strategy<Value = Commitment> {
    let location = prop_oneof![
        9 => vec(0x21_u8..=0x7e, 0..80),
        1 => vec(0x21_u8..=0x7e, Commitment::MAX_LOCATION),
    ];
    (any::<[u8; 32]>(), any::<u64>(), location).prop_map(|(hash, length, location)| {
        let location = String::from_utf8(location).expect("ASCII");
        Commitment::new(B256::new(hash), length, &location).expect("fits")
    })
}

/// Decides by the rules of the specification if bytes are a commitment.
fn expected(bytes: &[u8]) -> Result<(), CommitmentError> {
    if bytes.len() < 40 {
        return Err(CommitmentError::TooShort {
            length: bytes.len(),
        });
    }
    let location = &bytes[40..];
    if bytes.len() > 65_535 {
        return Err(CommitmentError::LocationTooLong {
            length: location.len(),
        });
    }
    match location
        .iter()
        .position(|byte| *byte <= b' ' || *byte >= 0x7f)
    {
        None => Ok(()),
        Some(index) => Err(CommitmentError::LocationByte {
            index,
            byte: location[index],
        }),
    }
}

#[test]
fn number_is_the_one_of_the_contracts() {
    let numbers = PayloadVersion::ALL.map(PayloadVersion::number);
    assert_eq!(numbers, [0, 1, 2, 3]);
    assert_eq!(
        PayloadVersion::ALL.map(|version| version.to_string()),
        ["sparse", "dense16", "dense32", "commitment"]
    );
    for number in 0..=u8::MAX {
        let version = PayloadVersion::try_from(number);
        if number < 4 {
            assert_eq!(version.map(PayloadVersion::number), Ok(number));
        } else {
            assert_eq!(version, Err(UnknownPayload(number)));
        }
    }
    assert_eq!(
        UnknownPayload(9).to_string(),
        "cannot read payloads of version 9: expected a version from 0 to 3; use a release that knows version 9"
    );
}

#[test]
fn payload_version_is_inline_for_the_encodings_of_the_learners() {
    for version in PayloadVersion::ALL {
        let read = Kind::ALL.map(|kind| PayloadVersion::Inline(kind.encoding()));
        assert_eq!(
            read.contains(&version),
            version != PayloadVersion::Commitment,
            "{version}"
        );
    }
}

#[test]
fn encode_writes_hash_length_and_location() {
    let commitment = Commitment::to(b"data", "https://example.org/a").expect("fits");
    assert_eq!(
        (
            commitment.hash(),
            commitment.length(),
            commitment.location()
        ),
        (keccak256(b"data"), 4, "https://example.org/a")
    );
    let bytes = [
        keccak256(b"data").as_slice(),
        &[0, 0, 0, 0, 0, 0, 0, 4],
        b"https://example.org/a",
    ]
    .concat();
    assert_eq!(commitment.encode(), bytes);
    assert_eq!(Commitment::decode(&bytes), Ok(commitment));
    // Without a location, readers find the data by its hash.
    let bare = Commitment::decode(&[7; 40]).expect("a commitment");
    assert_eq!(bare.location(), "");
    assert_eq!(bare.length(), 0x0707_0707_0707_0707);
}

#[test]
fn decode_refuses_each_malformed_form_by_its_own_error() {
    for length in 0..40 {
        let error = CommitmentError::TooShort { length };
        assert_eq!(Commitment::decode(&[0x21; 40][..length]), Err(error));
    }
    let longest = "x".repeat(Commitment::MAX_LOCATION);
    let commitment = Commitment::new(B256::ZERO, 0, &longest).expect("fits");
    let mut bytes = commitment.encode();
    assert_eq!(bytes.len(), 65_535);
    assert_eq!(Commitment::decode(&bytes), Ok(commitment));
    bytes.push(b'x');
    let too_long = CommitmentError::LocationTooLong { length: 65_496 };
    assert_eq!(Commitment::decode(&bytes), Err(too_long.clone()));
    assert_eq!(
        Commitment::new(B256::ZERO, 0, &format!("{longest}x")),
        Err(too_long)
    );
    // No text, text that is not ASCII, a space, the end of a line, and control characters of
    // terminals.
    for byte in [0xff, 0xc3, b' ', b'\n', 0x1b, 0x7f, 0] {
        let bytes = [&[0; 40][..], b"ab", &[byte], b"c\xff"].concat();
        let error = CommitmentError::LocationByte { index: 2, byte };
        assert_eq!(Commitment::decode(&bytes), Err(error));
    }
    let error = Commitment::to(b"", "https://bücher.example").expect_err("no URI");
    assert_eq!(
        error.to_string(),
        "cannot take byte 9 of the location, 0xc3: expected visible ASCII, 0x21 to 0x7e; percent-encode the location"
    );
}

#[test]
fn check_tells_other_length_from_other_hash() {
    let commitment = Commitment::to(b"data", "").expect("fits");
    assert_eq!(commitment.check(b"data"), Ok(()));
    assert_eq!(
        commitment.check(b"dat"),
        Err(DataError::OtherLength {
            length: 3,
            expected: 4
        })
    );
    assert_eq!(
        commitment.check(b"dates"),
        Err(DataError::OtherLength {
            length: 5,
            expected: 4
        })
    );
    assert_eq!(
        commitment.check(b"date"),
        Err(DataError::OtherHash {
            hash: keccak256(b"date"),
            expected: keccak256(b"data")
        })
    );
    // Data can never meet a false length, because the hash is that of other bytes.
    let lie = Commitment::new(keccak256(b"data"), 5, "").expect("fits");
    assert!(lie.check(b"data").is_err() && lie.check(b"data\0").is_err());
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn commitment_survives_batch_record_and_proof(
        items in vec((any::<u16>(), commitments()), 1..6),
        first_position in 0..u64::MAX / 2,
        chosen in any::<Index>(),
    ) {
        let payloads: Vec<_> = items
            .iter()
            .map(|(_, commitment)| Payload::Commitment(commitment.clone()).encode())
            .collect();
        let sent: Vec<_> = items
            .iter()
            .zip(&payloads)
            .map(|((label, _), payload)| Item { label: *label, sample: payload })
            .collect();
        let bytes = encode_batch(&sent).expect("an item holds any commitment");
        let parsed = parse_batch(&bytes).expect("a batch");
        let record = Record::new(first_position, 1, 2, &[(Address::ZERO, parsed)]);

        let chosen = chosen.index(items.len());
        let claims = record.claims(&[first_position + chosen as u64]);
        prop_assert!(claims.verify(record.root()));
        let contribution = &claims.contributions[0];
        let (label, commitment) = &items[chosen];
        prop_assert_eq!(contribution.label, *label);
        let payload = Payload::decode(PayloadVersion::Commitment, &contribution.sample);
        prop_assert_eq!(payload, Ok(Payload::Commitment(commitment.clone())));
        // The proof covers the exact bytes of the commitment.
        let mut other = claims.clone();
        other.contributions[0].sample[0] ^= 1;
        prop_assert!(!other.verify(record.root()));
    }

    #[test]
    fn payload_that_is_inline_is_its_sample(bytes in vec(any::<u8>(), 0..50)) {
        for encoding in [Encoding::Sparse, Encoding::Dense16, Encoding::Dense32] {
            let version = PayloadVersion::Inline(encoding);
            let payload = Payload::decode(version, &bytes).expect("a sample");
            prop_assert_eq!(&payload, &Payload::Inline { encoding, sample: &bytes });
            prop_assert_eq!(payload.version(), version);
            prop_assert_eq!(payload.encode(), &bytes[..]);
        }
    }

    /// Decodes truncated and changed commitments, and any other bytes.
    #[test]
    fn decode_reads_any_bytes_or_names_the_first_fault(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..60),
            (commitments(), any::<Index>()).prop_map(|(commitment, end)| {
                let mut bytes = commitment.encode();
                bytes.truncate(end.index(bytes.len()));
                bytes
            }),
            (commitments(), any::<Index>(), 1_u8..).prop_map(|(commitment, at, flip)| {
                let mut bytes = commitment.encode();
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
                bytes
            }),
        ],
    ) {
        let decoded = Commitment::decode(&bytes);
        prop_assert_eq!(decoded.clone().map(|_| ()), expected(&bytes));
        if let Ok(commitment) = decoded {
            prop_assert_eq!(commitment.encode(), bytes);
        }
    }

    #[test]
    fn check_takes_the_committed_data_alone(
        data in vec(any::<u8>(), 1..200),
        at in any::<Index>(),
        flip in 1_u8..,
    ) {
        let commitment = Commitment::to(&data, "").expect("fits");
        prop_assert_eq!(commitment.check(&data), Ok(()));
        prop_assert!(commitment.check(&data[..at.index(data.len())]).is_err());
        let mut other = data.clone();
        other[at.index(data.len())] ^= flip;
        prop_assert_eq!(
            commitment.check(&other),
            Err(DataError::OtherHash { hash: keccak256(&other), expected: commitment.hash() })
        );
    }
}
