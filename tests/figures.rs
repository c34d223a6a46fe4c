//! The figures of whole runs: wall time and memory of the command as a user runs it, and how fast
//! the twin of a contract's model predicts. Prints `name<TAB>value<TAB>unit`; `scripts/bench` calls
//! it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use cotrain_learning::{correct, data, encode, train};
use cotrain_protocol::classifier::Kind;
use nix::sys::resource::{UsageWho, getrusage};

/// Runs of each command; the middle one counts.
const RUNS: usize = 5;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let command = PathBuf::from(arguments.next().expect("the path of the cotrain command"));
    let folder = (arguments.next().as_deref() == Some("--data"))
        .then(|| arguments.next().expect("--data needs a folder"));

    // The larger one first: what the system tells of memory is the most of all runs so far.
    match folder.as_deref().map(Path::new) {
        Some(folder) => imdb(&command, folder),
        None => say_skipped(),
    }
    let seconds = median_seconds(&command, &["simulate", "--quiet"]);
    print("default_scenario_wall", seconds, "seconds");
}

fn imdb(command: &Path, folder: &Path) {
    let folder_argument = folder.to_str().expect("a path in UTF-8");
    let seconds = median_seconds(
        command,
        &["simulate", "imdb-drt", "--quiet", "--data", folder_argument],
    );
    print("imdb_perceptron_scenario_wall", seconds, "seconds");
    print(
        "imdb_perceptron_scenario_peak_memory",
        peak_megabytes(),
        "MB",
    );

    let source = data::Source::Libsvm {
        train: folder.join("imdb-1000.train.libsvm.gz"),
        test: Some(folder.join("imdb-1000.test.libsvm.gz")),
    };
    let dataset = data::load(&source, 0.2, 1).expect("the data");
    for kind in [
        Kind::SparsePerceptron,
        Kind::NaiveBayes,
        Kind::SparseNearestCentroid,
    ] {
        let samples = encode::encode(&dataset, kind, Some(1_000)).expect("samples");
        let initial = samples.train.take(0..2_000);
        let trained = train::train(kind, &initial, &train::Options::default(), &samples.test)
            .expect("a model");
        let mut milliseconds: Vec<f64> = (0..RUNS)
            .map(|_| {
                let started = Instant::now();
                let right = correct(&trained.classifier, &samples.test);
                assert!(right > samples.test.len() / 2, "{kind}: {right} right");
                started.elapsed().as_secs_f64() * 1e3
            })
            .collect();
        milliseconds.sort_by(f64::total_cmp);
        print(
            &format!("evaluate_25000_imdb_{}", kind.name()),
            milliseconds[RUNS / 2],
            "milliseconds",
        );
    }
}

/// The middle wall time of running `command`, its results in a folder that goes away.
fn median_seconds(command: &Path, arguments: &[&str]) -> f64 {
    let mut seconds: Vec<f64> = (0..RUNS)
        .map(|_| {
            let out = tempfile::tempdir().expect("a folder");
            let started = Instant::now();
            let status = Command::new(command)
                .args(arguments)
                .arg("--out")
                .arg(out.path().join("run"))
                .stdout(Stdio::null())
                .status()
                .expect("the command");
            assert!(status.success(), "{arguments:?}: {status}");
            started.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}

/// The most memory that one of the processes run so far had, in MB (10^6 bytes).
fn peak_megabytes() -> f64 {
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN)
        .expect("usage")
        .max_rss();
    // Far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let bytes = kibibytes as f64 * 1_024.0;
    bytes / 1e6
}

// A benchmark's result is what it prints.
#[allow(clippy::print_stdout)]
fn print(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.2}\t{unit}");
}

#[allow(clippy::print_stderr)]
fn say_skipped() {
    eprintln!("no --data: the figures of the IMDB data are left out");
}
