//! `cotrain market`, against anvil.

mod common;

use std::{
    net::TcpListener,
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, B256};
use common::{Workspace, block_on};
use cotrain_bindings::market as calls;
use cotrain_chain::{
    anvil::AnvilConfig,
    keys::Key,
    node::{Node, NodeOptions},
};
use cotrain_client::{
    budget::Budget,
    send::{Call, Sender},
};
use serde_json::{Value, json};

const CREATE: [&str; 24] = [
    "market",
    "create",
    "--dev",
    "0",
    "--yes",
    "--json",
    "--name",
    "bets",
    "--features",
    "300",
    "--bounty",
    "1ether",
    "--stake",
    "0.01ether",
    "--open-for",
    "1h",
    "--parts",
    "3",
    "--test-samples",
    "30",
    "--max-passes",
    "3",
    "--max-contributions",
    "2000",
];

const ETHER: u128 = 1_000_000_000_000_000_000;

/// Moves the chain's time without a block, so the latest block has the earlier time.
fn wait(workspace: &Workspace, seconds: u64) {
    ask(workspace, "evm_increaseTime", seconds);
}

/// Makes blocks.
fn mine(workspace: &Workspace, blocks: u64) {
    ask(workspace, "anvil_mine", blocks);
}

/// Calls a method of the chain, and asserts success.
fn ask(workspace: &Workspace, method: &str, parameter: u64) {
    let asked = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": [parameter] });
    block_on(async {
        let client = reqwest::Client::new();
        let sent = client
            .post(workspace.rpc().clone())
            .json(&asked)
            .send()
            .await;
        let answer: Value = sent.expect("an answer").json().await.expect("JSON");
        assert!(answer.get("error").is_none(), "{answer}");
    });
}

fn shown(workspace: &Workspace) -> Value {
    workspace.json(&["market", "show", "--json"])
}

fn contribute(workspace: &Workspace, dev: &str, skip: &str) -> Value {
    workspace.json(&[
        "market",
        "contribute",
        "--data",
        "movie-reviews",
        "--skip",
        skip,
        "--limit",
        "4",
        "--dev",
        dev,
        "--json",
    ])
}

fn wei(value: &Value) -> u128 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("wei")
}

fn address(value: &Value) -> Address {
    let address = value.as_str().and_then(|text| text.parse().ok());
    address.expect("an address")
}

fn max(range: &Value) -> u128 {
    wei(&range["at_most"])
}

/// Returns the bill of the remaining steps of creating the market.
fn dry_run(workspace: &Workspace) -> Value {
    let bill: Value = workspace.json(&[&CREATE[..], &["--dry-run"]].concat());
    assert_eq!(bill["dry_run"], true, "{bill}");
    bill
}

/// Commits as the provider to a test set that nobody has.
fn commit(workspace: &Workspace, market: Address) {
    block_on(async {
        let node = Node::connect(workspace.rpc(), NodeOptions::default()).await;
        let (budget, key) = (Budget::default(), Key::development(0));
        let sender = Sender {
            node: &node.expect("a node"),
            key: &key,
            max_fee: None,
            budget: &budget,
            settings: "none",
        };
        let commit = Call {
            to: Some(market),
            value: ETHER,
            data: calls::commit(&[B256::ZERO; 3]).into(),
        };
        sender.send(commit).await.expect("committed");
    });
}

/// Contributes more bytes than one batch may have, in several batches; returns the number of
/// samples.
fn contribute_many(workspace: &Workspace) -> u128 {
    let many: Value = workspace.json(&[
        "market",
        "contribute",
        "--data",
        "movie-reviews",
        "--skip",
        "1000",
        "--limit",
        "1400",
        "--again",
        "--dev",
        "3",
        "--yes",
        "--json",
    ]);
    let made = many["contributions"].as_u64().expect("a number");
    assert!(made > 1_300, "{many}");
    assert!(
        many["transactions"]
            .as_array()
            .is_some_and(|sent| sent.len() > 1)
    );
    made.into()
}

// ---------------------------------------------------------------- From creation to the last payment

/// Tries calls that are not due, which change nothing, and checks that a bill comes before each
/// cost.
fn refuse_while_open(workspace: &Workspace) {
    let twice = [
        "market",
        "contribute",
        "--data",
        "movie-reviews",
        "--skip",
        "300",
    ];
    let told = workspace.mistake(&[&twice[..], &["--limit", "4", "--dev", "1"]].concat());
    assert!(told.contains("4 were contributed before"), "{told}");
    let bill: Value = workspace.json(&[
        "market",
        "contribute",
        "--text",
        "dull",
        "--label",
        "negative",
        "--dev",
        "1",
        "--dry-run",
        "--json",
    ]);
    assert_eq!(
        wei(&bill["value"]["at_most"]),
        ETHER / 100,
        "a stake is fixed"
    );
    for (command, why) in [
        ("reveal", "no part is to be revealed now"),
        ("score", "there is nothing to draw or score"),
        ("collect", "has nothing to collect"),
    ] {
        let told = workspace.mistake(&["market", command, "--dev", "0"]);
        assert!(told.contains("is open") && told.contains(why), "{told}");
    }
    let told = workspace.mistake(&[
        "contribute",
        "--text",
        "dull",
        "--label",
        "negative",
        "--dev",
        "1",
        "--relay",
        "http://127.0.0.1:1",
    ]);
    assert!(told.contains("takes no signed contributions"), "{told}");
    let told = workspace.mistake(&["refund", "--dev", "1"]);
    assert!(told.contains("see `cotrain market`"), "{told}");
}

#[test]
fn market_runs_from_its_creation_to_the_last_payment() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let created: Value = workspace.json(&CREATE);
    assert_eq!(created["phase"], "open", "{created}");
    assert_eq!(created["opening"].as_array().map(Vec::len), Some(3));
    // A second run changes nothing, and writes a lost test set again.
    let file = created["test_set"].as_str().expect("a path");
    let kept = std::fs::read(file).expect("the test set");
    std::fs::remove_file(file).expect("removed");
    let again: Value = workspace.json(&CREATE);
    assert_eq!(std::fs::read(file).expect("the test set"), kept);
    assert_eq!(again["market"], created["market"]);
    assert_eq!(again["opening"], json!([]));
    let left = dry_run(&workspace);
    let nothing = format!(
        "nothing: the market {} is open",
        address(&created["market"])
    );
    assert_eq!(left["action"], nothing);
    assert_eq!(left["gas"], 0);
    assert_eq!(max(&left["total"]), 0);

    for (dev, skip) in [("1", "300"), ("2", "600")] {
        let contributed = contribute(&workspace, dev, skip);
        assert_eq!(contributed["contributions"], 4, "{contributed}");
        let deposit = wei(&contributed["transactions"][0]["deposit"]);
        assert_eq!(deposit, ETHER / 100);
    }
    let many = contribute_many(&workspace);
    refuse_while_open(&workspace);

    wait(&workspace, 3_601);
    assert_eq!(shown(&workspace)["phase"], "revealing");
    // The program rejects another file than the test set.
    let told = workspace.mistake(&[
        "market",
        "reveal",
        "--dev",
        "0",
        "--test-set",
        "nothing.json",
    ]);
    assert!(told.contains("cannot read the test set"), "{told}");
    workspace.put(
        "other.json",
        &json!({ "chain_id": 31_337, "market": created["market"], "parts": [] }).to_string(),
    );
    let told = workspace.mistake(&["market", "reveal", "--dev", "0", "--test-set", "other.json"]);
    assert!(told.contains("is not the test set"), "{told}");
    let revealed: Value = workspace.json(&["market", "reveal", "--dev", "0", "--json"]);
    assert_eq!(revealed["phase"], "scoring", "{revealed}");
    assert_eq!(revealed["parts"].as_array().map(Vec::len), Some(2));

    // A limit stops the scoring, and another account continues it.
    let limited = ["market", "score", "--dev", "5", "--max-total", "1gwei"];
    let told = workspace.mistake(&limited);
    assert!(told.contains("--max-total"), "{told}");
    let scored: Value = workspace.json(&["market", "score", "--dev", "5", "--json"]);
    assert_eq!(scored["phase"], "settled", "{scored}");
    let settled = shown(&workspace);
    assert_eq!(settled["samples"], 20);
    assert_eq!(settled["model"].as_str().map(str::len), Some(42));

    let mut paid = 0;
    for dev in ["1", "2", "3", "0"] {
        let collected: Value = workspace.json(&["market", "collect", "--dev", dev, "--json"]);
        paid += wei(&collected["amount"]) + wei(&collected["remainder"]);
        let told = workspace.mistake(&["market", "collect", "--dev", dev]);
        assert!(told.contains("has nothing to collect"), "{told}");
    }
    assert_eq!(
        paid,
        ETHER + (8 + many) * ETHER / 100,
        "all money is paid out"
    );
}

#[test]
fn market_fails_if_the_provider_does_not_reveal() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let _: Value = workspace.json(&CREATE);
    contribute(&workspace, "1", "0");
    wait(&workspace, 3_601 + 86_401);
    assert_eq!(shown(&workspace)["phase"], "failed");
    let told = workspace.mistake(&["market", "reveal", "--dev", "0"]);
    assert!(told.contains("is failed"), "{told}");
    let collected: Value = workspace.json(&["market", "collect", "--dev", "1", "--json"]);
    assert_eq!(wei(&collected["amount"]), 4 * ETHER / 100, "the stakes");
    let told = workspace.mistake(&["market", "collect", "--dev", "0"]);
    assert!(told.contains("has nothing to collect"), "{told}");
}

// ---------------------------------------------------------------- Creation

#[test]
fn market_create_survives_being_killed_anywhere() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let node = block_on(Node::connect(workspace.rpc(), NodeOptions::default())).expect("a node");
    let nonce = || block_on(node.nonce(Key::development(0).address())).expect("a nonce");
    let mut kills = 0;
    for seen in 0..11 {
        let mut child = workspace
            .command(&CREATE)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let start = Instant::now();
        while nonce() < seen && child.try_wait().expect("a child").is_none() {
            assert!(start.elapsed() < Duration::from_mins(1), "stuck at {seen}");
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(seen * 7 % 40));
        child.kill().expect("killed");
        kills += u32::from(child.wait().expect("a status").code().is_none());
    }
    assert!(kills >= 4, "only {kills} of 11 were killed in time");
    let created: Value = workspace.json(&CREATE);
    assert_eq!(created["phase"], "open", "{created}");
    let listed: Value = workspace.json(&["models", "--json"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed[0]["incentive"], "prediction-market");
    assert_eq!(wei(&shown(&workspace)["bounty"]), ETHER);
}

#[test]
fn market_create_dry_run_says_what_is_left_to_do_and_to_pay() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let whole = dry_run(&workspace);
    assert_eq!(max(&whole["value"]), ETHER);
    // The market is deployed, but the bounty is not locked before the test set is on the disk.
    workspace.put("other.json", "{}");
    let told = workspace.mistake(&[&CREATE[..], &["--test-set", "other.json"]].concat());
    assert!(told.contains("was left alone"), "{told}");
    let found = shown(&workspace);
    let market = address(&found["market"]);
    assert_eq!(found["phase"], "created");
    let left = dry_run(&workspace);
    assert_eq!(
        left["action"],
        format!("lock the bounty of the market {market}")
    );
    assert_eq!(max(&left["value"]), ETHER);
    let gas = |bill: &Value| bill["gas"].as_u64().expect("gas");
    assert!(gas(&left) > 0 && gas(&left) < gas(&whole), "{left}");
    // The dry run sent nothing.
    assert_eq!(shown(&workspace)["phase"], "created");

    commit(&workspace, market);
    let rest = dry_run(&workspace);
    assert_eq!(rest["action"], format!("open the market {market}"));
    assert_eq!(max(&rest["value"]), 0, "the bounty is locked");
    assert!(gas(&rest) > 0 && gas(&rest) < gas(&left), "{rest}");

    // A draw is due only as long as the market can still open.
    mine(&workspace, 2);
    let score = ["market", "score", "--dev", "1", "--dry-run", "--json"];
    let draw: Value = workspace.json(&score);
    assert_eq!(draw["action"], "draw the part to test with");
    wait(&workspace, 86_401);
    mine(&workspace, 1);
    let told = workspace.mistake(&score);
    assert!(
        told.contains("there is nothing to draw or score") && told.contains("can only be burned"),
        "{told}"
    );
    let told = workspace.mistake(&[&CREATE[..], &["--dry-run"]].concat());
    assert!(
        told.contains(&format!("the market {market} is lost")),
        "{told}"
    );
}

#[test]
fn market_create_names_the_option_that_is_outside_its_bounds() {
    let workspace = Workspace::new(&AnvilConfig::default());
    for (option, value, why) in [
        ("--stake", "0", "--stake is 0; expected 1 to 2^96 - 1"),
        (
            "--max-passes",
            "65536",
            "--max-passes is 65536; expected 1 to 2^16 - 1",
        ),
        ("--bounty", "0", "--bounty is 0"),
        ("--parts", "1", "1 parts; expected 2 to 256"),
        ("--test-samples", "100000", "--test-samples is 100000"),
        ("--test-samples", "1500", "make more parts"),
    ] {
        let mut arguments = CREATE.to_vec();
        match arguments.iter().position(|argument| *argument == option) {
            Some(index) => arguments[index + 1] = value,
            None => arguments.extend([option, value]),
        }
        let told = workspace.mistake(&arguments);
        assert!(told.contains(why), "{option} {value}: {told}");
    }
}

// ---------------------------------------------------------------- Coordinator

/// A coordinator, which is killed at the end.
struct Serving(Child);

impl Serving {
    fn start(workspace: &Workspace, config: &str) -> Self {
        workspace.put("cotrain.toml", config);
        let mut command = workspace.command(&["serve", "--config", "cotrain.toml"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Self(child.expect("the program starts"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

fn get(url: &str) -> Option<Value> {
    block_on(async {
        let answer = reqwest::get(url).await.ok()?;
        answer.error_for_status().ok()?.json().await.ok()
    })
}

#[test]
fn serve_drives_the_markets_that_it_names_within_their_cost() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let created: Value = workspace.json(&CREATE);
    contribute(&workspace, "1", "300");
    contribute(&workspace, "2", "600");
    contribute_many(&workspace);
    wait(&workspace, 3_601);
    let _: Value = workspace.json(&["market", "reveal", "--dev", "0", "--json"]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let config = |max_cost: &str| {
        format!(
            "listen = \"{address}\"\ndatabase = \"market.sqlite\"\nregistry = {}\nmodels = [{}]\n\
             [node]\nurl = \"{}\"\npoll = \"50 ms\"\n[key]\ndevelopment = 5\n\
             [score]\nenabled = true\nmax_cost = \"{max_cost}\"\n",
            created["registry"],
            created["market"],
            workspace.rpc()
        )
    };
    let sent = || {
        let page = get(&format!("http://{address}/v1/transactions?limit=1000"));
        page.and_then(|page| page["rows"].as_array().cloned())
    };

    // One gwei is too little for any step.
    let serving = Serving::start(&workspace, &config("1 gwei"));
    let start = Instant::now();
    while get(&format!("http://{address}/health/ready")).is_none() {
        assert!(start.elapsed() < Duration::from_mins(1), "it is not ready");
        sleep(Duration::from_millis(50));
    }
    sleep(Duration::from_secs(3));
    assert_eq!(sent(), Some(Vec::new()));
    drop(serving);

    // The service resumes after each kill.
    let mut steps = 0;
    let start = Instant::now();
    while steps < 3 {
        assert!(start.elapsed() < Duration::from_mins(2), "{steps} steps");
        let _serving = Serving::start(&workspace, &config("5 ether"));
        let before = steps;
        while steps == before && shown(&workspace)["phase"] == "scoring" {
            assert!(start.elapsed() < Duration::from_mins(2), "no step is sent");
            sleep(Duration::from_millis(50));
            steps = sent().map_or(steps, |sent| sent.len());
        }
    }
    let _serving = Serving::start(&workspace, &config("5 ether"));
    while shown(&workspace)["phase"] == "scoring" {
        assert!(
            start.elapsed() < Duration::from_mins(3),
            "it is not settled"
        );
        sleep(Duration::from_millis(200));
    }
    let settled = shown(&workspace);
    assert_eq!(settled["phase"], "settled", "{settled}");
    let followed = || get(&format!("http://{address}/v1/events?limit=1000")).expect("events");
    let told = |kind: &str| {
        let events = followed();
        let rows = events["rows"].as_array().expect("rows").clone();
        rows.into_iter().filter(|row| row["kind"] == kind).count() as u64
    };
    while told("pass-settled") < settled["pass"].as_u64().expect("a pass") {
        assert!(start.elapsed() < Duration::from_mins(3), "it is not read");
        sleep(Duration::from_millis(50));
    }
    assert_eq!(told("committed"), 1);
    assert_eq!(told("revealed"), 3);
    let sent = sent().expect("transactions");
    assert!(sent.len() > 3, "{sent:?}");
    assert!(sent.iter().all(|one| one["purpose"] == "score"), "{sent:?}");
    assert!(
        sent.iter()
            .all(|one| one["gasUsed"].as_u64() < Some(16_777_216))
    );
    let failed = {
        let node =
            block_on(Node::connect(workspace.rpc(), NodeOptions::default())).expect("a node");
        let failed = sent.iter().filter(|one| {
            let hash = one["hashes"][0].as_str().expect("a hash");
            let receipt = block_on(node.receipt(hash.parse().expect("a hash")));
            !receipt
                .expect("an answer")
                .is_some_and(|receipt| receipt.success)
        });
        failed.count()
    };
    assert_eq!(failed, 0, "a step that is sent succeeds");
}
