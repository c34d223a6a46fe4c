//! Tables of word vectors as users make, show and add them, without a chain.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

/// Runs the program in a folder, with the state there; returns its status, stdout and stderr.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cotrain"))
        .args(arguments)
        .current_dir(folder)
        .env("COTRAIN_STATE", folder.join("state"))
        .env_remove("RUST_LOG")
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let (status, stdout, stderr) = run(folder, &[arguments, &["--json"]].concat());
    assert_eq!(status, Some(0), "{stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}

#[test]
fn encoder_makes_shows_and_adds_a_table() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path();
    let vectors = "good 1 0\nbad -1 0\nfilm 0 1\nThe 0 1\n";
    fs::write(folder.join("vectors.txt"), vectors).expect("written");
    let command = ["encoder", "make", "vectors.txt", "--out", "small.cotvec"];
    let sizes = ["--dimensions", "2", "--code", "2", "--notice", "by us"];
    let made = json(folder, &[&command[..], &sizes].concat());
    assert_eq!(
        (&made["dimensions"], &made["pieces"]),
        (&2.into(), &3.into())
    );
    assert_eq!(
        (&made["passed_over"], &made["notice"]),
        (&1.into(), &"by us".into())
    );

    let shown = json(
        folder,
        &["encoder", "show", "small.cotvec", "--near", "good"],
    );
    assert_eq!(shown["sha256"], made["sha256"]);
    assert_eq!(shown["near"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown["near"][0]["piece"], "film");
    let embedded = json(folder, &["encoder", "show"]);
    assert_eq!(embedded["dimensions"], 128);

    json(folder, &["encoder", "add", "small.cotvec"]);
    let sha256 = made["sha256"].as_str().expect("a text");
    let stored = folder
        .join("state/encoders")
        .join(format!("{sha256}.cotvec"));
    let file = fs::read(folder.join("small.cotvec")).expect("the table");
    assert_eq!(fs::read(stored).expect("the stored table"), file);

    // A card may name the table that is there: it is replaced only if that is said.
    let other = [&command[..], &["--dimensions", "1", "--code", "1"]].concat();
    let (status, _, stderr) = run(folder, &other);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("replace it with --force"), "{stderr}");
    assert_eq!(
        fs::read(folder.join("small.cotvec")).expect("the table"),
        file
    );
    let replaced = json(folder, &[&other[..], &["--force"]].concat());
    assert_ne!(replaced["sha256"], made["sha256"]);
}

#[test]
fn encoder_exits_with_2_after_a_mistake() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path();
    fs::write(folder.join("vectors.txt"), "good 1 0\nbad -1\n").expect("written");
    let make = ["encoder", "make", "vectors.txt", "--out", "small.cotvec"];
    let cases: [(&[&str], &str); 4] = [
        (&make, "line 2 has 1 numbers, expected 2"),
        (
            &["encoder", "show", "vectors.txt"],
            "expected 0x636f747665630001",
        ),
        (
            &["encoder", "add", "missing.cotvec"],
            "cannot read missing.cotvec",
        ),
        (
            &["encoder", "show", "--near", "жжж"],
            "the table knows no word of",
        ),
    ];
    for (arguments, expected) in cases {
        let (status, stdout, stderr) = run(folder, arguments);
        assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains(expected), "{stderr}");
    }
    assert!(
        !folder.join("small.cotvec").exists(),
        "nothing is half written"
    );
}
