//! `cotrain label FILE`: an own pool at a coordinator's labeling service.

#[allow(dead_code, reason = "the service has a chain of its own")]
mod common;
#[path = "labeling/till.rs"]
mod till;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, U256};
use common::{block_on, program};
use cotrain_bindings::channels::{collector_code, settlement_runtime_code, token_code};
use cotrain_chain::keys::Key;
use cotrain_payments::x402::batch::Deployment;
use cotrain_test_support::Stage;
use serde_json::{Value, json};

use self::till::{PRICE, TOKEN, Till};

/// Number of rows of the tests' pools.
const ROWS: usize = 150;

/// Coordinator that opens labeling sessions, with a folder to call the program in.
struct Service {
    stage: Stage,
    url: String,
    child: Child,
}

impl Service {
    /// Starts a coordinator whose sessions cost nothing.
    fn start() -> Self {
        Self::on(block_on(Stage::new()), "")
    }

    /// Starts a coordinator with further sections of its configuration.
    fn on(stage: Stage, sections: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let address = address.expect("a free port");
        let config = format!(
            "listen = \"{address}\"\nmodels = [\"{}\"]\nfrom_block = {}\n[node]\nurl = \"{}\"\n\
             [labels]\nenabled = true\n{sections}",
            stage.trainer,
            stage.from_block,
            stage.node.url(),
        );
        fs::write(stage.path("cotrain.toml"), config).expect("written");
        fs::write(stage.path("pool.csv"), table(false)).expect("written");
        fs::write(stage.path("known.csv"), table(true)).expect("written");
        let mut command = program(stage.path(""));
        command.args(["serve", "--config", "cotrain.toml"]);
        let child = command.stderr(Stdio::null()).spawn().expect("it starts");
        let service = Self {
            stage,
            url: format!("http://{address}"),
            child,
        };
        let ready = format!("{}/health/live", service.url);
        wait("coordinator", || {
            block_on(async { reqwest::get(&ready).await.ok().map(drop) })
        });
        service
    }

    fn path(&self, name: &str) -> PathBuf {
        self.stage.path(name)
    }

    /// Returns `cotrain label` with a pool, at a service.
    fn command(&self, pool: &str, url: &str, options: &[&str]) -> Command {
        let mut command = program(self.path(""));
        command.args(["label", pool, "--url", url]).args(options);
        command.stdin(Stdio::null());
        command
    }

    /// Returns status, stdout and stderr of `cotrain label`.
    fn run(&self, pool: &str, options: &[&str]) -> (Option<i32>, String, String) {
        ended(
            self.command(pool, &self.url, options)
                .output()
                .expect("it starts"),
        )
    }

    fn json(&self, pool: &str, options: &[&str]) -> Value {
        let (status, stdout, stderr) = self.run(pool, &[options, &["--json"]].concat());
        assert_eq!(status, Some(0), "{options:?}: {stdout}{stderr}");
        serde_json::from_str(&stdout).expect("JSON")
    }

    /// Returns the answers in a file of labels: each row, its label and who asked.
    fn labels(&self, name: &str) -> Vec<[String; 3]> {
        let text = fs::read_to_string(self.path(name)).expect("labels");
        let lines = text.lines().skip(1).map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            [fields[0], fields[2], fields[3]].map(str::to_owned)
        });
        lines.collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    (output.status.code(), stdout, stderr)
}

fn wait<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(1), "no {what}");
        sleep(Duration::from_millis(30));
    }
}

fn kind(row: usize) -> String {
    format!("kind {}", row % 3)
}

/// Returns a table of three kinds, with or without the column that tells them.
fn table(known: bool) -> String {
    let rows = (0..ROWS).map(|row| {
        let (height, width) = (row % 3 * 10 + row * 7 % 5, row * 13 % 17);
        let kind = if known {
            format!(",{}", kind(row))
        } else {
            String::new()
        };
        format!("{height}.{row},{width}{kind}")
    });
    let header = if known {
        "height,width,kind"
    } else {
        "height,width"
    };
    let lines: Vec<String> = std::iter::once(header.to_owned()).chain(rows).collect();
    lines.join("\n") + "\n"
}

/// Returns the answers for rows as lines of stdin.
fn lines(rows: impl Iterator<Item = usize>) -> String {
    let lines: Vec<String> = rows
        .map(|row| format!("{},{}", row + 1, kind(row)))
        .collect();
    lines.join("\n") + "\n"
}

/// Checks that each row has one label, which is the right one.
fn check(labels: &[[String; 3]]) {
    let mut rows = BTreeMap::new();
    for [row, label, _] in labels {
        let index: usize = row.parse().expect("a row");
        assert_eq!(*label, kind(index - 1), "row {row}");
        assert!(rows.insert(index, label).is_none(), "row {row} twice");
    }
}

#[test]
fn label_asks_a_column_and_saves_labels_model_and_report() {
    let service = Service::start();
    let options = [
        "--answers",
        "kind",
        "--max-labels",
        "60",
        "--out",
        "model.onnx",
        "--stop",
        "iterations=1000",
    ];
    let report = service.json("known.csv", &options);
    assert_eq!(report["labels"], 60, "{report}");
    assert_eq!(report["end"], "60 labels were wanted");
    assert_eq!(report["strategy"], "typiclust-margin");
    // Every fifth question is about a random row; the first batch has no model to guess.
    assert_eq!(report["control"]["guessed"], 11, "{report}");
    assert!(report["accuracy"].as_f64() > Some(0.7), "{report}");
    let [low, high] = [0, 1].map(|end| report["interval"][end].as_f64().expect("a bound"));
    assert!(low < high && high <= 1.0);
    assert!(report["units"]["spent"].as_u64() > Some(100), "{report}");
    assert_eq!(report.get("money"), None);
    let labels = service.labels("known.labels.csv");
    assert_eq!(labels.len(), 60);
    check(&labels);
    let random = labels.iter().filter(|[.., by]| by == "random").count();
    assert_eq!(random, 12);
    let about = fs::read(service.path("model.onnx.json")).expect("a file");
    let about: Value = serde_json::from_slice(&about).expect("JSON");
    assert_eq!(about["classes"][2], "kind 2");
    assert_eq!(about["features"][0]["name"], "height");
    let model = fs::read(service.path("model.onnx")).expect("a model");
    assert!(model.len() > 100);
    // The session is closed, and a later run begins another one with the same labels.
    let options = [
        "--answers",
        "kind",
        "--max-labels",
        "62",
        "--out",
        "model.json",
    ];
    let report = service.json("known.csv", &options);
    assert_eq!(report["labels"], 62);
    check(&service.labels("known.labels.csv"));
    let model = fs::read(service.path("model.json")).expect("a model");
    let model: Value = serde_json::from_slice(&model).expect("JSON");
    assert!(model["model"].is_object(), "{model}");
    // What it would cost is told without an answer.
    let quoted = service.json("known.csv", &["--answers", "kind", "--dry-run"]);
    assert_eq!(quoted["rails"], serde_json::json!(["none"]));
    assert_eq!(quoted["opening"], 10);
    // The pool is held: 150 rows at 60 thousandths.
    assert_eq!(quoted["pool_units"], 9, "{quoted}");
    assert_eq!(service.labels("known.labels.csv").len(), 62);
}

#[test]
fn label_asks_each_row_once_whether_the_pool_is_held_or_sent() {
    // Half of the answers are missing, so their rows are skipped.
    let known = table(true);
    let gaps = known.lines().enumerate().map(|(line, text)| {
        let answer = if line > 0 && line % 2 == 0 {
            text.rsplit_once(',').expect("a kind").0.to_owned() + ","
        } else {
            text.to_owned()
        };
        answer + "\n"
    });
    let gaps: String = gaps.collect();
    let mut spent = Vec::new();
    for limits in ["", "max_pool_rows = 100\n", "max_pool_numbers = 100\n"] {
        let service = Service::on(block_on(Stage::new()), limits);
        fs::write(service.path("gaps.csv"), &gaps).expect("written");
        let options = [
            "--answers",
            "kind",
            "--strategy",
            "typiclust",
            "--batch",
            "7",
        ];
        let report = service.json("gaps.csv", &options);
        assert_eq!(report["end"], "no row is left", "{report}");
        assert_eq!(report["labels"], 75, "{report}");
        assert_eq!(report["skipped"], 75, "{report}");
        let labels = service.labels("gaps.labels.csv");
        let rows: BTreeSet<&String> = labels.iter().map(|[row, ..]| row).collect();
        assert_eq!((labels.len(), rows.len()), (ROWS, ROWS));
        spent.push(report["units"]["spent"].as_u64().expect("units"));
    }
    // Only one of them held the pool, which cost units of its own.
    assert!(spent[1] == spent[2] && spent[0] != spent[1], "{spent:?}");
    // A query of it that also asked for all skipped rows would cost several times as much.
    assert!(spent[0] < 2 * spent[1], "{spent:?}");
}

#[test]
fn label_searches_a_pool_in_parts_if_all_of_it_would_cost_more() {
    let service = Service::start();
    let till = Till::counting(&service.url);
    let of_size = |rows: usize| {
        let rows = (0..rows).map(|row| format!("{row},{},{}\n", row * 7 % 11, kind(row)));
        format!("height,width,kind\n{}", rows.collect::<String>())
    };
    let options = ["--answers", "kind", "--strategy", "margin", "--json"];
    let run = |file: &str, more: &[&str]| -> Value {
        let all = [&options[..], more].concat();
        let mut command = service.command(file, &till.url, &all);
        let (status, stdout, stderr) = ended(command.output().expect("it starts"));
        assert_eq!(status, Some(0), "{stdout}{stderr}");
        serde_json::from_str(&stdout).expect("JSON")
    };
    let mut batches = Vec::new();
    for (file, rows, is_held) in [("most.csv", 5_000, true), ("more.csv", 5_001, false)] {
        fs::write(service.path(file), of_size(rows)).expect("written");
        let quoted = run(file, &["--dry-run"]);
        let expected: u64 = if is_held { 300 } else { 0 };
        assert_eq!(quoted["pool_units"], expected, "{quoted}");
        let [opening, batch] = ["opening", "units_per_batch"].map(|it| quoted[it].as_u64());
        batches.push(batch);
        let before = till.calls().len();
        let report = run(file, &["--max-labels", "5"]);
        let calls = till.calls().split_off(before);
        let sizes = |name: &str| -> Vec<usize> {
            let calls = calls.iter().filter(|(called, _)| called == name);
            calls.map(|&(_, size)| size).collect()
        };
        let (pools, queries) = (sizes("pools"), sizes("queries"));
        assert_eq!(pools.len(), usize::from(is_held), "{calls:?}");
        assert_eq!(queries.len(), 1, "{calls:?}");
        assert_eq!(queries[0] < 120, is_held, "{calls:?}");
        // It cost what was quoted, at most: the first batch has no guesses.
        let quoted = opening
            .zip(batch)
            .map(|(opening, batch)| opening + expected + batch);
        let spent = report["units"]["spent"].as_u64();
        assert!(spent <= quoted && spent > Some(expected + 600), "{report}");
    }
    // A larger pool makes no query dearer.
    assert_eq!(batches[0], batches[1]);
}

#[test]
fn label_takes_labels_of_the_pool_texts_and_rules_that_stop() {
    let service = Service::start();
    // The first rows have labels, and nobody asks about these.
    let known = table(true);
    let labeled = known.lines().enumerate().map(|(index, line)| {
        let fields = line.rsplit_once(',').expect("a label").0;
        match index {
            0 => format!("{fields},label,answer\n"),
            1..=30 => format!("{line},\n"),
            _ => format!("{fields},,{}\n", kind(index - 1)),
        }
    });
    let labeled: String = labeled.collect();
    fs::write(service.path("some.csv"), labeled).expect("written");
    let options = [
        "--answers",
        "answer",
        "--max-labels",
        "45",
        "--strategy",
        "entropy",
    ];
    let report = service.json("some.csv", &options);
    assert_eq!(report["labels"], 45, "{report}");
    // The model knows labels before its first question.
    let guessed = |who: &str| report[who]["guessed"].as_u64().expect("a number");
    assert_eq!(guessed("chosen") + guessed("control"), 15, "{report}");
    let labels = service.labels("some.labels.csv");
    assert!(
        labels
            .iter()
            .all(|[row, ..]| row.parse::<usize>().expect("a row") > 30)
    );
    check(&labels);
    // A rule says to stop, and nobody is there to go on.
    let options = [
        "--answers",
        "kind",
        "--labels",
        "stop.csv",
        "--stop",
        "overall-uncertainty=0.99",
    ];
    let report = service.json("known.csv", &options);
    let end = report["end"].as_str().expect("a reason");
    assert!(
        end.starts_with("a rule said to stop: the mean uncertainty is 0."),
        "{end}"
    );
    // Texts become numbers by word vectors.
    let words = [
        "a warm and funny film",
        "dull and far too long",
        "the score is fine",
    ];
    let texts = (0..60).map(|row| format!("{} {row},{}\n", words[row % 3], kind(row)));
    let texts = format!("text,class\n{}", texts.collect::<String>());
    fs::write(service.path("texts.csv"), texts).expect("written");
    let options = [
        "--text-column",
        "text",
        "--answers",
        "class",
        "--max-labels",
        "20",
    ];
    let report = service.json("texts.csv", &options);
    assert_eq!(report["labels"], 20, "{report}");
    check(&service.labels("texts.labels.csv"));
}

#[test]
fn label_loses_no_label_to_a_kill_and_goes_on() {
    let service = Service::start();
    let options = [
        "--classes",
        "kind 0,kind 1,kind 2",
        "--batch",
        "10",
        "--quiet",
    ];
    let mut command = service.command("pool.csv", &service.url, &options);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    // The program waits for the answer about the last row, which it asks at some time.
    let given = lines(0..ROWS - 1);
    stdin.write_all(given.as_bytes()).expect("written");
    let path = service.path("pool.labels.csv");
    let count = || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        Some(text.lines().count()).filter(|count| *count > 12)
    };
    wait("labels", count);
    child.kill().expect("killed");
    child.wait().expect("gone");
    let before = service.labels("pool.labels.csv").len();
    // A kill in the middle of a line leaves a part of it.
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("a file");
    file.write_all(b"7,abc").expect("written");
    let (status, _, stderr) = service.run("pool.csv", &options[..4]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stderr.contains("the session of the last run goes on"),
        "{stderr}"
    );
    check(&service.labels("pool.labels.csv"));
    assert_eq!(service.labels("pool.labels.csv").len(), before);
    let wanted = (before + 20).min(ROWS);
    let max = wanted.to_string();
    let options = [&options[..4], &["--json", "--max-labels", &max]].concat();
    let mut command = service.command("pool.csv", &service.url, &options);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(lines(0..ROWS).as_bytes()).expect("written");
    drop(stdin);
    let (status, stdout, stderr) = ended(child.wait_with_output().expect("an end"));
    assert_eq!(status, Some(0), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(report["labels"], wanted, "{report}");
    let labels = service.labels("pool.labels.csv");
    assert_eq!(labels.len(), wanted);
    check(&labels);
    // A changed pool has other rows.
    fs::write(service.path("pool.csv"), table(false).replace('.', ".9")).expect("written");
    let (status, _, stderr) = service.run("pool.csv", &options);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(
        stderr.contains("is another one in the pool; name another file with --labels"),
        "{stderr}"
    );
}

#[cfg(unix)]
#[test]
fn label_asks_a_person_by_keys() {
    use common::terminal::Terminal;
    let service = Service::start();
    let options = [
        "--classes",
        "kind 0,kind 1,kind 2",
        "--batch",
        "3",
        "--control",
        "2",
    ];
    let mut terminal = Terminal::start(service.command("pool.csv", &service.url, &options));
    terminal.until("the model knows nothing yet");
    terminal.until("1 kind 0   2 kind 1   3 kind 2   u undo   s skip   q save and quit");
    terminal.answer("u");
    terminal.until("the answers before are taught already");
    terminal.answer("1");
    terminal.until("1 label;");
    terminal.until("a random row: the model's guess is shown after your answer");
    terminal.answer("u");
    terminal.answer("2");
    terminal.answer("s");
    terminal.answer("3");
    terminal.answer("1");
    terminal.until("the model guesses: kind ");
    terminal.answer("q");
    let (status, stdout, screen) = terminal.end();
    assert_eq!(status, Some(0), "{screen}");
    assert!(
        stdout.contains("3 labels of 150 rows, 1 skipped"),
        "{stdout}"
    );
    assert!(stdout.contains("ended: you quit"), "{stdout}");
    let labels = service.labels("pool.labels.csv");
    let given: Vec<&str> = labels.iter().map(|[_, label, _]| label.as_str()).collect();
    assert_eq!(given, ["kind 1", "", "kind 2", "kind 0"]);
}

#[test]
fn label_pays_once_within_its_budget() {
    let service = Service::start();
    let till = Till::start(&service.url);
    let token = format!("31337/{TOKEN}");
    let low = (PRICE - 1).to_string();
    let pay = |budget: &str, options: &[&str]| {
        let all = [
            &["--answers", "kind", "--token", &token][..],
            &["--budget", budget, "--dev", "1", "--json"],
            options,
        ];
        let mut command = service.command("known.csv", &till.url, &all.concat());
        ended(command.output().expect("it starts"))
    };
    // Nothing is signed above the budget, or without one.
    let (status, _, stderr) = pay(&low, &["--max-labels", "10"]);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(
        stderr.contains("the cheapest offer costs 5000 atomic units, above your limit of 4999"),
        "{stderr}"
    );
    let options = ["--answers", "kind"];
    let mut command = service.command("known.csv", &till.url, &options);
    let (status, _, stderr) = ended(command.output().expect("it starts"));
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("it costs money; set a budget"), "{stderr}");
    assert_eq!(till.payments(), Vec::<String>::new());
    // The first answers to the payment are lost or say nothing, and the same one is sent again.
    let (status, stdout, stderr) = pay("9000", &["--max-labels", "10"]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stderr.contains("payment: 5000 atomic units of the token"),
        "{stderr}"
    );
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(report["labels"], 10);
    assert_eq!(report["money"]["spent"], "5000");
    assert_eq!(report["money"]["left"], "4000");
    // The pool was sent once, and its rows were named by their index then.
    let calls = till.calls();
    let of = |name: &str| -> Vec<usize> {
        let calls = calls.iter().filter(|(called, _)| called == name);
        calls.map(|&(_, size)| size).collect()
    };
    let (pools, queries, taught) = (of("pools"), of("queries"), of("examples"));
    assert!(pools.len() == 1 && pools[0] > 3_000, "{calls:?}");
    assert!(
        queries.len() == 2 && queries.iter().all(|&it| it < 120),
        "{calls:?}"
    );
    assert!(
        taught.len() == 2 && taught.iter().all(|&it| it < 250),
        "{calls:?}"
    );
    let paid = till.payments();
    assert_eq!(paid.len(), 3, "{paid:?}");
    assert!(
        paid.iter().all(|payment| *payment == paid[0]),
        "one payment"
    );
    // A closed session needs another opening, which the same budget does not permit any more.
    let (status, _, stderr) = pay("9000", &["--max-labels", "12"]);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("above your limit of 4000"), "{stderr}");
    assert_eq!(till.payments().len(), 3);
}

/// Token on a chain, of which an account has some.
struct Money {
    stage: Stage,
    token: Address,
    payer: Key,
}

impl Money {
    fn new() -> Self {
        let stage = block_on(Stage::new());
        let payer = Key::development(1);
        let (code, owner) = (token_code().to_vec(), &stage.owner);
        let created = block_on(stage.send(owner, None, 0, code)).created;
        let token = created.expect("a token");
        // mint(address,uint256)
        let account = payer.address().into_word();
        let amount = U256::from(1_000_000).to_be_bytes::<32>();
        let mint = [&[0x40, 0xc1, 0x0f, 0x19], account.as_slice(), &amount];
        block_on(stage.send(owner, Some(token), 0, mint.concat()));
        Self {
            stage,
            token,
            payer,
        }
    }
}

/// Returns the balance of an account.
fn balance(stage: &Stage, token: Address, account: Address) -> U256 {
    // balanceOf(address)
    let data = [&[0x70, 0xa0, 0x82, 0x31], account.into_word().as_slice()].concat();
    let answer = block_on(stage.node.call(token, data, None)).expect("a balance");
    U256::from_be_slice(&answer)
}

#[test]
fn label_buys_units_of_a_coordinator_and_takes_the_rest_back() {
    let Money {
        stage,
        token,
        payer,
    } = Money::new();
    let sections = format!(
        "[x402]\ndevelopment = 8\nassets = [\"{token}; Test Dollar; 1; 6; 3/1; 5\"]\nmin_purchase = 100\nfinal_after = 4\n"
    );
    let service = Service::on(stage, &sections);
    let of_payer = || balance(&service.stage, token, payer.address());
    let before = of_payer();
    let token = format!("31337/{token}");
    let options = [
        &["--answers", "kind", "--max-labels", "40", "--units", "200"][..],
        &["--token", &token, "--budget", "9000", "--dev", "1"],
    ]
    .concat();
    let (status, stdout, stderr) = service.run("known.csv", &[&options[..], &["--json"]].concat());
    assert_eq!(status, Some(0), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(report["labels"], 40);
    // 200 units are bought at the opening, and 1,000 once they are spent.
    assert!(
        stderr.contains("payment: 600 atomic units of the token"),
        "{stderr}"
    );
    assert!(
        stderr.contains("payment: 3000 atomic units of the token"),
        "{stderr}"
    );
    assert_eq!(report["money"]["spent"], "3600", "{report}");
    assert_eq!(before - of_payer(), U256::from(3_600));
    let units = &report["units"];
    let left = units["left"].as_u64().expect("units");
    assert_eq!(
        left + units["spent"].as_u64().expect("units"),
        1_200,
        "{report}"
    );
    // Once the payments are final, what is left comes back, less a fee of 5.
    let paid = U256::from(3_600 - (left * 3 - 5));
    wait("refund", || {
        block_on(service.stage.mine(5));
        (before - of_payer() == paid).then_some(())
    });
    // With all labels there, nothing is bought any more.
    for _ in 0..2 {
        let report = service.json("known.csv", &options);
        assert_eq!(report["labels"], 40);
        assert_eq!(report["money"]["spent"], "3600", "{report}");
    }
    assert_eq!(before - of_payer(), paid);
}

#[test]
fn label_pays_each_call_by_a_channel_and_gets_the_rest_back() {
    let Money {
        stage,
        token,
        payer,
    } = Money::new();
    // The contracts are where clients of the standard look for them.
    let collector = collector_code(Deployment::SETTLEMENT).to_vec();
    let created = block_on(stage.send(&stage.owner, None, 0, collector)).created;
    let collector = block_on(stage.node.code(created.expect("a contract"))).expect("code");
    let placed = [
        (Deployment::SETTLEMENT, settlement_runtime_code()),
        (Deployment::COLLECTOR, collector),
    ];
    for (address, code) in placed {
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "anvil_setCode", "params": [address, code],
        });
        let client = reqwest::Client::new();
        let sent = client.post(stage.node.url().clone()).json(&body).send();
        assert!(block_on(sent).expect("an answer").status().is_success());
    }
    let sections = format!(
        "[x402]\ndevelopment = 8\nassets = [\"{token}; Test Dollar; 1; 6; 3/1; 5\"]\n\
         withdraw_delay = \"15 min\"\n"
    );
    let service = Service::on(stage, &sections);
    let of_payer = || balance(&service.stage, token, payer.address());
    let before = of_payer();
    let token = format!("31337/{token}");
    let pay = |labels: &str, options: &[&str]| {
        let all = [
            &[
                "--answers",
                "kind",
                "--max-labels",
                labels,
                "--token",
                &token,
                "--dev",
                "1",
            ][..],
            &["--channel", "--json"],
            options,
        ];
        service.run("known.csv", &all.concat())
    };
    // An opening costs 10 units, which is above the budget.
    let (status, _, stderr) = pay("40", &["--budget", "29"]);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("above your limit of 29"), "{stderr}");
    assert_eq!(of_payer(), before);
    // The budget ends in the middle, and nothing is lost.
    let (status, _, stderr) = pay("40", &["--budget", "700"]);
    assert_eq!(status, Some(2), "{stderr}");
    let given = service.labels("known.labels.csv").len();
    assert!((5..40).contains(&given), "{given} labels: {stderr}");
    assert!(before - of_payer() <= U256::from(700));
    let (status, stdout, stderr) = pay("40", &["--budget", "9000"]);
    assert_eq!(status, Some(0), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(report["labels"], 40, "{report}");
    check(&service.labels("known.labels.csv"));
    // What was promised is what was charged, and the rest is back.
    let spent = report["money"]["spent"].as_str().expect("an amount");
    let spent: u64 = spent.parse().expect("a number");
    wait("refund", || {
        (before - of_payer() == U256::from(spent)).then_some(())
    });
    assert!(spent > 700 && spent.is_multiple_of(3), "{report}");
    assert_eq!(
        report["refunds"].as_array().map(Vec::len),
        Some(1),
        "{report}"
    );
    let (status, stdout, stderr) = pay("40", &["--budget", "9000"]);
    assert_eq!(status, Some(0), "{stderr}");
    let again: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(again["money"], report["money"]);
}

#[test]
fn label_tells_mistakes_with_the_next_step() {
    let service = Service::start();
    let mistake = |pool: &str, options: &[&str]| {
        let (status, stdout, stderr) = service.run(pool, options);
        assert_eq!(status, Some(2), "{options:?}: {stdout}{stderr}");
        assert_eq!(stdout, "", "an error leaves stdout alone");
        stderr
    };
    for (options, expected) in [
        (&[][..], "give them with --classes a,b"),
        (&["--classes", "a"], "give them with --classes a,b"),
        (&["--answers", "color"], "color"),
        (
            &["--classes", "a,b", "--out", "model.txt"],
            "ends in .json or .onnx",
        ),
        (&["--classes", "a,b", "--stop", "kappa=1"], "kappa-average"),
        (&["--classes", "a,b", "--budget", "5"], "--token"),
        (
            &[
                "--classes",
                "a,b",
                "--budget",
                "5",
                "--lnd",
                "https://localhost:1",
            ],
            "--lnd-macaroon",
        ),
        (
            &["--classes", "a,b", "--strategy", "margin,random"],
            "expected one",
        ),
        (
            &[
                "--classes",
                "a,b",
                "--strategy",
                "entropy",
                "--start",
                "k-center",
            ],
            "entropy would ignore it",
        ),
        (&["--classes", "a,b", "--dev", "1"], "--token"),
        (&["--classes", "a,b", "--yes"], "--budget"),
        (&["--classes", "a,b", "--data", "digits"], "--data"),
        (&["--classes", "a,b", "--columns", "depth"], "depth"),
    ] {
        let told = mistake("pool.csv", options);
        assert!(told.contains(expected), "{options:?}: {told}");
    }
    let told = mistake("none.csv", &["--classes", "a,b"]);
    assert!(told.contains("none.csv"), "{told}");
    let mut command = program(service.path(""));
    let (status, _, stderr) = ended(
        command
            .args(["label", "pool.csv"])
            .output()
            .expect("it starts"),
    );
    assert_eq!(status, Some(2));
    assert!(stderr.contains("--url"), "{stderr}");
    let quoted = service.stage.node.url().to_string();
    let mut command = service.command("pool.csv", &quoted, &["--classes", "a,b"]);
    let (status, _, stderr) = ended(command.output().expect("it starts"));
    assert_ne!(status, Some(0));
    assert!(
        stderr.contains("the coordinator refused: HTTP status 404"),
        "{stderr}"
    );
}
