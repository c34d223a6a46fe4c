//! Runs that are recorded and executed again. anvil has to be there: without it, two of these tests fail.

use std::{
    fs,
    io::{Read, Write},
    path::PathBuf,
    process::Command,
};

use cotrain_chain::anvil::Anvil;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
use tempfile::TempDir;

const RECORDING: &str = "runs/tiny-1/transactions.jsonl.gz";
/// Index of the first contribution. Steps that fund three accounts and deploy the model come before
/// it.
const CONTRIBUTION: usize = 10;

/// A folder with a scenario of 60 contributions.
struct Folder(TempDir);

/// Output and exit status of the program.
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        let rows = (0..100).map(|row| format!("{} {}:1 {}:1\n", row % 2, 1 + row % 2, 3 + row % 5));
        fs::write(folder.path("train.libsvm"), rows.collect::<String>()).expect("written");
        fs::write(folder.path("tiny.toml"), include_str!("tiny.toml")).expect("written");
        folder
    }

    /// Returns a folder with a recorded run.
    fn recorded() -> Self {
        let folder = Self::new();
        folder
            .run(&["simulate", "tiny.toml", "--record", "--quiet"])
            .success();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        if let Ok(anvil) = Anvil::find() {
            command.env("COTRAIN_ANVIL", anvil);
        }
        Outcome::of(command.args(arguments).current_dir(self.0.path()))
    }

    /// Returns the lines of a recording.
    fn lines(&self, recording: &str) -> Vec<String> {
        let mut text = String::new();
        GzDecoder::new(&*self.read(recording))
            .read_to_string(&mut text)
            .expect("gzip");
        text.lines().map(str::to_owned).collect()
    }

    /// Writes a recording with these lines.
    fn write(&self, name: &str, lines: &[String]) {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        for line in lines {
            writeln!(gzip, "{line}").expect("written");
        }
        fs::write(self.path(name), gzip.finish().expect("gzip")).expect("written");
    }

    /// Changes a value in a line of the recording, and replays the result.
    fn altered(&self, line: usize, pointer: &str, change: impl Fn(&Value) -> Value) -> Outcome {
        let mut lines = self.lines(RECORDING);
        let mut content: Value = serde_json::from_str(&lines[line]).expect("JSON");
        let value = content
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("line {line} has no {pointer}: {}", lines[line]));
        let changed = change(value);
        assert_ne!(*value, changed);
        *value = changed;
        lines[line] = content.to_string();
        self.write("altered.gz", &lines);
        self.run(&["replay", "altered.gz", "--json", "--quiet"])
    }
}

impl Outcome {
    fn of(command: &mut Command) -> Self {
        for variable in ["RUST_LOG", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(variable);
        }
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    fn success(self) -> String {
        assert_eq!(self.status, Some(0), "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    fn mistake(self) -> String {
        assert_eq!(self.status, Some(2), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "an error leaves stdout alone");
        self.stderr
    }

    /// Returns the difference from the JSON, and the message on stderr.
    fn difference(self) -> (Value, String) {
        assert_eq!(self.status, Some(1), "{}{}", self.stdout, self.stderr);
        let shown: Value = serde_json::from_str(&self.stdout).expect("JSON");
        assert_eq!(shown["state"], Value::Null);
        (shown["difference"].clone(), self.stderr)
    }
}

/// Changes the byte at index `index`; a negative index counts from the end.
fn flip(hex: &Value, index: isize) -> Value {
    let mut digits = hex.as_str().expect("text").as_bytes()[2..].to_vec();
    let bytes = isize::try_from(digits.len() / 2).expect("short");
    let byte = usize::try_from(index.rem_euclid(bytes)).expect("inside");
    let digit = &mut digits[2 * byte + 1];
    *digit = if *digit == b'1' { b'0' } else { b'1' };
    format!("0x{}", String::from_utf8(digits).expect("digits")).into()
}

// ---------------------------------------------------------------- Replay without a difference

#[test]
fn replay_finds_no_difference_in_a_recorded_run() {
    let folder = Folder::recorded();
    let replayed = folder.run(&["replay", "runs/tiny-1"]).success();
    let (replayed, wall) = replayed.rsplit_once("time").expect("the time");
    assert!(wall.trim_end().ends_with(" s"), "{wall}");
    insta::assert_snapshot!(replayed, @r"
    tiny, seed 1: recorded on embedded by cotrain 0.1.0, replayed on embedded

    no difference
    transactions  126
    gas           14,577,101
    state         0xd4269f1d0ab9c6ca32d89300dc1f52ccb1007a4f3d0a465014d2509389fa74e3
    ");

    let json = folder
        .run(&["replay", RECORDING, "--json", "--quiet"])
        .success();
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let keys: Vec<_> = json.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "backend",
            "difference",
            "gas",
            "recorded_by",
            "recorded_on",
            "scenario",
            "seed",
            "state",
            "transactions",
            "wall_seconds"
        ]
    );
    assert_eq!(json["difference"], Value::Null);
    let summary: Value =
        serde_json::from_slice(&folder.read("runs/tiny-1/summary.json")).expect("JSON");
    assert_eq!(json["transactions"], summary["transactions"]);
    assert_eq!(json["gas"], summary["gas"]["total"]);
}

#[test]
fn replay_on_a_node_agrees_with_a_recording_from_here_and_vice_versa() {
    let folder = Folder::new();
    let paying = concat!(include_str!("tiny.toml"), "\n[chain]\ngas_price_gwei = 1\n");
    fs::write(folder.path("tiny.toml"), paying).expect("written");
    for relay in [&[][..], &["--relay", "5"]] {
        let mut steps = Vec::new();
        for (recorded, replayed) in [("embedded", "anvil"), ("anvil", "embedded")] {
            let record = [
                "simulate",
                "tiny.toml",
                "--record",
                "--quiet",
                "--out",
                "here",
                "--backend",
                recorded,
            ];
            folder.run(&[&record[..], relay].concat()).success();
            let shown = folder
                .run(&["replay", "here", "--backend", replayed])
                .success();
            assert!(
                shown.contains(&format!("recorded on {recorded} by "))
                    && shown.contains(&format!("replayed on {replayed}\n\nno difference\n")),
                "{shown}"
            );
            steps.push(folder.lines("here/transactions.jsonl.gz").split_off(1));
            fs::remove_dir_all(folder.path("here")).expect("removed");
        }
        assert!(steps[0].len() > 30);
        assert!(steps[0] == steps[1], "after the header, all is the same");
    }
}

// ---------------------------------------------------------------- Recording

#[test]
fn simulate_record_changes_nothing_and_is_the_same_again() {
    let folder = Folder::recorded();
    let first = folder.read(RECORDING);
    let events = folder.read("runs/tiny-1/events.csv");
    folder.run(&["simulate", "tiny.toml", "--quiet"]).success();
    assert!(
        !folder.path(RECORDING).exists(),
        "results of one run stand together"
    );
    assert!(folder.read("runs/tiny-1/events.csv") == events);
    let again = folder.run(&["simulate", "tiny.toml", "--record"]);
    assert!(
        again.stderr.contains(&format!("wrote {RECORDING}\n")),
        "{}",
        again.stderr
    );
    again.success();
    assert!(folder.read(RECORDING) == first);
    assert!(folder.read("runs/tiny-1/events.csv") == events);
}

#[cfg(unix)]
#[test]
fn simulate_record_fails_and_leaves_nothing_if_it_cannot_write() {
    let folder = Folder::recorded();
    let whole = folder.read(RECORDING).len();
    fs::remove_dir_all(folder.path("runs")).expect("removed");
    // The limit stops files from growing, as a full disk does.
    let limited = |scenario: &str, blocks: usize| {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"",
                &blocks.to_string(),
            ])
            .arg(env!("CARGO_BIN_EXE_cotrain"))
            .args(["simulate", scenario, "--record"])
            .current_dir(folder.0.path());
        let outcome = Outcome::of(&mut command);
        assert_eq!((outcome.status, &*outcome.stdout), (Some(1), ""));
        assert!(!folder.path("runs").exists());
        outcome.stderr
    };
    // POSIX blocks have 512 bytes, so everything fits except the end.
    let room = (whole - 1) / 512;
    insta::assert_snapshot!(limited("tiny.toml", room), @"error: cannot write the recording: File too large (os error 27)");
    let said = limited("movie-reviews", 8);
    let number = |letter: char| letter.is_ascii_digit();
    let (step, why) = said.split_once(" has happened").expect("a step");
    assert_eq!(step.trim_end_matches(number), "error: step ");
    insta::assert_snapshot!(why, @" and cannot be recorded: File too large (os error 27)");
}

// ---------------------------------------------------------------- Differences

#[test]
fn replay_on_a_node_shows_the_same_difference() {
    let folder = Folder::recorded();
    let pointer = "/step/transaction/transaction/data";
    let (here, _) = folder
        .altered(CONTRIBUTION, pointer, |data| flip(data, 69))
        .difference();
    let there = folder.run(&["replay", "altered.gz", "--json", "--backend", "anvil"]);
    assert_eq!(there.difference().0, here);
}

#[test]
fn replay_finds_a_difference_at_its_step() {
    let folder = Folder::recorded();
    let steps = folder.lines(RECORDING).len() - 2;
    let sent = "/step/transaction/transaction";
    let success = "/step/transaction/outcome/success";
    let found = |line: usize, pointer: &str, change: &dyn Fn(&Value) -> Value| {
        let (difference, said) = folder.altered(line, pointer, change).difference();
        assert_eq!(
            said,
            format!("error: step {line} differs from what was recorded in altered.gz\n")
        );
        assert_eq!(difference["step"], line, "{difference}");
        let fields = difference["fields"].as_array().expect("fields");
        let names = fields
            .iter()
            .map(|field| field["name"].as_str().expect("a name"));
        names.collect::<Vec<_>>().join("; ")
    };
    // Flips the label of the contribution, so that the model learns something else, or nothing.
    let changed = found(CONTRIBUTION, &format!("{sent}/data"), &|data| {
        flip(data, 69)
    });
    assert!(changed.starts_with("event 0, data"), "{changed}");
    let of = |line: usize, pointer: &str, change: &dyn Fn(&Value) -> Value| {
        found(line, &format!("{success}/{pointer}"), change)
    };
    assert_eq!(
        of(CONTRIBUTION, "logs/0/data", &|data| flip(data, -1)),
        "event 0, data"
    );
    assert_eq!(
        of(CONTRIBUTION, "logs/0/topics/2", &|topic| flip(topic, 31)),
        "event 0, topic 2"
    );
    assert_eq!(
        of(CONTRIBUTION, "logs/0/address", &|address| flip(address, 0)),
        "event 0, address"
    );
    assert_eq!(of(CONTRIBUTION, "logs", &|_| json!([])), "events");
    assert_eq!(
        of(steps, "gas_used", &|gas| (gas.as_u64().expect("gas") + 1)
            .into()),
        "gas used"
    );
    assert_eq!(of(2, "output", &|code| flip(code, 100)), "output");
    assert_eq!(of(2, "created", &|address| flip(address, 0)), "created");
    assert_eq!(of(2, "created", &|_| Value::Null), "created");
    // More than the account has; less than the deposit; to an address without code.
    let value = format!("{sent}/value");
    let too_much = "0xffffffffffffffffffffffffffffffffff";
    assert_eq!(found(CONTRIBUTION, &value, &|_| too_much.into()), "outcome");
    assert_eq!(
        found(CONTRIBUTION, &value, &|_| "0x1".into()),
        "outcome; gas used"
    );
    let lost = found(CONTRIBUTION, &format!("{sent}/to"), &|to| flip(to, 0));
    assert_eq!(lost, "output; events; gas used");
    let outcome = "/step/transaction/outcome";
    for other in [
        json!({"reverted": {"data": "0x", "gas_used": 1}}),
        json!({"halted": {"reason": "OutOfGas", "gas_used": 1}}),
    ] {
        let changed = found(CONTRIBUTION, outcome, &|_| other.clone());
        assert_eq!(changed, "outcome; gas used");
    }
    // No account can hold so much, and the receiver has money already.
    let lines = folder.lines(RECORDING);
    let mut twice = lines.clone();
    let max = format!("0x{}", "f".repeat(64));
    twice.insert(
        2,
        lines[1].replace("0xffffffffffffffffffffffffffffffff", &max),
    );
    folder.write("twice.gz", &twice);
    let (difference, _) = folder.run(&["replay", "twice.gz", "--json"]).difference();
    assert_eq!(
        (&difference["step"], &difference["kind"]),
        (&2.into(), &"fund".into())
    );

    // A change of money shows only in the final state.
    for (line, pointer) in [(8, "/step/fund/wei"), (steps + 1, "/end/state")] {
        let change = |number: &Value| flip(number, -1);
        let (difference, said) = folder.altered(line, pointer, change).difference();
        assert_eq!(
            said,
            "error: the state after the last step differs from what was recorded in altered.gz\n"
        );
        assert_eq!(difference["step"], Value::Null);
        assert_eq!(difference["fields"][0]["name"], "state");
    }
}

#[test]
fn replay_shows_a_difference_with_its_transaction() {
    let folder = Folder::recorded();
    let text = |outcome: Outcome| {
        outcome.difference();
        let outcome = folder.run(&["replay", "altered.gz"]);
        assert_eq!(outcome.status, Some(1));
        outcome.stdout + &outcome.stderr
    };
    let data = "/step/transaction/transaction/data";
    let altered = folder.altered(CONTRIBUTION, data, |data| flip(data, 69));
    insta::assert_snapshot!(text(altered), @r"
    tiny, seed 1: recorded on embedded by cotrain 0.1.0, replayed on embedded

    6 transactions, 6,378,044 gas without a difference; then

    step 10: transaction 7 at 2026-01-01T00:10:01Z
    from      0x9AEaA319E06484eb11a3a545ee5a1035D7b74546
    to        0xfBF25E452fb53c149b19dbc7Fd114061284aDaA3
    calls     contribute, 100 bytes of calldata
    value     2499999999999999900 wei
    gas limit 16,777,216

    event 0, data, from byte 129 of 160 on
      recorded  …0000000000000800000004000000060000000000000000000000000000000000…
      replayed  …0000000000000800010004000000060000000000000000000000000000000000…

    gas used
      recorded  69,410
      replayed  72,548
    error: step 10 differs from what was recorded in altered.gz
    ");
    let value = "/step/transaction/transaction/value";
    let altered = folder.altered(CONTRIBUTION, value, |_| "0x1".into());
    insta::assert_snapshot!(text(altered), @r"
    tiny, seed 1: recorded on embedded by cotrain 0.1.0, replayed on embedded

    6 transactions, 6,378,044 gas without a difference; then

    step 10: transaction 7 at 2026-01-01T00:10:01Z
    from      0x9AEaA319E06484eb11a3a545ee5a1035D7b74546
    to        0xfBF25E452fb53c149b19dbc7Fd114061284aDaA3
    calls     contribute, 100 bytes of calldata
    value     1 wei
    gas limit 16,777,216

    outcome
      recorded  success
      replayed  reverted: 1 wei was sent; these contributions need 2.4999999999999999 ether

    gas used
      recorded  69,410
      replayed  28,090
    error: step 10 differs from what was recorded in altered.gz
    ");
    let altered = folder.altered(2, "/step/transaction/outcome/success/output", |code| {
        flip(code, 100)
    });
    insta::assert_snapshot!(text(altered), @r"
    tiny, seed 1: recorded on embedded by cotrain 0.1.0, replayed on embedded

    0 transactions, 0 gas without a difference; then

    step 2: transaction 1 at 2026-01-01T00:00:00Z
    from      0x0A0A0a0a0a0a0a0A0a0a0A0a0A0A0A0a0a0a0a0a
    creates   a contract, 1,907 bytes of calldata
    value     0 wei
    gas limit 16,777,216

    output, from byte 100 of 1881 on
      recorded  …fffffffffffffffff1ffffffffffffffffff82168083036104335760243567ff…
      replayed  …ffffffffffffffffffffffffffffffffffff82168083036104335760243567ff…
    error: step 2 differs from what was recorded in altered.gz
    ");
    let end = folder.lines(RECORDING).len() - 1;
    let altered = folder.altered(end, "/end/state", |state| flip(state, 0));
    insta::assert_snapshot!(text(altered), @r"
    tiny, seed 1: recorded on embedded by cotrain 0.1.0, replayed on embedded

    126 transactions, 14,577,101 gas without a difference; then

    the state after the last step

    state
      recorded  0xd1269f1d0ab9c6ca32d89300dc1f52ccb1007a4f3d0a465014d2509389fa74e3
      replayed  0xd4269f1d0ab9c6ca32d89300dc1f52ccb1007a4f3d0a465014d2509389fa74e3
    error: the state after the last step differs from what was recorded in altered.gz
    ");
}

// ---------------------------------------------------------------- Files that are no recording

#[test]
fn replay_refuses_a_torn_recording() {
    let folder = Folder::recorded();
    let whole = folder.read(RECORDING);
    let said = |content: &[u8]| {
        fs::write(folder.path("torn.gz"), content).expect("written");
        folder.run(&["replay", "torn.gz"]).mistake()
    };
    for length in (1..whole.len()).step_by(1_999).chain([whole.len() - 1]) {
        let said = said(&whole[..length]);
        assert!(
            said.contains("cut off after its first "),
            "{length}: {said}"
        );
    }
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 40].fill(0xff);
    let said_of_it = said(&damaged);
    assert!(
        ["damaged after", "not one of a recording"]
            .iter()
            .any(|why| said_of_it.contains(why)),
        "{said_of_it}"
    );
    assert!(said(&[&whole[..], b"more"].concat()).contains("cut off after its first 131 lines"));

    let lines = folder.lines(RECORDING);
    let said = |lines: &[String]| {
        folder.write("torn.gz", lines);
        folder.run(&["replay", "torn.gz"]).mistake()
    };
    insta::assert_snapshot!(said(&lines[..lines.len() - 1]), @"error: cannot replay torn.gz: it is cut off after its first 130 lines: not all of it was written or copied; copy it again or record the run anew");
    let mut gap = lines.clone();
    gap.remove(lines.len() - 2);
    insta::assert_snapshot!(said(&gap), @"error: cannot replay torn.gz: it has 128 steps, and its end says 129; record the run anew");
    insta::assert_snapshot!(said(&[&lines[..], &lines[1..2]].concat()), @"error: cannot replay torn.gz: its line 132 comes after its end; record the run anew");
    let mut swapped = lines.clone();
    swapped.swap(CONTRIBUTION, CONTRIBUTION + 1);
    // After the later contribution, the earlier one has another price, and a time in the past.
    folder.write("torn.gz", &swapped);
    let outcome = folder.run(&["replay", "torn.gz"]);
    assert_eq!(outcome.status, Some(1), "{}", outcome.stderr);
    let mut back = lines.clone();
    back[CONTRIBUTION] = back[CONTRIBUTION].replace("\"time\":17", "\"time\":16");
    insta::assert_snapshot!(said(&back), @"error: cannot replay torn.gz: step 10 has an earlier time than the one before it; record the run anew: the chain's time is 1767225600 s and cannot go back to 1667226201 s");
    let mut cut = lines;
    cut[CONTRIBUTION].truncate(40);
    insta::assert_snapshot!(said(&cut), @"error: cannot replay torn.gz: its line 11 is not one of a recording: EOF while parsing an object at line 1 column 40");
}

#[test]
fn replay_refuses_what_is_no_recording() {
    let folder = Folder::recorded();
    let said = |run: &str| folder.run(&["replay", run]).mistake();
    insta::assert_snapshot!(said("nowhere"), @"error: cannot read nowhere: No such file or directory (os error 2)");
    insta::assert_snapshot!(said("tiny.toml"), @"error: cannot replay tiny.toml: it is no transactions.jsonl.gz of `cotrain simulate --record`: it is damaged after its first 0 lines: invalid gzip header");
    fs::write(folder.path("empty.gz"), "").expect("written");
    insta::assert_snapshot!(said("empty.gz"), @"error: cannot replay empty.gz: it is no transactions.jsonl.gz of `cotrain simulate --record`: it is cut off after its first 0 lines: not all of it was written or copied; copy it again or record the run anew");
    folder.write("nothing.gz", &[]);
    insta::assert_snapshot!(said("nothing.gz"), @"error: cannot replay nothing.gz: it is no transactions.jsonl.gz of `cotrain simulate --record`: it is empty");
    folder
        .run(&["simulate", "tiny.toml", "--out", "unrecorded"])
        .success();
    insta::assert_snapshot!(said("unrecorded"), @"error: unrecorded holds no transactions.jsonl.gz; record a run with `cotrain simulate --record`");

    let lines = folder.lines(RECORDING);
    let said = |header: &str, replaced: &str| {
        let mut lines = lines.clone();
        assert!(lines[0].contains(header));
        lines[0] = lines[0].replace(header, replaced);
        folder.write("other.gz", &lines);
        folder.run(&["replay", "other.gz"]).mistake()
    };
    let name = r#""format":"cotrain recording""#;
    insta::assert_snapshot!(said(name, r#""format":"a log""#), @"error: cannot replay other.gz: it is no transactions.jsonl.gz of `cotrain simulate --record`: its format is `a log`");
    insta::assert_snapshot!(said(name, r#""what":"a log""#), @"error: cannot replay other.gz: it is no transactions.jsonl.gz of `cotrain simulate --record`: its line 1 is not one of a recording: missing field `format` at line 1 column 161");
    insta::assert_snapshot!(said(r#""version":1,"cotrain":"0.1.0""#, r#""version":2,"cotrain":"7.0.0""#), @"error: cannot replay other.gz: it is a recording of format 2, written by cotrain 7.0.0; this is cotrain 0.1.0, which reads format 1: replay it with that version, or record the run anew");
    insta::assert_snapshot!(said(r#""seed":1,"#, ""), @"error: cannot replay other.gz: its line 1 is not one of a recording: missing field `seed` at line 1 column 166");
    insta::assert_snapshot!(said(":31337,", ":1,"), @"error: other.gz was recorded on chain 1, and this is chain 31337; signatures are of one chain only");
    let backend = folder
        .run(&["replay", RECORDING, "--backend", "geth"])
        .mistake();
    assert!(
        backend.contains("embedded, anvil or the address"),
        "{backend}"
    );
}

// ---------------------------------------------------------------- Help

#[test]
fn replay_help_explains_what_is_compared() {
    insta::assert_snapshot!(Folder::new().run(&["replay", "--help"]).success(), @r"
    Execute a recorded run again and show the first difference, if any

    Sends the recorded transactions one by one to an empty chain, and compares each outcome with the
    recorded one. It needs neither the scenario nor its data. It stops at the first difference.

    Usage: cotrain replay [OPTIONS] <RUN>

    Arguments:
      <RUN>
              Directory of a run made with `cotrain simulate --record`, or the recording in it

    Options:
          --backend <CHAIN>
              Chain to run on: embedded, anvil, or the address of a running anvil
              
              The values are those of `cotrain simulate`. The chain may be of another kind than the
              recorded one.
              
              [default: embedded]

          --json
              Print one JSON object to stdout instead of the readable result

          --quiet
              Write nothing but errors to stderr

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      cotrain simulate --record                             a run with a recording
      cotrain replay runs/movie-reviews-1                   the same transactions, executed again
      cotrain replay runs/movie-reviews-1 --backend anvil   on a node
      cotrain replay runs/movie-reviews-1 --json --quiet | jq .difference
                                                            null or the difference, for a script

    It compares the success of every transaction, its gas, its return value or reason for failure, the
    contract that it creates and its events. At the end it compares the digest of all accounts. It does
    not compare the words about a stop of the EVM, which each kind of chain chooses itself.

    Exit status: 0 no difference, 1 a difference or a failure, 2 a mistake in arguments or recording.
    ");
}
