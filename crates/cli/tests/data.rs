//! `cotrain data` and `cotrain deploy --from`, against anvil and on recorded runs.

mod common;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use common::Workspace;
use cotrain_chain::{anvil::AnvilConfig, keys::Key};
use serde_json::Value;

/// Returns a table of texts from `first` on, half of them of each class. `lie` swaps the classes.
fn texts(first: usize, count: usize, lie: bool) -> String {
    const WORDS: [[&str; 6]; 2] = [
        ["awful", "boring", "dull", "flat", "poor", "weak"],
        ["bright", "clever", "fine", "moving", "rich", "warm"],
    ];
    let rows = (first..first + count).map(|row| {
        let class = row % 2;
        let word = |step: usize| WORDS[class][(row / 2 + step * (row / 12 + 1)) % 6];
        let told = ["=bad", "good"][if lie { 1 - class } else { class }];
        format!(
            "{told},the film number{row} is {} and {}\n",
            word(0),
            word(1)
        )
    });
    format!("label,text\n{}", rows.collect::<String>())
}

/// Deploys a model of texts, and returns its trainer.
fn deploy(workspace: &Workspace) -> String {
    workspace.put("train.csv", &texts(0, 40, false));
    let deployed: Value = workspace.json(&[
        "deploy",
        "--data=train.csv",
        "--text-column=text",
        "--initial=20",
        "--features=60",
        "--name=films",
        "--refund-wait=2s",
        "--dev=0",
        "--yes",
        "--json",
    ]);
    deployed["trainer"].as_str().expect("an address").to_owned()
}

/// Contributes a table of texts.
fn contribute(workspace: &Workspace, table: &str, dev: &str) {
    workspace.put("more.csv", table);
    workspace.success(&[
        "contribute",
        "--data=more.csv",
        "--text-column=text",
        "--model=films",
        "--dev",
        dev,
        "--again",
        "--yes",
    ]);
}

/// Returns the rows of a table without quotes, the head first.
fn rows(table: &str) -> Vec<Vec<String>> {
    let fields = |line: &str| line.split(',').map(ToOwned::to_owned).collect();
    table.lines().map(fields).collect()
}

/// Returns the values of a column.
fn column<'a>(rows: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let index = rows[0].iter().position(|it| it == name);
    let index = index.unwrap_or_else(|| panic!("no {name} in {:?}", rows[0]));
    rows[1..].iter().map(|row| row[index].as_str()).collect()
}

#[test]
fn export_writes_what_others_contributed_and_what_became_of_it() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let trainer = deploy(&workspace);
    contribute(&workspace, &texts(100, 10, false), "1");
    contribute(&workspace, &texts(200, 4, true), "2");
    workspace.pass(3);
    let refunded: Value = workspace.json(&["refund", "--dev", "1", "--json"]);
    assert_eq!(refunded["claims"].as_array().map(Vec::len), Some(10));
    workspace.success(&["report", "--dev", "1"]);

    let exported: Value = workspace.json(&["data", "export", "--out=all.csv", "--json"]);
    assert_eq!(exported["model"].as_str(), Some(&*trainer));
    assert_eq!(
        (&exported["contributions"], &exported["inexact"]),
        (&14.into(), &0.into())
    );
    let all = workspace.read("all.csv");
    let table = rows(&all);
    assert_eq!(
        all.lines().next(),
        Some(
            "position,time,utc,block,author,deposit_wei,settled,paid_wei,claimed_by,label_number,label,text"
        )
    );
    let positions: Vec<_> = (0..14).map(|position| position.to_string()).collect();
    assert_eq!(column(&table, "position"), positions);
    let settled = column(&table, "settled");
    assert_eq!(settled[..10], ["refunded"; 10]);
    assert_eq!(settled[10..], ["taken-by-reports"; 4]);
    let [one, two] = [1, 2].map(|index| Key::development(index).address().to_string());
    assert_eq!(column(&table, "author")[9..11], [one.clone(), two]);
    assert!(column(&table, "claimed_by").iter().all(|by| *by == one));
    assert_eq!(column(&table, "paid_wei"), column(&table, "deposit_wei"));
    assert!(column(&table, "utc")[0].ends_with('Z'));
    // A class that a spreadsheet would compute.
    assert_eq!(column(&table, "label")[..2], ["'=bad", "good"]);
    assert!(column(&table, "text")[0].contains("film"), "{all}");

    // The same on stdout, and the parts add up.
    let (status, stdout, stderr) = workspace.outcome(&["data", "export", "--out=-"]);
    assert_eq!((status, &*stdout), (Some(0), &*all));
    assert!(stderr.contains("a ' is before 7 fields"), "{stderr}");
    let only = |only: &str| workspace.success(&["data", "export", "--out=-", "--only", only]);
    assert_eq!(rows(&only("refunded"))[1..], table[1..11]);
    assert_eq!(rows(&only("taken-by-reports,open"))[1..], table[11..]);
    assert_eq!(rows(&only("claimed-late")), table[..1]);
    // Up to the block of the last contribution, nothing was claimed.
    let last = column(&table, "block")[13];
    let before = rows(&workspace.success(&["data", "export", "--out=-", "--to-block", last]));
    assert_eq!(column(&before, "settled"), ["open"; 14]);
    let from = rows(&workspace.success(&["data", "export", "--out=-", "--from-block", last]));
    assert_eq!(from[1..], table[11..]);

    // Other formats hold the same rows.
    workspace.success(&["data", "export", "--out=all.libsvm"]);
    let lines = workspace.read("all.libsvm");
    assert_eq!(lines.lines().count(), 14);
    assert!(lines.starts_with("0 ") && lines.contains(":1"), "{lines}");
    workspace.success(&["data", "export", "--out=all.csv.gz"]);
    workspace.success(&["data", "export", "--out=all.parquet"]);
    let bytes = |name: &str| fs::read(workspace.path(name)).expect("a file");
    assert_eq!(bytes("all.csv.gz")[..2], [0x1f, 0x8b]);
    let parquet = bytes("all.parquet");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    // It has the class as it is.
    assert!(parquet.windows(4).any(|part| part == b"=bad"));
}

#[test]
fn export_refuses_wrong_arguments_and_leaves_files_alone() {
    let workspace = Workspace::new(&AnvilConfig::default());
    deploy(&workspace);
    contribute(&workspace, &texts(100, 2, false), "1");
    workspace.put("mine.csv", "mine");
    let told = workspace.mistake(&["data", "export", "--out=mine.csv"]);
    assert!(
        told.contains("there is such a file; name another one, or replace it with --force"),
        "{told}"
    );
    assert_eq!(workspace.read("mine.csv"), "mine");
    workspace.success(&["data", "export", "--out=mine.csv", "--force"]);
    assert_eq!(workspace.read("mine.csv").lines().count(), 3);
    for (arguments, expected) in [
        (&["--out=x.xlsx"][..], "expected a file that ends in .csv"),
        (&["--out=x.parquet.gz"], "expected a file that ends in .csv"),
        (&["--out=no/such/x.csv"], "cannot write no/such/x.csv"),
        (&["--out=-", "--json"], "name a file, or leave --json out"),
        (
            &["--out=x.csv", "--only=gone"],
            "possible values: open, reported, refunded",
        ),
        (
            &["--out=x.csv", "--to-block=99999"],
            "cannot read up to block 99999",
        ),
        (
            &["--out=x.csv", "--from-block=3", "--to-block=2"],
            "give them in order",
        ),
        (&["--out=x.csv", "--run=no-run"], "cannot read no-run"),
    ] {
        let told = workspace.mistake(&[&["data", "export"], arguments].concat());
        assert!(told.contains(expected), "{told}");
    }
    let left: Vec<_> = fs::read_dir(workspace.path("."))
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name.contains("partial") || name.starts_with("x."))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    // A reader that needs no more is no failure.
    let mut child = workspace
        .command(&["data", "export", "--out=-"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    assert!(child.wait().expect("a status").success());
}

#[test]
fn export_of_a_table_of_numbers_is_training_data_again() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let table = |first: i32| {
        let rows = (first..first + 30).map(|row| {
            let class = row % 3;
            let [a, b] = [class * 20 + row % 7, 90 - class * 30 + row % 5];
            format!("{}.{},-{}.25,kind{class}\n", a / 10, a % 10, b)
        });
        format!("author,width,label\n{}", rows.collect::<String>())
    };
    workspace.put("numbers.csv", &table(0));
    workspace.success(&[
        "deploy",
        "--data=numbers.csv",
        "--name=numbers",
        "--dev=0",
        "--yes",
    ]);
    workspace.put("more.csv", &table(30));
    workspace.success(&["contribute", "--data=more.csv", "--dev=1", "--yes"]);
    workspace.success(&["data", "export", "--bare", "--out=bare.csv"]);
    // The numbers are as they were written, but for those that the bounds have moved.
    let (sent, got) = (
        rows(&workspace.read("more.csv")),
        rows(&workspace.read("bare.csv")),
    );
    assert_eq!(got[0], ["label", "author", "width"]);
    let pairs = sent[1..].iter().zip(&got[1..]);
    let same = pairs.filter(|(sent, got)| sent[..2] == got[1..] && sent[2] == got[0]);
    assert!(same.count() > 20, "{got:?}");

    let evaluated: Value = workspace.json(&["evaluate", "--data=bare.csv", "--json"]);
    assert_eq!(evaluated["n"], 30);
    workspace.success(&["contribute", "--data=bare.csv", "--dev=2", "--yes"]);
    let again: Value = workspace.json(&["data", "export", "--bare", "--out=again.csv", "--json"]);
    assert_eq!(
        (&again["contributions"], &again["inexact"]),
        (&60.into(), &0.into())
    );
    let again = rows(&workspace.read("again.csv"));
    assert_eq!(
        again[1..31],
        again[31..],
        "the samples are the same to the bit"
    );
    // A feature of the model has the name of a column of the table.
    let whole = workspace.success(&["data", "export", "--out=-"]);
    assert!(
        whole.starts_with("position,time,utc,block,cotrain_author,"),
        "{whole}"
    );
}

#[test]
fn clean_marks_the_lies_and_deploy_founds_a_model_without_them() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let trainer = deploy(&workspace);
    contribute(&workspace, &texts(100, 40, false), "1");
    contribute(&workspace, &texts(200, 40, true), "2");
    let liar = Key::development(2).address().to_string();
    let cleaned: Value = workspace.json(&["data", "clean", "--out=marked.csv", "--json"]);
    assert_eq!(
        (&cleaned["contributions"], &cleaned["marked"]),
        (&80.into(), &40.into())
    );
    assert_eq!(
        cleaned["authors"][0]["author"].as_str(),
        Some(&*liar.to_lowercase())
    );
    let marked = rows(&workspace.read("marked.csv"));
    let marks = column(&marked, "marked");
    assert_eq!(marks[..40], ["0"; 40]);
    assert_eq!(marks[40..], ["1"; 40]);
    assert!(column(&marked, "reason")[40].contains("evidence against its author: "));
    // The unmarked ones alone are training data.
    workspace.success(&["data", "clean", "--unmarked", "--bare", "--out=good.csv"]);
    assert_eq!(workspace.read("good.csv").lines().count(), 41);

    workspace.put("test.csv", &texts(300, 20, false));
    let found = [
        "deploy",
        "--from=films",
        "--from-clean",
        "--test=test.csv",
        "--text-column=text",
        "--name=anew",
        "--dev=0",
        "--yes",
    ];
    let (status, stdout, stderr) = workspace.outcome(&[&found[..], &["--json"]].concat());
    assert_eq!(status, Some(0), "{stdout}{stderr}");
    let founded: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(founded["from"]["model"].as_str(), Some(&*trainer));
    assert_eq!(
        (
            &founded["from"]["contributions"],
            &founded["from"]["chosen"]
        ),
        (&80.into(), &40.into())
    );
    assert_eq!(
        (&founded["trained_on"], &founded["accuracy"]),
        (&40.into(), &1.0.into())
    );
    assert!(
        stderr.contains("samples: 40 of 80 contributions to"),
        "{stderr}"
    );
    assert!(
        stderr.contains(&format!("left out: 40 of 40 contributions of {liar}")),
        "{stderr}"
    );
    let new = founded["trainer"].as_str().expect("an address");
    assert_ne!(new, trainer);
    // It has the same classes and features.
    let models: Value = workspace.json(&["models", "--json"]);
    assert_eq!(models[0]["classes"], models[1]["classes"]);
    assert_eq!(models[0]["features"], models[1]["features"]);
    assert_eq!(models[1]["verified"], true);

    // Later contributions make another model, unless the block is named.
    contribute(&workspace, &texts(400, 4, false), "1");
    let told = workspace.mistake(&found);
    assert!(told.contains("--until-block was "), "{told}");
    let block = founded["from"]["block"].to_string();
    let again: Value = workspace.json(&[&found[..], &["--until-block", &block, "--json"]].concat());
    assert_eq!(again["trainer"].as_str(), Some(new));
}

#[test]
fn export_writes_the_numbers_of_hashed_words_and_of_word_vectors() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.put("train.csv", &texts(0, 40, false));
    workspace.put("more.csv", &texts(100, 10, false));
    for (encoder, column, form) in [
        ("--hashed=100", "features", "libsvm"),
        ("--encoder=table", "dimension_1", "csv"),
    ] {
        workspace.success(&[
            "deploy",
            "--data=train.csv",
            "--text-column=text",
            "--initial=20",
            encoder,
            "--name",
            column,
            "--dev=0",
            "--yes",
        ]);
        let contribute = ["contribute", "--data=more.csv", "--text-column=text"];
        workspace.success(&[&contribute[..], &["--dev=1", "--yes"]].concat());
        let exported: Value = workspace.json(&[
            "data",
            "export",
            "--bare",
            "--out=out.csv",
            "--force",
            "--json",
        ]);
        assert_eq!(
            (&exported["contributions"], &exported["inexact"]),
            (&10.into(), &0.into())
        );
        let table = rows(&workspace.read("out.csv"));
        assert_eq!(table[0][..2], ["label", column]);
        assert_eq!(table[0].len(), if form == "csv" { 129 } else { 2 });
        // A program that knows no words trains on the file.
        let out = format!("out.{form}");
        workspace.success(&["data", "export", "--bare", "--out", &out, "--force"]);
        let other = format!("--name=other-{form}");
        workspace.success(&["deploy", "--data", &out, &other, "--dev=0", "--yes"]);
        // The model founded on the contributions reads texts.
        let anew = format!("--name=anew-{form}");
        let from = [
            "deploy", "--from", column, &anew, "--dev=0", "--yes", "--json",
        ];
        let founded: Value = workspace.json(&from);
        assert_eq!(founded["from"]["chosen"], 10);
        let text = "the film number100 is good";
        let predicted: Value = workspace.json(&["predict", "--text", text, "--json"]);
        assert!(
            predicted["predictions"][0]["known"].as_u64() > Some(0),
            "{predicted}"
        );
    }
}

#[test]
fn deploy_from_refuses_what_the_card_decides_and_too_few_samples() {
    let workspace = Workspace::new(&AnvilConfig::default());
    deploy(&workspace);
    let refused = |more: &[&str]| {
        let found = ["deploy", "--from=films", "--name=anew", "--dev=0", "--yes"];
        workspace.mistake(&[&found[..], more].concat())
    };
    for option in [
        "--features=3",
        "--hashed=100",
        "--tokenizer=unicode",
        "--word-pairs",
        "--encoder=table",
        "--type=a=numeric",
        "--missing=mean",
    ] {
        let told = refused(&[option]);
        let name = option.split('=').next().unwrap_or(option);
        let expected = format!("cannot be used with '{name}");
        assert!(told.contains(&expected), "{told}");
    }
    let told = refused(&[]);
    assert!(
        told.contains("cannot train on 0 samples: expected at least 2"),
        "{told}"
    );
    let told = workspace.mistake(&["deploy", "--from-clean", "--dev=0", "--yes"]);
    assert!(told.contains("--from <ADDR|NAME>"), "{told}");
    let told = workspace.mistake(&["deploy", "--from=none", "--dev=0", "--yes"]);
    assert!(told.contains("there is no model `none`"), "{told}");
}

#[test]
fn clean_measures_itself_on_a_recorded_run() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.put("tiny.toml", include_str!("tiny.toml"));
    let samples = (0..100).map(|row| format!("{} {}:1 {}:1\n", row % 2, 1 + row % 2, 3 + row % 5));
    workspace.put("train.libsvm", &samples.collect::<String>());
    workspace.success(&["simulate", "tiny.toml", "--record", "--out=run", "--quiet"]);
    let cleaned: Value = workspace.json(&["data", "clean", "--run=run", "--out=run.csv", "--json"]);
    let summary: Value = serde_json::from_str(&workspace.read("run/summary.json")).expect("JSON");
    assert_eq!(cleaned["contributions"], summary["contributions"]);
    let run = &cleaned["run"];
    assert_eq!(run["accuracy"]["last"], summary["accuracy"]["final"]);
    assert_eq!(run["test_samples"], summary["details"]["evaluation"]["n"]);
    let table = rows(&workspace.read("run.csv"));
    let count = |name: &str| column(&table, name).iter().filter(|it| **it == "1").count();
    assert_eq!(run["lies"], count("lie"));
    assert_eq!(cleaned["marked"], count("marked"));
    // The run's events tell what became of each contribution.
    let refunds = column(&table, "settled")
        .iter()
        .filter(|it| **it == "refunded")
        .count();
    assert_eq!(summary["refunds"], refunds);

    workspace.success(&["simulate", "tiny.toml", "--out=plain", "--quiet"]);
    let told = workspace.mistake(&["data", "clean", "--run=plain", "--out=x.csv"]);
    assert!(
        told.contains("record a run with `cotrain simulate --record`"),
        "{told}"
    );
}

/// A simulated liar poisons a model, and cleaning founds a better one on what the others said.
/// `scripts/experiments` measures ten whole runs; this one ends after twenty days.
#[test]
fn deploy_from_clean_recovers_a_model_that_a_simulation_poisoned() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/recovery");
    let program = env!("CARGO_BIN_EXE_cotrain");
    let output = Command::new("node")
        .arg(script)
        .args(["--seeds", "1", "--limit", "20 days", "--program", program])
        .output()
        .expect("node runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let share = |name: &str| told[name].as_f64().expect(name);
    let [poisoned, recovered] = ["poisoned", "recovered"].map(share);
    assert!(poisoned < share("initial") - 0.05, "{told}");
    assert!(recovered > poisoned + 0.02, "{told}");
    assert!(recovered > share("everything") + 0.02, "{told}");
    assert_eq!(told["n"], 2_075);
    // Cleaning leaves out the liar's contributions, and hardly any other.
    let left_out = share("contributions") - share("chosen");
    assert!((left_out / share("poisoner") - 1.0).abs() < 0.05, "{told}");
}
