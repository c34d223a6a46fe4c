//! Tests the rules of federated rounds against plain statements of them.

use alloy_primitives::{B256, U256, keccak256};
use cotrain_protocol::federated::{
    Chunks, FederatedError, Judgment, Network, Rule, Sample, Softmax, Width, add_update, aggregate,
    decode_update, encode_update, judge, krum_scores, loss, root_of_chunk, select_multi_krum,
    shares, squared_norm,
};
use proptest::{collection::vec, prelude::*};

use crate::support::cases;

const WIDTHS: [Width; 2] = [Width::Eight, Width::Sixteen];

fn width() -> impl Strategy<Value = Width> {
    prop::sample::select(&WIDTHS[..])
}

/// Returns numbers of a width. Small ranges give ties.
fn numbers(width: Width, count: usize) -> impl Strategy<Value = Vec<i16>> {
    prop_oneof![Just(width.max()), Just(2)].prop_flat_map(move |most| vec(-most - 1..=most, count))
}

fn updates(
    counts: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = (Width, Vec<Vec<i16>>)> {
    (width(), counts, 1..40_usize).prop_flat_map(|(width, count, parameters)| {
        vec(numbers(width, parameters), count).prop_map(move |updates| (width, updates))
    })
}

fn slices(updates: &[Vec<i16>]) -> Vec<&[i16]> {
    updates.iter().map(Vec::as_slice).collect()
}

/// Returns a quotient rounded down, by definition.
fn floor(sum: i64, count: i64) -> i64 {
    let quotient = sum / count;
    quotient - i64::from(quotient * count > sum)
}

/// Returns the mean of a parameter's sorted numbers without `cut` on each side.
fn plain(updates: &[Vec<i16>], cut: usize) -> Vec<i64> {
    (0..updates[0].len())
        .map(|parameter| {
            let mut column: Vec<i64> = updates.iter().map(|it| it[parameter].into()).collect();
            column.sort_unstable();
            let kept = &column[cut..column.len() - cut];
            floor(kept.iter().sum(), kept.len().try_into().expect("few"))
        })
        .collect()
}

fn found(rule: Rule, hostile: usize, width: Width, updates: &[Vec<i16>]) -> Vec<i64> {
    let found = aggregate(rule, hostile, width, &slices(updates)).expect("enough updates");
    found.into_iter().map(i64::from).collect()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn encode_update_is_undone_by_decode_update(
        (width, numbers) in width().prop_flat_map(|width| {
            (0..70_usize).prop_flat_map(move |count| (Just(width), numbers(width, count)))
        }),
    ) {
        let bytes = encode_update(width, &numbers).expect("in range");
        prop_assert_eq!(bytes.len(), width.bytes(numbers.len()));
        prop_assert_eq!(decode_update(width, numbers.len(), &bytes), Ok(numbers.clone()));
        // Lane i lies at bit i * width of its word, and zero is zero.
        for (index, &number) in numbers.iter().enumerate() {
            let (word, lane) = (index / width.lanes(), index % width.lanes());
            let word = U256::from_be_slice(&bytes[32 * word..][..32]);
            let bits = width.bits() as usize;
            let lane = (word >> (lane * bits)) & U256::from((1_u32 << (bits - 1)) - 1);
            let modulus = 1_i32 << (bits - 1);
            prop_assert_eq!(lane, U256::from(i32::from(number).rem_euclid(modulus)));
        }
    }

    #[test]
    fn aggregate_equals_a_scalar_sort((width, updates) in updates(1..=40)) {
        let count = updates.len();
        prop_assert_eq!(found(Rule::Mean, 0, width, &updates), plain(&updates, 0));
        for hostile in 0..count.div_ceil(2) {
            let median = plain(&updates, (count - 1) / 2);
            prop_assert_eq!(found(Rule::Median, hostile, width, &updates), median);
            let trimmed = plain(&updates, hostile);
            prop_assert_eq!(found(Rule::TrimmedMean, hostile, width, &updates), trimmed);
        }
    }

    #[test]
    fn select_multi_krum_equals_its_definition((width, updates) in updates(3..=20)) {
        let count = updates.len();
        for hostile in 0..=(count - 3) / 2 {
            let mut scores = Vec::new();
            for (own, one) in updates.iter().enumerate() {
                let mut distances: Vec<i64> = (0..count)
                    .filter(|&other| other != own)
                    .map(|other| {
                        let pairs = one.iter().zip(&updates[other]);
                        pairs.map(|(a, b)| (i64::from(*a) - i64::from(*b)).pow(2)).sum()
                    })
                    .collect();
                distances.sort_unstable();
                scores.push(distances[..count - hostile - 2].iter().sum::<i64>());
            }
            let given = slices(&updates);
            let theirs = krum_scores(&given, hostile).expect("enough");
            let theirs: Vec<i64> = theirs.into_iter().map(u64::cast_signed).collect();
            prop_assert_eq!(&theirs, &scores);
            // An update is taken if fewer than n - f others come before it.
            let before = |a: usize, b: usize| (scores[a], a) < (scores[b], b);
            let taken: Vec<usize> = (0..count)
                .filter(|&own| (0..count).filter(|&it| before(it, own)).count() < count - hostile)
                .collect();
            prop_assert_eq!(select_multi_krum(&given, hostile), Ok(taken.clone()));
            let kept: Vec<Vec<i16>> = taken.iter().map(|&it| updates[it].clone()).collect();
            let mean = plain(&kept, 0);
            prop_assert_eq!(found(Rule::MultiKrum, hostile, width, &updates), mean);
        }
    }

    // Logits and losses are small.
    #[allow(clippy::cast_precision_loss)]
    #[test]
    fn loss_is_at_most_three_units_below_the_logarithm(
        logits in vec(-300_i64..300, 2..12),
        label in 0..2_u16,
    ) {
        let largest = *logits.iter().max().expect("some");
        // Exact but for the truncated powers: the logits are exponents of 2^(1/16).
        let power = |logit: i64| ((logit - largest).max(-256) as f64 / 16.0).exp2();
        let sum: f64 = logits.iter().map(|&it| power(it)).sum();
        let exact = 256.0 * (sum / power(logits[usize::from(label)])).log2();
        let found = loss(&logits, label) as f64;
        let own = power(logits[usize::from(label)]) * 65_536.0;
        // The label's power loses less than 1 of `own`, and that makes the loss larger.
        let slack = 256.0 * (1.0 / (own - 1.0).max(0.5)).ln_1p() / 2.0_f64.ln();
        prop_assert!(found >= exact.min(1_536.0) - 3.0, "{found} {exact}");
        prop_assert!(found <= (exact + slack + 1.0).min(1_536.0), "{found} {exact}");
    }

    #[test]
    fn values_equal_losses_of_coalitions(
        updates in vec(vec(-63_i16..=63, 3 * 5), 1..6),
        base in vec(-2_000_i16..2_000, 3 * 5),
        samples in vec((0..3_u16, vec(0..=16_u8, 4)), 1..8),
    ) {
        let model = Softmax::new(4, 3, 16, 6).expect("valid");
        let given: Vec<Sample<'_>> = samples
            .iter()
            .map(|(label, features)| Sample { label: *label, features })
            .collect();
        let values = model.values(&base, &slices(&updates), &given).expect("valid");
        let raw = |weights: &[i16], features: &[u8], class: usize| -> i64 {
            let own = &weights[4 * class..4 * class + 4];
            let products = own.iter().zip(features).map(|(w, x)| i64::from(*w) * i64::from(*x));
            products.sum::<i64>() + 16 * i64::from(weights[12 + class])
        };
        let value = |members: &[usize]| -> i64 {
            let losses = samples.iter().map(|(label, features)| {
                let logits: Vec<i64> = (0..3)
                    .map(|class| {
                        let sum = members.iter().map(|&it| raw(&updates[it], features, class)).sum();
                        let count = i64::try_from(members.len()).expect("few");
                        let joined = if count == 0 { 0 } else { floor(sum, count) };
                        floor(raw(&base, features, class) + joined, 1 << 6)
                    })
                    .collect();
                loss(&logits, *label).cast_signed()
            });
            -losses.sum::<i64>()
        };
        let everyone: Vec<usize> = (0..updates.len()).collect();
        prop_assert_eq!(values.base, value(&[]));
        prop_assert_eq!(values.all, value(&everyone));
        for left_out in 0..updates.len() {
            let rest: Vec<usize> = everyone.iter().copied().filter(|&it| it != left_out).collect();
            prop_assert_eq!(values.without[left_out], value(&rest));
            prop_assert_eq!(values.leave_one_out()[left_out], values.all - value(&rest));
        }
        prop_assert_eq!(values.improvement(), values.all - values.base);
    }

    #[test]
    fn root_of_chunk_is_the_root_for_its_chunk_and_index_alone(
        bytes in vec(any::<u8>(), 1..400),
        size in 1..70_usize,
    ) {
        let tree = Chunks::new(&bytes, size);
        let all: Vec<&[u8]> = bytes.chunks(size).collect();
        for (index, chunk) in all.iter().enumerate() {
            let proof = tree.proof(index).expect("a chunk");
            let of = |index| root_of_chunk(chunk, index, all.len(), &proof);
            prop_assert_eq!(of(index), Some(tree.root()));
            prop_assert_eq!(of(all.len()), None);
            for other in (0..all.len()).filter(|&other| all[other] != *chunk) {
                prop_assert_ne!(of(other), Some(tree.root()));
            }
            let longer = [&proof[..], &[B256::ZERO]].concat();
            prop_assert_eq!(root_of_chunk(chunk, index, all.len(), &longer), None);
        }
        prop_assert_eq!(tree.proof(all.len().next_power_of_two()), None);
    }

    #[test]
    fn shares_never_exceed_the_emission(
        emission in any::<u128>(),
        updates in vec((0..4_u8, prop_oneof![-3..3_i64, any::<i64>()]), 0..33),
    ) {
        let updates: Vec<(B256, i64)> =
            updates.into_iter().map(|(root, value)| (B256::with_last_byte(root), value)).collect();
        let shares = shares(emission, &updates);
        let sum = shares.iter().try_fold(0_u128, |sum, share| sum.checked_add(*share));
        prop_assert!(sum.is_some_and(|sum| sum <= emission));
        for (share, (_, value)) in shares.iter().zip(&updates) {
            prop_assert!(*value > 0 || *share == 0);
        }
    }
}

#[test]
fn network_serves_all_smaller_numbers_of_updates() {
    // A network that is pruned for 16 columns has all outputs that fewer updates need.
    let network = Network::sorting(16).pruned(7, 8);
    assert_eq!(network.columns(), 16);
    for count in 9..=16 {
        assert_eq!(Network::sorting(count).pruned(7, 8), network);
    }
}

#[test]
fn rule_names_what_it_needs() {
    let too_few = |rule, updates, hostile, needed| {
        Err(FederatedError::TooFewUpdates {
            rule,
            updates,
            hostile,
            needed,
        })
    };
    assert_eq!(Rule::Mean.check(0, 9), too_few(Rule::Mean, 0, 9, 1));
    assert_eq!(Rule::Mean.check(1, 9), Ok(()));
    assert_eq!(Rule::Median.check(6, 3), too_few(Rule::Median, 6, 3, 7));
    assert_eq!(Rule::Median.check(7, 3), Ok(()));
    let trimmed = Rule::TrimmedMean;
    assert_eq!(trimmed.check(6, 3), too_few(trimmed, 6, 3, 7));
    assert_eq!(trimmed.check(7, 3), Ok(()));
    let krum = Rule::MultiKrum;
    assert_eq!(krum.check(8, 3), too_few(krum, 8, 3, 9));
    assert_eq!(krum.check(9, 3), Ok(()));
    assert_eq!(
        krum.check(9, usize::MAX),
        too_few(krum, 9, usize::MAX, usize::MAX)
    );
    let error = krum.check(8, 3).expect_err("too few");
    assert_eq!(
        error.to_string(),
        "cannot aggregate by multi-krum: 8 updates count and 3 may be hostile, expected at least 9 updates; \
         admit more clients or allow fewer hostile ones"
    );
    assert_eq!(
        Rule::Mean.check(1_025, 0),
        Err(FederatedError::TooManyUpdates {
            updates: 1_025,
            max: 1_024
        })
    );
    for rule in Rule::ALL {
        assert_eq!(rule.name().parse(), Ok(rule));
    }
    assert!("krum".parse::<Rule>().is_err());
}

#[test]
fn aggregate_rejects_other_lengths_and_numbers() {
    let longer = [&[1_i16, 2][..], &[3]];
    for rule in Rule::ALL {
        let wrong = FederatedError::WrongLength {
            update: 1,
            found: 1,
            expected: 2,
        };
        let three = [longer[0], longer[1], longer[0]];
        assert_eq!(aggregate(rule, 0, Width::Eight, &three), Err(wrong));
        let outside = FederatedError::OutOfRange {
            parameter: 1,
            value: -65,
            min: -64,
            max: 63,
        };
        assert_eq!(
            aggregate(rule, 0, Width::Eight, &[&[0, -65][..]; 3]),
            Err(outside)
        );
        for width in WIDTHS {
            assert_eq!(
                aggregate(rule, 0, width, &[&[0, -64][..]; 3]),
                Ok(vec![0, -64])
            );
        }
    }
}

#[test]
fn decode_update_rejects_guards_padding_and_lengths() {
    for width in WIDTHS {
        let (lanes, min, max) = (width.lanes(), width.min(), width.max());
        let good = encode_update(width, &[1, min, max]).expect("in range");
        assert_eq!(decode_update(width, 3, &good), Ok(vec![1, min, max]));
        for found in [0, 31, 33, 64] {
            let bytes = vec![0; found];
            let wrong = FederatedError::WrongBytes {
                found,
                expected: 32,
            };
            assert_eq!(decode_update(width, 3, &bytes), Err(wrong));
        }
        let bits = width.bits() as usize;
        for lane in 0..lanes {
            let with = |bit: usize| {
                let word = U256::from_be_slice(&good) | (U256::ONE << (bits * lane + bit));
                decode_update(width, 3, &word.to_be_bytes::<32>())
            };
            let guard = FederatedError::GuardBit { lane, min, max };
            let first = FederatedError::Padding {
                lane: 3,
                value: 1,
                parameters: 3,
            };
            assert_eq!(with(bits - 1), Err(guard));
            if lane == 3 {
                assert_eq!(with(0), Err(first));
            } else if lane > 3 {
                assert!(matches!(with(0), Err(FederatedError::Padding { .. })));
            }
        }
        let least = U256::ONE << (bits - 2);
        let outside = FederatedError::OutOfRange {
            parameter: 0,
            value: min - 1,
            min,
            max,
        };
        let bytes = least.to_be_bytes::<32>();
        assert_eq!(decode_update(width, 1, &bytes), Ok(vec![min]));
        assert_eq!(encode_update(width, &[min - 1]), Err(outside));
    }
}

#[test]
fn add_update_saturates_and_squared_norm_adds_squares() {
    let mut weights = [i16::MAX - 1, i16::MIN + 1, 5];
    add_update(&mut weights, &[63, -63, -6]);
    assert_eq!(weights, [i16::MAX, i16::MIN, -1]);
    assert_eq!(squared_norm(&[3, -4, 0]), 25);
    assert_eq!(squared_norm(&[i16::MIN; 2]), 1 << 31);
}

#[test]
fn softmax_checks_shapes_and_samples() {
    assert!(Softmax::new(64, 10, 16, 6).is_ok());
    for (features, classes, max_feature, scale) in [
        (0, 10, 16, 6),
        (64, 1, 16, 6),
        (64, 257, 16, 6),
        (64, 10, 15, 6),
        (64, 10, 0, 6),
        (64, 10, 1, 3),
        (64, 10, 16, 16),
    ] {
        let made = Softmax::new(features, classes, max_feature, scale);
        assert!(matches!(made, Err(FederatedError::InvalidModel { .. })));
    }
    let model = Softmax::new(2, 2, 16, 6).expect("valid");
    let base = [1, 0, 0, 1, 0, 0];
    assert_eq!(model.predict(&base, &[3, 2]), Ok(0));
    assert_eq!(model.predict(&base, &[2, 3]), Ok(1));
    assert_eq!(model.predict(&base, &[2, 2]), Ok(0), "the first of equals");
    assert_eq!(
        model.raw_logits(&[1, 2, 3, 4, -5, 6], &[7, 8]),
        Ok(vec![-57, 149])
    );
    let sample = |label, features| [Sample { label, features }];
    assert!(matches!(
        model.values(&base, &[], &sample(2, &[0, 0])),
        Err(FederatedError::LabelOutOfRange { .. })
    ));
    assert!(matches!(
        model.values(&base, &[], &sample(0, &[0])),
        Err(FederatedError::SampleLength { .. })
    ));
    assert!(matches!(
        model.values(&base, &[], &sample(0, &[0, 17])),
        Err(FederatedError::FeatureTooLarge { .. })
    ));
    assert!(matches!(
        model.values(&base, &[&[0; 5]], &[]),
        Err(FederatedError::WrongLength { .. })
    ));
    let alone = model
        .values(&base, &[], &sample(0, &[3, 2]))
        .expect("valid");
    assert_eq!(alone.all, alone.base);
}

#[test]
fn judge_has_a_margin_of_no_reward() {
    assert_eq!(judge(1, 5), Judgment::Rewarded);
    assert_eq!(judge(0, 5), Judgment::Unrewarded);
    assert_eq!(judge(-5, 5), Judgment::Unrewarded);
    assert_eq!(judge(-6, 5), Judgment::Excluded);
    assert_eq!(judge(-1, 0), Judgment::Excluded);
    assert_eq!(judge(i64::MIN, u64::MAX), Judgment::Unrewarded);
}

#[test]
fn shares_split_what_copies_earn() {
    let update = |root, value| (B256::with_last_byte(root), value);
    let given = [
        update(1, 30),
        update(2, 10),
        update(1, 30),
        update(3, -5),
        update(4, 0),
    ];
    assert_eq!(shares(1_000, &given), [375, 250, 375, 0, 0]);
    assert_eq!(shares(1_000, &[update(1, 0), update(2, -1)]), [0, 0]);
    assert_eq!(shares(u128::MAX, &[update(1, i64::MAX)]), [u128::MAX]);
    assert_eq!(
        shares(10, &[update(1, 1), update(2, 1), update(3, 1)]),
        [3, 3, 3]
    );
}

#[test]
fn chunks_hash_in_order_and_pad_with_zeros() {
    let leaf = |bytes: &[u8]| keccak256(bytes);
    let node = |a: B256, b: B256| keccak256([a.0, b.0].as_flattened());
    assert_eq!(Chunks::new(b"abc", 3).root(), leaf(b"abc"));
    assert_eq!(Chunks::new(b"", 3).root(), leaf(b""));
    let left = node(leaf(b"ab"), leaf(b"cd"));
    let right = node(leaf(b"e"), B256::ZERO);
    assert_eq!(Chunks::new(b"abcde", 2).root(), node(left, right));
}
