//! The commands for a chain, against anvil.

mod common;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use common::{Workspace, block_on};
use cotrain_bindings as bindings;
use cotrain_chain::{
    anvil::{Anvil, AnvilConfig},
    keys::Key,
    node::{Node, NodeOptions},
};
use cotrain_learning::data::{Example, Source, load};
use serde_json::{Value, json};

/// Number of transactions of a deployment: registry, factory, two implementations, model, words,
/// closing, and registration.
const TRANSACTIONS: u64 = 8;

const DEPLOY: [&str; 9] = [
    "deploy",
    "--dev",
    "0",
    "--yes",
    "--name",
    "films",
    "--features",
    "300",
    "--json",
];

fn node(workspace: &Workspace) -> Node {
    block_on(Node::connect(workspace.rpc(), NodeOptions::default())).expect("a node")
}

fn nonce(node: &Node) -> u64 {
    block_on(node.nonce(Key::development(0).address())).expect("a nonce")
}

/// Returns all words of the model of a deployment.
fn words(node: &Node, deployed: &Value) -> Vec<U256> {
    let classifier: Address = deployed["classifier"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("an address");
    let describe = block_on(node.call(classifier, bindings::describe(), None)).expect("an answer");
    let description = bindings::read_description(&describe).expect("a description");
    assert!(description.trainer.is_some(), "the model is closed");
    let call = bindings::words(0, description.words);
    let answer = block_on(node.call(classifier, call, None)).expect("an answer");
    bindings::read_words(&answer).expect("words")
}

// ---------------------------------------------------------------- Deployment

#[test]
fn deploy_survives_being_killed_anywhere() {
    let undisturbed = Workspace::new(&AnvilConfig::default());
    let reference: Value = undisturbed.json(&DEPLOY);
    assert_eq!(reference["transactions"], TRANSACTIONS);
    let reference = words(&node(&undisturbed), &reference);
    assert!(reference.iter().any(|word| !word.is_zero()));

    let block_time = |block_time| AnvilConfig {
        block_time,
        ..AnvilConfig::default()
    };
    for config in [block_time(None), block_time(Some(1))] {
        let workspace = Workspace::new(&config);
        let node = node(&workspace);
        let mut kills = 0;
        for seen in 0..TRANSACTIONS {
            let mut child = workspace
                .command(&DEPLOY)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("the program starts");
            let start = Instant::now();
            // Waits until `seen` transactions are part of the chain, and then for another moment
            // each time.
            while nonce(&node) < seen && child.try_wait().expect("a child").is_none() {
                assert!(start.elapsed() < Duration::from_mins(1), "stuck at {seen}");
                sleep(Duration::from_millis(1));
            }
            sleep(Duration::from_millis(seen * 7 % 40));
            // SIGKILL.
            child.kill().expect("killed");
            let status = child.wait().expect("a status");
            kills += u32::from(status.code().is_none());
        }
        assert!(
            kills >= 4,
            "only {kills} of {TRANSACTIONS} were killed in time"
        );
        let deployed: Value = workspace.json(&DEPLOY);
        assert_eq!(deployed["transactions"], TRANSACTIONS);
        assert_eq!(nonce(&node), TRANSACTIONS, "nothing was done twice");
        assert_eq!(words(&node, &deployed), reference);
        let listed: Value = workspace.json(&["models", "--json"]);
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(listed[0]["name"], "films");
        assert_eq!(listed[0]["trainer"], deployed["trainer"]);
        assert_eq!(listed[0]["verified"], true);

        // A second run changes nothing. Another plan is refused, with the differences.
        assert_eq!(workspace.json::<Value>(&DEPLOY), deployed);
        let mut other = DEPLOY.to_vec();
        other.push("--points");
        let told = workspace.mistake(&other);
        assert!(told.contains("--points was false, now true"), "{told}");
        assert_eq!(nonce(&node), TRANSACTIONS);
    }
}

#[test]
fn deploy_keeps_a_journal_of_each_chain_and_names_what_differs() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.put(
        "mail.csv",
        "class,body\nspam,win money\nham,see you\nspam,win a prize\nham,lunch is at noon\nspam,free money\n\
         ham,the minutes\nspam,claim the prize\nham,see the minutes\n",
    );
    let deploy = |initial: &'static str| {
        vec![
            "deploy",
            "--data=mail.csv",
            "--label-column=class",
            "--text-column=body",
            "--name=kk",
            "--dev=0",
            "--yes",
            "--json",
            "--initial",
            initial,
        ]
    };
    let first: Value = workspace.json(&deploy("3"));
    let again: Value = workspace.json(&deploy("3"));
    assert_eq!(first["trainer"], again["trainer"], "nothing is done twice");
    let told = workspace.mistake(&deploy("4"));
    let trainer: Address = first["trainer"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("an address");
    assert!(
        told.contains(&format!("deployed already, at {trainer}")),
        "{told}"
    );
    assert!(told.contains("--initial was 3, now 4"), "{told}");
    assert!(!told.contains("NaiveBayes"), "{told}");

    // Another chain with the same addresses, but a new history.
    let other = Anvil::spawn(&AnvilConfig {
        timestamp: Some(1_900_000_000),
        ..AnvilConfig::default()
    })
    .expect("anvil");
    let mut command = workspace.command(&deploy("4"));
    command.env("COTRAIN_RPC", other.url().as_str());
    let output = command.output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
}

// ---------------------------------------------------------------- Predictions

#[test]
fn predict_local_and_verify_give_the_predictions_of_the_contract() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    let data = load(&Source::MovieReviews, 0.2, 3).expect("data");
    let texts: Vec<&str> = data
        .test
        .examples()
        .filter_map(|example| match example {
            Example::Text(text) => Some(text),
            _ => None,
        })
        .take(500)
        .collect();
    workspace.put("texts.txt", &texts.join("\n"));
    let predict = |more: &[&str]| -> Value {
        let arguments = [&["predict", "--json"], more].concat();
        workspace.json(&arguments)
    };
    let contract = predict(&["--file", "texts.txt"]);
    assert_eq!(contract["by"], "contract");
    assert_eq!(contract["predictions"].as_array().map(Vec::len), Some(500));
    assert_eq!(contract["score_meaning"], "posterior");
    for one in contract["predictions"].as_array().expect("a list") {
        let score = one["score"].as_f64().expect("a score");
        assert!((0.5..=1.0).contains(&score), "{one}");
    }
    let (_, _, told) = workspace.outcome(&["predict", "--text", "a warm and funny film"]);
    assert!(told.contains("the probability of the class"), "{told}");
    for (flag, by) in [("--local", "words"), ("--verify", "proved words")] {
        // The second run reads from the cache.
        for _ in 0..2 {
            let here = predict(&["--file", "texts.txt", flag]);
            assert_eq!(here["by"], by);
            assert_eq!(here["predictions"], contract["predictions"]);
        }
    }

    let by_hand = predict(&["--features", "7,3,250"]);
    let raw = predict(&["--sample", "0x0003000700fa", "--verify"]);
    assert_eq!(by_hand["predictions"], raw["predictions"]);
    let told = workspace.mistake(&["predict", "--sample", "0x00070003"]);
    assert!(
        told.contains("feature 3 at index 1 of item 0 comes after feature 7"),
        "{told}"
    );
    let told = workspace.mistake(&["predict", "--row", "1,2"]);
    assert!(
        told.contains("the model learned from text; give it with --text"),
        "{told}"
    );
    let told = workspace.mistake(&["predict"]);
    assert!(told.contains("there is nothing to predict"), "{told}");
    let told = workspace.mistake(&["predict", "--model", "cats", "--text", "x"]);
    assert!(told.contains("it has films"), "{told}");

    let here: Value = workspace.json(&["evaluate", "--limit", "300", "--json"]);
    let there: Value = workspace.json(&["evaluate", "--limit", "300", "--on-chain", "--json"]);
    assert_eq!(here, there, "the contract and the copy predict the same");
    assert_eq!((&here["n"], &here["examples"]), (&json!(300), &json!(300)));
    assert_eq!(here["classes"], json!(["negative", "positive"]));
    let count = |row: usize, column: usize| here["confusion"][row][column].as_u64();
    let counts = [count(0, 0), count(0, 1), count(1, 0), count(1, 1)];
    let [Some(right), Some(missed), Some(false_alarms), Some(found)] = counts else {
        panic!("{here}")
    };
    assert_eq!(right + missed + false_alarms + found, 300);
    assert_eq!(here["correct"], right + found);
    let float = |count: u64| f64::from(u32::try_from(count).expect("few"));
    let share = |part: u64, all: u64| json!(float(part) / float(all));
    assert_eq!(here["accuracy"], share(right + found, 300));
    let most = (right + missed).max(false_alarms + found);
    assert_eq!(here["majority"], share(most, 300));
    let positive = &here["per_class"][1];
    assert_eq!(
        (&positive["class"], &positive["support"]),
        (&json!("positive"), &json!(false_alarms + found))
    );
    assert_eq!(positive["recall"], share(found, false_alarms + found));
    assert_eq!(positive["precision"], share(found, missed + found));
    assert_eq!(
        positive["f1"],
        share(2 * found, missed + false_alarms + 2 * found)
    );
    let ends = [&here["interval"][0], &here["interval"][1]].map(Value::as_f64);
    assert!(ends[0] < here["accuracy"].as_f64() && here["accuracy"].as_f64() < ends[1]);
    let told = workspace.mistake(&["evaluate", "--limit", "0"]);
    assert!(
        told.contains("--limit 0 leaves none of the 10375 examples"),
        "{told}"
    );
}

// ---------------------------------------------------------------- Contributions and claims

#[test]
fn contribute_leads_to_refunds_reports_and_withdrawals() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let mut deploy = DEPLOY.to_vec();
    deploy.extend(["--refund-wait", "2s"]);
    workspace.success(&deploy);

    let many: Value = workspace.json(&[
        "contribute",
        "--data",
        "movie-reviews",
        "--limit",
        "120",
        "--allow-unknown",
        "--dev",
        "1",
        "--json",
    ]);
    assert_eq!(many["contributions"], 120);
    assert_eq!(many["transactions"].as_array().map(Vec::len), Some(1));
    // Two contributions with opposite labels: the model cannot agree with both.
    for label in ["positive", "negative"] {
        workspace.success(&[
            "contribute",
            "--text",
            "a warm and funny film",
            "--label",
            label,
            "--dev",
            "2",
        ]);
    }
    let told = workspace.mistake(&["contribute", "--text", "x", "--label", "fine", "--dev", "1"]);
    assert!(
        told.contains("its classes are negative, positive"),
        "{told}"
    );
    let told = workspace.mistake(&[
        "contribute",
        "--text",
        "a warm film",
        "--label",
        "negative",
        "--dev",
        "1",
        "--max-deposit",
        "1",
    ]);
    assert!(told.contains("at most 1 wei is allowed"), "{told}");

    sleep(Duration::from_secs(3));
    // The chain's time is that of its last block, so a new block must come.
    workspace.success(&["deposit", "0.1ether", "--dev", "3"]);
    let status: Value = workspace.json(&["status", "--dev", "1", "--json"]);
    assert_eq!(status["contributions"].as_array().map(Vec::len), Some(120));
    let possible = status["contributions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|line| line["possible"] == true)
        .count();
    let refunded: Value = workspace.json(&["refund", "--dev", "1", "--json"]);
    assert_eq!(refunded["claims"].as_array().map(Vec::len), Some(possible));
    assert!(possible > 60, "{possible}");
    let reported: Value = workspace.json(&["report", "--dev", "1", "--json"]);
    let taken = reported["claims"][0]["position"]
        .as_u64()
        .expect("a position");
    assert!([120, 121].contains(&taken), "{reported}");
    let again: Value = workspace.json(&["refund", "--dev", "1", "--json"]);
    assert_eq!(again["claims"].as_array().map(Vec::len), Some(0));
    // The wait of late claims is days, so there is none yet.
    let late: Value = workspace.json(&["claim-late", "--dev", "0", "--json"]);
    assert_eq!(late["claims"].as_array().map(Vec::len), Some(0));
    assert!(late["next"].as_u64().is_some(), "{late}");
    let told = workspace.mistake(&["claim-late", &taken.to_string(), "--dev", "3"]);
    assert!(told.contains("nothing was sent"), "{told}");
    let events = workspace.success(&["watch", "--all", "--once", "--json"]);
    let kinds = |kind: &str| {
        let wanted = format!("\"kind\":\"{kind}\"");
        events.lines().filter(|line| line.contains(&wanted)).count()
    };
    assert_eq!((kinds("contributed"), kinds("deposited")), (3, 1));
    assert_eq!((kinds("refunded"), kinds("reported")), (possible, 1));

    let told = workspace.mistake(&["withdraw", "1ether", "--dev", "3"]);
    assert!(told.contains("1 ether cannot be withdrawn"), "{told}");
    let withdrawn: Value = workspace.json(&["withdraw", "--dev", "3", "--json"]);
    assert_eq!(withdrawn["amount"], "100000000000000000");
    assert_eq!(withdrawn["balance"], "0");
}

#[test]
fn report_is_announced_before_it_is_made() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let mut deploy = DEPLOY.to_vec();
    deploy.extend(["--report-notice", "9days"]);
    let told = workspace.mistake(&deploy);
    assert!(
        told.contains(
            "--report-notice 9days is more than half of the 8days from --refund-wait to --owner-claim-wait"
        ),
        "{told}"
    );
    let mut deploy = DEPLOY.to_vec();
    deploy.extend(["--report-notice", "6h"]);
    workspace.success(&deploy);
    let listed: Value = workspace.json(&["models", "--json"]);
    assert_eq!(listed[0]["report_notice"], 21_600);
    let listed = workspace.success(&["models"]);
    assert!(listed.contains("report notice  6h"), "{listed}");

    let many = ["--data", "movie-reviews", "--limit", "40", "--dev", "1"];
    workspace.success(&[&["contribute"], &many[..]].concat());
    // Two contributions with opposite labels: the model cannot agree with both.
    for label in ["positive", "negative"] {
        let text = ["--text", "a warm and funny film", "--label", label];
        workspace.success(&[&["contribute"], &text[..], &["--dev", "2"]].concat());
    }
    workspace.pass(86_400);
    workspace.success(&["refund", "--dev", "1"]);

    let told = workspace.success(&["status", "--dev", "1"]);
    assert!(told.contains("announce it now"), "{told}");
    let announced: Value = workspace.json(&["report", "--dev", "1", "--json"]);
    assert_eq!(announced["claims"], serde_json::json!([]));
    let one = &announced["announced"][0];
    let position = one["position"].as_u64().expect("a position");
    assert!([40, 41].contains(&position), "{announced}");
    let time = |name: &str| one[name].as_u64().expect("a time");
    assert_eq!(time("until") - time("from"), 21_600);
    assert_eq!(announced["next"], one["from"]);

    // A second report before its time sends nothing.
    let again: Value = workspace.json(&["report", "--dev", "1", "--json"]);
    assert_eq!(again["transactions"], serde_json::json!([]));
    let told = workspace.success(&["status", "--dev", "1"]);
    assert!(told.contains("announced, from "), "{told}");
    let told = workspace.mistake(&["report", &position.to_string(), "--dev", "1"]);
    assert!(told.contains("claim this from"), "{told}");

    workspace.pass(21_600);
    let reported: Value = workspace.json(&["report", "--dev", "1", "--json"]);
    assert_eq!(reported["claims"][0]["position"], position);
    let events = workspace.success(&["watch", "--all", "--once"]);
    let order = |kind: &str| events.find(&format!("  {kind}  ")).expect("an event");
    assert!(order("announced") < order("reported"), "{events}");
}

#[test]
fn claim_late_takes_what_nobody_has_claimed_in_time() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let waits = [
        "--owner-claim-wait",
        "2days",
        "--any-address-claim-wait",
        "3days",
    ];
    workspace.success(&[&DEPLOY[..], &waits].concat());
    let text = ["--text", "a warm and funny film", "--label", "positive"];
    workspace.success(&[&["contribute"], &text[..], &["--dev", "1"]].concat());
    let claim_late =
        |account: &str| -> Value { workspace.json(&["claim-late", "--dev", account, "--json"]) };
    workspace.pass(86_400);
    let early = claim_late("0");
    assert_eq!(early["claims"], json!([]));
    assert!(early["next"].as_u64().is_some(), "{early}");
    let told = workspace.mistake(&["claim-late", "0", "--dev", "0"]);
    assert!(told.contains("nothing was sent: contribution 0"), "{told}");
    // The owner may claim a day before anyone else.
    workspace.pass(86_400);
    assert_eq!(claim_late("2")["claims"], json!([]));
    let taken = claim_late("0");
    assert_eq!(taken["claims"][0]["position"], 0);
    assert_eq!(taken["claims"][0]["amount"], taken["amount"]);
    let told = workspace.success(&["claim-late", "--dev", "0"]);
    assert!(told.contains("nothing to take now"), "{told}");
    let events = workspace.success(&["watch", "--all", "--once"]);
    assert!(events.contains("claimed-late"), "{events}");
}

/// Moves the time of the chain without a block.
fn move_time(workspace: &Workspace, seconds: u64) {
    let body =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "evm_increaseTime", "params": [seconds] });
    // Connecting also sets up the cryptography that every HTTP client of the process needs.
    node(workspace);
    let moved = reqwest::Client::new()
        .post(workspace.rpc().clone())
        .json(&body);
    let status = block_on(async { moved.send().await.expect("an answer").status() });
    assert!(status.is_success());
}

#[test]
fn refund_needs_no_old_states_and_goes_by_the_time_of_the_chain() {
    let workspace = Workspace::new(&AnvilConfig {
        arguments: vec!["--prune-history".to_owned(), "1".to_owned()],
        ..AnvilConfig::default()
    });
    workspace.success(&DEPLOY);
    // Two contributions with opposite labels: the model agrees with one of them.
    for label in ["positive", "negative"] {
        let contribute = [
            "contribute",
            "--text",
            "a warm and funny film",
            "--label",
            label,
        ];
        workspace.success(&[&contribute[..], &["--dev", "1"]].concat());
    }
    let status = workspace.success(&["status", "--dev", "1"]);
    assert_eq!(status.matches("open, from ").count(), 2, "{status}");

    move_time(&workspace, 90_000);
    let status: Value = workspace.json(&["status", "--dev", "1", "--json"]);
    let lines = status["contributions"].as_array().expect("lines");
    let (now, from) = (&status["now"], &lines[0]["from"]);
    assert!(now.as_u64() > from.as_u64(), "{status}");
    let possible = lines.iter().filter(|line| line["possible"] == true).count();
    assert_eq!(possible, 1, "{status}");
    let status = workspace.success(&["status", "--dev", "1"]);
    assert!(
        status.contains("the model predicts positive, not negative; a refund needs it to agree")
            || status
                .contains("the model predicts negative, not positive; a refund needs it to agree"),
        "{status}"
    );
    let refunded: Value = workspace.json(&["refund", "--dev", "1", "--json"]);
    assert_eq!(
        refunded["claims"].as_array().map(Vec::len),
        Some(1),
        "{refunded}"
    );
    assert_eq!(refunded["next"], Value::Null, "{refunded}");
    let events = workspace.success(&["watch", "--all", "--once", "--json"]);
    assert_eq!(events.lines().count(), 3, "{events}");

    // Both with the cached events and without them.
    workspace.success(&[
        "contribute",
        "--text",
        "dull",
        "--label",
        "negative",
        "--dev",
        "2",
    ]);
    for cache in ["cache", "other"] {
        let mut command = workspace.command(&["status", "--dev", "2", "--json"]);
        command.env("COTRAIN_CACHE", cache);
        let output = command.output().expect("it runs");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(
            told["contributions"].as_array().map(Vec::len),
            Some(1),
            "{told}"
        );
    }
}

// ---------------------------------------------------------------- Keys

#[test]
fn key_new_encrypts_a_key_and_key_address_needs_its_password() {
    let workspace = Workspace::new(&AnvilConfig {
        chain_id: 7_000,
        ..AnvilConfig::default()
    });
    let told = workspace.mistake(&["deploy", "--dev", "0", "--yes"]);
    assert!(
        told.contains("whose id is 31337, and this node's is 7000"),
        "{told}"
    );
    let told = workspace.mistake(&["deploy", "--yes"]);
    assert!(told.contains("no key is given"), "{told}");

    workspace.put("secret.txt", "correct horse\n");
    let made: Value = workspace.json(&[
        "key",
        "new",
        "--out",
        ".",
        "--password-file",
        "secret.txt",
        "--json",
    ]);
    let file = made["keystore"].as_str().expect("a path");
    let shown = workspace.success(&[
        "key",
        "address",
        "--keystore",
        file,
        "--password-file",
        "secret.txt",
    ]);
    assert_eq!(
        shown.trim().to_lowercase(),
        made["address"].as_str().expect("an address")
    );
    workspace.put("secret.txt", "wrong\n");
    let told = workspace.mistake(&[
        "key",
        "address",
        "--keystore",
        file,
        "--password-file",
        "secret.txt",
    ]);
    assert!(
        told.contains("the password does not open the key file"),
        "{told}"
    );
    let told = workspace.mistake(&["key", "address", "--keystore", file]);
    assert!(told.contains("there is no terminal"), "{told}");

    // The program never repeats a key of the environment.
    let secret = "not a key at all";
    let mut command = workspace.command(&["key", "address"]);
    let output = command
        .env("COTRAIN_KEY", secret)
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&output.stderr).contains(secret));
}

// ---------------------------------------------------------------- Waits for a node

#[test]
fn watch_writes_a_line_before_it_waits_for_a_node() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let nobody = listener.local_addr().expect("an address");
    drop(listener);
    let mut command = workspace.command(&["watch"]);
    command
        .env("COTRAIN_RPC", format!("http://{nobody}"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let start = Instant::now();
    let mut line = String::new();
    let stderr = child.stderr.take().expect("stderr");
    BufReader::new(stderr).read_line(&mut line).expect("a line");
    let after = start.elapsed();
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(line.contains("asking again"), "{line}");
    assert!(after < Duration::from_secs(5), "{after:?}");
}
