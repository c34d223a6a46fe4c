//! The features of a model: those that are reserved, the constant of a dense perceptron, and what its card says of
//! them: against anvil.

mod common;

use std::{fmt::Write as _, io::Write as _, time::Duration};

use alloy_primitives::{Address, U256};
use common::{Workspace, block_on};
use cotrain_bindings as bindings;
use cotrain_chain::{
    anvil::AnvilConfig,
    keys::{Key, Unsigned},
    node::{Node, NodeOptions},
};
use cotrain_client::described::DescribedModel;
use cotrain_indexer::ModelInfo;
use flate2::{Compression, write::ZlibEncoder};
use serde_json::{Value, json};

fn predict(workspace: &Workspace, input: &[&str]) -> Value {
    let predicted: Value = workspace.json(&[&["predict", "--json"], input].concat());
    predicted["predictions"][0].clone()
}

// ---------------------------------------------------------------- Reserved features

/// Deploys the film reviews.
fn texts_deployment<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [
        &["deploy", "--dev", "0", "--yes", "--features", "300"],
        more,
    ]
    .concat()
}

#[test]
fn deploy_reserves_a_word_that_contributions_teach() {
    let workspace = Workspace::new(&AnvilConfig::default());
    for (names, told) in [
        (
            "Xyzzy",
            "cannot reserve the feature `Xyzzy`: texts with it are read as `xyzzy`; reserve that",
        ),
        ("film", "has that name already"),
        ("xyzzy,", "cannot reserve the feature ``: it is empty"),
    ] {
        let refused = workspace.mistake(&texts_deployment(&["--reserve-features", names]));
        assert!(refused.contains(told), "{refused}");
    }
    let (status, _, stderr) =
        workspace.outcome(&texts_deployment(&["--reserve-features", "xyzzy, plugh"]));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stderr.contains("302 features, 2 of them reserved"),
        "{stderr}"
    );

    // The model has a feature for the word, but has learned nothing about it.
    let xyzzy = ["--text", "xyzzy"];
    let before = predict(&workspace, &xyzzy);
    assert_eq!(before["known"], 1);
    assert_eq!(predict(&workspace, &["--text", "frotz"])["known"], 0);

    let other = match before["class"].as_str() {
        Some("positive") => "negative",
        _ => "positive",
    };
    for _ in 0..2 {
        workspace.success(&[
            "contribute",
            "--text",
            "xyzzy",
            "--label",
            other,
            "--dev",
            "1",
            "--yes",
        ]);
    }
    assert_eq!(predict(&workspace, &xyzzy)["class"], other);
    assert_eq!(
        predict(&workspace, &["--text", "plugh"])["class"],
        before["class"]
    );
}

#[test]
fn deploy_hashes_words_so_that_contributions_teach_any() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let hashed = ["deploy", "--dev", "0", "--yes", "--hashed", "2000"];
    let both = workspace.mistake(&[&hashed[..], &["--features", "300"]].concat());
    assert!(
        both.contains("--hashed") && both.contains("--features"),
        "{both}"
    );
    for (number, told) in [
        ("1", "is 1, expected 2 to 65536"),
        ("65537", "65537, expected 2 to"),
    ] {
        let refused = workspace.mistake(&["deploy", "--dev", "0", "--yes", "--hashed", number]);
        assert!(refused.contains(told), "{refused}");
    }
    let chosen = ["--word-pairs", "--tokenizer", "unicode"];
    let (status, _, stderr) = workspace.outcome(&[&hashed[..], &chosen].concat());
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stderr.contains("2,000 features (hashed words and word pairs by the tokenizer `unicode`)"),
        "{stderr}"
    );
    // Words that no review has: two and their pair.
    let unseen = ["--text", "xyzzy 魔法"];
    let before = predict(&workspace, &unseen);
    assert_eq!(before["known"], 3);
    let other = match before["class"].as_str() {
        Some("positive") => "negative",
        _ => "positive",
    };
    let teach = ["contribute", "--label", other, "--dev", "1", "--yes"];
    for _ in 0..3 {
        workspace.success(&[&teach[..], &unseen].concat());
    }
    assert_eq!(predict(&workspace, &unseen)["class"], other);
    // A text without words is the only one that the model knows nothing of.
    let none = ["--text", "… !"];
    assert_eq!(predict(&workspace, &none)["known"], 0);
    for ways in [&[][..], &["--relay", "http://127.0.0.1:1"]] {
        let told = workspace.mistake(&[&teach[..], &none, ways].concat());
        assert!(
            told.contains("nothing was sent") && told.contains("--allow-unknown"),
            "{told}"
        );
    }
}

/// Deploys `old.csv`.
fn table_deployment<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let deploy = [
        "deploy",
        "--data",
        "old.csv",
        "--label-column",
        "kind",
        "--dev",
        "0",
        "--yes",
    ];
    [&deploy, more].concat()
}

#[test]
fn deploy_reserves_columns_that_tables_and_rows_may_leave_out() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.put(
        "old.csv",
        &format!("a,b,kind\n{}", "1,0,ham\n0,1,spam\n".repeat(20)),
    );
    workspace.put(
        "new.csv",
        &format!("a,b,c,d,kind\n{}", "0,0,1,0,ham\n".repeat(3)),
    );
    for (more, told) in [
        (
            &["--reserve-features", "kind"][..],
            "cannot reserve the feature `kind`: that column has the classes",
        ),
        (
            &["--reserve-features", "c", "--learner", "dense-perceptron"],
            "are scaled by the examples of each feature, and this one has none; use a learner of what is \
             present, such as naive-bayes",
        ),
    ] {
        let refused = workspace.mistake(&table_deployment(more));
        assert!(refused.contains(told), "{refused}");
    }
    workspace.success(&table_deployment(&[
        "--reserve-features",
        "c,d",
        "--initial",
        "1.0",
    ]));
    let columns = ["--label-column", "kind", "--json"];
    for data in ["old.csv", "new.csv"] {
        let evaluated: Value =
            workspace.json(&[&["evaluate", "--data", data], &columns[..]].concat());
        assert!(evaluated["examples"].as_u64() > Some(2), "{evaluated}");
    }
    let predicted: Value =
        workspace.json(&[&["predict", "--file", "old.csv"], &columns[..]].concat());
    assert_eq!(predicted["predictions"].as_array().map(Vec::len), Some(40));
    // If a file has some of the columns, no other column is dropped silently.
    workspace.put("some.csv", "a,b,c\n0,0,1\n");
    let told = workspace.mistake(&["predict", "--file", "some.csv"]);
    assert!(
        told.contains("has the columns a, b, c, but the model has a, b, c, d (all or none of c, d): missing d; give it"),
        "{told}"
    );
    assert_eq!(predict(&workspace, &["--row", "0,1"])["class"], "spam");
    assert_eq!(predict(&workspace, &["--row", "0,1,0,0"])["class"], "spam");
    let told = workspace.mistake(&["predict", "--row", "1"]);
    assert!(
        told.contains("the length of the example is 1, expected 4, or 2 without the reserved ones"),
        "{told}"
    );

    workspace.success(
        &[
            &["contribute", "--data", "new.csv", "--dev", "1", "--yes"],
            &columns[..],
        ]
        .concat(),
    );
    assert_eq!(predict(&workspace, &["--row", "0,0,1,0"])["class"], "ham");
}

// ---------------------------------------------------------------- Columns of tables

/// Returns a table in which the column of a row's digit decides the class, with these columns.
fn table_with(columns: &[&str]) -> String {
    let mut table = columns.join(",") + "\n";
    for row in 0..60 {
        let (a, kind) = [(9, "high"), (1, "low")][row % 2];
        let value = |column: &&str| match *column {
            "a" => a.to_string(),
            "b" => (row % 3).to_string(),
            "c" => (10 - a).to_string(),
            "kind" => kind.to_owned(),
            "name" => format!("bob{row}"),
            _ => row.to_string(),
        };
        table += &(columns.iter().map(value).collect::<Vec<_>>().join(",") + "\n");
    }
    table
}

#[test]
fn predict_evaluate_and_contribute_match_columns_by_their_names() {
    let workspace = Workspace::new(&AnvilConfig::default());
    for (name, columns) in [
        ("straight.csv", &["a", "b", "c", "kind"][..]),
        ("turned.csv", &["c", "kind", "a", "b"]),
        ("more.csv", &["a", "b", "row", "c", "seat", "kind"]),
        ("less.csv", &["kind", "b"]),
        ("other.csv", &["a", "b", "seat", "kind"]),
        ("doubled.csv", &["a", "b", "c", "b", "a", "kind"]),
        ("names.csv", &["a", "name", "b", "c", "kind"]),
    ] {
        workspace.put(name, &table_with(columns));
    }
    workspace.success(&[
        "deploy",
        "--data",
        "straight.csv",
        "--label-column",
        "kind",
        "--learner",
        "dense-nearest-centroid",
        "--dev",
        "0",
        "--yes",
    ]);
    let label = ["--label-column", "kind"];
    let evaluate =
        |file: &'static str| [&["evaluate", "--data", file, "--json"], &label[..]].concat();
    let predict =
        |file: &'static str| [&["predict", "--file", file, "--json"], &label[..]].concat();
    let contribute = |file: &'static str| {
        let money = ["--dev", "1", "--yes", "--json"];
        [&["contribute", "--data", file], &label[..], &money].concat()
    };

    let straight: Value = workspace.json(&evaluate("straight.csv"));
    assert_eq!(
        (&straight["correct"], &straight["n"]),
        (&json!(60), &json!(60))
    );
    assert_eq!(straight["confusion"], json!([[30, 0], [0, 30]]));
    assert_eq!(straight, workspace.json::<Value>(&evaluate("turned.csv")));
    let straight: Value = workspace.json(&predict("straight.csv"));
    assert_eq!(straight["predictions"][1]["class"], "low");
    assert_eq!(straight, workspace.json::<Value>(&predict("turned.csv")));

    let label = workspace.mistake(&["evaluate", "--data", "straight.csv", "--label-column", "c"]);
    let fault =
        "cannot have its classes in the column `c`: the model learns from a column of that name";
    assert!(label.contains(fault), "{label}");
    let label = workspace.mistake(&["predict", "--file", "straight.csv", "--label-column", "c"]);
    assert!(label.contains(fault), "{label}");

    for (file, fault) in [
        (
            "names.csv",
            "has the columns a, name, b, c, but the model has a, b, c: unknown name; give it",
        ),
        (
            "more.csv",
            "has the columns a, b, row, c, seat, but the model has a, b, c: unknown row, seat; give it",
        ),
        (
            "less.csv",
            "has the columns b, but the model has a, b, c: missing a, c; give it the model's columns, in any order",
        ),
        ("other.csv", "unknown seat and missing c; give it"),
        ("doubled.csv", "has more than one column of b, a; rename"),
    ] {
        for command in [evaluate(file), predict(file), contribute(file)] {
            let told = workspace.mistake(&command);
            assert!(told.contains(fault), "{command:?}: {told}");
        }
    }
    // Without its name, the class is a column that the model does not know.
    let told = workspace.mistake(&["predict", "--file", "straight.csv"]);
    assert!(told.contains("unknown kind; give it"), "{told}");

    let contributed: Value = workspace.json(&contribute("straight.csv"));
    assert_eq!(contributed["contributions"], 60);
    // In another order the samples are the same, so this account has contributed all of them.
    let told = workspace.mistake(&contribute("turned.csv"));
    assert!(told.contains("60 were contributed before"), "{told}");
}

/// Writes a table with categories, truth values and missing numbers; a column numbers the rows.
fn mixed(rows: u32) -> String {
    let mut table = "id;age;port;paid;kind\n".to_owned();
    for row in 0..rows {
        let low = row % 2 == 0;
        let age = match row % 10 {
            0 => String::new(),
            _ if low => format!("{},5", 20 + row % 7),
            _ => format!("{},25", 60 + row % 7),
        };
        let port = ["S", "C", "Q"][(row % 3) as usize];
        let (paid, kind) = if low { ("yes", "low") } else { ("no", "high") };
        writeln!(table, "{row};{age};{port};{paid};{kind}").expect("written");
    }
    table
}

/// A query is left out, which is no reason to be silent about it.
#[test]
fn deploy_and_evaluate_count_queries() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let lines = "1 qid:1 1:1 3:1\n0 qid:1 2:1\n1 1:1\n0 2:1 3:1\n".repeat(5);
    workspace.put("ranked.svm", &lines);
    let told = "10 examples of libsvm data have `qid:`, which is left out";
    let deploy = [
        "deploy",
        "--data=ranked.svm",
        "--name=ranked",
        "--dev=0",
        "--yes",
    ];
    let (status, _, stderr) = workspace.outcome(&deploy);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(stderr.matches(told).count(), 1, "{stderr}");
    let (status, _, stderr) = workspace.outcome(&["evaluate", "--data=ranked.svm"]);
    assert_eq!(status, Some(0), "{stderr}");
    assert_eq!(stderr.matches(told).count(), 1, "{stderr}");
}

/// Before anything costs money.
#[test]
fn deploy_tells_of_texts_that_its_encoder_does_not_know() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let texts = |some: [&str; 4]| {
        let rows = some.iter().enumerate();
        let rows = rows.map(|(at, text)| format!("{text},{}\n", at % 2));
        let rows: String = rows.collect();
        format!("text,label\n{}", rows.repeat(10))
    };
    workspace.put("chinese.csv", &texts(["好", "不好", "很好", "太差"]));
    workspace.put(
        "mixed.csv",
        &texts(["a good film", "不好", "很好", "a bad one"]),
    );
    let deploy = |data| {
        let options = [
            "--text-column=text",
            "--encoder=table",
            "--initial=1.0",
            "--dev=0",
            "--yes",
        ];
        [&["deploy", "--data", data][..], &options].concat()
    };
    let told = workspace.mistake(&deploy("chinese.csv"));
    assert!(
        told.contains("the encoder knows no word of the 32 texts to learn from in `chinese.csv`"),
        "{told}"
    );
    let (status, _, stderr) = workspace.outcome(&deploy("mixed.csv"));
    assert_eq!(status, Some(0), "{stderr}");
    let warned = "of the 32 texts to learn from, which teach the model nothing; choose an encoder";
    assert!(
        stderr.contains("warning: the encoder knows no word of "),
        "{stderr}"
    );
    assert!(stderr.contains(warned), "{stderr}");
}

#[test]
fn deploy_types_columns_and_predict_writes_tables_with_the_classes() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.put("mixed.csv", &mixed(60));
    let deploy = [
        "deploy",
        "--data",
        "mixed.csv",
        "--label-column",
        "kind",
        "--dev",
        "0",
        "--yes",
    ];
    let told = workspace.mistake(&deploy);
    assert!(told.contains("--decimal-comma"), "{told}");
    let deploy = [&deploy[..], &["--decimal-comma"]].concat();
    let told = workspace.mistake(&deploy);
    assert!(
        told.contains("6 missing values") && told.contains("--missing"),
        "{told}"
    );
    let (status, _, stderr) = workspace.outcome(&[&deploy[..], &["--missing", "mean"]].concat());
    assert_eq!(status, Some(0), "{stderr}");
    for told in [
        "column `age`: numeric, missing ones are the mean",
        "column `port`: categorical (C, Q, S)",
        "column `paid`: boolean",
        "the column `id` seems to number the rows, and the model learns from it; if so, leave it out with --drop id",
    ] {
        assert!(stderr.contains(told), "{stderr}");
    }
    let more = ["--missing", "mean", "--drop", "id", "--name", "mixed"];
    workspace.success(&[&deploy[..], &more].concat());

    // What the model does not know must be dropped again; the rest is in its card.
    let label = ["--label-column", "kind"];
    let evaluate = [
        &["evaluate", "--model", "mixed", "--data", "mixed.csv"],
        &label[..],
    ]
    .concat();
    let told = workspace.mistake(&[&evaluate[..], &["--decimal-comma"]].concat());
    assert!(
        told.contains("unknown id; give it") && told.contains("--drop"),
        "{told}"
    );
    let choices = ["--decimal-comma", "--drop", "id", "--json"];
    let measured: Value = workspace.json(&[&evaluate[..], &choices].concat());
    assert_eq!(
        (&measured["n"], &measured["correct"]),
        (&json!(60), &json!(60))
    );

    let predict = [
        "predict", "--model", "mixed", "--data", "new.csv", "--drop", "id",
    ];
    workspace.put("new.csv", "port,id,age,paid\nQ,7,21.5,yes\nX,8,,no\n");
    let (status, stdout, stderr) = workspace.outcome(&predict);
    assert_eq!(status, Some(0), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines[0], "port,id,age,paid,class,score,known,clipped");
    assert!(lines[1].starts_with("Q,7,21.5,yes,low,0."), "{stdout}");
    assert!(lines[2].starts_with("X,8,,no,high,0."), "{stdout}");
    let unknown = "1 of 2 inputs has a text in a column of categories that the model does not know";
    assert!(stderr.contains(unknown), "{stderr}");
    let to_file = [&predict[..], &["--out", "out.csv"]].concat();
    assert_eq!(workspace.success(&to_file), "");
    assert_eq!(workspace.read("out.csv"), stdout);
    let told = workspace.mistake(&to_file);
    assert!(
        told.contains("there is such a file; name another one, or replace it with --force"),
        "{told}"
    );
    workspace.success(&[&to_file[..], &["--force"]].concat());
    for name in ["out.parquet", "out.csv.gz", "out.tsv", "out"] {
        let told = workspace.mistake(&[&predict[..], &["--out", name]].concat());
        assert!(
            told.contains("give --out a name that ends in .csv, or -"),
            "{told}"
        );
        assert!(!workspace.path(name).exists(), "{name}");
    }
    let told = workspace.mistake(&[&predict[..], &["--out", "-", "--json"]].concat());
    assert!(told.contains("both write to stdout"), "{told}");
    let row: Value = predict_row(&workspace, "62.25,S,no");
    assert_eq!(row["class"], "high");
}

/// Predicts a row of the table's fields, in the order of the model's columns.
fn predict_row(workspace: &Workspace, row: &str) -> Value {
    predict(workspace, &["--model", "mixed", "--row", row])
}

// ---------------------------------------------------------------- Intercept

/// Writes rows on both sides of 0.
fn put_rows(workspace: &Workspace) {
    let mut rows = "x,y,kind\n".to_owned();
    for row in 0..100 {
        let far = f64::from(1 + row % 5);
        let (x, kind) = if row % 2 == 0 {
            (far, "big")
        } else {
            (-far, "small")
        };
        writeln!(rows, "{x},{},{kind}", f64::from(row % 3 - 1) * far).expect("written");
    }
    workspace.put("rows.csv", &rows);
}

const ROWS: [&str; 16] = [
    "deploy",
    "--data",
    "rows.csv",
    "--test",
    "rows.csv",
    "--label-column",
    "kind",
    "--learner",
    "dense-perceptron",
    "--initial",
    "1.0",
    "--name",
    "rows",
    "--dev",
    "0",
    "--yes",
];

#[test]
fn dense_perceptron_learns_its_intercept_and_takes_rows_without_it() {
    for fixed in [false, true] {
        let workspace = Workspace::new(&AnvilConfig::default());
        put_rows(&workspace);
        let mut deploy = ROWS.to_vec();
        deploy.extend(fixed.then_some("--fixed-intercept"));
        let (status, _, stderr) = workspace.outcome(&deploy);
        assert_eq!(status, Some(0), "{stderr}");
        let features = if fixed {
            "2 features"
        } else {
            "2 features and a learned intercept"
        };
        assert!(
            stderr.contains(&format!("dense perceptron, {features}, trained")),
            "{stderr}"
        );
        let listed = workspace.success(&["models"]);
        assert!(
            listed.contains(&format!("dense-perceptron, {features}\n")),
            "{listed}"
        );
        // The constant does not count in the length of a row.
        assert!(listed.contains("rows of length 2.40"), "{listed}");
        let listed: Value = workspace.json(&["models", "--json"]);
        assert_eq!(listed[0]["features"], if fixed { 2 } else { 3 });
        assert_eq!(
            (&listed[0]["verified"], &listed[0]["chain_id"]),
            (&json!(true), &json!(31_337))
        );

        let told = workspace.mistake(&["predict", "--row", "1,2,1"]);
        assert!(
            told.contains("the length of the example is 3, expected 2, a number for each of x, y"),
            "{told}"
        );
        let predicted: Value = workspace.json(&[
            "predict",
            "--file",
            "rows.csv",
            "--label-column",
            "kind",
            "--json",
        ]);
        assert_eq!(predicted["predictions"].as_array().map(Vec::len), Some(100));
        assert_eq!(predicted["misfits"]["clipped_values"], 0);
        let evaluated: Value = workspace.json(&[
            "evaluate",
            "--data",
            "rows.csv",
            "--label-column",
            "kind",
            "--json",
        ]);
        assert_eq!(evaluated["accuracy"], 1.0);

        // At the mean, all numbers of the sample are 0 except the constant.
        let mean = mean(&workspace);
        let row = ["--row", mean.as_str()];
        let before = predict(&workspace, &row)["class"].clone();
        let other = if before == "big" { "small" } else { "big" };
        workspace.put(
            "lessons.csv",
            &format!("x,y,kind\n{}", format!("{mean},{other}\n").repeat(40)),
        );
        workspace.success(&[
            "contribute",
            "--data",
            "lessons.csv",
            "--label-column",
            "kind",
            "--dev",
            "1",
            "--yes",
        ]);
        let after = predict(&workspace, &row)["class"].clone();
        if fixed {
            assert_eq!(after, before, "nothing can move the intercept");
        } else {
            assert_eq!(after, other);
        }
    }
}

/// Returns the row of means of `rows.csv`.
fn mean(workspace: &Workspace) -> String {
    let rows = workspace.read("rows.csv");
    let mut sums = [0.0, 0.0];
    for line in rows.lines().skip(1) {
        for (sum, field) in sums.iter_mut().zip(line.split(',')) {
            *sum += field.parse::<f64>().expect("a number");
        }
    }
    format!("{},{}", sums[0] / 100.0, sums[1] / 100.0)
}

#[test]
fn deploy_fixes_the_intercept_of_a_dense_perceptron_only() {
    let workspace = Workspace::new(&AnvilConfig::default());
    let told = workspace.mistake(&["deploy", "--dev", "0", "--yes", "--fixed-intercept"]);
    assert!(
        told.contains(
            "cannot fix the intercept of a naive Bayes: only a dense perceptron learns its intercept; leave that choice \
             out"
        ),
        "{told}"
    );
}

// ---------------------------------------------------------------- Bounds of numbers

/// For a text without known words, no advice about numbers is printed.
#[test]
fn contribute_names_unknown_text_before_clipped_numbers() {
    let workspace = Workspace::new(&AnvilConfig::default());
    workspace.success(&[
        "deploy",
        "--dev",
        "0",
        "--yes",
        "--features",
        "20",
        "--learner",
        "dense-nearest-centroid",
        "--max-number",
        "0.01",
    ]);
    let contribute = |text: &str, more: &[&str]| {
        let one = [
            "contribute",
            "--text",
            text,
            "--label",
            "positive",
            "--dev",
            "1",
        ];
        workspace.mistake(&[&one, more].concat())
    };
    let told = contribute("xyzzy", &[]);
    assert!(
        told.contains("the model knows none of the input's words"),
        "{told}"
    );
    for (text, more) in [("the film", &[][..]), ("xyzzy", &["--allow-unknown"])] {
        let told = contribute(text, more);
        assert!(
            told.contains("outside the model's range") && told.contains("--allow-clipped"),
            "{told}"
        );
    }
}

/// Returns an address from the output of a deployment.
fn address(deployed: &Value, name: &str) -> Address {
    let text = deployed[name].as_str().expect("an address");
    text.parse().expect("an address")
}

/// Registers another card, as the model's owner.
fn register(workspace: &Workspace, deployed: &Value, card: &Value) {
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
    deflated
        .write_all(card.to_string().as_bytes())
        .expect("written");
    let card = deflated.finish().expect("deflated");
    let key = Key::development(0);
    block_on(async {
        let node = Node::connect(workspace.rpc(), NodeOptions::default());
        let node = node.await.expect("a node");
        let unsigned = Unsigned {
            chain_id: node.chain_id(),
            nonce: node.nonce(key.address()).await.expect("a nonce"),
            to: Some(address(deployed, "registry")),
            value: U256::ZERO,
            data: bindings::register(address(deployed, "trainer"), &card).into(),
            gas_limit: 10_000_000,
            max_fee: 10_000_000_000,
            priority_fee: 1,
        };
        let signed = key.sign_transaction(&unsigned);
        node.broadcast(&signed.raw).await.expect("taken");
        for _ in 0..600 {
            if let Some(receipt) = node.receipt(signed.hash).await.expect("an answer") {
                assert!(receipt.success);
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never included");
    });
}

#[test]
fn verified_is_false_if_the_card_has_other_bounds_than_the_contract() {
    let workspace = Workspace::new(&AnvilConfig::default());
    put_rows(&workspace);
    let mut deploy = ROWS.to_vec();
    deploy.push("--json");
    let deployed: Value = workspace.json(&deploy);
    let number = deployed["bounds"]["max_number"].as_u64().expect("bounds");
    let square = deployed["bounds"]["max_squared_length"]
        .as_str()
        .expect("bounds");
    let square: u128 = square.parse().expect("a number");
    for (number, square, fits) in [
        (number, square, true),
        (number + 1, square, false),
        (number, square - 1, false),
    ] {
        let card = json!({
            "format": "cotrain-card/1",
            "name": "rows",
            "description": "",
            "classes": ["big", "small"],
            "encoder": {
                "classifier": "dense-perceptron",
                "features": {"columns": ["x", "y"]},
                "scaling": {"mean": [0.0, 0.0], "deviation": [1.0, 1.0]},
                "bounds": {"largest-number": number, "largest-squared-length": square.to_string()},
                "constant": 4096,
            },
            "from_block": deployed["block"],
        });
        register(&workspace, &deployed, &card);
        let listed: Value = workspace.json(&["models", "--json"]);
        assert_eq!(listed[0]["verified"], fits);
        // A coordinator finds the same.
        let read = block_on(async {
            let node = Node::connect(workspace.rpc(), NodeOptions::default());
            let node = node.await.expect("a node");
            let (registry, trainer) = (
                address(&deployed, "registry"),
                address(&deployed, "trainer"),
            );
            DescribedModel::read_published(&node, Some(registry), trainer)
                .await
                .expect("a model")
        });
        let read = ModelInfo::new(read.0, read.1, None).expect("a beginning");
        assert_eq!((read.facts.own_code, read.verified()), (true, fits));
        let card = read.card.as_ref().expect("a card");
        assert_eq!(
            (card.encoder.is_some(), read.encoder().is_ok()),
            (fits, fits)
        );
        let contradiction = format!(
            "the card says a largest number of {number} and a largest squared length of {square} and the contract"
        );
        // The program encodes and pays nothing by a card of other bounds.
        let rows = ["predict", "--row", "0.5,0.5"];
        let data = ["evaluate", "--data", "rows.csv", "--label-column", "kind"];
        let paid = [
            "contribute",
            "--row",
            "0.5,0.5",
            "--label",
            "big",
            "--dev",
            "1",
            "--yes",
        ];
        for command in [&rows[..], &data, &paid] {
            let (status, _, stderr) = workspace.outcome(command);
            assert_eq!(
                status,
                Some(if fits { 0 } else { 2 }),
                "{command:?}: {stderr}"
            );
            assert_eq!(
                stderr.contains(&format!("is not verified: {contradiction}")),
                !fits,
                "{stderr}"
            );
            let told = format!(
                "cannot make samples of model {}: {contradiction}",
                read.facts.trainer
            );
            assert_eq!(stderr.contains(&told), !fits, "{stderr}");
            let next = "ask its owner to register a card that fits";
            assert_eq!(stderr.contains(next), !fits, "{stderr}");
            // A row has `--sample` as an alternative, and a file of data has none. Only sparse
            // models take indices.
            assert_eq!(
                stderr.contains("or give samples with --sample"),
                !fits && *command != data,
                "{stderr}"
            );
        }
        // Bytes are sent unchanged.
        let (status, _, stderr) = workspace.outcome(&["predict", "--sample", "000000001000"]);
        assert_eq!(status, Some(0), "{stderr}");
    }
}
