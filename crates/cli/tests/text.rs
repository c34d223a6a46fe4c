//! Texts, keys and files of strangers, and what the program says of them: against anvil.

mod common;

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, Bytes, U256};
use common::{Workspace, block_on, program};
use cotrain_bindings as bindings;
use cotrain_chain::{
    anvil::AnvilConfig,
    keys::{Key, Unsigned},
    node::{Node, NodeOptions},
};
use cotrain_protocol::{record::Record, sample::parse_batch};
use flate2::{Compression, write::ZlibEncoder};
use serde_json::{Value, json};

const EVIL: &str = "evil\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}";

fn node(workspace: &Workspace) -> Node {
    block_on(Node::connect(workspace.rpc(), NodeOptions::default())).expect("a node")
}

/// Sends a transaction of account 0, and waits until it is part of the chain.
fn send(node: &Node, to: Address, data: Vec<u8>) {
    let key = Key::development(0);
    block_on(async {
        let unsigned = Unsigned {
            chain_id: node.chain_id(),
            nonce: node.nonce(key.address()).await.expect("a nonce"),
            to: Some(to),
            value: U256::ZERO,
            data: data.into(),
            gas_limit: 10_000_000,
            max_fee: 10_000_000_000,
            priority_fee: 1,
        };
        let signed = key.sign_transaction(&unsigned);
        node.broadcast(&signed.raw).await.expect("taken");
        let start = Instant::now();
        loop {
            if let Some(receipt) = node.receipt(signed.hash).await.expect("an answer") {
                assert!(receipt.success);
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "never included");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

/// Runs the program; returns its status, stdout and stderr, without anything that a terminal obeys.
fn run(workspace: &Workspace, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = workspace.command(arguments).output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let json = arguments.contains(&"--json");
    for (stream, text) in [("stdout", &stdout), ("stderr", &stderr)] {
        let obeyed = |letter: char| letter.is_control() && letter != '\n';
        assert!(!text.contains(obeyed), "{arguments:?} {stream}: {text:?}");
        // JSON contains the text unescaped.
        if !json || stream == "stderr" {
            assert!(
                !text.contains('\u{202e}'),
                "{arguments:?} {stream}: {text:?}"
            );
        }
        assert!(!text.lines().any(|line| line == "fake line"), "{text:?}");
    }
    (output.status.code(), stdout, stderr)
}

// ---------------------------------------------------------------- Texts of strangers

/// Deploys a model with a card whose texts all contain codes for terminals. Returns the name of its
/// second class.
fn with_hostile_card(workspace: &Workspace) -> String {
    let deployed: Value = workspace.json(&[
        "deploy",
        "--dev",
        "0",
        "--yes",
        "--name",
        "films",
        "--features",
        "300",
        "--refund-wait",
        "1s",
        "--json",
    ]);
    let address = |name: &str| -> Address {
        let text = deployed[name].as_str().expect("an address");
        text.parse().expect("an address")
    };
    let (trainer, registry) = (address("trainer"), address("registry"));
    let node = node(workspace);

    // Anyone may write anything into the registry. The program makes samples only if the card fits
    // the contract.
    let words = ["win", "lunch"].map(ToOwned::to_owned).into_iter();
    let words: Vec<String> = words
        .chain((2..300).map(|number| format!("word{number}")))
        .collect();
    let class = format!("sp{EVIL}am\nfake line");
    let card = json!({
        "format": "cotrain-card/1",
        "name": format!("{EVIL}\nfake line"),
        "description": format!("x{EVIL}\nfake line"),
        "classes": ["ham", class],
        "encoder": {"classifier": "naive-bayes", "features": {"words": words}},
        "from_block": deployed["block"],
    });
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
    deflated
        .write_all(card.to_string().as_bytes())
        .expect("written");
    let card = deflated.finish().expect("deflated");
    send(&node, registry, bindings::register(trainer, &card));
    class
}

#[test]
fn escaped_texts_of_strangers_control_no_terminal() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let class = with_hostile_card(&workspace);
    let (status, stdout, _) = run(&workspace, &["models"]);
    assert_eq!(status, Some(0));
    assert!(
        stdout.starts_with(r"evil\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\nfake line"),
        "{stdout}"
    );
    assert!(
        stdout.contains(r"classes        ham, spevil\u{1b}]0;"),
        "{stdout}"
    );
    let (_, stdout, _) = run(&workspace, &["models", "--json"]);
    let listed: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(listed[0]["classes"][1], class, "programs get what is there");

    let (status, _, told) = run(&workspace, &["predict", "--model", "nosuch", "--text", "x"]);
    assert_eq!(status, Some(2));
    assert!(told.contains(r"it has evil\u{1b}"), "{told}");
    // The model predicts the class with the hostile name for one of the two texts.
    let said: Vec<String> = ["win", "lunch"]
        .map(|text| run(&workspace, &["predict", "--text", text]).1)
        .into();
    let shown = said.iter().any(|text| text.starts_with(r"spevil\u{1b}"));
    let number = ["0", "1", "2", "0,1"]
        .map(|features| run(&workspace, &["predict", "--features", features]).1);
    assert!(
        shown || number.iter().any(|text| text.starts_with(r"spevil\u{1b}")),
        "{said:?} {number:?}"
    );
    let (_, stdout, _) = run(&workspace, &["predict", "--text", "win", "--json"]);
    serde_json::from_str::<Value>(&stdout).expect("JSON");

    workspace.put(
        "esc.csv",
        "class,body\nsp\u{1b}[31mam,win money\nham,see you\n",
    );
    let columns = ["--label-column", "class", "--text-column", "body"];
    for command in ["evaluate", "contribute"] {
        let mut arguments = vec![command, "--data", "esc.csv"];
        arguments.extend(columns);
        if command == "contribute" {
            arguments.extend(["--dev", "1"]);
        }
        let (status, _, told) = run(&workspace, &arguments);
        assert_eq!(status, Some(2), "{told}");
        assert!(told.contains(r"the class `sp\u{1b}[31mam`"), "{told}");
        assert!(
            told.contains(r"but the model has ham, spevil\u{1b}"),
            "{told}"
        );
    }
    let (status, _, told) = run(
        &workspace,
        &["contribute", "--text", "win", "--label", EVIL, "--dev", "1"],
    );
    assert_eq!(status, Some(2));
    assert!(
        told.contains(r"the model has no class `evil\u{1b}"),
        "{told}"
    );
    let (status, _, told) = run(&workspace, &["contribute", "--text", "win", "--dev", "1"]);
    assert_eq!(status, Some(2));
    assert!(
        told.contains(r"the model's are ham, spevil\u{1b}"),
        "{told}"
    );
    contribute_and_look(&workspace);
}

/// Contributes to the model with the hostile card, and runs every command that shows classes.
fn contribute_and_look(workspace: &Workspace) {
    for label in ["0", "1"] {
        let contributed = run(
            workspace,
            &[
                "contribute",
                "--text",
                "win",
                "--label",
                label,
                "--dev",
                "1",
            ],
        );
        assert_eq!(contributed.0, Some(0), "{}", contributed.2);
    }
    let (status, stdout, told) = run(workspace, &["status", "--dev", "1"]);
    assert_eq!(status, Some(0), "{told}");
    assert!(stdout.contains(r"(spevil\u{1b}"), "{stdout}");
    for arguments in [
        &["status", "--dev", "1", "--json"][..],
        &["watch", "--all", "--once"],
        &["watch", "--all", "--once", "--json"],
        &["refund", "--dev", "1"],
        &["report", "--dev", "2"],
        &["models", "--verbose"],
        &["evaluate", "--verbose", "--limit", "5"],
    ] {
        run(workspace, arguments);
    }
}

#[test]
fn watch_shows_a_skipped_claim_with_the_names_of_classes() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let deploy = ["deploy", "--dev", "0", "--yes", "--name", "films"];
    let more = ["--features", "300", "--refund-wait", "1s", "--json"];
    let deployed: Value = workspace.json(&[&deploy[..], &more].concat());
    // The two contributions have opposite labels, so the model cannot agree with both.
    for label in ["positive", "negative"] {
        let text = ["--text", "a warm and funny film", "--label", label];
        workspace.success(&[&["contribute"], &text[..], &["--dev", "2"]].concat());
    }
    let events = workspace.success(&["watch", "--all", "--once", "--json"]);
    let events = events.lines().map(|line| {
        let event: Value = serde_json::from_str(line).expect("JSON");
        event
    });
    let claims: Vec<_> = events
        .filter(|event| event["kind"] == "contributed")
        .map(|event| {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            let (detail, batch) = (&event["detail"], event["position"].as_u64());
            let items: Bytes = text(&detail["items"]).parse().expect("bytes");
            let added = parse_batch(&items).expect("a batch");
            let author: Address = text(&event["account"]).parse().expect("an address");
            let deposit = text(&detail["deposit"]).parse().expect("wei");
            let (batch, time) = (batch.expect("a position"), detail["time"].as_u64());
            let record = Record::new(batch, deposit, time.expect("a time"), &[(author, added)]);
            record.claims(&[batch])
        })
        .collect();
    assert_eq!(claims.len(), 2);
    thread::sleep(Duration::from_secs(2));
    let trainer = deployed["trainer"].as_str().expect("an address");
    let trainer = trainer.parse().expect("an address");
    // Anyone may push refunds; the contract skips one of the two.
    send(&node(&workspace), trainer, bindings::refund(&claims));
    let events = workspace.success(&["watch", "--all", "--once"]);
    let mut skipped = events
        .lines()
        .filter(|line| line.contains("  claim-skipped  "));
    let told = skipped.next().expect("a claim that was skipped");
    let names = [("positive", "negative"), ("negative", "positive")];
    assert!(
        names.iter().any(|(predicted, label)| told.ends_with(&format!(
            "{{\"reason\":\"the model predicts {predicted}, not {label}; a refund needs it to agree\"}}"
        ))),
        "{told}"
    );
    assert_eq!(skipped.next(), None);
}

// ---------------------------------------------------------------- Names and secrets

#[test]
fn deploy_refuses_names_with_invisible_letters() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.put(
        "esc.csv",
        "class,body\nsp\u{1b}[31mam,win money\nham,see you\nsp\u{1b}[31mam,win prize\nham,lunch at noon\n",
    );
    workspace.put("column.csv", "a\u{202e},label\n1,x\n2,y\n3,x\n4,y\n");
    for (arguments, wanted) in [
        (&["--name", EVIL][..], r"--name is `evil\u{1b}]0;pwned\u{7}"),
        (&["--name", ""], "--name is empty"),
        (
            &["--description", "x\u{1b}[31m\nfoo"],
            r"--description is `x\u{1b}[31m\nfoo`: character 2 is U+001B",
        ),
        (
            &[
                "--data",
                "esc.csv",
                "--label-column",
                "class",
                "--text-column",
                "body",
            ],
            r"the name of a class is `sp\u{1b}[31mam`: character 3 is U+001B",
        ),
        (
            &["--data", "column.csv"],
            r"the name of a column is `a\u{202e}`: character 2 is U+202E",
        ),
    ] {
        let arguments = [
            &["deploy", "--dev", "0", "--yes", "--journal", "j"],
            arguments,
        ]
        .concat();
        let (status, _, told) = run(&workspace, &arguments);
        assert_eq!(status, Some(2), "{told}");
        assert!(told.contains(wanted), "{told}");
    }
    let nonce = block_on(node(&workspace).nonce(Key::development(0).address()));
    assert_eq!(nonce.expect("a nonce"), 0, "nothing was sent");
}

#[test]
fn key_refuses_empty_and_known_secrets() {
    let workspace = Workspace::new(&AnvilConfig {
        chain_id: 7_000,
        ..AnvilConfig::default()
    });
    workspace.put("empty.txt", "");
    let told = workspace.mistake(&[
        "key",
        "new",
        "--out",
        "keys",
        "--password-file",
        "empty.txt",
    ]);
    assert!(
        told.contains("the password from empty.txt is empty"),
        "{told}"
    );
    let with_key = |key: &str, arguments: &[&str]| {
        let mut command = workspace.command(arguments);
        let output = command.env("COTRAIN_KEY", key).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    for empty in ["", " "] {
        let told = with_key(empty, &["key", "address"]);
        assert!(told.contains("the variable COTRAIN_KEY is empty"), "{told}");
    }
    let told = with_key(&format!("{:064x}", 5), &["key", "address"]);
    assert!(told.contains("the secret is a small number"), "{told}");
    let known = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    let told = with_key(known, &["deploy", "--yes"]);
    assert!(
        told.contains("one of anvil's and hardhat's accounts, which everybody knows"),
        "{told}"
    );
    assert!(!told.contains(known), "{told}");

    // The program warns of files that other accounts of the machine can read.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        workspace.put("secret.txt", "correct horse\n");
        let folder = workspace
            .command(&[])
            .get_current_dir()
            .map(std::path::Path::to_owned);
        let path = folder.expect("a folder").join("secret.txt");
        let new = [
            "key",
            "new",
            "--out",
            "keys",
            "--password-file",
            "secret.txt",
        ];
        for (mode, warned) in [(0o644, true), (0o600, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).expect("set");
            let output = workspace.command(&new).output().expect("it starts");
            assert!(output.status.success());
            let told = String::from_utf8(output.stderr).expect("UTF-8");
            let said =
                "secret.txt can be read by other accounts of this machine (mode 644); chmod 600 it";
            assert_eq!(told.contains(said), warned, "{told}");
        }
    }
}

// ---------------------------------------------------------------- Tables and scenarios

/// Checks that a table of numbers is deployed without the name of a learner.
#[test]
fn deploy_and_predict_take_a_table_of_numbers_without_a_learner() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let rows = |order: [usize; 3]| -> String {
        let names = ["", "a", "b"];
        let mut table = order.map(|column| names[column]).join(",") + ",kind\r\n";
        for row in 0..30 {
            let (value, kind) = if row % 2 == 0 {
                (1, "red")
            } else {
                (9, "blue")
            };
            let fields = [
                row.to_string(),
                (value + row % 3).to_string(),
                (10 - value).to_string(),
            ];
            table += &(order.map(|column| fields[column].clone()).join(",") + "," + kind + "\r\n");
        }
        table
    };
    workspace.put("t.csv", &rows([0, 1, 2]));
    let output = workspace
        .command(&[
            "deploy",
            "--data",
            "t.csv",
            "--label-column",
            "kind",
            "--dev",
            "0",
            "--yes",
        ])
        .output()
        .expect("it starts");
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{told}");
    assert!(told.contains("model: dense nearest centroid"), "{told}");
    assert!(
        told.contains(
            "warning: the column `` seems to number the rows, and the model learns from it"
        ),
        "{told}"
    );

    // A prediction of the training file finds the columns by their names.
    let predict = |file: &'static str| {
        workspace.success(&["predict", "--file", file, "--label-column", "kind"])
    };
    let straight = predict("t.csv");
    assert_eq!(straight.lines().count(), 30);
    workspace.put("re.csv", &format!("\u{feff}{}", rows([2, 0, 1])));
    assert_eq!(predict("re.csv"), straight);
    let without = rows([0, 1, 2]).replace(",a,", ",x,");
    workspace.put("without.csv", &without);
    let told = workspace.mistake(&["predict", "--file", "without.csv", "--label-column", "kind"]);
    assert!(
        told.contains("has the columns , x, b, but the model has , a, b: unknown x and missing a"),
        "{told}"
    );

    // Rows without a header, from a file and from stdin; blank lines are skipped.
    let plain = "\u{feff}0,1,9\r\n\r\n1,9,1\r\n";
    workspace.put("rows.csv", plain);
    let two = workspace.success(&["predict", "--file", "rows.csv"]);
    assert_eq!(two.lines().count(), 2);
    let mut child: std::process::Child = workspace
        .command(&["predict", "--file", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(plain.as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), two);
    workspace.put("bad.csv", "0,1,9\n\n\n1,x,1\n");
    let told = workspace.mistake(&["predict", "--file", "bad.csv"]);
    assert!(
        told.contains("line 4 of bad.csv: `x` is no number"),
        "{told}"
    );
}

#[test]
fn simulate_runs_the_scenario_of_a_run_again_from_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let put =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    let rows = (0..80).map(|row| format!("{},{},{}", row % 2, row % 3, ["no", "yes"][row % 2]));
    let rows: Vec<String> = rows.collect();
    put("own.csv", &format!("a,b,kind\n{}\n", rows.join("\n")));
    let scenario = include_str!("../../../scenarios/movie-reviews.toml");
    let (_, rest) = scenario.split_once("[model]").expect("a model");
    let rest = rest.replacen("naive-bayes", "dense-nearest-centroid", 1);
    let rest = rest.replacen("sparse-perceptron", "dense-nearest-centroid", 1);
    let data = "[data]\nsource = \"csv\"\ntrain = \"own.csv\"\nlabel = \"kind\"\ninitial_share = 0.2\n\n[model]";
    put("own.toml", &format!("{data}{rest}"));
    let run = |arguments: &[&str]| {
        let mut command = program(folder.path().to_owned());
        let output = command.args(arguments).output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        json["digest"].clone()
    };
    let first = run(&["simulate", "own.toml", "--out", "o1", "--quiet", "--json"]);
    assert!(first.is_string());
    let again = run(&[
        "simulate",
        "o1/scenario.toml",
        "--out",
        "o2",
        "--quiet",
        "--json",
    ]);
    assert_eq!(first, again);
    // The same directory accepts the same run again, from either file.
    for scenario in ["own.toml", "o1/scenario.toml"] {
        run(&["simulate", scenario, "--out", "o1", "--quiet", "--json"]);
    }
}

// ---------------------------------------------------------------- Unreachable node

#[test]
fn exit_code_is_1_if_the_node_cannot_be_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["simulate", "--backend", "http://127.0.0.1:9"][..],
        &["predict", "--rpc", "http://127.0.0.1:9", "--text", "x"],
        &["models", "--rpc", "http://127.0.0.1:9"],
    ] {
        let mut command: Command = program(folder.path().to_owned());
        let output = command.args(arguments).output().expect("it starts");
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
    }
}
