//! Tests of training, and its vectors.

use cotrain_learning::data::{self, Source};
use cotrain_learning::federated::{Examples, Network, Order, Shape, Training, exp2, quantize};
use cotrain_protocol::federated::{Softmax, Width, add_update};
use serde_json::{Value, json};

use super::check;

/// Units of weights are `2^-SCALE`.
const SCALE: u32 = 6;

fn training(about: &str, hidden: usize) -> Value {
    let shape = Shape {
        features: 6,
        hidden,
        classes: 3,
        max_feature: 16,
    };
    let mut order = Order::new(7);
    let features: Vec<u8> = (0..6 * 20)
        .map(|_| u8::try_from(order.below(17)).expect("small"))
        .collect();
    let labels: Vec<u16> = features
        .chunks(6)
        .map(|row| u16::from(row[0] % 3))
        .collect();
    let terms = Training {
        epochs: 3,
        rate: 0.7,
        batch: 8,
        seed: 5,
    };
    let base = Network::initial(shape, SCALE, 9);
    let change = Network::new(shape, SCALE, &base).train(&features, &labels, &terms);
    let bits: Vec<String> = change
        .iter()
        .map(|it| format!("{:016x}", it.to_bits()))
        .collect();
    let update = quantize(Width::Eight, SCALE, &change);
    let mut after = base.clone();
    add_update(&mut after, &update);
    json!({
        "about": about,
        "shape": {"features": 6, "hidden": hidden, "classes": 3, "maxFeature": 16},
        "training": {"epochs": 3, "rate": 0.7, "batch": 8, "seed": 5},
        "scale": SCALE, "initialSeed": 9,
        "features": features, "labels": labels, "base": base,
        "changeBits": bits,
        "update": update,
        "predictions": Network::new(shape, SCALE, &after).predict(&features),
    })
}

#[test]
fn train_keeps_its_vectors() {
    let mut order = Order::new(3);
    let drawn: Vec<u32> = (0..8).map(|_| order.bits()).collect();
    let mut shuffled: Vec<u32> = (0..12).collect();
    order.shuffle(&mut shuffled);
    let powers: Vec<Value> = (0..60)
        .map(|step| {
            let x = -f64::from(step) * 1.13;
            json!([x, format!("{:016x}", exp2(x).to_bits())])
        })
        .collect();
    let all = json!({"vectors": [
        {"about": "order", "seed": 3, "drawn": drawn, "shuffledOf12": shuffled},
        {"about": "exp2", "powers": powers},
        training("softmax", 0),
        training("two layers", 5),
    ]});
    check("federated-training.json", &all);
}

fn accuracy(network: &Network, examples: &Examples) -> f64 {
    let predicted = network.predict(&examples.features);
    let right = predicted
        .iter()
        .zip(&examples.labels)
        .filter(|(a, b)| a == b);
    f64::from(u32::try_from(right.count()).expect("few"))
        / f64::from(u32::try_from(examples.len()).expect("few"))
}

#[test]
fn train_learns_the_digits() {
    let digits = data::load(&Source::Digits, 0.25, 1).expect("embedded");
    let (train, max_feature) = Examples::read(&digits.train).expect("numbers");
    let (test, _) = Examples::read(&digits.test).expect("numbers");
    assert_eq!((max_feature, train.width), (16, 64));
    for (hidden, least) in [(0, 0.93), (32, 0.93)] {
        let shape = Shape {
            features: 64,
            hidden,
            classes: 10,
            max_feature,
        };
        let base = Network::initial(shape, SCALE, 1);
        let terms = Training {
            epochs: 20,
            rate: 0.5,
            batch: 16,
            seed: 1,
        };
        let network = Network::new(shape, SCALE, &base);
        assert!(accuracy(&network, &test) < 0.3);
        let update = quantize(
            Width::Sixteen,
            SCALE,
            &network.train(&train.features, &train.labels, &terms),
        );
        let mut after = base;
        add_update(&mut after, &update);
        let found = accuracy(&Network::new(shape, SCALE, &after), &test);
        assert!(found > least, "{hidden} hidden units: {found}");
    }
}

/// The network in floats and the contract's rule in integers predict the same from the same weights.
#[test]
fn predict_equals_the_rule_in_integers() {
    let digits = data::load(&Source::Digits, 0.5, 2).expect("embedded");
    let (train, max_feature) = Examples::read(&digits.train).expect("numbers");
    let shape = Shape {
        features: 64,
        hidden: 0,
        classes: 10,
        max_feature,
    };
    let terms = Training {
        epochs: 1,
        rate: 0.5,
        batch: 16,
        seed: 1,
    };
    let network = Network::new(shape, SCALE, &[]);
    let weights = quantize(
        Width::Eight,
        SCALE,
        &network.train(&train.features, &train.labels, &terms),
    );
    let model = Softmax::new(64, 10, max_feature, SCALE).expect("valid");
    let predicted = Network::new(shape, SCALE, &weights).predict(&train.features);
    for (index, label) in predicted.into_iter().enumerate() {
        assert_eq!(model.predict(&weights, train.row(index)), Ok(label));
    }
}
