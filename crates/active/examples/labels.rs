//! Prints, as JSON, the splits of a file of numbers and the labels that strategies need on them.
//!
//! `labels FILE DIVISOR TEST LEARNER START STRATEGY,… SEEDS BATCH MOST`: each line of the file has
//! the numbers of a row, which are divided by `DIVISOR`, then its class. The learner is `logistic`,
//! or a forest's number of trees. The start is that of a trial, or `none`.
#![allow(clippy::print_stdout, reason = "an example's result")]

use std::error::Error;
use std::fs;

use cotrain_active::experiment::{Known, Plan, Split, Trial};
use cotrain_active::strategy::Start;
use cotrain_active::{Forest, Learner, Logistic, Strategy};
use ndarray::Array2;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [
        file,
        divisor,
        test,
        learner,
        start,
        names,
        seeds,
        batch,
        most,
    ] = arguments.as_slice()
    else {
        return Err("expected FILE DIVISOR TEST LEARNER START STRATEGY,… SEEDS BATCH MOST".into());
    };
    let (rows, labels) = read(&fs::read_to_string(file)?, divisor.parse()?)?;
    let strategies: Result<Vec<Strategy>, _> = names.split(',').map(str::parse).collect();
    let (strategies, seeds, test): (_, u64, usize) = (strategies?, seeds.parse()?, test.parse()?);
    let (batch, most): (usize, usize) = (batch.parse()?, most.parse()?);
    let classes = labels.iter().max().map_or(0, |highest| highest + 1);
    let known = Known {
        rows: rows.view(),
        labels: &labels,
    };
    let start = match start.as_str() {
        "none" => None,
        name => Some(name.parse::<Start>()?),
    };
    let model = |seed: u64| -> Result<Box<dyn Learner>, Box<dyn Error>> {
        if learner == "logistic" {
            return Ok(Box::new(Logistic::new(classes, rows.ncols())?));
        }
        let trees = learner.parse()?;
        Ok(Box::new(Forest::new(classes, rows.ncols(), trees, seed)?))
    };
    let mut splits = Vec::new();
    let mut counts = serde_json::Map::new();
    for seed in 0..seeds {
        splits.push(Split::stratified(&labels, test, seed)?);
    }
    for strategy in strategies {
        let mut all = Vec::new();
        for (seed, split) in (0..).zip(&splits) {
            let plan = Plan { strategy, start };
            let mut trial = Trial::new(known, split, model(seed)?, plan, seed)?;
            while trial.labels_to(0.95).is_none() && trial.labels() < most && trial.left() > 0 {
                let asked = trial.query(batch)?;
                trial.learn(&asked)?;
            }
            all.push(json!([trial.labels_to(0.9), trial.labels_to(0.95)]));
        }
        counts.insert(strategy.name().to_owned(), json!(all));
    }
    let splits: Vec<_> = splits
        .iter()
        .map(|it| json!({"pool": it.pool, "test": it.test}))
        .collect();
    println!("{}", json!({"splits": splits, "labels": counts}));
    Ok(())
}

/// Returns the rows and the classes of a file.
fn read(text: &str, divisor: f64) -> Result<(Array2<f64>, Vec<usize>), Box<dyn Error>> {
    let (mut numbers, mut labels) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let (row, label) = line.rsplit_once(',').ok_or("a line has one field")?;
        for number in row.split(',') {
            numbers.push(number.parse::<f64>()? / divisor);
        }
        labels.push(label.parse()?);
    }
    let columns = numbers.len().checked_div(labels.len()).unwrap_or(0);
    Ok((
        Array2::from_shape_vec((labels.len(), columns), numbers)?,
        labels,
    ))
}
