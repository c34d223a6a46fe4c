//! Sweeps as their users meet them: the same tables whatever the threads, parts and interruptions.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

const FILES: [&str; 6] = [
    "runs.csv",
    "runs.parquet",
    "series.csv",
    "series.parquet",
    "report.html",
    "summary.json",
];

/// A folder with a scenario of 60 contributions, which runs in a moment.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        let rows = (0..100).map(|row| format!("{} {}:1 {}:1\n", row % 2, 1 + row % 2, 3 + row % 5));
        let put = |name, text: &str| fs::write(folder.path(name), text).expect("written");
        put("train.libsvm", &rows.collect::<String>());
        put("tiny.toml", include_str!("tiny.toml"));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns `cotrain` in this folder, without environment variables that change its output.
    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        command
            .args(arguments.split(' '))
            .current_dir(self.0.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for variable in ["RUST_LOG", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, arguments: &str) -> (Option<i32>, String, String) {
        outcome(self.command(arguments).output().expect("the program runs"))
    }

    fn success(&self, arguments: &str) -> (String, String) {
        let (status, stdout, stderr) = self.run(arguments);
        assert_eq!(status, Some(0), "{arguments}: {stdout}{stderr}");
        (stdout, stderr)
    }

    fn refusal(&self, arguments: &str, status: i32) -> String {
        let (seen, stdout, stderr) = self.run(arguments);
        assert_eq!(seen, Some(status), "{arguments}: {stdout}{stderr}");
        assert_eq!(stdout, "", "an error leaves stdout alone");
        stderr
    }

    /// Returns the contents of every file that a sweep writes.
    fn files(&self, sweep: &str) -> Vec<Vec<u8>> {
        let read = |name| fs::read(self.path(sweep).join(name)).expect(name);
        FILES.into_iter().map(read).collect()
    }

    fn journal(&self, sweep: &str) -> PathBuf {
        self.path(sweep).join("journal/shard-1-of-1.jsonl")
    }
}

fn outcome(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Waits until a journal has at least `lines` lines.
fn wait_for_lines(journal: &Path, lines: usize, child: &mut Child) {
    let started = Instant::now();
    while fs::read_to_string(journal).map_or(0, |text| text.lines().count()) < lines {
        let ended = child.try_wait().expect("a child");
        assert_eq!(ended, None, "it ended before it could be stopped");
        assert!(started.elapsed() < Duration::from_mins(1), "it hangs");
        thread::sleep(Duration::from_millis(2));
    }
}

const GRID: &str = "--seeds 1..4,9 --set agents.Bad.start_balance=100,200,400 \
                    --set incentive.refund_wait=1h,2h";

// ---------------------------------------------------------------- Tables

#[test]
fn sweep_writes_the_same_files_with_any_threads_and_parts() {
    let folder = Folder::new();
    folder.success(&format!("sweep tiny.toml {GRID} --jobs 1 --out one"));
    folder.success(&format!("sweep tiny.toml {GRID} --jobs 2 --out two"));
    let whole = folder.files("one");
    assert_eq!(whole, folder.files("two"));
    let (header, rows) = split(&whole[0]);
    assert!(
        header.starts_with(
            "run,seed,agents.Bad.start_balance,incentive.refund_wait,accuracy_initial,"
        ),
        "{header}"
    );
    assert_eq!(rows.len(), 30);
    assert!(rows[29].starts_with("29,9,400,2h,"), "{}", rows[29]);

    for part in 1..=2 {
        let (stdout, _) = folder.success(&format!(
            "sweep tiny.toml {GRID} --shard {part}/3 --out part-{part}"
        ));
        assert!(stdout.contains("10 of the 30 runs"), "{stdout}");
        assert!(!folder.path(&format!("part-{part}/runs.csv")).exists());
    }
    insta::assert_snapshot!(folder.refusal("sweep merge all part-1 part-2", 1), @"error: 20 of 30 runs are there, and no tables are written: these are missing: 2, 5, 8, 11, 14, 17, 20, 23 and 2 more ranges; run their parts and merge again, or see how it went so far: cotrain sweep page all");
    assert!(!folder.path("all/runs.csv").exists());
    folder.success(&format!("sweep tiny.toml {GRID} --shard 3/3 --out part-3"));
    folder.success("sweep merge all part-1 part-3");
    assert_eq!(whole, folder.files("all"));
    // Parts may share a folder. The whole sweep does not repeat the runs of its parts.
    for part in 1..=3 {
        folder.success(&format!(
            "sweep tiny.toml {GRID} --shard {part}/3 --out shared"
        ));
    }
    let (_, told) = folder.success(&format!("sweep tiny.toml {GRID} --out shared"));
    assert!(
        told.starts_with("30 of 30 runs were done before\n"),
        "{told}"
    );
    folder.success("sweep merge shared");
    assert_eq!(whole, folder.files("shared"));
}

fn split(csv: &[u8]) -> (String, Vec<String>) {
    let text = String::from_utf8(csv.to_vec()).expect("UTF-8");
    let mut lines = text.lines().map(str::to_owned);
    (lines.next().expect("a header"), lines.collect())
}

// ---------------------------------------------------------------- Continuation of a sweep

#[test]
fn sweep_goes_on_after_it_was_killed() {
    let folder = Folder::new();
    let sweep = "sweep tiny.toml --seeds 1..300 --jobs 2 --out";
    folder.success(&format!("{sweep} whole"));
    let mut child = folder
        .command(&format!("{sweep} killed"))
        .spawn()
        .expect("the program starts");
    let journal = folder.journal("killed");
    wait_for_lines(&journal, 5, &mut child);
    // The process cannot handle SIGKILL.
    child.kill().expect("killed");
    child.wait().expect("an end");
    let before = fs::read_to_string(&journal).expect("a journal");
    let (kept, _) = before.rsplit_once('\n').expect("lines");
    let done = kept.lines().count();
    assert!((5..300).contains(&done), "{done} runs were done");

    let (_, told) = folder.success(&format!("{sweep} killed"));
    assert!(
        told.starts_with(&format!("{done} of 300 runs were done before\n")),
        "{told}"
    );
    assert_eq!(folder.files("whole"), folder.files("killed"));
    let after = fs::read_to_string(&journal).expect("a journal");
    assert!(after.starts_with(kept), "what was done stays");
    assert_eq!(after.lines().count(), 300);
}

#[test]
fn sweep_can_be_extended_by_seeds() {
    let folder = Folder::new();
    let grid = "--set agents.Bad.start_balance=100,400";
    // Seeds are added after the old ones, between them, before them and in another order.
    for (name, before, after, runs) in [
        ("a", "1..3", "1..4", 8),
        ("b", "3,1", "1..4", 8),
        ("c", "2..3", "5,1..4", 10),
    ] {
        folder.success(&format!(
            "sweep tiny.toml --seeds {after} {grid} --out whole-{name}"
        ));
        folder.success(&format!(
            "sweep tiny.toml --seeds {before} {grid} --out {name}"
        ));
        let done = folder.files(name);
        let (_, told) = folder.success(&format!(
            "sweep tiny.toml --seeds {after} {grid} --out {name}"
        ));
        let there = if name == "a" { 6 } else { 4 };
        assert!(
            told.starts_with(&format!("{there} of {runs} runs were done before\n")),
            "{told}"
        );
        assert_ne!(done, folder.files(name));
        assert_eq!(folder.files(&format!("whole-{name}")), folder.files(name));
        // The old journals are gone, and the same command finds that all runs are done.
        assert!(!folder.path(name).join("journal").exists());
        let again = format!("sweep tiny.toml --seeds {after} {grid} --out {name}");
        let (_, told) = folder.success(&again);
        assert!(
            told.starts_with(&format!("{runs} of {runs} runs were done before\n")),
            "{told}"
        );
        folder.success(&format!("sweep page {name}"));
        assert_eq!(folder.files(&format!("whole-{name}")), folder.files(name));
    }
    // A part of a sweep is not extended, nor is a sweep that another process is writing.
    let said = folder.refusal(
        &format!("sweep tiny.toml --seeds 1..5 {grid} --shard 1/2 --out a"),
        2,
    );
    assert!(
        said.contains("its --seeds is 1..4, expected 1..5"),
        "{said}"
    );
    folder.success("sweep tiny.toml --seeds 1..2 --out held");
    let journal = File::open(folder.journal("held")).expect("a journal");
    journal.lock().expect("locked");
    let said = folder.refusal("sweep tiny.toml --seeds 1..3 --out held", 2);
    assert!(said.contains("another process is at work"), "{said}");
    drop(journal);
    folder.success("sweep tiny.toml --seeds 1..3 --out held");
}

#[test]
fn sweep_does_a_run_again_if_its_line_was_cut_off() {
    let folder = Folder::new();
    let sweep = "sweep tiny.toml --seeds 1..6 --out it";
    folder.success(sweep);
    let (whole, journal) = (folder.files("it"), folder.journal("it"));
    let text = fs::read(&journal).expect("a journal");
    // The last line is cut; or it has its end but zeros in it, as after a power failure.
    let mut zeroed = text.clone();
    let length = zeroed.len();
    zeroed[length - 20..length - 1].fill(0);
    for torn in [&text[..length - 20], &zeroed] {
        fs::write(&journal, torn).expect("written");
        let (_, told) = folder.success(sweep);
        assert!(told.starts_with("5 of 6 runs were done before\n"), "{told}");
        assert_eq!(whole, folder.files("it"));
    }
    // Any other damage is reported.
    fs::write(&journal, [b"nonsense\n", &text[..]].concat()).expect("written");
    let said = folder.refusal(sweep, 2);
    assert!(
        said.contains("holds something else than runs of this sweep, at byte 0"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn sweep_says_how_to_go_on_after_an_interrupt() {
    let folder = Folder::new();
    let mut child = folder
        .command("sweep tiny.toml --seeds 1..100000 --out it")
        .spawn()
        .expect("the program starts");
    wait_for_lines(&folder.journal("it"), 3, &mut child);
    let told = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(told.expect("kill").success());
    let (status, stdout, stderr) = outcome(child.wait_with_output().expect("an end"));
    assert_eq!((status, stdout.as_str()), (Some(130), ""));
    assert_eq!(
        stderr,
        "stopped: what is done is kept in it, and the same command goes on from there\n"
    );
    // A report of the finished runs is possible.
    // `report` is the deprecated name of the command.
    let (stdout, _) = folder.success("sweep report it");
    assert!(
        stdout.contains(" of 100,000 runs, the rest is not done yet"),
        "{stdout}"
    );
}

// ---------------------------------------------------------------- Mistakes and failures

#[test]
fn sweep_refuses_mistakes_before_it_writes_anything() {
    let folder = Folder::new();
    let refusal = |arguments: &str| folder.refusal(arguments, 2);
    insta::assert_snapshot!(refusal("sweep tiny.toml --set incentive.refund_wait=1h,never --out it"), @r#"error: with incentive.refund_wait = "never": tiny.toml: `never` is not a duration (expected number at 0); write one with its unit, such as "600s", "1h 30m" or "9 days""#);
    insta::assert_snapshot!(refusal("sweep tiny.toml --set agents.Ugly.mistakes=0.1 --out it"), @"error: tiny.toml: cannot set `agents.Ugly.mistakes`: expected agents.NAME.KEY; the agents are `Good`, `Bad`");
    insta::assert_snapshot!(refusal("sweep tiny.toml --seeds 3..1 --out it"), @r"
    error: invalid value '3..1' for '--seeds <SEEDS>': `3..1` ends before it begins

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refusal("sweep tiny.toml --shard 3/2 --out it"), @r"
    error: invalid value '3/2' for '--shard <I/N>': expected a part and the number of parts, counted from 1, such as 2/8

    For more information, try '--help'.
    ");
    assert!(!folder.path("it").exists());
    insta::assert_snapshot!(refusal("sweep tiny.toml --out ."), @"error: . holds `train.libsvm` and no sweep; name another folder with --out, or empty this one");

    folder.success("sweep tiny.toml --seeds 1..3 --out it");
    insta::assert_snapshot!(refusal("sweep tiny.toml --seeds 1..2 --out it"), @"error: it holds another sweep: its --seeds is 1..3, expected 1..2; name another folder with --out");
    insta::assert_snapshot!(refusal("sweep tiny.toml --seeds 1..3 --set data.features=5 --out it"), @"error: it holds another sweep: its --set is none, expected data.features=5; name another folder with --out");
    insta::assert_snapshot!(refusal("sweep tiny.toml --seeds 1..3 --relay 2 --out it"), @"error: it holds another sweep: its --relay is none, expected 2; name another folder with --out");
    folder.success("sweep tiny.toml --seeds 1..3 --relay 2 --out relayed");
    insta::assert_snapshot!(refusal("sweep merge it relayed"), @"error: relayed is no part of the sweep in it: its scenario, settings, seeds or --relay are others");

    let journal = File::open(folder.journal("it")).expect("a journal");
    journal.lock().expect("locked");
    insta::assert_snapshot!(refusal("sweep tiny.toml --seeds 1..3 --out it"), @"error: another process is at work on it/journal/shard-1-of-1.jsonl; wait for it, or name another folder with --out");
}

#[test]
fn sweep_names_a_run_that_fails_and_keeps_the_others() {
    let folder = Folder::new();
    let sweep = "sweep tiny.toml --seeds 1..2 --set data.initial_share=0.2,0.001 --jobs 1 --out it";
    insta::assert_snapshot!(folder.refusal(sweep, 2), @"error: runs that are done are kept: run 2 of the sweep (data.initial_share = 0.001; seed 1): tiny.toml: `data.initial_share` gives 0 of 80 training samples to the initial model; expected at least one, with one left to contribute");
    let (stdout, _) = folder.success("sweep page it");
    assert!(stdout.starts_with("tiny: 2 of 4 runs"), "{stdout}");
}

// ---------------------------------------------------------------- Report

#[test]
fn sweep_page_writes_all_files_again() {
    let folder = Folder::new();
    folder.success(&format!("sweep tiny.toml {GRID} --out it"));
    let whole = folder.files("it");
    let left = folder.path("it/.cotrain-left.partial");
    fs::write(&left, "of a process that was killed").expect("written");
    for name in FILES {
        fs::remove_file(folder.path("it").join(name)).expect(name);
    }
    let (stdout, _) = folder.success("sweep page it --json");
    assert_eq!(whole, folder.files("it"));
    let summary: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(summary["runs"], 30);
    assert_eq!(
        summary["points"][5]["settings"]["incentive.refund_wait"],
        "2h"
    );
    assert!(!left.exists());
    fs::remove_file(folder.journal("it")).expect("removed");
    let said = folder.refusal("sweep page it", 2);
    assert_eq!(said, "error: it: no run of its sweep is done yet\n");
    insta::assert_snapshot!(folder.refusal("sweep page .", 2), @"error: .: there is no sweep.json: name the folder of a sweep, such as one that `cotrain sweep` has made");
}

/// Checks the error for a folder: earlier versions of `report` took one.
#[test]
fn report_of_a_folder_names_the_command_for_its_page() {
    let folder = Folder::new();
    fs::create_dir(folder.path("it")).expect("made");
    for arguments in [
        "report it",
        "report it --json",
        "report 7 it",
        "report it 7",
    ] {
        let said = folder.refusal(arguments, 2);
        assert!(
            said.starts_with(
                "error: invalid value 'it' for '[POSITION]...': expected the position of a contribution, and this \
                 is a folder; to write the tables and page of a sweep, run `cotrain sweep page DIR`"
            ),
            "{arguments}: {said}"
        );
    }
    let said = folder.refusal("report nowhere", 2);
    assert!(
        said.contains("expected the position of a contribution, a whole number"),
        "{said}"
    );
}

// ---------------------------------------------------------------- Page

#[test]
fn sweep_page_is_whole_and_says_what_it_means() {
    let folder = Folder::new();
    folder.success(&format!("sweep tiny.toml {GRID} --out it"));
    let page = fs::read_to_string(folder.path("it/report.html")).expect("a page");
    for text in [
        "Breaking point: agents.Bad.start_balance",
        "Breaking point: hostile_share_percent",
        "with incentive.refund_wait = 2h",
        "cotrain sweep tiny.toml --seeds 1..4,9 --set agents.Bad.start_balance=100,200,400",
        "ChaCha8 with a fixed seed",
    ] {
        assert!(page.contains(text), "{text}");
    }
    for tag in [
        "<link",
        " src=",
        "@import",
        "url(",
        "fetch(",
        "XMLHttpRequest",
    ] {
        assert!(!page.contains(tag), "the page loads from elsewhere: {tag}");
    }
    let (_, rest) = page
        .split_once(r#"<script type="application/json" id="chart">"#)
        .expect("figures");
    let (json, _) = rest.split_once("</script>").expect("their end");
    let chart: Value = serde_json::from_str(json).expect("JSON");
    let length = |value: &Value| value.as_array().map(Vec::len);
    assert_eq!(length(&chart["points"]), Some(6));
    assert_eq!(length(&chart["runs"][0]), Some(30));
    // Three values of money for each of two waits; and likewise the share of hostile money.
    assert_eq!(length(&chart["studies"]), Some(4));
    assert_eq!(
        chart["studies"][0]["x"],
        serde_json::json!([100.0, 200.0, 400.0])
    );
    // Each chart has a table: accuracy, balances, final balances, share, and each breaking point.
    // One more table has all breaking points.
    assert_eq!(page.matches("<table>").count(), 4 + 4 + 1);
    assert_eq!(page.matches("class=\"chart\"").count(), 4 + 4 * 3);
}

#[test]
fn sweep_gives_each_share_with_its_counts() {
    let folder = Folder::new();
    let (stdout, _) = folder.success("sweep tiny.toml --seeds 1..3 --out it");
    // A fifth of 100 rows, with two classes in turn.
    assert!(
        stdout.contains("accuracy on 20 test samples a run, "),
        "{stdout}"
    );
    let runs = folder.path("it/runs.csv");
    let column = |name| csv_column(&runs, name);
    let [samples, correct, last] = ["test_samples", "correct_final", "accuracy_final"].map(column);
    let [low, high, majority] =
        ["accuracy_final_low", "accuracy_final_high", "majority"].map(column);
    for run in 0..3 {
        assert!((correct[run] / samples[run] - last[run]).abs() < 1e-9);
        assert!(low[run] <= last[run] && last[run] <= high[run] && low[run] < high[run]);
        assert!((0.5..1.0).contains(&majority[run]));
    }
    let summary = fs::read_to_string(folder.path("it/summary.json")).expect("figures");
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    let point = &summary["points"][0];
    assert_eq!(point["test_samples"]["median"], 20.0);
    let together = point["predictions"]["confusion"].as_array().expect("rows");
    let cells = together
        .iter()
        .flat_map(|row| row.as_array().expect("a row"));
    let counted: u64 = cells.filter_map(Value::as_u64).sum();
    assert_eq!(counted, 60, "three runs");
    assert_eq!(
        point["predictions"]["classes"],
        serde_json::json!(["0", "1"])
    );
    assert_eq!(point["predictions"]["per_class"][1]["class"], "1");
    let interval = point["accuracy_final_interval_percent"].as_array();
    assert_eq!(interval.map(Vec::len), Some(2));
    let page = fs::read_to_string(folder.path("it/report.html")).expect("a page");
    for text in [
        "(20 test samples a run, ",
        "predicted 1",
        "The classes of all runs",
    ] {
        assert!(page.contains(text), "{text}");
    }

    // Records of earlier releases have no predictions.
    let journal = folder.journal("it");
    let lines = fs::read_to_string(&journal).expect("records");
    let old = lines.lines().map(|line| {
        let mut record: Value = serde_json::from_str(line).expect("JSON");
        let removed = record.as_object_mut().and_then(|it| it.remove("tested"));
        assert!(removed.is_some());
        format!("{record}\n")
    });
    fs::write(&journal, old.collect::<String>()).expect("written");
    let (stdout, _) = folder.success("sweep page it");
    assert!(!stdout.contains("test samples"), "{stdout}");
    let page = fs::read_to_string(folder.path("it/report.html")).expect("a page");
    assert!(!page.contains("Predictions at the end"));
}

/// Returns the content of the charts on a sweep's page, as page.js prints it.
fn charts(page: &Path) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page.js");
    let output = Command::new("node").arg(script).arg(page).output();
    let (status, stdout, stderr) = outcome(output.expect("node runs"));
    assert_eq!(status, Some(0), "{stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}

#[test]
fn sweep_page_shows_all_lines_that_lie_on_each_other() {
    let folder = Folder::new();
    // The owner's wait changes nothing here, so each share of the data has two equal lines.
    folder.success(
        "sweep tiny.toml --seeds 1..5 --set data.initial_share=0.25,0.7 \
         --set incentive.owner_claim_wait=22h,1day --out it",
    );
    let chart = &charts(&folder.path("it/report.html"))["accuracy"];
    let name =
        |share, wait| format!("data.initial_share = {share}, incentive.owner_claim_wait = {wait}");
    let entry = |index: usize| chart["legend"][index].as_str().expect("an entry");
    for (index, share) in [(1, "0.25"), (2, "0.7")] {
        let both = format!("{} and {} ", name(share, "22h"), name(share, "1day"));
        assert!(entry(index).starts_with(&both), "{}", entry(index));
        assert!(entry(index).ends_with(", both"), "{}", entry(index));
    }
    assert_eq!(chart["legend"][3], Value::Null);
    let lines = chart["lines"].as_array().expect("lines");
    let seen: Vec<_> = lines.iter().map(|line| &line["label"]).collect();
    let shares = ["0.25", "0.7"].into_iter();
    let wanted: Vec<_> = shares
        .flat_map(|share| ["22h", "1day"].map(|wait| name(share, wait)))
        .collect();
    assert_eq!(seen, wanted.iter().collect::<Vec<_>>());
    // The medians of all four lines are equal, so their dashes take turns.
    for (turn, line) in lines.iter().enumerate() {
        let dash = serde_json::json!([0, 8 * turn, 8, 8 * (3 - turn)]);
        assert_eq!(line["dash"], dash, "{line}");
    }
    // No mark is hidden behind another.
    let marks = chart["marks"].as_array().expect("marks");
    let mut abscissas: Vec<_> = marks.iter().map(|mark| mark["x"].to_string()).collect();
    abscissas.sort();
    abscissas.dedup();
    assert_eq!(marks.len(), 4 * 6);
    assert_eq!(abscissas.len(), marks.len());
}

#[test]
fn sweep_page_shows_marks_at_one_value_around_each_other() {
    let folder = Folder::new();
    folder.success(
        "sweep tiny.toml --seeds 1..3 --set incentive.owner_claim_wait=20h,22h,1day --out it",
    );
    let charts = charts(&folder.path("it/report.html"));
    // Honest people lose in no run, and the model falls in none.
    let chart = &charts["study-0-shares"];
    assert_eq!(
        chart["legend"][1],
        "honest people lose and the model falls 0 (0 to 0), both"
    );
    let marks = chart["marks"].as_array().expect("marks");
    let (below, above) = marks.split_at(3);
    for (below, above) in below.iter().zip(above) {
        assert_eq!([&below["x"], &below["y"]], [&above["x"], &above["y"]]);
        assert!(below["size"].as_f64() > above["size"].as_f64(), "{marks:?}");
    }
}

#[test]
fn sweep_page_draws_each_setting_until_the_longest_run_ends() {
    let folder = Folder::new();
    // With less data to contribute, all is over in half a day. With a late refund, it takes more
    // than a day.
    folder.success("sweep tiny.toml --seeds 1..5 --set data.initial_share=0.25,0.7 --out it");
    let page = fs::read_to_string(folder.path("it/report.html")).expect("a page");
    let lines = &charts(&folder.path("it/report.html"))["accuracy"]["lines"];
    assert_eq!(lines.as_array().map(Vec::len), Some(2));
    assert_eq!(lines[0]["end"], lines[1]["end"]);
    let end = lines[0]["end"].as_f64().expect("days");
    let longest = csv_column(&folder.path("it/runs.csv"), "days");
    let of = |runs: &[f64]| runs.iter().copied().fold(0.0, f64::max);
    assert!(of(&longest[..5]) < 0.5 && of(&longest[5..]) > 1.0);
    assert!((end - of(&longest)).abs() < 1e-3, "{end} {longest:?}");
    // Both settings have the same days in the table.
    let (_, table) = page
        .split_once("<summary>The accuracy as a table</summary>")
        .expect("a table");
    let (table, _) = table.split_once("</table>").expect("its end");
    for share in ["0.25", "0.7"] {
        let mut rows = table
            .lines()
            .filter(|row| row.contains(&format!("data.initial_share = {share}<")));
        let last = rows.next_back().expect("rows");
        assert!(last.contains(&format!("<td>{end:.1}</td>")), "{last}");
    }
}

/// Returns a column of numbers of a table.
fn csv_column(path: &Path, name: &str) -> Vec<f64> {
    let (header, rows) = split(&fs::read(path).expect("a table"));
    let column = header.split(',').position(|it| it == name).expect(name);
    let cell = |row: &String| row.split(',').nth(column)?.parse().ok();
    rows.iter()
        .map(|row| cell(row).expect("a number"))
        .collect()
}

// ---------------------------------------------------------------- Documentation

/// Runs every command of docs/sweeps.md in order, with one seed instead of twenty and less data.
#[test]
fn sweep_runs_the_commands_of_the_documentation() {
    let folder = Folder::new();
    let page = include_str!("../../../docs/sweeps.md");
    let blocks = page
        .split("```")
        .filter_map(|block| block.strip_prefix("console\n"));
    let commands: Vec<_> = blocks
        .flat_map(str::lines)
        .map(|line| line.strip_prefix("$ ").expect("a command"))
        .collect();
    assert!(commands.len() >= 7, "{commands:?}");
    let program = Path::new(env!("CARGO_BIN_EXE_cotrain"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().expect("a folder").display());
    for command in commands {
        let shorter = command.replace("--seeds 1..20", "--seeds 1 --set data.initial_share=0.9");
        let mut shell = Command::new("sh");
        shell.args(["-c", &shorter]).env("PATH", &path);
        let output = shell
            .current_dir(folder.0.path())
            .output()
            .expect("a shell");
        let (status, stdout, stderr) = outcome(output);
        assert_eq!(status, Some(0), "{command}: {stdout}{stderr}");
    }
    assert!(folder.path("both/report.html").is_file());
}

/// Checks that cotrain accepts the options in the examples for schedulers.
#[test]
fn sweep_takes_the_options_of_the_examples_for_schedulers() {
    let folder = Folder::new();
    for example in [
        include_str!("../../../docs/examples/sweep.slurm"),
        include_str!("../../../docs/examples/sweep.job.yaml"),
    ] {
        let (_, command) = example
            .split_once("cotrain sweep movie-reviews \\\n")
            .expect("the command");
        let lines = command.lines().map(str::trim);
        let options: Vec<_> = lines
            .take_while(|line| line.starts_with("--"))
            .map(|line| line.trim_end_matches(" \\"))
            .collect();
        assert_eq!(options.len(), 5, "{options:?}");
        let command = ["cotrain sweep tiny.toml", &options.join(" ")].join(" ");
        // The sweep has eight runs, one for each part.
        let command = command.replace("1..200", "1..2");
        let mut shell = Command::new("sh");
        let program = Path::new(env!("CARGO_BIN_EXE_cotrain"))
            .parent()
            .expect("a folder");
        shell
            .args(["-c", &command.replace("/sweeps", "sweeps")])
            .current_dir(folder.0.path())
            .env(
                "PATH",
                format!(
                    "{}:{}",
                    program.display(),
                    std::env::var("PATH").unwrap_or_default()
                ),
            )
            .envs([
                ("SLURM_CPUS_PER_TASK", "2"),
                ("SLURM_ARRAY_TASK_ID", "8"),
                ("SLURM_ARRAY_TASK_COUNT", "8"),
                ("part", "8"),
            ]);
        let (status, stdout, stderr) = outcome(shell.output().expect("a shell"));
        assert_eq!(status, Some(0), "{command}: {stdout}{stderr}");
        assert!(stdout.starts_with("part 8/8: 1 of the 8 runs"), "{stdout}");
    }
}
