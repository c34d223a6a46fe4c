use cotrain_protocol::{
    ContractError,
    sample::{
        Encoding, Item, encode_batch, encode_dense16, encode_dense32, encode_sparse, parse_batch,
    },
};
use proptest::{collection::vec, prelude::*};

use crate::support::cases;

#[test]
fn encode_batch_and_its_samples_have_big_endian_numbers() {
    assert_eq!(encode_sparse(&[1, 0x0203]), [0, 1, 2, 3]);
    assert_eq!(encode_dense16(&[1, -2]), [0, 1, 0xff, 0xfe]);
    assert_eq!(
        encode_dense32(&[1, -2]),
        [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe]
    );
    let item = Item {
        label: 0x0102,
        sample: &[9, 8, 7],
    };
    assert_eq!(encode_batch(&[item]), Ok(vec![1, 2, 0, 3, 9, 8, 7]));
}

#[test]
fn encode_batch_takes_samples_of_up_to_65535_bytes() {
    let (longest, too_long) = (vec![7; 65_535], vec![7; 65_536]);
    let item = |sample| Item { label: 0, sample };
    let batch = encode_batch(&[item(&longest)]).expect("fits");
    assert_eq!(parse_batch(&batch), Ok(vec![item(&longest)]));
    let error = ContractError::SampleTooLong {
        item: 1,
        length: 65_536,
    };
    assert_eq!(encode_batch(&[item(&longest), item(&too_long)]), Err(error));
}

#[test]
fn parse_batch_names_the_start_of_an_item_that_does_not_end() {
    let malformed = |offset| Err(ContractError::MalformedBatch { offset });
    assert_eq!(parse_batch(&[]), Err(ContractError::EmptyBatch));
    assert_eq!(parse_batch(&[0]), malformed(0));
    assert_eq!(parse_batch(&[0, 0, 0]), malformed(0));
    assert_eq!(parse_batch(&[0, 0, 0, 1]), malformed(0));
    assert_eq!(parse_batch(&[0, 0, 0, 1, 5, 0]), malformed(5));
    assert_eq!(parse_batch(&[0, 0, 0, 0, 0, 0, 0, 2, 5]), malformed(4));
    assert_eq!(
        parse_batch(&[0, 3, 0, 0]),
        Ok(vec![Item {
            label: 3,
            sample: &[]
        }])
    );
}

#[test]
fn check_names_the_index_of_an_error_in_a_sample() {
    let sparse = |features: &[u16]| Encoding::Sparse.check(4, &encode_sparse(features), 10);
    assert_eq!(sparse(&[]), Ok(()));
    assert_eq!(sparse(&[0, 9]), Ok(()));
    let not_increasing = |at, feature, previous| {
        Err(ContractError::FeatureNotIncreasing {
            item: 4,
            at,
            feature,
            previous,
        })
    };
    assert_eq!(sparse(&[3, 3]), not_increasing(1, 3, 3));
    assert_eq!(sparse(&[1, 5, 4, 2]), not_increasing(2, 4, 5));
    // The order is checked before the range, wherever the feature out of range is.
    assert_eq!(sparse(&[65_535, 5]), not_increasing(1, 5, 65_535));
    // Of several features out of range, the error names the last one.
    let out_of_range = ContractError::FeatureOutOfRange {
        item: 4,
        at: 2,
        feature: 12,
        features: 10,
    };
    assert_eq!(sparse(&[1, 11, 12]), Err(out_of_range));
    let odd = ContractError::OddSampleLength { item: 4, length: 3 };
    assert_eq!(Encoding::Sparse.check(4, &[0, 9, 0], 10), Err(odd));

    for (encoding, expected) in [(Encoding::Dense16, 20), (Encoding::Dense32, 40)] {
        let sample = [0xff; 41];
        for length in 0..=41 {
            let error = ContractError::WrongSampleLength {
                item: 4,
                length,
                expected,
            };
            let checked = encoding.check(4, &sample[..usize::try_from(length).expect("small")], 10);
            assert_eq!(
                checked,
                if length == expected {
                    Ok(())
                } else {
                    Err(error)
                }
            );
        }
    }
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn parse_batch_reads_what_encode_batch_writes(items in vec((any::<u16>(), vec(any::<u8>(), 0..50)), 1..10)) {
        let items: Vec<_> = items.iter().map(|(label, sample)| Item { label: *label, sample }).collect();
        let batch = encode_batch(&items).expect("short samples");
        prop_assert_eq!(parse_batch(&batch), Ok(items));
    }

    #[test]
    fn parse_batch_reads_any_bytes_or_names_the_first_fault(
        // Many zeros make short items likely.
        bytes in vec(prop_oneof![Just(0), 0_u8..4, any::<u8>()], 0..60),
    ) {
        match parse_batch(&bytes) {
            Ok(items) => prop_assert_eq!(encode_batch(&items), Ok(bytes)),
            Err(ContractError::EmptyBatch) => prop_assert!(bytes.is_empty()),
            Err(ContractError::MalformedBatch { offset }) => {
                let offset = usize::try_from(offset).expect("short");
                let (before, rest) = bytes.split_at(offset);
                prop_assert!(before.is_empty() || parse_batch(before).is_ok());
                prop_assert!(
                    rest.len() < 4 || rest.len() < 4 + usize::from(u16::from_be_bytes([rest[2], rest[3]]))
                );
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// Runs the specification's checks one after the other.
    #[test]
    fn check_applies_the_rules_of_sparse_samples_in_order(
        bytes in prop_oneof![
            vec(any::<u8>(), 0..40),
            vec(0_u16..30, 0..20).prop_map(|features| encode_sparse(&features)),
            crate::support::present(60, 0..30_usize).prop_map(|features| encode_sparse(&features)),
        ],
        features in prop_oneof![1_u32..60, Just(65_536)],
    ) {
        let expected = (|| {
            if !bytes.len().is_multiple_of(2) {
                return Err(ContractError::OddSampleLength { item: 0, length: bytes.len() as u64 });
            }
            let all: Vec<_> = bytes.chunks(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1])).collect();
            for at in 1..all.len() {
                if all[at] <= all[at - 1] {
                    let (feature, previous) = (all[at], all[at - 1]);
                    return Err(ContractError::FeatureNotIncreasing { item: 0, at: at as u64, feature, previous });
                }
            }
            for at in (0..all.len()).rev() {
                if u32::from(all[at]) >= features {
                    let feature = all[at];
                    return Err(ContractError::FeatureOutOfRange { item: 0, at: at as u64, feature, features });
                }
            }
            Ok(())
        })();
        prop_assert_eq!(Encoding::Sparse.check(0, &bytes, features), expected);
    }
}
