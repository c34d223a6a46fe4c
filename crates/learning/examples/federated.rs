//! Plays federated rounds in the laboratory, for `scripts/federated`.
//!
//! It prints a line of JSON for each combination of a table: means of seeds with 95 % intervals.
//!
//!     federated rules SEEDS        # rules and attacks on the embedded digits
//!     federated two-layers SEEDS   # the same with a network of two layers
//!     federated scores SEEDS       # share of positive scores by kind of client

// The results of an example go to the standard output.
#![allow(clippy::print_stdout)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::{env, thread};

use cotrain_learning::data::{self, Source};
use cotrain_learning::federated::attack::Client;
use cotrain_learning::federated::laboratory::{Mean, Outcome, Scored, Setup, play};
use cotrain_learning::federated::{Examples, Shape, Split, Training};
use cotrain_protocol::federated::{FederatedError, Rule, Width};
use serde_json::{Value, json};

/// Kinds of attacks with their names.
const ATTACKS: [(&str, Client); 10] = [
    ("none", Client::Honest),
    ("gauss", Client::Noise),
    ("sign ×-4", Client::Sign(-4.0)),
    ("label 9-y", Client::LabelFlip),
    ("ALIE", Client::LittleIsEnough(0.3)),
    ("IPM .5", Client::InnerProduct(0.5)),
    ("IPM 10", Client::InnerProduct(10.0)),
    ("Min-Max", Client::MinMax),
    ("free rider", Client::FreeRider),
    ("backdoor", Client::Backdoor),
];

/// Data of a seed.
struct Data {
    train: Examples,
    test: Examples,
    max_feature: u8,
    classes: usize,
}

fn read(source: &Source, test_share: f64, seed: u64) -> Result<Data, String> {
    let set = data::load(source, test_share, seed).map_err(|error| error.to_string())?;
    let read = |part| Examples::read(part).map_err(|error| error.to_string());
    let ((train, most), (test, other)) = (read(&set.train)?, read(&set.test)?);
    Ok(Data {
        train,
        test,
        max_feature: most.max(other),
        classes: set.classes.len(),
    })
}

/// Clients of which the last ones are hostile.
fn clients(count: usize, hostile: usize, attack: Client) -> Vec<Client> {
    (0..count)
        .map(|index| {
            if index + hostile < count {
                Client::Honest
            } else {
                attack
            }
        })
        .collect()
}

fn setup<'a>(
    data: &'a Data,
    clients: &'a [Client],
    hostile: usize,
    hidden: usize,
    seed: u64,
) -> Setup<'a> {
    Setup {
        shape: Shape {
            features: data.train.width,
            hidden,
            classes: data.classes,
            max_feature: data.max_feature,
        },
        train: &data.train,
        test: &data.test,
        scored: None,
        clients,
        hostile,
        split: Split::Iid,
        rule: Rule::Mean,
        width: Width::Eight,
        scale: 6,
        rounds: 15,
        training: Training {
            epochs: 5,
            rate: 0.5,
            batch: 16,
            seed: 0,
        },
        seed,
    }
}

/// Runs jobs on two threads. Returns their results in order.
fn each<T: Send>(jobs: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = Mutex::new(0..jobs);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(index) = next.lock().expect("no panic").next() else {
                        break;
                    };
                    let result = job(index);
                    found.lock().expect("no panic").push((index, result));
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no panic");
    found.sort_by_key(|it| it.0);
    found.into_iter().map(|it| it.1).collect()
}

fn mean(values: &[f64]) -> Value {
    let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
    Mean::of(values).map_or(
        Value::Null,
        |it| json!({"mean": it.value, "half": it.half, "lowest": lowest}),
    )
}

/// Prints the accuracies of all rules under all attacks.
fn rules(all: &[Data], count: usize, cases: &[(Split, usize)], hidden: usize, rounds: u32) {
    for &(split, hostile) in cases {
        for (name, attack) in ATTACKS {
            let clients = clients(count, if name == "none" { 0 } else { hostile }, attack);
            let jobs = Rule::ALL.len() * all.len();
            let found: Vec<Result<Outcome, FederatedError>> = each(jobs, |job| {
                let (rule, seed) = (Rule::ALL[job / all.len()], job % all.len());
                play(&Setup {
                    split,
                    rule,
                    rounds,
                    ..setup(&all[seed], &clients, hostile, hidden, seed as u64 + 1)
                })
            });
            for (rule, outcomes) in Rule::ALL.iter().zip(found.chunks(all.len())) {
                let outcomes: Option<Vec<&Outcome>> =
                    outcomes.iter().map(|it| it.as_ref().ok()).collect();
                let accuracy = |outcomes: &[&Outcome]| {
                    mean(&outcomes.iter().map(|it| it.last()).collect::<Vec<_>>())
                };
                let backdoor = |outcomes: &[&Outcome]| {
                    mean(&outcomes.iter().map(|it| it.backdoor).collect::<Vec<_>>())
                };
                println!(
                    "{}",
                    json!({
                        "split": split.to_string(), "hostile": hostile, "clients": count, "attack": name,
                        "rule": rule.name(),
                        "accuracy": outcomes.as_deref().map(accuracy),
                        "backdoor": outcomes.as_deref().map(backdoor),
                    })
                );
            }
        }
    }
}

/// Prints the share of positive scores by kind of client.
fn scores(seeds: u64) -> Result<(), String> {
    let kinds = [
        ("honest", Client::Honest, 10),
        ("noise", Client::Noise, 2),
        ("sign ×-2", Client::Sign(-2.0), 2),
        ("label 9-y", Client::LabelFlip, 2),
        ("free rider", Client::FreeRider, 1),
        ("copy", Client::Copycat, 1),
        ("old copy", Client::OldCopy, 1),
    ];
    // Of the 1,797 digits 800 are scored on, a part of 100 in each of 8 rounds.
    let all: Vec<Data> = (1..=seeds)
        .map(|seed| read(&Source::Digits, 800.0 / 1_797.0, seed))
        .collect::<Result<_, _>>()?;
    for hostile in [
        &["noise", "sign ×-2", "free rider", "copy"][..],
        &["noise", "label 9-y", "free rider", "old copy"],
    ] {
        for split in [Split::Iid, Split::Dirichlet(0.5)] {
            let of = |name: &str| name == "honest" || hostile.contains(&name);
            let named: Vec<(&str, Client)> = kinds
                .iter()
                .filter(|kind| of(kind.0))
                .flat_map(|kind| vec![(kind.0, kind.1); kind.2])
                .collect();
            let clients: Vec<Client> = named.iter().map(|it| it.1).collect();
            for sieved in [false, true] {
                let found = each(all.len(), |seed| {
                    play(&Setup {
                        split,
                        scored: Some(Scored {
                            examples: &all[seed].test,
                            part: 100,
                            margin: sieved.then_some(0),
                        }),
                        rounds: 8,
                        ..setup(&all[seed], &clients, 0, 0, seed as u64 + 1)
                    })
                });
                let found: Vec<Outcome> = found
                    .into_iter()
                    .collect::<Result<_, _>>()
                    .map_err(|error| error.to_string())?;
                for (kind, ..) in kinds.iter().filter(|kind| of(kind.0)) {
                    let values: Vec<i64> = found
                        .iter()
                        .flat_map(|it| &it.values)
                        .flat_map(|row| {
                            row.iter()
                                .zip(&named)
                                .filter(|it| it.1.0 == *kind)
                                .filter_map(|it| *it.0)
                        })
                        .collect();
                    let positive = values.iter().filter(|it| **it > 0).count();
                    let count = i64::try_from(values.len().max(1)).unwrap_or(i64::MAX);
                    println!(
                        "{}",
                        json!({
                            "split": split.to_string(), "hostile": hostile.join(", "), "sieved": sieved, "kind": kind,
                            "positive": positive, "scores": values.len(),
                            // A unit is 1/256 bit, over 100 examples.
                            "value": values.iter().sum::<i64>() / count,
                        })
                    );
                }
            }
        }
    }
    Ok(())
}

fn run(arguments: &[String]) -> Result<(), String> {
    let usage = "usage: federated rules|two-layers|scores SEEDS";
    let seeds = arguments.last().and_then(|it| it.parse::<u64>().ok());
    let seeds = seeds.filter(|it| (1..=100).contains(it)).ok_or(usage)?;
    let digits = || {
        (1..=seeds)
            .map(|seed| read(&Source::Digits, 400.0 / 1_797.0, seed))
            .collect::<Result<Vec<_>, _>>()
    };
    let cases = [(Split::Iid, 3), (Split::Dirichlet(0.5), 3), (Split::Iid, 7)];
    match arguments {
        [what, _] if what == "rules" => rules(&digits()?, 16, &cases, 0, 15),
        [what, _] if what == "two-layers" => rules(&digits()?, 16, &cases[..2], 32, 30),
        [what, _] if what == "scores" => scores(seeds)?,
        _ => return Err(usage.to_owned()),
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The reason of a failure goes to the standard error.
            #[allow(clippy::print_stderr)]
            {
                eprintln!("federated: {error}");
            }
            ExitCode::FAILURE
        }
    }
}
