//! Vectors of the rules in integers.

use alloy_primitives::hex;
use cotrain_learning::federated::Order;
use cotrain_protocol::federated::{
    Chunks, Network, Rule, Sample, Softmax, Width, aggregate, encode_update, krum_scores, loss,
    select_multi_krum, squared_norm,
};
use serde_json::{Value, json};

use super::check;

/// Returns numbers from `-most` to `most`.
fn numbers(order: &mut Order, count: usize, most: i16) -> Vec<i16> {
    let most = i32::from(most);
    let bound = u32::try_from(2 * most + 1).expect("positive");
    (0..count)
        .map(|_| i16::try_from(order.below(bound).cast_signed() - most).expect("small"))
        .collect()
}

fn network(columns: usize, first: usize, last: usize) -> Value {
    let network = Network::sorting(columns).pruned(first, last);
    let exchanges: Vec<[usize; 2]> = network
        .exchanges()
        .iter()
        .map(|it| [it.low, it.high])
        .collect();
    json!({"about": "network", "columns": network.columns(), "first": first, "last": last, "exchanges": exchanges})
}

fn round(order: &mut Order, width: Width, count: usize, parameters: usize, most: i16) -> Value {
    let updates: Vec<Vec<i16>> = (0..count)
        .map(|_| numbers(order, parameters, most))
        .collect();
    let slices: Vec<&[i16]> = updates.iter().map(Vec::as_slice).collect();
    let mut results = Vec::new();
    for rule in Rule::ALL {
        for hostile in 0..=count / 2 {
            let result = aggregate(rule, hostile, width, &slices).ok();
            results.push(json!({"rule": rule.name(), "hostile": hostile, "result": result}));
        }
    }
    let encoded: Vec<Vec<u8>> = slices
        .iter()
        .map(|update| encode_update(width, update).expect("in range"))
        .collect();
    json!({
        "about": "round",
        "bits": width.bits(),
        "updates": updates,
        "encoded": encoded.iter().map(hex::encode).collect::<Vec<_>>(),
        "norms": slices.iter().map(|it| squared_norm(it)).collect::<Vec<_>>(),
        "roots": encoded.iter().map(|it| Chunks::new(it, 32).root()).collect::<Vec<_>>(),
        "krumScores": krum_scores(&slices, 0).ok(),
        "selectedOfOne": select_multi_krum(&slices, 1).ok(),
        "results": results,
    })
}

fn values(order: &mut Order, count: usize) -> Value {
    let (features, classes, scale) = (5, 4, 6);
    let model = Softmax::new(features, classes, 16, scale).expect("valid");
    let base = numbers(order, model.parameters(), 150);
    let updates: Vec<Vec<i16>> = (0..count)
        .map(|_| numbers(order, model.parameters(), 63))
        .collect();
    let slices: Vec<&[i16]> = updates.iter().map(Vec::as_slice).collect();
    let samples: Vec<(u16, Vec<u8>)> = (0..6)
        .map(|label| {
            let features = (0..features).map(|_| u8::try_from(order.below(17)).expect("small"));
            (label % 4, features.collect())
        })
        .collect();
    let given: Vec<Sample<'_>> = samples
        .iter()
        .map(|(label, features)| Sample {
            label: *label,
            features,
        })
        .collect();
    let values = model.values(&base, &slices, &given).expect("valid");
    json!({
        "about": "values",
        "features": features, "classes": classes, "maxFeature": 16, "scale": scale,
        "base": base, "updates": updates,
        "samples": samples.iter().map(|(label, it)| json!({"label": label, "features": it})).collect::<Vec<_>>(),
        "rawLogits": samples.iter().map(|it| model.raw_logits(&base, &it.1).expect("valid")).collect::<Vec<_>>(),
        "baseValue": values.base, "allValue": values.all,
        "leaveOneOut": values.leave_one_out(),
    })
}

#[test]
fn aggregate_keeps_its_vectors() {
    let mut order = Order::new(16);
    let mut all = vec![
        network(4, 1, 2),
        network(8, 3, 4),
        network(16, 7, 8),
        network(32, 15, 16),
    ];
    all.extend([3, 4, 5, 6].map(|cut| network(16, cut, 15 - cut)));
    for width in [Width::Eight, Width::Sixteen] {
        for (count, parameters) in [(1, 3), (2, 40), (3, 5), (7, 33), (16, 9), (21, 4), (32, 3)] {
            all.push(round(&mut order, width, count, parameters, width.max()));
            // Numbers of a small range tie.
            all.push(round(&mut order, width, count, parameters, 1));
        }
    }
    for count in [0, 1, 2, 7] {
        all.push(values(&mut order, count));
    }
    for _ in 0..40 {
        let logits = numbers(&mut order, 10, 300);
        let logits: Vec<i64> = logits.into_iter().map(i64::from).collect();
        let losses: Vec<u64> = (0..10).map(|label| loss(&logits, label)).collect();
        all.push(json!({"about": "loss", "logits": logits, "losses": losses}));
    }
    check("federated-rules.json", &json!({"vectors": all}));
}
