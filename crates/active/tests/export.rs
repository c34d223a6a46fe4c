//! Tests of learners as files: what is read answers equally.

mod common;

use common::blobs;
use cotrain_active::{
    AnyLearner, Boosted, Export, ExportError, Forest, Learner, Logistic, calibration::Temperature,
};

/// Returns a learner of each kind.
fn learners(classes: usize, features: usize) -> [AnyLearner; 3] {
    [
        AnyLearner::Logistic(Logistic::new(classes, features).expect("sizes")),
        AnyLearner::Forest(Forest::new(classes, features, 5, 9).expect("sizes")),
        AnyLearner::Boosted(Boosted::new(classes, features, 4, 9).expect("sizes")),
    ]
}

#[test]
fn any_learner_answers_equally_after_json() {
    let (rows, labels) = blobs(60, 6, 3, 5);
    for mut learner in learners(4, 6) {
        let text = serde_json::to_string(&learner).expect("JSON");
        let read: AnyLearner = serde_json::from_str(&text).expect("a learner");
        assert_eq!(read, learner);
        learner.fit(rows.view(), &labels).expect("rows that fit");
        let text = serde_json::to_string(&learner).expect("JSON");
        assert!(
            text.starts_with(r#"{"format":"cotrain-learner/1","learner":{"#),
            "{text}"
        );
        let mut read: AnyLearner = serde_json::from_str(&text).expect("a learner");
        let answers = |it: &AnyLearner| it.probabilities(rows.view()).expect("rows that fit");
        assert_eq!(answers(&read), answers(&learner));
        // Both learn on equally.
        for it in [&mut read, &mut learner] {
            it.fit(rows.view(), &labels).expect("rows that fit");
        }
        assert_eq!(read, learner);
    }
}

#[test]
fn any_learner_refuses_other_formats() {
    let [learner, ..] = learners(2, 1);
    let text = serde_json::to_string(&learner).expect("JSON");
    let changed = text.replace("cotrain-learner/1", "cotrain-learner/2");
    let error = serde_json::from_str::<AnyLearner>(&changed).expect_err("another version");
    let expected = "the format is `cotrain-learner/2`; expected `cotrain-learner/1`";
    assert!(error.to_string().starts_with(expected), "{error}");
    let changed = text.replace("\"weights\":[0.0,0.0]", "\"weights\":[0.0]");
    assert_ne!(changed, text);
    let error = serde_json::from_str::<AnyLearner>(&changed).expect_err("a weight is missing");
    assert!(
        error
            .to_string()
            .contains("the weights do not fit the sizes"),
        "{error}"
    );
}

#[test]
fn export_keeps_the_temperature() {
    let (rows, labels) = blobs(60, 6, 3, 5);
    let temperature = Temperature::from_number(1.75).expect("a temperature");
    for mut learner in learners(4, 6) {
        learner.fit(rows.view(), &labels).expect("rows that fit");
        let mut expected = learner.probabilities(rows.view()).expect("rows that fit");
        let plain = Export::new(learner.clone(), Temperature::ONE);
        let found = plain.probabilities(rows.view()).expect("rows that fit");
        assert_eq!(found, expected);
        temperature.apply(&mut expected);
        assert_ne!(found, expected);
        let export = Export::new(learner.clone(), temperature);
        let text = serde_json::to_string(&export).expect("JSON");
        let read: Export = serde_json::from_str(&text).expect("a model");
        assert_eq!(read, export);
        let found = read.probabilities(rows.view()).expect("rows that fit");
        assert_eq!(found, expected);
        // Who reads the learner alone never takes its probabilities for the calibrated ones.
        let error = serde_json::from_str::<AnyLearner>(&text).expect_err("a temperature");
        assert!(error.to_string().contains("temperature 1.75"), "{error}");
        for other in ["0.01", "21.0", "null"] {
            let changed = text.replace(
                r#""temperature":1.75"#,
                &format!(r#""temperature":{other}"#),
            );
            assert_ne!(changed, text);
            let read = serde_json::from_str::<Export>(&changed);
            assert_eq!(read.is_ok(), other == "null", "{other}");
        }
        // Without a temperature, both forms are those of the learner.
        let alone = serde_json::to_string(&learner).expect("JSON");
        assert_eq!(serde_json::to_string(&plain).expect("JSON"), alone);
        let alone = learner.to_onnx().expect("a trained learner");
        assert_eq!(plain.to_onnx().expect("a trained learner"), alone);
        let calibrated = export.to_onnx().expect("a trained learner");
        let has = |bytes: &[u8], name: &[u8]| bytes.windows(name.len()).any(|it| it == name);
        assert!(has(&calibrated, b"temperature") && has(&calibrated, &1.75_f64.to_le_bytes()));
        assert!(!has(&alone, b"temperature"));
    }
}

#[test]
fn to_onnx_takes_any_number_of_seen_classes() {
    let (rows, labels) = blobs(40, 6, 4, 5);
    for mut learner in learners(4, 6) {
        assert_eq!(learner.to_onnx(), Err(ExportError::Untrained));
        let mut last = Vec::new();
        for classes in 1..=4 {
            let labels: Vec<usize> = labels.iter().map(|label| label % classes).collect();
            learner.fit(rows.view(), &labels).expect("rows that fit");
            let bytes = learner.to_onnx().expect("a trained learner");
            // Its first fields are the version of the format, and who wrote it.
            assert_eq!(bytes[..11], *b"\x08\x08\x12\x07cotrain");
            assert_ne!(bytes, last);
            last = bytes;
        }
    }
}
