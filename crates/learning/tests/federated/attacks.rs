//! Tests of attacks by properties that the papers state, and their vectors.

use cotrain_learning::federated::attack::{
    Client, View, deviation, inverse_normal, little_z, mean, min_max_gamma,
};
use cotrain_learning::federated::{Examples, Order};
use serde_json::json;

use super::check;

fn honest() -> Vec<Vec<f64>> {
    let mut order = Order::new(11);
    let mut update = || -> Vec<f64> {
        (0..4)
            .map(|_| f64::from(order.below(2_001)) / 1_000.0 - 1.0)
            .collect()
    };
    (0..6).map(|_| update()).collect()
}

fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[test]
fn update_keeps_its_vectors() {
    let honest = honest();
    let own = honest[0].iter().map(|it| it / 2.0).collect::<Vec<f64>>();
    let last = honest[1].clone();
    let view = View {
        own: &own,
        honest: &honest,
        last: Some(&last),
        sybil: None,
        clients: 9,
        hostile: 3,
    };
    let attacks = [
        ("sign", Client::Sign(-4.0)),
        ("little-is-enough", Client::LittleIsEnough(0.0)),
        ("little-is-enough, at least .3", Client::LittleIsEnough(0.3)),
        ("inner-product", Client::InnerProduct(10.0)),
        ("min-max", Client::MinMax),
        ("free-rider", Client::FreeRider),
        ("copycat", Client::Copycat),
        ("old-copy", Client::OldCopy),
    ];
    let updates: Vec<_> = attacks
        .iter()
        .map(|(name, client)| {
            let update = client.update(&view, || unreachable!("no noise"));
            json!({"about": name, "update": update})
        })
        .collect();
    check(
        "federated-attacks.json",
        &json!({
            "clients": 9, "hostile": 3, "own": own, "honest": honest, "last": last,
            "z": little_z(9, 3), "gamma": min_max_gamma(&honest),
            "mean": mean(&honest), "deviation": deviation(&honest),
            "updates": updates,
        }),
    );
}

#[test]
fn inverse_normal_has_published_quantiles() {
    let published = [
        (0.5, 0.0),
        (0.841_344_746_068_542_9, 1.0),
        (0.975, 1.959_963_984_540_054),
        (0.001, -3.090_232_306_167_813_5),
    ];
    for (share, expected) in published {
        assert!((inverse_normal(share) - expected).abs() < 1e-12, "{share}");
    }
}

#[test]
fn little_z_inverts_the_distribution() {
    // 16 clients, 3 of them hostile: 6 honest ones are needed, and 7 of 13 lie on the other side.
    assert!((little_z(16, 3) - inverse_normal(7.0 / 13.0)).abs() < 1e-12);
    assert!((little_z(16, 3) - 0.0966).abs() < 1e-4);
    // The experiment of the paper: 50 clients, 24 of them hostile.
    assert!((little_z(50, 24) - 1.4261).abs() < 1e-4);
}

#[test]
fn min_max_gamma_reaches_the_farthest_pair() {
    let mut order = Order::new(7);
    for count in (2..9).cycle().take(64) {
        let mut update = || -> Vec<f64> {
            (0..5)
                .map(|_| f64::from(order.below(2_001)) / 1_000.0 - 1.0)
                .collect()
        };
        let honest: Vec<Vec<f64>> = (0..count).map(|_| update()).collect();
        let pairs = honest
            .iter()
            .flat_map(|one| honest.iter().map(|it| squared_distance(one, it)));
        let farthest = pairs.fold(0.0, f64::max);
        let view = View {
            own: &honest[0],
            honest: &honest,
            last: None,
            sybil: None,
            clients: 9,
            hostile: 1,
        };
        let update = Client::MinMax.update(&view, || 0.0);
        let distances = honest.iter().map(|it| squared_distance(&update, it));
        let reached = distances.fold(0.0, f64::max);
        assert!(
            (reached - farthest).abs() < 1e-9 * farthest.max(1e-3),
            "{reached} {farthest}"
        );
    }
}

#[test]
fn update_of_noise_has_nine_times_the_length_of_the_mean() {
    let honest = honest();
    let view = View {
        own: &honest[0],
        honest: &honest,
        last: None,
        sybil: None,
        clients: 7,
        hostile: 1,
    };
    // With a draw of 1 for each parameter, the length is exactly the standard deviation's.
    let update = Client::Noise.update(&view, || 1.0);
    let squared = |update: &[f64]| update.iter().map(|it| it * it).sum::<f64>();
    let ratio = squared(&update) / squared(&mean(&honest));
    assert!((ratio - 81.0).abs() < 1e-9, "{ratio}");
}

#[test]
fn poison_changes_labels_and_marks() {
    let examples = Examples {
        features: vec![1, 2, 3, 4],
        labels: vec![0, 9],
        width: 2,
    };
    let flipped = Client::LabelFlip.poison(examples.clone(), 10, 16);
    assert_eq!(flipped.labels, [9, 0]);
    let marked = Client::Backdoor.poison(examples.clone(), 10, 16);
    assert_eq!(
        (marked.labels, marked.features),
        (vec![7, 7], vec![16, 2, 16, 4])
    );
    assert_eq!(Client::Honest.poison(examples.clone(), 10, 16), examples);
}

#[test]
fn update_of_a_sybil_is_the_first_accounts_with_noise() {
    let honest = honest();
    let view = View {
        own: &honest[0],
        honest: &honest,
        last: None,
        sybil: Some(&honest[1]),
        clients: 7,
        hostile: 2,
    };
    assert_eq!(Client::Sybil(0.0).update(&view, || 1.0), honest[1]);
    let noisy = Client::Sybil(0.5).update(&view, || 1.0);
    let expected: Vec<f64> = honest[1].iter().map(|it| it + 0.5).collect();
    assert_eq!(noisy, expected);
}
