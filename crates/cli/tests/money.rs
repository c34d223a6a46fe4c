//! Money in commands: bills, questions and refusals before it moves, partial results after an error.

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use alloy_primitives::Address;
#[cfg(unix)]
use common::terminal::Terminal;
use common::{Workspace, block_on};
use cotrain_chain::{
    anvil::AnvilConfig,
    keys::Key,
    node::{Node, NodeOptions},
};
use serde_json::{Value, json};

const DEPLOY: [&str; 9] = [
    "deploy",
    "--dev",
    "0",
    "--name",
    "films",
    "--features",
    "300",
    "--yes",
    "--json",
];

/// A key that no development chain has, for chains that refuse those keys. Its account has no money
/// at first.
const SECRET: &str = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";

fn node(workspace: &Workspace) -> Node {
    block_on(Node::connect(workspace.rpc(), NodeOptions::default())).expect("a node")
}

fn nonce(workspace: &Workspace, account: u32) -> u64 {
    nonce_of(workspace, Key::development(account).address())
}

fn nonce_of(workspace: &Workspace, account: Address) -> u64 {
    block_on(node(workspace).nonce(account)).expect("a nonce")
}

/// Returns the account of [`SECRET`].
fn own_account() -> Address {
    Key::from_hex(SECRET).expect("a key").address()
}

/// Sends a request of the development node's own methods.
fn ask(workspace: &Workspace, method: &str, parameters: &Value) {
    let body =
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).to_string();
    let authority = workspace.rpc().socket_addrs(|| None).expect("an address")[0];
    let mut stream = TcpStream::connect(authority).expect("a node");
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Writes three well separated classes, and the same rows with other columns.
fn put_tables(workspace: &Workspace) {
    let rows: Vec<[f64; 4]> = (0..150)
        .map(|row| {
            let part = f64::from(row % 7) / 10.0;
            match row % 3 {
                0 => [1.0 + part, 2.0, 3.0, 9.0],
                1 => [5.0 + part, 2.0, 8.0, 1.0],
                _ => [9.0 - part, 6.0, 1.0, 4.0],
            }
        })
        .collect();
    let class = |row: usize| ["red", "green", "blue"][row % 3];
    let table = |header: &str, line: &dyn Fn(&[f64; 4], &str) -> String| {
        let lines = rows
            .iter()
            .enumerate()
            .map(|(row, it)| line(it, class(row)));
        format!("{header}\n{}\n", lines.collect::<Vec<_>>().join("\n"))
    };
    let plain =
        |it: &[f64; 4], class: &str| format!("{},{},{},{},{class}", it[0], it[1], it[2], it[3]);
    workspace.put("t.csv", &table("a,b,c,d,kind", &plain));
    workspace.put("ren.csv", &table("w,x,y,z,kind", &plain));
    workspace.put(
        "re.csv",
        &table("d,c,kind,b,a", &|it, class| {
            format!("{},{},{class},{},{}", it[3], it[2], it[1], it[0])
        }),
    );
    workspace.put(
        "out.csv",
        &table("a,b,c,d,kind", &|it, class| {
            plain(&it.map(|number| number * 1e6), class)
        }),
    );
    workspace.put(
        "colors.csv",
        &table("a,b,c,d,kind", &|it, class| {
            plain(it, if class == "red" { "pink" } else { class })
        }),
    );
}

const TABLE: [&str; 13] = [
    "deploy",
    "--data",
    "t.csv",
    "--label-column",
    "kind",
    "--learner",
    "dense-nearest-centroid",
    "--name",
    "kinds",
    "--dev",
    "0",
    "--yes",
    "--json",
];

// ---------------------------------------------------------------- Bills and questions

#[test]
fn contribute_shows_a_bill_and_asks_before_much_money_moves() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let deployed: Value = workspace.json(&DEPLOY);
    let model: Address = deployed["trainer"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("an address");
    let model = model.to_string();
    let many = [
        "contribute",
        "--data",
        "movie-reviews",
        "--limit",
        "2000",
        "--allow-unknown",
        "--dev",
        "1",
    ];
    let told = workspace.mistake(&many);
    for part in [
        "contribute 2,000 samples",
        "chain    31337 (a development chain), node http://127.0.0.1:",
        &model,
        "films",
        "account  0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "deposit  0.0036 ether now, at most 0.0072 ether each",
        "in all   7.2 ether now, at most 14.4 ether",
        "there is no terminal to ask; say --yes",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    let mut dry = many.to_vec();
    dry.extend(["--dry-run", "--json"]);
    let bill: Value = workspace.json(&dry);
    assert_eq!(bill["dry_run"], true);
    assert_eq!(bill["count"], 2_000);
    assert_eq!(bill["chain_id"], 31_337);
    assert_eq!(bill["model"], deployed["trainer"]);
    assert_eq!(bill["value"]["now"], "7200000000000000000");
    let total = |when: &str| -> u128 {
        let text = bill["total"][when].as_str().expect("wei");
        text.parse().expect("wei")
    };
    assert!(total("now") > 7_200_000_000_000_000_000, "{bill}");
    assert!(total("at_most") > 14_400_000_000_000_000_000, "{bill}");

    let mut limited = many.to_vec();
    limited.extend(["--yes", "--max-total", "7.2ether"]);
    let told = workspace.mistake(&limited);
    assert!(
        told.contains("nothing was sent: 2,000 samples deposit 7.2 ether now"),
        "{told}"
    );
    assert_eq!(nonce(&workspace, 1), 0, "nothing of this was sent");

    // A command within the limit succeeds, and costs no more than the limit.
    let within: Value = workspace.json(&[
        "contribute",
        "--data",
        "movie-reviews",
        "--limit",
        "100",
        "--allow-unknown",
        "--dev",
        "1",
        "--max-total",
        "0.5ether",
        "--json",
    ]);
    assert_eq!(within["contributions"], 100);
    assert_eq!(within["partial"], false);
}

#[test]
fn deposit_asks_before_much_money_is_prepaid() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    let told = workspace.mistake(&["deposit", "1.1ether", "--dev", "2"]);
    assert!(told.contains("say --yes"), "{told}");
    let told = workspace.mistake(&["deposit", "0", "--dev", "2"]);
    assert!(told.contains("the amount is 0"), "{told}");
    let told = workspace.mistake(&[
        "deposit",
        "0.5ether",
        "--dev",
        "2",
        "--max-total",
        "0.5ether",
    ]);
    assert!(
        told.contains("which is more than --max-total 0.5 ether"),
        "{told}"
    );
    for dry in [
        vec!["deposit", "5ether", "--dev", "2", "--dry-run", "--json"],
        vec![
            "deploy",
            "--dev",
            "2",
            "--name",
            "other",
            "--dry-run",
            "--json",
        ],
    ] {
        assert_eq!(workspace.json::<Value>(&dry)["dry_run"], true, "{dry:?}");
    }
    assert_eq!(nonce(&workspace, 2), 0);
    let deposited: Value =
        workspace.json(&["deposit", "1.1ether", "--dev", "2", "--yes", "--json"]);
    assert_eq!(deposited["balance"], "1100000000000000000");
    let dry: Value = workspace.json(&["withdraw", "--dev", "2", "--dry-run", "--json"]);
    assert_eq!(
        dry["action"],
        format!("withdraw 1.1 ether to {}", Key::development(2).address())
    );
    assert_eq!(nonce(&workspace, 2), 1);
}

#[test]
fn must_be_asked_is_true_of_any_amount_on_a_real_chain() {
    let workspace = Workspace::new(&AnvilConfig {
        chain_id: 7_000,
        ..AnvilConfig::default()
    });
    let account = own_account();
    // 10,000 ether.
    let rich = json!([account, "0x21e19e0c9bab2400000"]);
    ask(&workspace, "anvil_setBalance", &rich);
    let run = |arguments: &[&str]| {
        let mut command = workspace.command(arguments);
        let output = command
            .env("COTRAIN_KEY", SECRET)
            .output()
            .expect("it starts");
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        (output.status.code(), stderr)
    };
    let deploy = ["deploy", "--name", "films", "--features", "20"];
    let (status, told) = run(&deploy);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("say --yes"), "{told}");
    assert_eq!(nonce_of(&workspace, account), 0);
    let (status, told) = run(&[&deploy[..], &["--yes"]].concat());
    assert_eq!(status, Some(0), "{told}");
    for command in [
        vec!["contribute", "--text", "a good film", "--label", "positive"],
        vec!["deposit", "1"],
    ] {
        let before = nonce_of(&workspace, account);
        let (status, told) = run(&command);
        assert_eq!(status, Some(2), "{told}");
        assert!(
            told.contains("chain    7000 (zeta), node http://") && told.contains("say --yes"),
            "{told}"
        );
        assert_eq!(nonce_of(&workspace, account), before);
        let (status, told) = run(&[&command[..], &["--yes"]].concat());
        assert_eq!(status, Some(0), "{told}");
    }
    let before = nonce_of(&workspace, account);
    let (status, told) = run(&["withdraw"]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("withdraw 1 wei"), "{told}");
    assert_eq!(nonce_of(&workspace, account), before);
}

/// Another key of the same kind as [`SECRET`].
#[cfg(unix)]
const OTHER_SECRET: &str = "0x7d1f6a3cf0b9e2845ac61b7730d2c95e81f4a6089bb3d75c2e104f96c83ab05d";

#[cfg(unix)]
#[test]
fn report_asks_once_for_several_reports_and_announcements() {
    let workspace = Workspace::new(&AnvilConfig {
        chain_id: 7_000,
        ..AnvilConfig::default()
    });
    let other = Key::from_hex(OTHER_SECRET).expect("a key").address();
    for account in [own_account(), other] {
        // 10,000 ether.
        ask(
            &workspace,
            "anvil_setBalance",
            &json!([account, "0x21e19e0c9bab2400000"]),
        );
    }
    let pass = |seconds: u64| {
        ask(&workspace, "evm_increaseTime", &json!([seconds]));
        ask(&workspace, "evm_mine", &json!([]));
    };
    let success = |secret: &str, arguments: &[&str]| {
        let mut command = workspace.command(&[arguments, &["--yes"]].concat());
        let output = command.env("COTRAIN_KEY", secret).output();
        let output = output.expect("it starts");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(output.status.success(), "{arguments:?}: {told}");
        (String::from_utf8(output.stdout).expect("UTF-8"), told)
    };
    let deploy = ["deploy", "--name", "films", "--features", "300"];
    let waits = ["--refund-wait", "1h", "--report-notice", "6h"];
    success(SECRET, &[&deploy[..], &waits].concat());
    success(
        SECRET,
        &["contribute", "--data", "movie-reviews", "--limit", "20"],
    );
    // The two texts have opposite labels, so the model cannot agree with both.
    let pair = |text: &str| {
        for label in ["positive", "negative"] {
            success(
                OTHER_SECRET,
                &["contribute", "--text", text, "--label", label],
            );
        }
    };
    pair("a warm and funny film");
    pair("a dull and boring story");
    pass(3_600);
    success(SECRET, &["refund"]);

    // The first run makes two announcements; no report is possible yet.
    let report = |answer: &str| {
        let mut command = workspace.command(&["report", "--json"]);
        command.env("COTRAIN_KEY", SECRET);
        let mut terminal = Terminal::start(command);
        terminal.until("Go on? [y/N]");
        terminal.answer(answer);
        terminal.end()
    };
    let before = nonce_of(&workspace, own_account());
    let bills = |screen: &str| {
        let lines = screen.lines().map(str::trim_end);
        let starts = |start: &str| lines.clone().filter(|line| line.starts_with(start)).count();
        // The question, the total, the gas and the gain appear once for everything.
        ["Go on? [y/N]", "  total ", "  gas ", "  brings "].map(starts)
    };
    let (status, stdout, screen) = report("n");
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "{screen}");
    assert_eq!(bills(&screen), [1; 4], "{screen}");
    assert!(
        screen.contains("announce the report of 2 contributions\r\n"),
        "{screen}"
    );
    assert!(
        screen.contains("nothing was sent, as you wished"),
        "{screen}"
    );
    assert_eq!(nonce_of(&workspace, own_account()), before, "a no is a no");
    success(SECRET, &["report"]);

    // One more announcement is due before those two can be reported.
    pair("the actors laugh and cry");
    pass(6 * 3_600);
    let before = nonce_of(&workspace, own_account());
    let (status, stdout, screen) = report("y");
    assert_eq!(status, Some(0), "{screen}");
    assert_eq!(bills(&screen), [1; 4], "{screen}");
    assert!(
        screen.contains("report 2 contributions, and announce the report of 1 contribution\r\n"),
        "{screen}"
    );
    let done: Value = serde_json::from_str(&stdout).expect("JSON");
    let length = |name: &str| done[name].as_array().map(Vec::len);
    assert_eq!((length("claims"), length("announced")), (Some(2), Some(1)));
    let sent = length("transactions").expect("transactions") as u64;
    assert_eq!((sent, nonce_of(&workspace, own_account())), (2, before + 2));
    // The gain on the bill equals the payments.
    let wei = |one: &Value| {
        let text = one["amount"].as_str().expect("wei");
        text.parse::<u128>().expect("wei")
    };
    let claims = done["claims"].as_array().expect("claims");
    assert_eq!(claims.iter().map(wei).sum::<u128>(), wei(&done));
    assert!(wei(&done) > 0, "{done}");
}

// ---------------------------------------------------------------- Contributions

#[test]
fn contribute_says_which_part_is_done_and_pays_for_nothing_twice() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    // The price is low at first, and high right after the first contributions.
    ask(&workspace, "evm_increaseTime", &json!([86_400]));
    ask(&workspace, "evm_mine", &json!([]));
    let contribute = [
        "contribute",
        "--data",
        "movie-reviews",
        "--skip",
        "10",
        "--limit",
        "4000",
        "--allow-unknown",
        "--dev",
        "1",
        "--yes",
        "--json",
    ];
    let (status, stdout, stderr) = workspace.outcome(&contribute);
    assert_eq!(status, Some(2), "{stderr}");
    let part: Value = serde_json::from_str(&stdout).expect("JSON");
    let done = part["done"].as_u64().expect("a number");
    assert!((1..4_000).contains(&done), "{part}");
    assert_eq!(part["partial"], true);
    assert_eq!(part["contributions"], done);
    assert_eq!(part["of"], 4_000);
    let (skip, left) = (10 + done, 4_000 - done);
    let go_on = format!("go on with the same and --skip {skip} --limit {left}");
    assert_eq!(part["go_on"], go_on);
    let error = part["error"].as_str().expect("words");
    assert!(error.contains("would deposit 0.0036 ether now"), "{error}");
    // Numbers are shown with commas, and repeated in options without them.
    let apart = |number: u64| format!("{},{:03}", number / 1_000, number % 1_000);
    assert!(
        done >= 1_000 && left >= 1_000,
        "{done} of 4,000 need no comma"
    );
    assert!(
        stderr.contains(&format!(
            "{} of 4,000 samples are contributed, {} are not; {go_on}",
            apart(done),
            apart(left)
        )),
        "{stderr}"
    );

    // The same command contributes only the rest.
    let mut again = contribute.to_vec();
    again.extend(["--max-deposit", "0.01ether"]);
    let rest: Value = workspace.json(&again);
    assert_eq!(rest["left_out"]["contributed_before"], done);
    assert_eq!(rest["contributions"], left);
    let told = workspace.mistake(&again);
    assert!(
        told.contains("nothing is left to contribute")
            && told.contains("4000 were contributed before"),
        "{told}"
    );
    let listed: Value = workspace.json(&["models", "--json"]);
    assert_eq!(listed[0]["contributions"], 4_000);
    // `--again` contributes samples a second time.
    let mut twice = again.clone();
    twice[6] = "5";
    twice.push("--again");
    assert_eq!(workspace.json::<Value>(&twice)["contributions"], 5);
}

#[test]
fn contribute_refuses_other_columns_classes_and_ranges() {
    let workspace = Workspace::new(&AnvilConfig::default());
    put_tables(&workspace);
    workspace.success(&TABLE);
    let before = nonce(&workspace, 1);
    let columns = ["--label-column", "kind"];
    for command in [
        vec!["evaluate"],
        vec!["contribute", "--dev", "1", "--limit", "5"],
    ] {
        let told = workspace.mistake(&[&command[..], &["--data", "ren.csv"], &columns].concat());
        let both = "has the columns w, x, y, z, but the model has a, b, c, d: unknown w, x, y, z and missing a, b, c, d";
        assert!(told.contains(both), "{told}");
    }
    for command in [vec!["evaluate"], vec!["contribute", "--dev", "1"]] {
        let told = workspace.mistake(&[&command[..], &["--data", "colors.csv"], &columns].concat());
        assert!(
            told.contains(
                "the file has the classes blue, green, pink, but the model has blue, green, red"
            ),
            "{told}"
        );
    }

    // The columns of the second file have another order.
    for file in ["t.csv", "re.csv"] {
        let right: Value =
            workspace.json(&[&["evaluate", "--json", "--data", file], &columns[..]].concat());
        assert_eq!(right["correct"], 150);
        assert_eq!(right["misfits"]["clipped_inputs"], 0);
    }
    let (status, stdout, stderr) = workspace.outcome(&[
        "evaluate",
        "--data",
        "out.csv",
        "--label-column",
        "kind",
        "--json",
    ]);
    assert_eq!(status, Some(0), "{stderr}");
    let outside: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(outside["misfits"]["clipped_inputs"], 150);
    assert_eq!(outside["misfits"]["clipped_values"], 600);
    assert!(
        stderr.contains(
            "150 of 150 inputs have values outside the model's range; 600 values were clipped"
        ),
        "{stderr}"
    );
    let out = [
        "contribute",
        "--data",
        "out.csv",
        "--label-column",
        "kind",
        "--limit",
        "2",
        "--dev",
        "1",
        "--json",
    ];
    let told = workspace.mistake(&out);
    assert!(
        told.contains("say --allow-clipped") || told.contains("Say --allow-clipped"),
        "{told}"
    );
    assert_eq!(nonce(&workspace, 1), before);
    let allowed: Value = workspace.json(&[&out[..], &["--allow-clipped"]].concat());
    assert_eq!(allowed["contributions"], 2);

    let (status, stdout, stderr) = workspace.outcome(&["predict", "--row", "1e50,1,1,1", "--json"]);
    assert_eq!(status, Some(0), "{stderr}");
    let predicted: Value = serde_json::from_str(&stdout).expect("JSON");
    // One number is clipped to the largest one. The row is too long even then, so all its numbers
    // are scaled down.
    assert_eq!(predicted["predictions"][0]["clipped"], 4);
    assert!(
        stderr.contains("outside the model's range; 4 values were clipped"),
        "{stderr}"
    );
    workspace.put("rows.txt", "1,2,3,9\n1e50,1,1,1\n1e50,1,1,-1e50\n");
    let (_, stdout, stderr) =
        workspace.outcome(&["predict", "--file", "rows.txt", "--skip", "1", "--json"]);
    assert!(
        stderr.contains("2 of 2 inputs have values outside"),
        "{stderr}"
    );
    let predicted: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(predicted["misfits"]["clipped_values"], 8);
    assert_eq!(predicted["partial"], false);
}

#[test]
fn contribute_pays_for_nothing_that_the_model_does_not_know() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    let before = nonce(&workspace, 5);
    for text in ["xyzzy plugh", ""] {
        let (status, stdout, stderr) = workspace.outcome(&["predict", "--text", text, "--json"]);
        assert_eq!(status, Some(0), "{stderr}");
        let predicted: Value = serde_json::from_str(&stdout).expect("JSON");
        assert_eq!(predicted["predictions"][0]["known"], 0);
        assert!(
            stderr.contains("the model knows none of the input's words")
                && stderr.contains("prior"),
            "{stderr}"
        );
        let contribute = [
            "contribute",
            "--text",
            text,
            "--label",
            "positive",
            "--dev",
            "5",
        ];
        let told = workspace.mistake(&contribute);
        assert!(
            told.contains("nothing was sent") && told.contains("--allow-unknown"),
            "{told}"
        );
    }
    for raw in [["--features", ""], ["--sample", "0x"]] {
        let contribute = [&["contribute"], &raw[..], &["--label", "1", "--dev", "5"]].concat();
        let told = workspace.mistake(&contribute);
        assert!(told.contains("--allow-unknown"), "{told}");
    }
    assert_eq!(nonce(&workspace, 5), before);

    workspace.put(
        "mail.csv",
        "class,body\npositive,a good film\nnegative,xyzzy\npositive,plugh\nnegative,a bad film\n",
    );
    let mail = [
        "contribute",
        "--data",
        "mail.csv",
        "--label-column",
        "class",
        "--text-column",
        "body",
        "--dev",
        "5",
        "--json",
    ];
    let (status, stdout, stderr) = workspace.outcome(&mail);
    assert_eq!(status, Some(0), "{stderr}");
    let some: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (&some["contributions"], &some["left_out"]["unknown"]),
        (&json!(2), &json!(2))
    );
    assert!(
        stderr.contains("none of the words of 2 of 4 inputs: they are left out"),
        "{stderr}"
    );
    let all: Value = workspace.json(&[&mail[..], &["--allow-unknown"]].concat());
    assert_eq!(all["contributions"], 2);
    assert_eq!(all["left_out"]["contributed_before"], 2);
}

// ---------------------------------------------------------------- Contributions by a relayer

/// The relayer that [`FewWords`] names.
const RELAYER: &str = "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720";

/// A minimal coordinator, independent of the real one. It takes `takes` batches and refuses later
/// ones.
struct FewWords {
    url: String,
    /// Bodies of the submitted batches.
    submitted: Arc<Mutex<Vec<Value>>>,
}

const BATCH: &str = "0x95cf000000000000000000000000000000000000000000000000000000000001";

impl FewWords {
    fn new(balance: &'static str, takes: usize) -> Self {
        Self::losing(balance, takes, false)
    }

    /// Creates a coordinator; if `loses`, its answers are lost, but it knows every id in a request.
    fn losing(balance: &'static str, takes: usize, loses: bool) -> Self {
        Self::with(balance, "0", takes, loses)
    }

    /// Creates a coordinator with pending batches that may cost `committed` wei.
    fn with(balance: &'static str, committed: &'static str, takes: usize, loses: bool) -> Self {
        Self::answering(balance, committed, 0, takes, loses)
    }

    /// Creates a coordinator that takes no batch, and reports each nonce as taken.
    fn taking_none() -> Self {
        Self::answering("600000000000000000", "0", 0, 0, false)
    }

    /// Creates a coordinator that takes every batch, and reports `next_nonce` as the next nonce.
    fn at_nonce(next_nonce: u64) -> Self {
        Self::answering("600000000000000000", "0", next_nonce, usize::MAX, false)
    }

    fn answering(
        balance: &'static str,
        committed: &'static str,
        next_nonce: u64,
        takes: usize,
        loses: bool,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let submitted: Arc<Mutex<Vec<Value>>> = Arc::default();
        let list = submitted.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a client");
                let (line, body) = request(&mut stream);
                let submission = json!({
                    "id": BATCH, "trainer": RELAYER, "author": RELAYER, "nonce": 0, "relayer": null,
                    "maxDeposit": null, "fee": null, "deadline": null, "items": null, "contributions": 50,
                    "received": 1, "status": "waiting", "transaction": null, "block": null, "position": null,
                    "reason": null,
                });
                let (status, answer) = if line.contains("/accounts/") {
                    let account = json!({
                        "address": RELAYER, "balance": balance, "committed": committed, "good": 0,
                        "nextNonce": next_nonce,
                    });
                    ("200 OK", account)
                } else if line.starts_with("POST") {
                    let mut bodies = list.lock().expect("a list");
                    bodies.push(serde_json::from_str(&body).expect("JSON"));
                    if takes == 0 {
                        let problem = json!({"title": "No", "nextNonce": bodies.len()});
                        ("409 Conflict", problem)
                    } else if bodies.len() <= takes && loses {
                        // It takes the batch, but the answer is lost.
                        (
                            "504 Gateway Timeout",
                            json!({"title": "The request took too long"}),
                        )
                    } else if bodies.len() <= takes {
                        ("202 Accepted", submission)
                    } else {
                        let problem = json!({"title": "No", "detail": "no more of this"});
                        ("422 Unprocessable Entity", problem)
                    }
                } else if line.contains("/models/") {
                    ("200 OK", model())
                } else {
                    assert!(loses || line.contains(BATCH), "{line}");
                    ("200 OK", submission)
                };
                let answer = answer.to_string();
                let length = answer.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n{answer}"
                );
            }
        });
        Self { url, submitted }
    }
}

/// Returns the model of a coordinator that relays.
fn model() -> Value {
    json!({
        "chainId": 31337, "trainer": RELAYER, "classifier": RELAYER, "owner": RELAYER, "verified": true,
        "name": null, "description": null, "classNames": [], "encodes": false, "learner": "sparse-perceptron",
        "encoding": "sparse", "classes": 2, "features": 1000, "bounds": null, "incentive": {"kind": "points"},
        "waits": {"refund": 1, "ownerClaim": 2, "anyAddressClaim": 3, "reportNotice": 0}, "fromBlock": 1,
        "block": 2, "blockHash": BATCH, "contributions": 0, "good": 0, "lastContributionTime": 1, "price": "0",
        "held": "0", "accuracy": null, "relayer": RELAYER, "relayFee": "0", "keeper": null,
    })
}

/// Returns the first line of a request, and its body.
fn request(stream: &mut TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut some = [0; 4_096];
    loop {
        let read = stream.read(&mut some).expect("a request");
        bytes.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) || read == 0 {
                let line = head.lines().next().unwrap_or_default();
                return (line.to_owned(), body.to_owned());
            }
        }
    }
}

#[test]
fn contribute_with_relay_names_the_batches_that_are_handed_over() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    workspace.success(&["deposit", "0.6ether", "--dev", "3"]);
    let contribute = |coordinator: &FewWords, limit: &str| {
        workspace.outcome(&[
            "contribute",
            "--data",
            "movie-reviews",
            "--limit",
            limit,
            "--allow-unknown",
            "--dev",
            "3",
            "--relay",
            &coordinator.url,
            "--json",
        ])
    };
    // The author has not prepaid enough for all samples, so none is submitted.
    let coordinator = FewWords::new("600000000000000000", 9);
    let (status, stdout, stderr) = contribute(&coordinator, "120");
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
    assert!(
        stderr.contains("0x90F79bf6EB2c4f870365E785982E1f101E93b906 has 0.6 ether prepaid")
            && stderr.contains("this may cost 0.864 ether: 0.264 ether is missing")
            && stderr.contains("cotrain deposit 264000000000000000"),
        "{stderr}"
    );
    assert_eq!(coordinator.submitted.lock().expect("a list").len(), 0);

    let coordinator = FewWords::new("600000000000000000", 1);
    let (status, stdout, stderr) = contribute(&coordinator, "80");
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("sign 80 samples for a relayer"), "{stderr}");
    let part: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(part["partial"], true);
    assert_eq!(part["submissions"][0]["id"], BATCH);
    assert_eq!((&part["done"], &part["of"]), (&json!(50), &json!(80)));
    assert_eq!(
        part["go_on"],
        "go on with the same and --skip 50 --limit 30"
    );
    assert!(
        part["error"]
            .as_str()
            .expect("words")
            .contains("no more of this")
    );
    assert!(
        stderr.contains("50 of 80 samples are submitted, 30 are not"),
        "{stderr}"
    );
    {
        let submitted = coordinator.submitted.lock().expect("a list");
        assert_eq!(submitted.len(), 2);
        assert!(
            submitted.iter().all(|body| body["relayer"] == RELAYER),
            "{submitted:?}"
        );
    }

    // If an answer is lost, its batch is not.
    let coordinator = FewWords::losing("600000000000000000", 9, true);
    let (status, stdout, stderr) = contribute(&coordinator, "80");
    assert_eq!(status, Some(0), "{stderr}");
    let all: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(all["submissions"].as_array().map(Vec::len), Some(2));
    assert_eq!(all["partial"], false);
    assert_eq!(coordinator.submitted.lock().expect("a list").len(), 2);

    // The text output names the command that asks about the batch, and that command works.
    let coordinator = FewWords::new("600000000000000000", 1);
    let signed = workspace.success(&[
        "contribute",
        "--text",
        "a good film",
        "--label",
        "positive",
        "--dev",
        "3",
        "--relay",
        &coordinator.url,
    ]);
    let command = format!("cotrain submission {BATCH} --relay {}", coordinator.url);
    assert!(signed.contains(&command), "{signed}");
    let asked: Value =
        workspace.json(&["submission", BATCH, "--relay", &coordinator.url, "--json"]);
    assert_eq!(asked["status"], "waiting");
    let told = workspace.mistake(&["submission", "0x95cf", "--relay", &coordinator.url]);
    assert!(told.contains("expected the id of a signed batch"), "{told}");

    // A dry run signs nothing.
    let coordinator = FewWords::new("600000000000000000", 1);
    let dry: Value = workspace.json(&[
        "contribute",
        "--text",
        "a good film",
        "--label",
        "positive",
        "--dev",
        "3",
        "--relay",
        &coordinator.url,
        "--dry-run",
        "--json",
    ]);
    assert_eq!(dry["value"]["at_most"], "7200000000000000");
    assert_eq!(coordinator.submitted.lock().expect("a list").len(), 0);
}

/// Checks a far nonce, because its use would use up all nonces far below it.
#[test]
fn contribute_signs_no_nonce_far_above_the_chains() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    workspace.success(&["deposit", "0.6ether", "--dev", "3"]);
    let contribute = |coordinator: &FewWords| {
        workspace.outcome(&[
            "contribute",
            "--text",
            "a good film",
            "--label",
            "positive",
            "--dev",
            "3",
            "--relay",
            &coordinator.url,
        ])
    };
    for nonce in [4_096, (1 << 48) - 1, 1 << 48, u64::MAX] {
        let coordinator = FewWords::at_nonce(nonce);
        let (status, _, stderr) = contribute(&coordinator);
        assert_eq!(status, Some(1), "{stderr}");
        let told = format!("the coordinator wants the nonce {nonce}, and the chain has not used");
        assert!(stderr.contains(&told), "{stderr}");
        assert!(coordinator.submitted.lock().expect("a list").is_empty());
    }
    let coordinator = FewWords::at_nonce(4_095);
    let (status, _, stderr) = contribute(&coordinator);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(coordinator.submitted.lock().expect("a list").len(), 1);
}

/// Checks the budget of signatures, because a coordinator may relay what it has refused.
#[test]
fn contribute_holds_signatures_to_the_maximum_total() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    workspace.success(&["deposit", "0.6ether", "--dev", "3"]);
    let contribute = |coordinator: &FewWords, more: &[&str]| {
        let sign = ["contribute", "--text", "a good film", "--label", "positive"];
        let relay = [
            "--max-deposit",
            "0.01ether",
            "--dev",
            "3",
            "--relay",
            &coordinator.url,
        ];
        workspace.outcome(&[&sign[..], &relay, more].concat())
    };
    for (total, signatures) in [("0.01ether", 1), ("0.029ether", 2), ("0.03ether", 3)] {
        let coordinator = FewWords::taking_none();
        let (status, _, stderr) = contribute(&coordinator, &["--max-total", total]);
        assert_eq!(status, Some(1), "{stderr}");
        assert!(
            stderr.contains("nothing more was signed: the signatures"),
            "{stderr}"
        );
        assert_eq!(
            coordinator.submitted.lock().expect("a list").len(),
            signatures
        );
    }
    let coordinator = FewWords::taking_none();
    assert_ne!(contribute(&coordinator, &[]).0, Some(0));
    assert_eq!(coordinator.submitted.lock().expect("a list").len(), 4);
}

#[test]
fn contribute_does_not_sign_again_what_waits_with_a_coordinator() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    workspace.success(&["deposit", "0.6ether", "--dev", "3"]);
    let coordinator = FewWords::with("600000000000000000", "7", 9, false);
    let relayed = ["--dev", "3", "--relay", &coordinator.url];
    let data = [
        "contribute",
        "--data",
        "movie-reviews",
        "--limit",
        "5",
        "--allow-unknown",
    ];
    let submitted = || coordinator.submitted.lock().expect("a list").len();
    let told = workspace.mistake(&[&data[..], &relayed].concat());
    assert!(
        told.contains(&format!(
            "nothing was signed: signed batches of {} that may cost 7 wei are pending with {}, and may have these examples",
            Key::development(3).address(),
            coordinator.url
        )) && told.contains("say --again"),
        "{told}"
    );
    assert_eq!(submitted(), 0);
    // Continuing with --skip is allowed, and --again signs the samples twice.
    workspace.success(&[&data[..], &relayed, &["--skip", "5"]].concat());
    assert_eq!(submitted(), 1);
    workspace.success(&[&data[..], &relayed, &["--again"]].concat());
    assert_eq!(submitted(), 2);
    let single = ["contribute", "--text", "a good film", "--label", "positive"];
    workspace.success(&[&single[..], &relayed].concat());
    assert_eq!(submitted(), 3);
}

// ---------------------------------------------------------------- Deployments

#[test]
fn deploy_pays_for_no_code_that_the_chain_has() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let first: Value = workspace.json(&DEPLOY);
    assert_eq!(first["reused"], json!([]));
    let mut second = DEPLOY.to_vec();
    second[4] = "more";
    let mut dry = second.clone();
    dry.push("--dry-run");
    let bill: Value = workspace.json(&dry);
    let note = bill["notes"][0][1].as_str().expect("words");
    assert!(
        note.starts_with(
            "the chain has the code of factory, trainer, classifier already, which saves about"
        ),
        "{note}"
    );
    let second: Value = workspace.json(&second);
    assert_eq!(
        second["reused"],
        json!(["factory", "trainer", "classifier"])
    );
    assert_eq!(second["transactions"], 4);
    for same in [
        "factory",
        "trainer_implementation",
        "classifier_implementation",
        "registry",
    ] {
        assert_eq!(second[same], first[same], "{same}");
    }
    assert_ne!(second["trainer"], first["trainer"]);
    // The estimate differs little from the gas that was used.
    let (gas, told) = (second["gas"].as_u64(), bill["gas"].as_u64());
    let (gas, told) = (gas.expect("gas"), told.expect("gas"));
    assert!(gas.abs_diff(told) < told / 20, "{gas} used, {told} told");
    assert!(first["gas"].as_u64() > Some(2 * gas), "{first}");

    // Another learner reuses the parts that it shares.
    let mut third = DEPLOY.to_vec();
    third[4] = "third";
    third.extend(["--learner", "sparse-perceptron"]);
    let third: Value = workspace.json(&third);
    assert_eq!(third["reused"], json!(["factory", "trainer"]));
    assert_eq!(third["transactions"], 5);
}

#[test]
fn deploy_sends_codes_of_its_own_to_a_chain_without_the_deployer() {
    let workspace = Workspace::new(&AnvilConfig {
        arguments: vec!["--disable-default-create2-deployer".to_owned()],
        ..AnvilConfig::default()
    });
    let first: Value = workspace.json(&DEPLOY);
    assert_eq!(
        (&first["reused"], &first["transactions"]),
        (&json!([]), &json!(8))
    );
    // The deployment uses the named contracts.
    let mut second = DEPLOY.to_vec();
    second[4] = "more";
    let codes = [
        "factory",
        "trainer_implementation",
        "classifier_implementation",
    ];
    let [factory, trainer, classifier] =
        codes.map(|name| first[name].as_str().expect("an address"));
    second.extend([
        "--factory",
        factory,
        "--trainer-code",
        trainer,
        "--classifier-code",
        classifier,
    ]);
    let second: Value = workspace.json(&second);
    assert_eq!(second["transactions"], 4);
    assert_eq!(second["factory"], first["factory"]);
}

#[test]
fn deploy_names_the_steps_that_are_done_after_an_error() {
    let workspace = Workspace::new(&AnvilConfig::default());
    // The money suffices for the first contracts only.
    let account = Key::development(6).address();
    ask(
        &workspace,
        "anvil_setBalance",
        &json!([account, "0x1550f7dca70000"]),
    );
    let mut deploy = DEPLOY.to_vec();
    deploy[2] = "6";
    let dry = |deploy: &[&str]| -> u128 {
        let limited = ["--dry-run", "--max-total", "1ether"];
        let bill: Value = workspace.json(&[deploy, &limited].concat());
        let total = bill["total"]["at_most"].as_str().expect("wei");
        total.parse().expect("wei")
    };
    let whole = dry(&deploy);
    let (status, stdout, stderr) = workspace.outcome(&deploy);
    assert_eq!(status, Some(2), "{stdout}{stderr}");
    let part: Value = serde_json::from_str(&stdout).expect("JSON");
    let done = part["done"].as_u64().expect("a number");
    assert!((1..8).contains(&done), "{part}");
    assert_eq!((&part["partial"], &part["of"]), (&json!(true), &json!(8)));
    assert_eq!(
        part["steps"].as_array().map(Vec::len),
        usize::try_from(done).ok()
    );
    assert!(
        part["go_on"]
            .as_str()
            .expect("words")
            .starts_with("run the same again")
    );
    assert!(stderr.contains("cannot do the step"), "{stderr}");
    // The bill and `--max-total` count only the remaining steps.
    let left = dry(&deploy);
    assert!(left < whole, "{left} of {whole} are left");
    let told =
        workspace.mistake(&[&deploy[..], &["--max-total", &(left / 2).to_string()]].concat());
    assert!(told.contains("which is more than --max-total"), "{told}");
    let max = left.midpoint(whole).to_string();
    deploy.extend(["--max-total", &max]);
    ask(
        &workspace,
        "anvil_setBalance",
        &json!([account, "0x8ac7230489e80000"]),
    );
    let whole: Value = workspace.json(&deploy);
    assert_eq!(whole["transactions"], 8);
    assert_eq!(nonce(&workspace, 6), 8, "nothing was done twice");
}

#[test]
fn deploy_bills_what_is_left_and_pays_nothing_if_all_is_done() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let folder = tempfile::tempdir().expect("a folder");
    let directory = folder.path().join("journal");
    let directory = directory.to_str().expect("UTF-8");
    let deploy = [&DEPLOY[..], &["--journal", directory]].concat();
    let little = [&deploy[..], &["--max-total", "1"]].concat();
    let first: Value = workspace.json(&deploy);
    let before = nonce(&workspace, 0);
    let file = folder.path().join("journal/deploy.json");
    let edit = |change: &dyn Fn(&mut Value)| {
        let text = fs::read(&file).expect("a journal");
        let mut journal: Value = serde_json::from_slice(&text).expect("JSON");
        change(&mut journal);
        fs::write(&file, journal.to_string()).expect("written");
    };

    let again: Value = workspace.json(&little);
    assert_eq!(again["trainer"], first["trainer"]);

    // The deployment is done although the journal does not say so: there is nothing left to pay.
    edit(&|journal| journal["deployed"] = Value::Null);
    let (status, stdout, told) = workspace.outcome(&little);
    assert_eq!(status, Some(0), "{told}");
    assert!(
        told.contains("a deployment that was begun goes on: 8 transactions of it, done before, cost nothing again"),
        "{told}"
    );
    let again: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(again["trainer"], first["trainer"]);

    // The node behaves as if it had forgotten old transactions.
    edit(&|journal| {
        for (_, step) in journal["steps"].as_object_mut().expect("steps") {
            step["signed"][0]["hash"] = json!(format!("0x{}", "1".repeat(64)));
        }
    });
    let (status, _, told) = workspace.outcome(&deploy);
    assert_eq!(status, Some(1), "{told}");
    assert!(
        told.contains("the step `registry` was done before")
            && told.contains("use a node that keeps receipts"),
        "{told}"
    );
    assert_eq!(nonce(&workspace, 0), before);
}

// ---------------------------------------------------------------- Addresses and accounts

#[test]
fn parse_address_refuses_a_wrong_digit_and_zero_in_all_commands() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let deployed: Value = workspace.json(&DEPLOY);
    let before = nonce(&workspace, 1);
    // The right address ends with C8.
    let wrong = "0x70997970C51812dc3A010C7d01b50e0d17dc79c8";
    let zero = "0x0000000000000000000000000000000000000000";
    for address in [wrong, zero] {
        for command in [
            vec!["deposit", "1", "--for", address, "--dev", "1"],
            vec!["withdraw", "1", "--to", address, "--dev", "1"],
            vec!["status", "--account", address],
            vec!["models", "--registry", address],
            vec!["predict", "--text", "good", "--model", address],
            vec!["deploy", "--factory", address, "--dev", "1", "--yes"],
            vec!["deploy", "--trainer-code", address, "--dev", "1", "--yes"],
            vec![
                "deploy",
                "--classifier-code",
                address,
                "--dev",
                "1",
                "--yes",
            ],
        ] {
            let told = workspace.mistake(&command);
            let reason = if address == zero {
                "belongs to nobody"
            } else {
                "checksum"
            };
            assert!(told.contains(reason), "{command:?}: {told}");
        }
    }
    assert_eq!(nonce(&workspace, 1), before);
    // An address without a checksum has none to check.
    let lower = deployed["trainer"]
        .as_str()
        .expect("an address")
        .to_lowercase();
    workspace.success(&["predict", "--text", "a good film", "--model", &lower]);
}

#[test]
fn too_poor_names_the_account_its_money_and_what_is_needed() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&DEPLOY);
    let run = |arguments: &[&str]| {
        let output = workspace
            .command(arguments)
            .env("COTRAIN_KEY", SECRET)
            .output();
        let output = output.expect("it starts");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let account = own_account();
    let poor = format!("the account {account} has 0 ether on chain 31337, and this needs ");
    let told = run(&["deposit", "1ether"]);
    assert!(
        told.contains(&format!("{poor}1 ether, and gas besides")),
        "{told}"
    );
    let told = run(&["contribute", "--text", "a good film", "--label", "positive"]);
    assert!(told.contains(&poor), "{told}");
}
