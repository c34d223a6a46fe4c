//! Vectors for other implementations of the learners, samples, batches and deposits.
//!
//! The tests compare the files in `vectors` with what the rules make of their inputs. With the
//! variable `COTRAIN_WRITE_VECTORS` they write them.

mod committed;
mod extremes;
mod random;
mod steps;

use alloy_primitives::hex;
use cotrain_protocol::ContractError;
use cotrain_protocol::sample::{Item, encode_batch, encode_dense16, encode_dense32, encode_sparse};
use cotrain_protocol::trainer::Incentive;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use committed::check;
use steps::batch;

#[test]
fn classifier_keeps_its_vectors() {
    let mut models = extremes::perceptrons();
    models.extend(extremes::bayes());
    models.extend(extremes::near_ties());
    models.extend(extremes::long_ties());
    models.extend(extremes::sparse_centroids());
    models.extend(extremes::dense_centroids());
    models.push(extremes::refusals());
    models.extend(random::random_models());
    let errors = models
        .iter()
        .flat_map(|model| model["steps"].as_array().expect("steps"))
        .filter_map(|step| step["error"].as_str());
    let kinds: std::collections::BTreeSet<&str> = errors
        .map(|error| error.split(' ').next().unwrap_or(error))
        .collect();
    let expected = [
        "EmptyBatch",
        "FeatureNotIncreasing",
        "FeatureOutOfRange",
        "LabelOutOfRange",
        "MalformedBatch",
        "NumberTooLarge",
        "OddSampleLength",
        "SquaredLengthTooLarge",
        "TooManyFeatures",
        "WrongSampleLength",
    ];
    assert!(kinds.iter().eq(&expected), "{kinds:?}");
    check("learners.json", &json!({"models": models}));
}

#[test]
fn incentive_keeps_its_vectors() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let mut prices = Vec::new();
    let mut shares = Vec::new();
    let deposits = |cost_weight| Incentive::DepositRefundTake { cost_weight };
    let weights = [0, 1, 1_000_000_000_000_000, (1 << 80) - 1];
    let times = [
        0,
        1,
        3,
        4,
        8,
        9,
        3_599,
        3_600,
        12_959_999,
        12_960_000,
        u64::MAX,
    ];
    for cost_weight in weights {
        for elapsed in times {
            for n in [1, 2, 7, 500] {
                prices.push(json!({
                    "costWeight": cost_weight.to_string(),
                    "n": n.to_string(),
                    "elapsed": elapsed.to_string(),
                    "each": deposits(cost_weight).price(n, elapsed).to_string(),
                }));
            }
        }
    }
    for _ in 0..200 {
        let deposit = rng.random::<u128>() >> rng.random_range(32..128);
        let left =
            deposit - (rng.random::<u128>() % (deposit + 1)) * u128::from(rng.random::<bool>());
        let total: u64 = rng.random::<u64>() >> rng.random_range(0..64);
        let good = rng.random::<u64>() % total.max(1);
        shares.push(json!({
            "deposit": deposit.to_string(),
            "left": left.to_string(),
            "good": good.to_string(),
            "totalGood": total.to_string(),
            "share": deposits(1).share(deposit, left, good, total).to_string(),
        }));
    }
    check(
        "deposits.json",
        &json!({"prices": prices, "shares": shares}),
    );
}

#[test]
fn sample_keeps_its_vectors() {
    let narrow = [0, 1, -1, 258, i16::MIN, i16::MAX];
    let wide = [0, 1, -1, 16_909_060, i32::MIN, i32::MAX];
    let present = [0, 1, 258, u16::MAX];
    let items = [(0, vec![]), (3, vec![1, 2]), (u16::MAX, vec![9; 258])];
    let long = [Item {
        label: 0,
        sample: &vec![0; 65_536],
    }];
    let too_long: ContractError = encode_batch(&long).expect_err("too long");
    check(
        "samples.json",
        &json!({
            "sparse": {"features": present, "sample": hex::encode(encode_sparse(&present))},
            "dense16": {"numbers": narrow, "sample": hex::encode(encode_dense16(&narrow))},
            "dense32": {"numbers": wide, "sample": hex::encode(encode_dense32(&wide))},
            "batch": {
                "items": items.iter().map(|(label, sample)| json!({
                    "label": label, "sample": hex::encode(sample)
                })).collect::<Vec<_>>(),
                "batch": hex::encode(batch(&items)),
            },
            "tooLong": {"length": 65_536, "error": format!("{too_long:?}")},
        }),
    );
}
