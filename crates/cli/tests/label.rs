//! `cotrain label`: the labels that strategies need, as a user meets them.

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder to call the program in.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.0.path().join(name), content).expect("written");
    }

    /// Returns status, stdout and stderr of `cotrain label`.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        for variable in ["RUST_LOG", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(variable);
        }
        command
            .arg("label")
            .args(arguments)
            .current_dir(self.0.path());
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (status.code(), text(stdout), text(stderr))
    }

    fn success(&self, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = self.run(arguments);
        assert_eq!(status, Some(0), "{arguments:?}: {stdout}{stderr}");
        stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let all = [arguments, &["--json", "--quiet"]].concat();
        serde_json::from_str(&self.success(&all)).expect("JSON")
    }

    fn mistake(&self, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = self.run(arguments);
        assert_eq!(status, Some(2), "{arguments:?}: {stdout}{stderr}");
        assert_eq!(stdout, "", "an error leaves stdout alone");
        stderr
    }
}

/// Returns a table of three classes, with a column of texts and some empty fields.
fn table() -> String {
    let rows = (0..120_u32).map(|row| {
        let class = row % 3;
        let color = ["red", "green", "blue"][(row * row % 3) as usize];
        let (height, width) = (class * 10 + row * 7 % 5, row * 13 % 17);
        let height = if row % 11 == 5 {
            String::new()
        } else {
            height.to_string()
        };
        format!("{height},{width},{color},kind {class}\n")
    });
    format!("height,width,color,kind\n{}", rows.collect::<String>())
}

/// Returns the numbers of labels of a strategy.
fn labels(value: &Value, strategy: &str, share: &str) -> Vec<Option<u64>> {
    let all = value["strategies"][strategy][share].as_array();
    let all = all.unwrap_or_else(|| panic!("{strategy} has {share}: {value}"));
    all.iter()
        .map(|it| {
            assert!(it.is_null() || it.is_u64(), "{it}");
            it.as_u64()
        })
        .collect()
}

#[test]
fn label_counts_labels_of_the_digits_beside_random_ones() {
    let folder = Folder::new();
    let arguments = ["--seeds", "3", "--strategy", "margin"];
    let found = folder.json(&arguments);
    let keys = |value: &Value| -> Vec<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!(keys(&found), ["data", "learner", "seeds", "strategies"]);
    assert_eq!(found["data"], "digits");
    assert_eq!(found["learner"], "logistic");
    assert_eq!(found["seeds"], 3);
    assert_eq!(keys(&found["strategies"]), ["margin", "random"]);
    for strategy in ["margin", "random"] {
        let figures = &found["strategies"][strategy];
        let expected = ["labels_to_90", "labels_to_95", "milliseconds_per_query"];
        assert_eq!(keys(figures), expected);
        assert!(figures["milliseconds_per_query"].as_f64() > Some(0.0));
        let to_90 = labels(&found, strategy, "labels_to_90");
        assert_eq!(to_90.len(), 3);
        for (to_90, to_95) in to_90.iter().zip(labels(&found, strategy, "labels_to_95")) {
            let to_90 = to_90.expect("600 labels are enough");
            // One label, and then five a query.
            assert!(to_90 % 5 == 1 && (30..300).contains(&to_90), "{to_90}");
            assert!(to_95.is_none_or(|to_95| to_95 >= to_90));
        }
    }
    // These are the same on every machine.
    let expected = [[66, 81, 51], [131, 116, 141]].map(|it| it.map(Some));
    for (share, expected) in ["labels_to_90", "labels_to_95"].into_iter().zip(expected) {
        assert_eq!(labels(&found, "margin", share), expected);
    }
    // The random control needs nearly twice as many labels.
    let sum = |strategy: &str| -> u64 {
        labels(&found, strategy, "labels_to_90")
            .iter()
            .flatten()
            .sum()
    };
    assert!(sum("margin") * 10 < sum("random") * 8, "{found}");
    // The counts are the same again, and do not depend on other strategies.
    let again = folder.json(&["--seeds", "2", "--strategy", "entropy,margin,random,margin"]);
    assert_eq!(keys(&again["strategies"]), ["entropy", "margin", "random"]);
    for strategy in ["margin", "random"] {
        for share in ["labels_to_90", "labels_to_95"] {
            let before = &labels(&found, strategy, share)[..2];
            assert_eq!(labels(&again, strategy, share), before);
        }
    }
}

#[test]
fn label_counts_pictures_in_a_table_as_those_that_come_along() {
    let folder = Folder::new();
    let packed = include_bytes!("../../learning/data/digits.csv.gz");
    let mut lines = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(packed.as_slice());
    std::io::Read::read_to_string(&mut unpacked, &mut lines).expect("text");
    let names: Vec<_> = (0..64).map(|it| format!("p{it}")).collect();
    folder.put("digits.csv", &format!("{},label\n{lines}", names.join(",")));
    let options = ["--seeds", "1", "--strategy", "margin"];
    let table = [
        "--data",
        "digits.csv",
        "--test",
        "500",
        "--max-labels",
        "600",
    ];
    let [one, other] = [&options[..], &[&options[..], &table].concat()].map(|it| folder.json(it));
    for strategy in ["margin", "random"] {
        for share in ["labels_to_90", "labels_to_95"] {
            let [one, other] = [&one, &other].map(|it| labels(it, strategy, share));
            assert_eq!(one, other, "{strategy} {share}");
        }
    }
}

#[test]
fn label_shows_bars_and_says_how_it_counted() {
    let folder = Folder::new();
    let arguments = [
        "--seeds",
        "1",
        "--strategy",
        "margin",
        "--batch",
        "50",
        "--max-labels",
        "51",
    ];
    let text = folder.success(&arguments);
    let first = text.lines().next().expect("a line");
    assert_eq!(
        first,
        "digits, logistic: 1,297 rows to label from one label on, 500 to measure on; 1 seed, \
         batches of 50; typiclust chooses the first labels, three for each class"
    );
    assert!(
        text.contains("\nmedian labels to 95 % accuracy\n"),
        "{text}"
    );
    assert!(
        text.contains("more than 51, never in 1 of 1 seed\n"),
        "{text}"
    );
    assert!(text.contains("\na query takes: margin "), "{text}");
}

#[test]
fn label_takes_tables_texts_and_pictures_by_each_learner() {
    let folder = Folder::new();
    folder.put("kinds.csv", &table());
    let lines = (0..90).map(|row| format!("{} {}:1 {}:2.5\n", row % 3, 1 + row % 3, 9 + row % 4));
    folder.put("lines.libsvm", &lines.collect::<String>());
    let common = ["--seeds", "2", "--strategy", "margin,committee,typiclust"];
    for learner in ["logistic", "forest", "boosted"] {
        let options = [
            "--data",
            "kinds.csv",
            "--label-column",
            "kind",
            "--missing",
            "mean",
        ];
        let found = folder.json(&[&common[..], &options, &["--learner", learner]].concat());
        assert_eq!(found["learner"], learner);
        for strategy in ["margin", "committee", "typiclust", "random"] {
            let all = labels(&found, strategy, "labels_to_90");
            assert!(all.iter().all(Option::is_some), "{strategy}: {found}");
        }
        let found = folder.json(
            &[
                &common[..],
                &["--data", "lines.libsvm", "--learner", learner],
            ]
            .concat(),
        );
        assert!(
            labels(&found, "random", "labels_to_95")
                .iter()
                .all(Option::is_some)
        );
    }
    // Texts become numbers by the embedded word vectors.
    let options = [
        "--data",
        "movie-reviews",
        "--limit",
        "300",
        "--max-labels",
        "31",
    ];
    let found = folder.json(&[&common[..2], &options, &["--strategy", "margin"]].concat());
    assert_eq!(found["data"], "movie-reviews");
    assert_eq!(labels(&found, "margin", "labels_to_95").len(), 2);
}

#[test]
fn label_refuses_what_it_cannot_count() {
    let folder = Folder::new();
    folder.put("kinds.csv", &table());
    let data = ["--data", "kinds.csv", "--label-column", "kind"];
    let with = |options: &[&'static str]| folder.mistake(&[&data[..], options].concat());
    let told = with(&[]);
    assert!(
        told.contains("height") && told.contains("--missing"),
        "{told}"
    );
    let told = with(&["--missing", "mean", "--test", "120"]);
    assert_eq!(
        told,
        "error: cannot measure on 120 of 120 examples: none would be left to label; expected --test below 120\n"
    );
    let told = with(&["--missing", "mean", "--limit", "1"]);
    assert!(
        told.contains("have one class; expected two or more"),
        "{told}"
    );
    let told = with(&["--strategy", "best"]);
    assert!(
        told.contains("`best` is no strategy; expected one of random, least-confidence"),
        "{told}"
    );
    let told = with(&[
        "--missing",
        "mean",
        "--strategy",
        "k-center",
        "--start",
        "typiclust",
    ]);
    assert_eq!(
        told,
        "error: --start is typiclust, and k-center, random would ignore it; leave it out, or name one that needs a model with --strategy\n"
    );
    // These would do nothing without an own pool.
    for options in [
        &["--dry-run"][..],
        &["--yes"],
        &["--dev", "1"],
        &["--keystore", "key.json"],
        &["--keystore", "key.json", "--password-file", "secret"],
        &["--budget", "5"],
        &["--out", "model.json"],
    ] {
        let told = with(options);
        assert!(
            told.contains("required arguments were not provided"),
            "{options:?}: {told}"
        );
    }
    for option in ["--seeds", "--batch", "--max-labels", "--limit", "--test"] {
        let told = with(&[option, "0"]);
        assert!(
            told.contains("expected a whole number, 1 or more"),
            "{told}"
        );
    }
    folder.put("one.csv", "a,label\n1,x\n2,x\n3,x\n");
    let told = folder.mistake(&["--data", "one.csv"]);
    assert!(told.contains("one.csv") && told.contains("class"), "{told}");
    let lines = (0..700).map(|row| format!("{} 60000:{row}\n", row % 2));
    folder.put("wide.libsvm", &lines.collect::<String>());
    let told = folder.mistake(&["--data", "wide.libsvm"]);
    assert!(
        told.contains("has 700 rows of 60000 numbers") && told.contains("--limit 559"),
        "{told}"
    );
    let told = folder.mistake(&["--data", "none.csv"]);
    assert!(told.contains("none.csv"), "{told}");
}
