//! Measures whole runs: wall time and memory of the command as users run it.
//!
//! It also measures how fast the reference model of a classifier predicts.
//! Prints `name<TAB>value<TAB>unit`; `scripts/bench` calls it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cotrain_learning::{correct, data, encode, train};
use cotrain_protocol::classifier::Kind;
use nix::sys::resource::{UsageWho, getrusage};

/// Number of runs of each command. The median counts.
const RUNS: usize = 5;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let command = PathBuf::from(arguments.next().expect("the path of the cotrain command"));
    let folder = (arguments.next().as_deref() == Some("--data"))
        .then(|| arguments.next().expect("--data needs a folder"));

    // The larger run comes first: the system reports the maximum memory of all runs so far.
    match folder.as_deref().map(Path::new) {
        Some(folder) => imdb(&command, folder),
        None => say("no --data: the figures of the IMDB data are left out"),
    }
    let seconds = median_seconds(&command, &["simulate", "--quiet"]);
    print("default_scenario_wall", seconds, "seconds");
    sweep_speed_up(&command);
    sweep_memory(&command);
}

/// Measures how much faster a sweep is with two threads than with one.
fn sweep_speed_up(command: &Path) {
    const TURNS: usize = 3;
    // The commands take turns, so that other load of the machine affects both.
    let mut seconds = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (jobs, seconds) in ["1", "2"].into_iter().zip(&mut seconds) {
            let arguments = ["sweep", "--seeds", "1..16", "--jobs", jobs, "--quiet"];
            seconds.push(one_run(command, &arguments));
        }
    }
    let [one, two] = seconds.map(|mut seconds| {
        seconds.sort_by(f64::total_cmp);
        seconds[TURNS / 2]
    });
    print("sweep_speed_up_by_2_threads", one / two, "ratio");
}

/// Measures the peak memory of a sweep of 1,000 runs, after 100 of them and at its end.
fn sweep_memory(command: &Path) {
    const SOME: usize = 100;
    let out = tempfile::tempdir().expect("a folder");
    let sweep = out.path().join("sweep");
    let mut child = Command::new(command)
        .args(["sweep", "--seeds", "1..1000", "--quiet", "--out"])
        .arg(&sweep)
        .stdout(Stdio::null())
        .spawn()
        .expect("the command");
    let journal = sweep.join("journal/shard-1-of-1.jsonl");
    let (mut early, mut last) = (None, None);
    while child.try_wait().expect("a child").is_none() {
        last = peak_of(&child).or(last);
        let done = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
        if early.is_none() && done() >= SOME {
            early = last;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let status = child.wait().expect("a child");
    assert!(status.success(), "the sweep: {status}");
    match (early, last) {
        (Some(early), Some(last)) => {
            print("sweep_peak_memory_after_100_runs", early, "MB");
            print("sweep_peak_memory_after_1000_runs", last, "MB");
        }
        _ => say("no /proc: the memory of a sweep is left out"),
    }
}

/// Returns the peak memory of a process so far, in MB (10^6 bytes), as Linux reports it.
///
/// The system's figure for all children would be that of the largest.
fn peak_of(child: &Child) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1_024.0 / 1e6)
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

    let seconds = median_seconds(
        command,
        &[
            "simulate",
            "imdb-drt",
            "--relay",
            "100",
            "--quiet",
            "--data",
            folder_argument,
        ],
    );
    print("imdb_perceptron_relayed_scenario_wall", seconds, "seconds");

    per_core(command, folder_argument);

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

/// Measures contributions and claims, each a transaction, per second on one core.
///
/// It counts everything that a run does on one thread, from reading the data to writing the tables.
fn per_core(command: &Path, folder: &str) {
    let out = tempfile::tempdir().expect("a folder");
    let sweep = out.path().join("sweep");
    let before = cpu_seconds();
    let status = Command::new(command)
        .args([
            "sweep", "imdb-drt", "--seeds", "1..3", "--jobs", "1", "--quiet",
        ])
        .args(["--data", folder, "--out"])
        .arg(&sweep)
        .stdout(Stdio::null())
        .status()
        .expect("the command");
    assert!(status.success(), "the sweep: {status}");
    let seconds = cpu_seconds() - before;
    let table = fs::read_to_string(sweep.join("runs.csv")).expect("the table");
    let mut lines = table.lines().map(|line| line.split(','));
    let names: Vec<_> = lines.next().expect("a head").collect();
    let counted = ["contributions", "refunds", "reports", "late_claims"];
    let done: f64 = lines
        .flat_map(|values| names.iter().zip(values))
        .filter(|(name, _)| counted.contains(name))
        .map(|(_, value)| value.parse::<f64>().expect("a number"))
        .sum();
    let name = "imdb_perceptron_contributions_and_claims_a_core_second";
    print(name, done / seconds, "transactions/second");
}

/// Returns the processor time of all ended commands, in seconds.
fn cpu_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    [usage.user_time(), usage.system_time()]
        .map(|time| {
            let seconds = i32::try_from(time.tv_sec()).expect("less than 68 years");
            let micros = i32::try_from(time.tv_usec()).expect("less than a second");
            f64::from(seconds) + f64::from(micros) / 1e6
        })
        .iter()
        .sum()
}

/// Returns the median wall time of running `command`, in seconds.
fn median_seconds(command: &Path, arguments: &[&str]) -> f64 {
    let mut seconds: Vec<f64> = (0..RUNS).map(|_| one_run(command, arguments)).collect();
    seconds.sort_by(f64::total_cmp);
    seconds[RUNS / 2]
}

/// Returns the wall time of one run of `command`, in seconds. Its results go to a temporary folder.
fn one_run(command: &Path, arguments: &[&str]) -> f64 {
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
}

/// Returns the peak memory of any process run so far, in MB (10^6 bytes).
fn peak_megabytes() -> f64 {
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN)
        .expect("usage")
        .max_rss();
    // Exact, because it is far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let bytes = kibibytes as f64 * 1_024.0;
    bytes / 1e6
}

// A benchmark reports its result by printing.
#[allow(clippy::print_stdout)]
fn print(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.2}\t{unit}");
}

#[allow(clippy::print_stderr)]
fn say(what: &str) {
    eprintln!("{what}");
}
