//! `cotrain federated`, against anvil.

mod common;

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use common::Workspace;
use cotrain_chain::anvil::AnvilConfig;
use serde_json::{Value, json};

const CREATE: [&str; 16] = [
    "federated",
    "create",
    "shared digits",
    "--data",
    "digits",
    "--clients",
    "3",
    "--rule",
    "mean",
    "--f",
    "0",
    "--parts",
    "3",
    "--dev",
    "0",
    "--json",
];

const DAY: u64 = 86_400;

fn number(value: &Value) -> u128 {
    let text = value.as_str().expect("an amount as text");
    text.parse().expect("a number")
}

/// Founds a trainer, which clients of the accounts 1 to 3 join.
fn found(workspace: &Workspace) -> Value {
    let created: Value = workspace.json(&CREATE);
    for dev in ["1", "2", "3"] {
        let joined: Value =
            workspace.json(&["federated", "join", "--mint", "--dev", dev, "--json"]);
        assert_eq!(joined["free"], "10000000", "{joined}");
    }
    created
}

/// Trains on other digits for each client. Returns the figures.
fn train(workspace: &Workspace, dev: u32) -> Value {
    let skip = ((dev - 1) * 400).to_string();
    workspace.json(&[
        "federated",
        "train",
        "--data",
        "digits",
        "--skip",
        &skip,
        "--limit",
        "400",
        "--out",
        &format!("update-{dev}.json"),
        "--json",
    ])
}

fn submit(workspace: &Workspace, dev: u32, options: &[&str]) -> Value {
    let (file, dev) = (format!("update-{dev}.json"), dev.to_string());
    let submit = ["federated", "submit", &file, "--dev", &dev, "--json"];
    workspace.json(&[&submit[..], options].concat())
}

fn status(workspace: &Workspace, dev: &str) -> Value {
    workspace.json(&["federated", "status", "--dev", dev, "--json"])
}

fn run(workspace: &Workspace, dev: &str) -> Value {
    workspace.json(&[
        "federated",
        "run",
        "--interval",
        "100ms",
        "--dev",
        dev,
        "--json",
    ])
}

#[test]
fn federated_command_finishes_rounds_of_three_clients_and_a_host() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let created = found(&workspace);
    assert_eq!(created["parameters"], 650);
    let mut losses = Vec::new();
    for round in 0..2 {
        for dev in 1..=3 {
            let trained = train(&workspace, dev);
            assert_eq!(trained["version"], round, "{trained}");
            let loss = |name: &str| trained[name]["loss"].as_f64().expect("a loss");
            assert!(loss("after") < loss("before"), "{trained}");
            if dev == 1 {
                losses.push(loss("before"));
            }
        }
        for dev in 1..=3 {
            let committed = submit(&workspace, dev, &["--no-wait"]);
            assert_eq!(committed["revealed"], false, "{committed}");
        }
        // The last commitment ended the time for commitments.
        for dev in 1..=3 {
            let revealed = submit(&workspace, dev, &[]);
            assert_eq!(revealed["revealed"], true, "{revealed}");
        }
        let ran = run(&workspace, "0");
        let names: Vec<&str> = ran["actions"]
            .as_array()
            .expect("actions")
            .iter()
            .filter_map(|action| action["action"].as_str())
            .collect();
        assert_eq!(names[..3], ["draw", "draw", "reveal the test part"]);
        assert_eq!(names[names.len() - 2..], ["aggregate", "settle"]);
        assert_eq!(ran["version"], round + 1, "{ran}");
    }
    losses.push(
        train(&workspace, 1)["before"]["loss"]
            .as_f64()
            .expect("a loss"),
    );
    assert!(losses[2] < losses[1] && losses[1] < losses[0], "{losses:?}");
    let shown = status(&workspace, "1");
    assert_eq!(
        (&shown["version"], &shown["parts_left"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(shown["last"]["settled"], true, "{shown}");
    let mut minted = 0;
    for dev in ["1", "2", "3"] {
        let due = number(&status(&workspace, dev)["account"]["reward"]);
        assert!(due > 0, "{dev}");
        let claimed: Value = workspace.json(&["federated", "claim", "--dev", dev, "--json"]);
        assert_eq!(number(&claimed["balance"]), due, "{claimed}");
        minted += due;
        let left: Value = workspace.json(&["federated", "leave", "--dev", dev, "--json"]);
        assert_eq!(left["withdrawn"], "10000000", "{left}");
    }
    // Two rounds of 1,000 tokens, up to what quotients round down.
    let all = 2_000 * 10_u128.pow(18);
    assert!(minted <= all && minted > all - 10, "{minted}");
    let again = workspace.mistake(&["federated", "claim", "--dev", "1"]);
    assert!(again.contains("no rewards to collect"), "{again}");
}

/// Starts a submission that waits for the reveal, and kills it there.
fn kill_while_waiting(workspace: &Workspace, file: &str, dev: &str) {
    let arguments = ["federated", "submit", file, "--dev", dev];
    let mut child = workspace
        .command(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stderr = child.stderr.take().expect("piped");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let waiting = lines.any(|line| line.starts_with("committed; the reveal begins at"));
    assert!(waiting, "it ended before the reveal");
    child.kill().expect("killed");
    child.wait().expect("a status");
}

#[test]
fn submit_goes_on_after_a_kill_and_tells_of_a_missed_reveal() {
    let workspace = Workspace::new(&AnvilConfig::default());
    found(&workspace);
    for dev in 1..=3 {
        train(&workspace, dev);
    }
    kill_while_waiting(&workspace, "update-1.json", "1");
    for dev in 2..=3 {
        submit(&workspace, dev, &["--no-wait"]);
    }
    // Without the file: the state directory has update and salt.
    let revealed: Value = workspace.json(&["federated", "submit", "--dev", "1", "--json"]);
    assert_eq!(revealed["revealed"], true, "{revealed}");
    let twice = workspace.mistake(&["federated", "submit", "--dev", "1"]);
    assert!(twice.contains("has revealed update 0"), "{twice}");
    // Another update cannot take the place of the committed one.
    let other = workspace.mistake(&["federated", "submit", "update-1.json", "--dev", "2"]);
    assert!(other.contains("another update is committed to"), "{other}");
    assert_eq!(submit(&workspace, 2, &[])["revealed"], true);
    workspace.pass(2 * DAY);
    let (code, _, told) = workspace.outcome(&["federated", "submit", "--dev", "3"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("its stake of 10 TUSD is lost"), "{told}");
    let ran = run(&workspace, "0");
    assert_eq!(ran["version"], 1, "{ran}");
    let free = |dev| number(&status(&workspace, dev)["account"]["free"]);
    assert_eq!(
        [free("1"), free("2"), free("3")],
        [10_000_000, 10_000_000, 0]
    );
    let missed = workspace.mistake(&["federated", "submit", "--dev", "3"]);
    assert!(
        missed.contains("the update in the round 0 was not revealed in time"),
        "{missed}"
    );
}

#[test]
fn run_ends_a_round_whose_owner_does_not_reveal() {
    let workspace = Workspace::new(&AnvilConfig::default());
    found(&workspace);
    for dev in 1..=3 {
        train(&workspace, dev);
        submit(&workspace, dev, &["--no-wait"]);
    }
    for dev in 1..=3 {
        submit(&workspace, dev, &[]);
    }
    // Another account draws, and cannot reveal the part.
    let ran = run(&workspace, "5");
    assert_eq!(ran["phase"], "test", "{ran}");
    let nothing = workspace.mistake(&["federated", "run", "--dev", "5"]);
    assert!(
        nothing.contains("the owner reveals the drawn part"),
        "{nothing}"
    );
    workspace.pass(2 * DAY);
    let ran = run(&workspace, "5");
    assert_eq!(ran["actions"][0]["action"], "end the round", "{ran}");
    let shown = status(&workspace, "1");
    assert_eq!(shown["account"]["free"], "10000000", "{shown}");
    assert_eq!(
        (&shown["version"], &shown["parts_left"]),
        (&json!(0), &json!(0))
    );
    let reason = shown["last"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("lost its bond"), "{reason}");
}

#[test]
fn create_and_join_refuse_what_cannot_work_and_send_nothing_in_a_dry_run() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let mistake = |options: &[&str]| workspace.mistake(&[&CREATE[..], options].concat());
    for (options, reason) in [
        (["--samples", "200"], "the test data have 359"),
        (["--scale", "16"], "the scale is 16"),
        (["--stake", "1.2345678"], "at most 6 decimal places"),
        (["--slash", "11"], "slash"),
        (
            ["--token", "0x00000000000000000000000000000000000000aa"],
            "no ERC-20 token",
        ),
    ] {
        let told = mistake(&options);
        assert!(told.contains(reason), "{told}");
    }
    let many = workspace.mistake(&[
        "federated",
        "create",
        "x",
        "--clients",
        "4",
        "--f",
        "2",
        "--dev",
        "0",
    ]);
    assert!(many.contains("expected 5 to 32"), "{many}");
    let bill: Value = workspace.json(&[&CREATE[..], &["--dry-run"]].concat());
    assert_eq!(bill["dry_run"], true, "{bill}");
    assert!(bill["gas"].as_u64() > Some(10_000_000), "{bill}");
    let none = workspace.mistake(&["federated", "status"]);
    assert!(none.contains("no trainer is named"), "{none}");
    workspace.json::<Value>(&CREATE);
    let poor = workspace.mistake(&["federated", "join", "--dev", "1"]);
    assert!(
        poor.contains("get 10 TUSD more, such as by --mint"),
        "{poor}"
    );
    let owner = workspace.mistake(&["federated", "join", "--mint", "--dev", "0"]);
    assert!(owner.contains("knows the test set"), "{owner}");
    let dry: Value = workspace.json(&[
        "federated",
        "join",
        "--mint",
        "--dry-run",
        "--dev",
        "1",
        "--json",
    ]);
    assert_eq!(dry["dry_run"], true, "{dry}");
    let shown = status(&workspace, "1");
    assert_eq!(
        (&shown["account"]["free"], &shown["account"]["wallet"]),
        (&json!("0"), &json!("0"))
    );
    train(&workspace, 1);
    let early = workspace.mistake(&["federated", "submit", "update-1.json", "--dev", "1"]);
    assert!(early.contains("cotrain federated join"), "{early}");
    let other = workspace.mistake(&["federated", "run", "--dev", "0"]);
    assert!(other.contains("the first client commits"), "{other}");
    workspace.put("no-update.json", "{}");
    let no_update = workspace.mistake(&["federated", "submit", "no-update.json", "--dev", "1"]);
    assert!(no_update.contains("is no update"), "{no_update}");
    // A finished founding is not paid twice, and a second one has another name.
    let again: Value = workspace.json(&CREATE);
    assert_eq!(again["trainer"], shown["trainer"]);
}
