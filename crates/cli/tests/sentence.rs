//! Models whose card names a sentence encoder, with a program that stands for it, on anvil.
#![cfg(unix)]

mod common;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
};

use common::{Workspace, block_on};
use cotrain_chain::anvil::{Anvil, AnvilConfig};
use serde_json::{Value, json};

/// Program of four numbers a text. It adds a line to the file `asked` for each text. The variable
/// `FAULT` makes it fail.
const PROGRAM: &str = r#"#!/bin/sh
digit=a
[ "$FAULT" = other ] && digit=b
sha256=$(printf "%064d" 0 | tr 0 $digit)
echo "{\"protocol\":\"cotrain-sentence/1\",\"name\":\"tiny\",\"sha256\":\"$sha256\",\"width\":4}"
while IFS= read -r line; do
    echo "$line" >>"$ASKED"
    id=${line#*:}
    id=${id%%,*}
    case $line in
    *warm*) numbers='[0.9,0.1,-0.2,0.3]' ;;
    *bright*) numbers='[0.8,0.2,-0.3,0.2]' ;;
    *dull*) numbers='[-0.9,0.1,0.2,0.1]' ;;
    *poor*) numbers='[-0.8,0.3,0.3,0.2]' ;;
    *) numbers='[0,0,0,0]' ;;
    esac
    pieces=1
    [ "$numbers" = '[0,0,0,0]' ] && pieces=0
    case $FAULT in
    crash) echo "out of memory" >&2; exit 9 ;;
    width) numbers='[1,2]' ;;
    garbage) echo loading ;;
    esac
    echo "{\"id\":$id,\"numbers\":$numbers,\"pieces\":$pieces}"
done
"#;

fn texts(first: usize, count: usize) -> String {
    let rows = (first..first + count).map(|row| match row % 4 {
        0 => format!("bad,film {row} is dull\n"),
        1 => format!("good,film {row} is warm\n"),
        2 => format!("bad,film {row} is poor\n"),
        _ => format!("good,film {row} is bright\n"),
    });
    format!("label,text\n{}", rows.collect::<String>())
}

struct Encoding {
    workspace: Workspace,
}

impl Encoding {
    fn new() -> Self {
        let workspace = Workspace::new(&AnvilConfig::default());
        workspace.put("program", PROGRAM);
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(workspace.path("program"), executable).expect("executable");
        workspace.put("train.csv", &texts(0, 40));
        Self { workspace }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.workspace.command(arguments);
        command
            .env("COTRAIN_SENTENCE", self.workspace.path("program"))
            .env("ASKED", self.workspace.path("asked"));
        command
    }

    /// Runs a command with the program; returns its status, stdout and stderr.
    fn run(&self, fault: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.command(arguments);
        let output = command
            .env("FAULT", fault)
            .output()
            .expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (status, stdout, stderr) = self.run("", &[arguments, &["--json"]].concat());
        assert_eq!(status, Some(0), "{stdout}{stderr}");
        serde_json::from_str(&stdout).expect("JSON")
    }

    /// Returns the message of a command that fails by a mistake of the user.
    fn mistake(&self, fault: &str, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = self.run(fault, arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
        stderr
    }

    fn deploy(&self, more: &[&str]) -> Value {
        self.json(&[&DEPLOY[..], more].concat())
    }
}

const DEPLOY: [&str; 8] = [
    "deploy",
    "--data=train.csv",
    "--text-column=text",
    "--encoder=sentence",
    "--initial=20",
    "--name=films",
    "--dev=0",
    "--yes",
];

#[test]
fn deploy_makes_a_model_of_sentences_that_predicts_and_learns() {
    let encoding = Encoding::new();
    let deployed = encoding.deploy(&["--dimensions=3"]);
    assert_eq!(deployed["evaluation"]["accuracy"], 1.0);
    let asked = fs::read_to_string(encoding.workspace.path("asked")).expect("the texts");
    assert_eq!(asked.lines().count(), 40, "each text was encoded once");

    for (text, class) in [("so warm", "good"), ("too \"dull\"\nfor me", "bad")] {
        let predicted = encoding.json(&["predict", "--text", text, "--model=films"]);
        assert_eq!(predicted["predictions"][0]["class"], class);
        assert_eq!(predicted["predictions"][0]["known"], 1);
    }
    let unknown = encoding.json(&["predict", "--text=green", "--model=films"]);
    assert_eq!(unknown["predictions"][0]["known"], 0);

    encoding.workspace.put("more.csv", &texts(40, 4));
    let more = ["--data=more.csv", "--text-column=text", "--model=films"];
    let evaluated = encoding.json(&[&["evaluate"][..], &more].concat());
    assert_eq!(
        (&evaluated["n"], &evaluated["accuracy"]),
        (&4.into(), &1.0.into())
    );
    let contributed = encoding.json(&[&["contribute", "--dev=1", "--yes"][..], &more].concat());
    assert_eq!(contributed["contributions"], 4, "{contributed}");
}

#[test]
fn predict_says_what_the_program_did_before_anything_is_used() {
    let encoding = Encoding::new();
    encoding.deploy(&[]);
    let predict = ["predict", "--text=warm", "--model=films"];
    for (fault, seen) in [
        (
            "crash",
            "ended without an answer (exit status: 9): out of memory",
        ),
        ("width", "gave 2 numbers, expected 4"),
        ("garbage", "answered `loading`"),
    ] {
        let told = encoding.mistake(fault, &predict);
        assert!(
            told.contains(seen) && told.contains("cannot read texts"),
            "{told}"
        );
    }
    let before = fs::read(encoding.workspace.path("asked")).expect("the texts");
    let told = encoding.mistake("other", &predict);
    let needed = format!("and the model needs `tiny` with SHA-256 {}", "a".repeat(64));
    assert!(
        told.contains(&needed) && told.contains("COTRAIN_SENTENCE_MODEL"),
        "{told}"
    );
    let after = fs::read(encoding.workspace.path("asked")).expect("the texts");
    assert_eq!(before, after, "no text was sent to another encoder");

    // Without the program, a sample can be sent, and a text cannot.
    let sample = [
        "predict",
        "--sample=0x00010000000000000000000000000000",
        "--model=films",
    ];
    let (status, _, stderr) = encoding.workspace.outcome(&sample);
    assert_eq!(status, Some(0), "{stderr}");
    let mut command = encoding.workspace.command(&predict);
    let output = command.env("COTRAIN_SENTENCE", "/nowhere/program").output();
    let output = output.expect("the program starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(
        told.contains("cargo install --locked --path tools/sentence"),
        "{told}"
    );
}

#[test]
fn deploy_checks_dimensions_and_the_program_before_it_reads_data() {
    let encoding = Encoding::new();
    let refused =
        |fault: &str, more: &[&str]| encoding.mistake(fault, &[&DEPLOY[..], more].concat());
    let told = refused("", &["--dimensions=5"]);
    assert!(
        told.contains("--dimensions: the number of dimensions is 5, expected 1 to 4"),
        "{told}"
    );
    let told = refused("", &["--dimensions=0"]);
    assert!(told.contains("is 0, expected 1 to 4"), "{told}");
    let asked = encoding.workspace.path("asked");
    assert!(!asked.exists(), "no text was sent");
    let told = refused("crash", &[]);
    assert!(told.contains("out of memory"), "{told}");
    let told = refused("", &["--learner=naive-bayes"]);
    assert!(
        told.contains("cannot use a sentence encoder with a naive Bayes"),
        "{told}"
    );
    let table = [
        "deploy",
        "--encoder=table",
        "--dimensions=3",
        "--dev=0",
        "--yes",
    ];
    let told = encoding.mistake("", &table);
    assert!(
        told.contains("--dimensions is for `--encoder sentence`"),
        "{told}"
    );
}

/// A program that is told to stop when this is dropped, and ends by itself.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        let _ = self.0.wait();
    }
}

#[test]
fn up_serves_a_model_of_sentences_and_refuses_its_texts() {
    let encoding = Encoding::new();
    let model = [
        &DEPLOY[1..6],
        &["--port=0", "--api-port=0", "--state=s", "--json"],
    ]
    .concat();
    let mut up = encoding.command(&[&["up"][..], &model].concat());
    let up = up
        .env("COTRAIN_ANVIL", Anvil::find().expect("anvil"))
        .env_remove("COTRAIN_RPC")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut up = Stopped(up);
    let mut stdout = BufReader::new(up.0.stdout.take().expect("piped"));
    let mut text = String::new();
    while !text.ends_with("\n}\n") {
        assert_ne!(stdout.read_line(&mut text).expect("text"), 0, "{text}");
    }
    let ready: Value = serde_json::from_str(&text).expect("JSON");
    let base = ready["api"].as_str().expect("a URL").trim_end_matches('/');
    let trainer = ready["model"].as_str().expect("an address");
    let url = format!("{base}/v1/models/{trainer}/predict");
    let predict = |input: Value| -> (u16, Value) {
        block_on(async {
            let request = reqwest::Client::new().post(&url).json(&input);
            let answer = request.send().await.expect("an answer");
            let status = answer.status().as_u16();
            (status, answer.json().await.expect("JSON"))
        })
    };
    let (status, problem) = predict(json!({ "text": "warm" }));
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert_eq!(
        (status, &problem["type"]),
        (422, &json!("/problems/not-encodable")),
        "{problem}"
    );
    assert!(
        detail.contains("needs the sentence encoder `tiny`"),
        "{problem}"
    );
    assert!(detail.contains("`cotrain predict`"), "{problem}");
    let sample = format!("0x{}", "00".repeat(16));
    let (status, found) = predict(json!({ "sample": sample }));
    assert_eq!(status, 200, "{found}");
}
