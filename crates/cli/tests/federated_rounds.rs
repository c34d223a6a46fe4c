//! `cotrain simulate` of federated rounds: its JSON, its files, and options that it does not take.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

/// Settings of two short rounds.
const SHORT: [&str; 10] = [
    "--set",
    "clients=7",
    "--set",
    "hostile=2",
    "--set",
    "rounds=2",
    "--set",
    "samples=10",
    "--set",
    "epochs=1",
];

/// Returns the exit status, and what the program wrote to stdout and stderr.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
    command.args(arguments).current_dir(folder);
    for variable in ["RUST_LOG", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(variable);
    }
    let output = command.output().expect("the program");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Returns the keys of an object, and those of the objects in it.
fn keys(value: &Value, path: &str, found: &mut Vec<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        let path = format!("{path}{key}");
        keys(inner, &format!("{path}."), found);
        found.push(path);
    }
}

#[test]
fn simulate_prints_one_json_object_of_federated_rounds_with_exactly_these_keys() {
    let folder = folder();
    let arguments = [&["simulate", "federated", "--json", "--quiet"], &SHORT[..]].concat();
    let (status, json, said) = run(folder.path(), &arguments);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    let found: Value = serde_json::from_str(&json).expect("JSON");
    let mut names = Vec::new();
    keys(&found, "", &mut names);
    insta::assert_snapshot!(names.join("\n"), @r#"
    accuracy.final
    accuracy.final_by_mean
    accuracy.initial
    accuracy
    attack
    backdoor
    backend
    clients
    digest
    failed_rounds
    gas.aggregate
    gas.score
    gas.settle
    gas.submit
    gas.total
    gas
    hostile
    losses.honest-1
    losses.honest-2
    losses.honest-3
    losses.honest-4
    losses.honest-5
    losses.sign-6
    losses.sign-7
    losses
    positive_share.honest
    positive_share.sign
    positive_share
    rewards.honest-1
    rewards.honest-2
    rewards.honest-3
    rewards.honest-4
    rewards.honest-5
    rewards.sign-6
    rewards.sign-7
    rewards
    rounds
    rounds_per_minute
    rule
    scenario
    seed
    split
    transactions
    wall_seconds
    "#);
    for (key, expected) in [
        ("rule", Value::from("trimmed-mean")),
        ("attack", "sign".into()),
        ("clients", 7.into()),
        ("hostile", 2.into()),
        ("rounds", 2.into()),
    ] {
        assert_eq!(found[key], expected, "{key}");
    }
    let out = folder.path().join("runs/federated-1");
    let mut files: Vec<String> = fs::read_dir(&out)
        .expect("results")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "report.html",
            "rounds.csv",
            "scenario.toml",
            "summary.json",
            "values.csv"
        ]
    );
    let scenario = fs::read_to_string(out.join("scenario.toml")).expect("a scenario");
    assert!(scenario.contains("samples = 10"), "{scenario}");

    // The scenario of the results has all settings, and gives the same results.
    let again = [
        "simulate",
        "runs/federated-1/scenario.toml",
        "--json",
        "--quiet",
        "--out",
        "again",
    ];
    let (_, json, _) = run(folder.path(), &again);
    let again: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(again["digest"], found["digest"]);
}

#[test]
fn simulate_shows_federated_rounds_in_a_text_of_100_characters() {
    let folder = folder();
    let arguments = [&["simulate", "federated", "--quiet"], &SHORT[..]].concat();
    let (status, text, said) = run(folder.path(), &arguments);
    assert_eq!((status, said.as_str()), (Some(0), ""));
    for wanted in [
        "trimmed-mean of 7 clients, 2 hostile (sign)",
        "plain mean",
        "revealTest",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let described = text.lines().nth(1).expect("a description");
    let widest = text.lines().filter(|line| *line != described);
    let widest = widest.map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "{widest:?}: {text}");
}

#[test]
fn simulate_refuses_options_that_federated_rounds_do_not_have() {
    let folder = folder();
    let said = |arguments: &[&str]| {
        let (status, stdout, stderr) = run(folder.path(), arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(!folder.path().join("runs").exists());
        stderr.trim_end().to_owned()
    };
    insta::assert_snapshot!(said(&["simulate", "federated", "--relay", "5"]), @"error: cannot use --relay with federated rounds: each client sends its own transactions; leave it out");
    insta::assert_snapshot!(said(&["simulate", "federated", "--record"]), @"error: cannot use --record with federated rounds: `cotrain replay` repeats economies of contributors alone; leave it out");
    insta::assert_snapshot!(said(&["simulate", "federated", "--data", "."]), @"error: cannot use --data with federated rounds: they take the embedded digits; leave it out");
    insta::assert_snapshot!(said(&["simulate", "federated", "--set", "hostile=8"]), @"error: with hostile = 8: scenarios/federated.toml: `hostile` is 8; trimmed-mean bears at most 7 of 16 clients: choose fewer, more `clients`, or another `rule`");
    insta::assert_snapshot!(said(&["simulate", "--set", "data.features=1,2"]), @r#"
    error: invalid value 'data.features=1,2' for '--set <PATH=VALUE>': `data.features=1,2` has several values, expected one; a sweep takes them in turn

    For more information, try '--help'.
    "#);
    insta::assert_snapshot!(said(&["simulate", "--set", "data.feature=1"]), @"error: with data.feature = 1: scenarios/movie-reviews.toml: unknown field `feature`, expected one of `source`, `train`, `test`, `label`, `text`, `separator`, `decimal_comma`, `encoding`, `columns`, `drop`, `types`, `missing`, `picture_size`, `picture_levels`, `picture_ink`, `test_share`, `features`, `hashed`, `tokenizer`, `word_pairs`, `encoder`, `train_samples`, `initial_share`");
    insta::assert_snapshot!(said(&["sweep", "federated"]), @"error: scenarios/federated.toml has federated rounds, expected an economy of contributors; play it with `cotrain simulate`");
}
