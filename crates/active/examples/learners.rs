//! Learns from data sets in a JSON file, and writes the answers as JSON.
//!
//! `scripts/label-check` compares them with those of scikit-learn.

use std::{env, fs};

use cotrain_active::{
    AnyLearner, Boosted, Export, Forest, Learner, Logistic,
    calibration::{MIN_LABELS, Temperature},
};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Data set: rows with labels to learn from, and rows to answer for.
#[derive(Deserialize)]
struct Data {
    classes: usize,
    rows: Vec<Vec<f64>>,
    labels: Vec<usize>,
    test: Vec<Vec<f64>>,
    seed: u64,
}

/// Answers of a learner.
#[derive(Serialize)]
struct Answers {
    learner: &'static str,
    /// Temperature of the probabilities; 1 if they are not calibrated.
    temperature: f64,
    /// Sum of the losses and the penalty, of logistic regression.
    loss: Option<f64>,
    probabilities: Vec<Vec<f64>>,
    /// Learner as an ONNX file.
    onnx: Vec<u8>,
}

fn main() {
    let file = env::args().nth(1).expect("the file of the data sets");
    let text = fs::read_to_string(file).expect("a readable file");
    let data: Vec<Data> = serde_json::from_str(&text).expect("data sets");
    let answers: Vec<Vec<Answers>> = data.iter().map(answer).collect();
    print(&serde_json::to_string(&answers).expect("JSON"));
}

/// Returns the answers of all learners.
fn answer(data: &Data) -> Vec<Answers> {
    let (rows, test) = (array(&data.rows), array(&data.test));
    let (classes, features) = (data.classes, rows.ncols());
    let mut logistic = Logistic::new(classes, features).expect("sizes");
    let fit = logistic
        .learn(&rows.view(), &data.labels)
        .expect("rows that fit");
    let forest = Forest::new(classes, features, 50, data.seed).expect("sizes");
    let boosted = Boosted::new(classes, features, 50, data.seed).expect("sizes");
    let learners = [
        ("logistic", Some(fit.loss), AnyLearner::Logistic(logistic)),
        ("forest", None, AnyLearner::Forest(forest)),
        ("boosted", None, AnyLearner::Boosted(boosted)),
    ];
    let mut answers = Vec::new();
    for (learner, loss, mut model) in learners {
        model.fit(rows.view(), &data.labels).expect("rows that fit");
        let mut add = |temperature: Temperature, loss| {
            let model = Export::new(model.clone(), temperature);
            let found = model.probabilities(test.view()).expect("rows that fit");
            answers.push(Answers {
                learner,
                temperature: temperature.get(),
                loss,
                probabilities: found.outer_iter().map(|row| row.to_vec()).collect(),
                onnx: model.to_onnx().expect("a trained model"),
            });
        };
        add(Temperature::ONE, loss);
        if data.labels.len() >= MIN_LABELS {
            let fitted = Temperature::fit(&model, &rows.view(), &data.labels, data.seed);
            add(fitted.expect("rows that fit"), None);
        }
    }
    answers
}

fn array(rows: &[Vec<f64>]) -> Array2<f64> {
    let features = rows.first().expect("a row").len();
    Array2::from_shape_vec((rows.len(), features), rows.concat()).expect("equally long rows")
}

// The answers go to stdout.
#[allow(clippy::print_stdout)]
fn print(text: &str) {
    println!("{text}");
}
