//! The program as its users meet it: its output, its files and its exit status.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a scenario of 60 contributions, which runs in a moment.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder"));
        let rows = (0..100).map(|row| format!("{} {}:1 {}:1\n", row % 2, 1 + row % 2, 3 + row % 5));
        folder.put("train.libsvm", &rows.collect::<String>());
        folder.put("tiny.toml", include_str!("tiny.toml"));
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("written");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Returns the program in this folder, without environment variables that change its output.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cotrain"));
        command.args(arguments).current_dir(self.0.path());
        for variable in ["RUST_LOG", "CLICOLOR_FORCE", "COLUMNS"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments))
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self {
            status: status.code(),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    /// Returns the result, and asserts success.
    fn success(self) -> String {
        assert_eq!(self.status, Some(0), "{}", self.stderr);
        self.stdout
    }

    /// Returns the text on stderr of a mistake of the user.
    fn mistake(self) -> String {
        assert_eq!(self.status, Some(2), "{}{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "an error leaves stdout alone");
        self.stderr
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut names: Vec<_> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

// ---------------------------------------------------------------- Help and scenarios

#[test]
fn cli_help_lists_commands_and_examples() {
    let folder = Folder::new();
    insta::assert_snapshot!(folder.run(&["--help"]).success(), @r"
    Train machine-learning models on an EVM chain, with money at stake.

    Anyone trains a model by sending data to its contract. Each contribution stakes money, and bad data
    loses it. Under the mechanism `deposit-refund-take`, authors get their deposits back if the model
    later agrees with their data. They can then take shares of the deposits of others.

    `cotrain simulate` runs whole economies of honest and hostile contributors. It sends real
    transactions to the contracts in an EVM inside this process, and needs no chain, node or money. The
    other commands are for a chain: host a model, ask it, teach it, and claim what is yours.

    Usage: cotrain <COMMAND>

    Commands:
      simulate     Simulate contributors who train a model on the chain
      sweep        Simulate a scenario with many seeds and settings, and find where its mechanism breaks
      replay       Execute a recorded run again and show the first difference, if any
      scenarios    List the scenarios that come with cotrain
      label        Count the labels that strategies need, or label your own pool with a labeling service
      up           Start a development chain with a model and a coordinator, to try everything
      deploy       Train an initial model and put it on the chain
      models       List the models of a registry
      predict      Predict the class of a text, a row of numbers, a picture or a sample, free
      evaluate     Measure a model on labeled data, free
      contribute   Teach a model: send labeled samples, with a deposit for each
      data         Export what others contributed, and mark likely lies
      encoder      Make, show and add tables of word vectors, which turn a text into a few numbers
      market       Run or join a market: a bounty for data that improves a model on a hidden test set
      federated    Run or join rounds of federated training: clients are paid for updates that help
      deposit      Prepay money to a model's contract for your signed contributions
      withdraw     Withdraw prepaid or refunded money from a model's contract
      refund       Get back the deposits of your contributions that the model agrees with
      report       Take shares of the deposits of others whose contributions the model disagrees with
      claim-late   Take what is left of deposits that nobody has claimed in time
      delegate     Let a coordinator claim for you: push your refunds and make reports
      submission   Show the state of a signed batch at a coordinator
      status       Show an account's contributions: possible claims, their times, gains and losses
      watch        Show contributions and claims of a model as they happen
      serve        Serve models and markets over HTTP: follow them, relay, claim and score
      config       Check a coordinator's configuration, and show each value and its origin
      key          Make a key, or show the address of one
      clean        Remove caches, finished journals and processes that earlier commands left behind
      completions  Print a script that lets a shell complete commands
      man          Write the manual pages into a directory
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Examples:
      cotrain simulate                                    an economy of contributors, in this process
      cotrain sweep --seeds 1..200                        many economies, and the breaking points
      cotrain label                                       the labels that active learning saves
      cotrain up                                          a chain with a model, to try the rest
      cotrain predict --text 'a warm and funny film'      ask the model
      cotrain contribute --text dull --label negative --dev 1
                                                          teach it, with a deposit
      cotrain status --dev 1                              possible claims and their times
      cotrain deploy --help                               a model of your own, on any chain
    ");
}

#[test]
fn simulate_help_explains_options_and_files() {
    let folder = Folder::new();
    insta::assert_snapshot!(folder.run(&["simulate", "--help"]).success(), @r"
    Simulate contributors who train a model on the chain

    Agents with money of their own send samples to a deployed model. Each contribution pays the deposit
    or stake that the mechanism asks for. Honest agents tell the truth and hostile ones lie; all of them
    claim what they can. A summary goes to stdout; tables and a page go into a directory.

    Usage: cotrain simulate [OPTIONS] [SCENARIO]

    Arguments:
      [SCENARIO]
              Name of a scenario (see `cotrain scenarios`) or path of a .toml file
              
              [default: movie-reviews]

    Options:
          --seed <N>
              Seed of all random choices
              
              [default: 1]

          --set <PATH=VALUE>
              Another value for a setting of the scenario; may be given several times
              
              Settings are named by their keys in the scenario's file, joined by dots. The key of an
              agent is its name, as in `agents.Bad.start_balance`. A value is written as in TOML; a text
              needs no quotes unless it contains a comma.

          --data <DIR>
              Folder of the scenario's data files [default: the one that the scenario names]

          --relay <N>
              Relay N signed contributions in one transaction, and show the gas saved
              
              Agents prepay and sign. A relayer collects N contributions, then sends as many as fit into
              each transaction. Each agent makes all claims of its turn together. Without this option,
              each contribution and each claim is a transaction of its own.

          --backend <CHAIN>
              Chain to run on: embedded, anvil, or the address of a running anvil
              
              embedded is an EVM inside this process. anvil is Foundry's node, which is started for the
              run and stopped at its end. An anvil of your own must be empty and begin early enough:
              start it with `anvil --timestamp 1767225600`. All chains give the same results, except for
              a prediction market's draw, which depends on a block hash. Runs on anvil take longer.
              
              [default: embedded]

          --out <DIR>
              Directory for the results [default: runs/SCENARIO-SEED, with --relay
              runs/SCENARIO-SEED-relay-N]
              
              Results of the same scenario, seed and --relay are replaced. A directory that contains
              anything else is an error and stays unchanged.

          --record
              Record every transaction with the results, so that `cotrain replay` can execute the run
              again
              
              A recording takes about 100 bytes per transaction, 2 MB for the default scenario. A run
              without this option removes the recording of an earlier run.

          --json
              Print one JSON object to stdout instead of the readable summary

          --quiet
              Write nothing but errors to stderr

      -h, --help
              Print help (see a summary with '-h')

    Files in the directory of results:
      report.html                        charts and figures, to open in a browser
      summary.json                       the figures, for programs; written last
      scenario.toml                      the scenario, to run it again
      series.csv, series.parquet         accuracy and balances over time
      events.csv, events.parquet         every contribution and every claim
      transactions.jsonl.gz              every transaction and its outcome, with --record

    Federated rounds have rounds.csv (accuracy and updates of each round) and values.csv (the value of
    each update) instead of series and events.

    Examples:
      cotrain simulate                                      the default scenario
      cotrain simulate movie-reviews --seed 7               the same with other random choices
      cotrain simulate imdb-drt --data ~/imdb               a scenario that needs data of yours
      cotrain simulate my/own.toml --out results            a scenario of your own
      cotrain simulate federated                            federated training, with hostile clients
      cotrain simulate federated --set attack=ipm --set rule=median
                                                            the same with other settings
      cotrain simulate --relay 20                           20 signed contributions a transaction
      cotrain simulate --backend anvil                      the same results, on a node
      cotrain simulate --json --quiet | jq .accuracy.final  one figure, for a script

    In summary.json and with --json, `reports` also counts late claims: all money that was taken of the
    deposits of others. `details` in summary.json has `reports_alone` and `late_claims`.

    The same scenario, data and seed give the same results on every machine, except for the wall time.
    Equal digests mean equal results.

    Exit status: 0 success, 2 a mistake in arguments, scenario or data, 1 anything else.

    RUST_LOG=debug shows the inner steps on stderr.
    ");
    insta::assert_snapshot!(folder.run(&["simulate", "-h"]).success(), @r"
    Simulate contributors who train a model on the chain

    Usage: cotrain simulate [OPTIONS] [SCENARIO]

    Arguments:
      [SCENARIO]  Name of a scenario (see `cotrain scenarios`) or path of a .toml file [default:
                  movie-reviews]

    Options:
          --seed <N>          Seed of all random choices [default: 1]
          --set <PATH=VALUE>  Another value for a setting of the scenario; may be given several times
          --data <DIR>        Folder of the scenario's data files [default: the one that the scenario
                              names]
          --relay <N>         Relay N signed contributions in one transaction, and show the gas saved
          --backend <CHAIN>   Chain to run on: embedded, anvil, or the address of a running anvil
                              [default: embedded]
          --out <DIR>         Directory for the results [default: runs/SCENARIO-SEED, with --relay
                              runs/SCENARIO-SEED-relay-N]
          --record            Record every transaction with the results, so that `cotrain replay` can
                              execute the run again
          --json              Print one JSON object to stdout instead of the readable summary
          --quiet             Write nothing but errors to stderr
      -h, --help              Print help (see more with '--help')
    ");
}

#[test]
fn scenarios_lists_each_with_its_data() {
    let folder = Folder::new();
    insta::assert_snapshot!(folder.run(&["scenarios"]).success(), @r"
    movie-reviews
      Honest and hostile people teach a model the mood of film reviews; lies cost their senders money.
      data: embedded film-review sentences

    callers
      An honest and a hostile contributor, and somebody who pays for predictions: the third scenario of 0xDeCA10B.
      data: embedded film-review sentences

    market
      A prediction market: three honest and two hostile contributors, paid by what they did for the accuracy on a hidden test set.
      data: embedded film-review sentences

    copycat
      Somebody without knowledge copies contributions on their way to the chain, and comes first.
      data: embedded film-review sentences

    sybil
      A liar with 20 addresses that share their money and report each other.
      data: embedded film-review sentences

    takeover
      Somebody buys much of the data, 20 lies in a transaction, to turn the model and report the honest.
      data: embedded film-review sentences

    targeted-poisoner
      Lies about one class only, and no faster than the model comes to agree.
      data: embedded film-review sentences

    lazy
      Somebody sends what the model already says, to share in what the liar loses.
      data: embedded film-review sentences

    self-reporter
      A liar gets its deposits back by reporting itself from a second address.
      data: embedded film-review sentences

    last-minute
      Somebody claims in the very second in which a claim becomes possible.
      data: embedded film-review sentences

    rational
      Somebody tells the truth only where that pays, after gas.
      data: embedded film-review sentences

    flip-and-report
      Somebody turns the model for a second, reports what others have not fetched yet, and turns it back.
      data: embedded film-review sentences

    outlier
      Sends the most extreme sample that a model of numbers learns from, again and again, and gets its deposits back.
      data: embedded film-review sentences

    digits
      Honest people teach a model ten handwritten digits; somebody names them wrongly.
      data: embedded pictures of digits

    young-model
      A model of few examples learns from word vectors instead of words.
      data: embedded film-review sentences

    imdb-drt
      The experiment of Harris and Waggoner (2019): a perceptron on 25,000 film reviews, good against bad.
      data: imdb-1000.train.libsvm.gz and imdb-1000.test.libsvm.gz

    imdb-drt-naive-bayes
      The same experiment with multinomial naive Bayes.
      data: imdb-1000.train.libsvm.gz and imdb-1000.test.libsvm.gz

    imdb-drt-nearest-centroid
      The same experiment with the nearest centroid.
      data: imdb-1000.train.libsvm.gz and imdb-1000.test.libsvm.gz

    imdb-market
      The prediction market of 0xDeCA10B: IMDB, perceptron, three honest and two hostile contributors, bounty 100,000.
      data: imdb-1000.train.libsvm.gz and imdb-1000.test.libsvm.gz

    federated
      Thirteen people train at home on digits of their own; three others send their change with the wrong sign.
      data: embedded pictures of digits
    ");
    let list: Vec<Value> =
        serde_json::from_str(&folder.run(&["scenarios", "--json"]).success()).expect("JSON");
    let keys: Vec<_> = list[0].as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["data", "description", "name"]);
    assert_eq!(list[0]["name"], "movie-reviews", "the default comes first");
}

// ---------------------------------------------------------------- Mistakes

#[test]
fn simulate_exits_with_2_after_a_mistake_and_says_what_to_do() {
    let folder = Folder::new();
    folder.put("broken.toml", "[data]\nsource = 3\n");
    let said = |arguments: &[&str]| folder.run(arguments).mistake();
    insta::assert_snapshot!(said(&["simulate", "no-such"]), @r"error: there is no scenario `no-such`; known are movie-reviews, callers, market, copycat, sybil, takeover, targeted-poisoner, lazy, self-reporter, last-minute, rational, flip-and-report, outlier, digits, young-model, imdb-drt, imdb-drt-naive-bayes, imdb-drt-nearest-centroid, imdb-market, federated; for your own give the path of a .toml file");
    insta::assert_snapshot!(said(&["simulate", "no-such.toml"]), @"error: cannot read the scenario no-such.toml: No such file or directory (os error 2)");
    insta::assert_snapshot!(said(&["simulate", "imdb-drt"]), @"error: scenario `imdb-drt` needs imdb-1000.train.libsvm.gz and imdb-1000.test.libsvm.gz: say with `--data DIR` in which folder they are");
    insta::assert_snapshot!(said(&["simulate", "--sed", "3"]), @r"
    error: unexpected argument '--sed' found

      tip: a similar argument exists: '--seed'

    Usage: cotrain simulate --seed <N> [SCENARIO]

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(said(&["simulate", "--seed", "-3"]), @r"
    error: invalid value '-3' for '--seed <N>': expected a whole number

    For more information, try '--help'.
    ");
    for none in ["0", "-1", "many"] {
        let said = said(&["simulate", "--relay", none]);
        assert!(
            said.contains("1 or more; leave --relay out to send each by itself"),
            "{said}"
        );
    }
    insta::assert_snapshot!(said(&["simulate", "--relay", "0"]), @r"
    error: invalid value '0' for '--relay <N>': expected how many contributions to relay in one transaction, 1 or more; leave --relay out to send each by itself

    For more information, try '--help'.
    ");
    let backend = |chain| said(&["simulate", "tiny.toml", "--backend", chain]);
    insta::assert_snapshot!(backend("geth"), @r"
    error: invalid value 'geth' for '--backend <CHAIN>': expected embedded, anvil or the address of a node for development, such as http://127.0.0.1:8545

    For more information, try '--help'.
    ");
    let unreachable = folder.run(&["simulate", "tiny.toml", "--backend", "http://127.0.0.1:9"]);
    assert_eq!(unreachable.status, Some(1), "a node's fault, no mistake");
    insta::assert_snapshot!(unreachable.stderr, @"error: eth_chainId: the node at http://127.0.0.1:9 cannot be reached: Connection refused (os error 111); does it run, and is the address right?");
    assert!(said(&["simulate", "broken.toml"]).contains("broken.toml"));
    assert!(said(&["simulate", "tiny.toml", "--data", "nowhere"]).contains("nowhere"));
    assert!(said(&["simulate", "tiny.toml", "--out", "tiny.toml"]).contains("tiny.toml"));
    assert!(said(&["simulate", "tiny.toml", "--quiet", "--out", "."]).contains("--out"));
    assert!(said(&[]).contains("Usage"));
    let names = names(folder.0.path());
    assert_eq!(
        names,
        ["broken.toml", "tiny.toml", "train.libsvm"],
        "nothing is left behind"
    );
}

#[test]
fn filter_refuses_a_wrong_log_level() {
    let folder = Folder::new();
    let mut command = folder.command(&["simulate", "tiny.toml"]);
    let said = Outcome::of(command.env("RUST_LOG", "cotrain=loud")).mistake();
    insta::assert_snapshot!(said, @"error: RUST_LOG is `cotrain=loud`; expected a level from `error` to `trace`, or `cotrain=debug` for one part");
}

// ---------------------------------------------------------------- Results of simulations

#[test]
fn simulate_prints_one_json_object_with_exactly_these_keys() {
    let folder = Folder::new();
    let outcome = folder.run(&["simulate", "tiny.toml", "--seed", "4", "--json"]);
    assert!(
        outcome.stderr.contains("wrote runs/tiny-4/report.html"),
        "{}",
        outcome.stderr
    );
    let stdout = outcome.success();
    assert!(stdout.starts_with("{\n  "), "indented, as everywhere");
    let json: Value = serde_json::from_str(&stdout).expect("JSON");
    let keys = |value: &Value| {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        keys(&json),
        "accuracy backend balances contributions days digest gas refunds reports scenario seed \
         transactions wall_seconds"
    );
    assert_eq!(keys(&json["gas"]), "per_contribution total");
    assert_eq!(keys(&json["accuracy"]), "baseline final initial");
    assert_eq!(keys(&json["balances"]), "Bad Good");
    assert_eq!(
        (&json["scenario"], &json["seed"]),
        (&"tiny".into(), &4.into())
    );
    assert_eq!(json["digest"].as_str().map(str::len), Some(64));
    assert!(json["contributions"].as_u64() > Some(0));

    let mut summary: Value =
        serde_json::from_slice(&folder.read("runs/tiny-4/summary.json")).expect("JSON");
    let details = summary
        .as_object_mut()
        .expect("an object")
        .remove("details")
        .expect("details");
    assert_eq!(summary, json, "the file has the same and details");
    let apart = |key: &str| details[key].as_u64().expect("a count");
    assert_eq!(
        json["reports"],
        apart("reports_alone") + apart("late_claims")
    );
}

#[test]
fn simulate_with_relay_has_a_directory_and_figures_of_its_own() {
    let folder = Folder::new();
    let json = folder
        .run(&["simulate", "tiny.toml", "--relay", "5", "--json"])
        .success();
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let relay = json["relay"].as_object().expect("an object");
    let keys: Vec<_> = relay.keys().map(String::as_str).collect();
    assert_eq!(
        keys.join(" "),
        "claim_transactions claims contribution_transactions contributions fees_wei prepaying prepayments \
         saved saved_percent size unsent"
    );
    assert_eq!((&relay["size"], &relay["unsent"]), (&5.into(), &0.into()));
    assert!(relay["saved_percent"].as_f64() > Some(0.0), "{relay:?}");
    assert!(folder.path("runs/tiny-1-relay-5/summary.json").exists());
    let report = String::from_utf8(folder.read("runs/tiny-1-relay-5/report.html"));
    assert!(report.expect("UTF-8").contains("--seed 1 --relay 5"));

    let arguments = ["simulate", "tiny.toml", "--out", "results"];
    let relaying = |size| [&arguments[..], &["--relay", size]].concat();
    folder.run(&relaying("5")).success();
    folder.run(&relaying("5")).success();
    let held = |arguments: &[&str]| {
        let said = folder.run(arguments).mistake();
        said.split(';').next().unwrap_or_default().to_owned()
    };
    insta::assert_snapshot!(held(&relaying("6")), @"error: results holds results with seed 1 and --relay 5");
    insta::assert_snapshot!(held(&arguments), @"error: results holds results with seed 1 and --relay 5");
}

#[test]
fn simulate_writes_the_same_files_for_the_same_seed() {
    let folder = Folder::new();
    for out in ["first", "second"] {
        folder
            .run(&["simulate", "tiny.toml", "--out", out])
            .success();
    }
    let files = names(&folder.path("first"));
    assert_eq!(
        files,
        [
            "events.csv",
            "events.parquet",
            "report.html",
            "scenario.toml",
            "series.csv",
            "series.parquet",
            "summary.json"
        ]
    );
    // The report and the summary contain the wall time.
    for file in files
        .iter()
        .filter(|name| name.starts_with("events") || name.starts_with("series"))
    {
        let [first, second] = ["first", "second"].map(|out| folder.read(&format!("{out}/{file}")));
        assert!(first == second, "{file} differs");
    }
    folder
        .run(&["simulate", "tiny.toml", "--seed", "2", "--out", "third"])
        .success();
    assert!(folder.read("first/events.csv") != folder.read("third/events.csv"));
}

// ---------------------------------------------------------------- Simulations on a node

#[test]
fn simulate_gives_the_same_results_on_a_node() {
    let folder = Folder::new();
    let run = |arguments: &[&str]| {
        let arguments = [&["simulate", "tiny.toml"], arguments].concat();
        let mut command = folder.command(&arguments);
        Outcome::of(command.env("COTRAIN_ANVIL", anvil())).success()
    };
    run(&["--out", "embedded"]);
    assert!(run(&["--out", "node", "--backend", "anvil"]).contains("anvil chain"));
    for file in names(&folder.path("embedded")) {
        // These files contain the chain's name and the wall time.
        if !["report.html", "summary.json"].contains(&&*file) {
            let of = |out: &str| folder.read(&format!("{out}/{file}"));
            assert!(of("embedded") == of("node"), "{file} differs");
        }
    }
    let digest = |out: &str| {
        let summary = folder.read(&format!("{out}/summary.json"));
        serde_json::from_slice::<Value>(&summary).expect("JSON")["digest"].clone()
    };
    assert_eq!(digest("embedded"), digest("node"));
}

/// Returns the path of anvil. The tests' folders are not below this one, so it cannot be found
/// there.
fn anvil() -> PathBuf {
    cotrain_chain::anvil::Anvil::find().unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(target_os = "linux")]
#[test]
fn simulate_leaves_no_node_behind_after_an_interrupt() {
    use std::{os::unix::fs::PermissionsExt, thread::sleep, time::Duration};

    let folder = Folder::new();
    // The script writes the process ids of its runs.
    let script = format!(
        "#!/bin/sh\necho $$ >>{}\nexec {} \"$@\"\n",
        folder.path("numbers").display(),
        anvil().display()
    );
    folder.put("anvil", &script);
    fs::set_permissions(folder.path("anvil"), fs::Permissions::from_mode(0o700)).expect("set");
    let mut command = folder.command(&["simulate", "--backend", "anvil", "--quiet"]);
    command.env("COTRAIN_ANVIL", folder.path("anvil"));
    let mut running = command.spawn().expect("the program starts");
    let numbers = || fs::read_to_string(folder.path("numbers")).unwrap_or_default();
    // Two anvils run: the second one forks the first.
    while numbers().lines().count() < 2 {
        sleep(Duration::from_millis(10));
    }
    sleep(Duration::from_millis(300));
    let kill = Command::new("kill")
        .args(["-INT", &running.id().to_string()])
        .status();
    assert!(kill.expect("kill").success());
    assert_eq!(running.wait().expect("ended").code(), Some(130));
    for number in numbers().lines() {
        assert!(
            !Path::new("/proc").join(number).exists(),
            "{number} is left"
        );
    }
}

// ---------------------------------------------------------------- Directory of results

#[test]
fn simulate_replaces_results_of_the_same_run_and_keeps_others() {
    let folder = Folder::new();
    folder
        .run(&["simulate", "tiny.toml", "--out", "results"])
        .success();
    folder.put("results/series.csv", "cut off");
    folder
        .run(&["simulate", "tiny.toml", "--out", "results"])
        .success();
    assert!(
        folder
            .read("results/series.csv")
            .starts_with(b"seconds,day,accuracy")
    );

    let before = folder.read("results/summary.json");
    let said = folder
        .run(&["simulate", "tiny.toml", "--seed", "2", "--out", "results"])
        .mistake();
    insta::assert_snapshot!(said, @"error: results holds results with seed 1; only results of the same scenario, seed and --relay are replaced: name another directory with --out, or empty this one");
    assert_eq!(folder.read("results/summary.json"), before);
}

#[test]
fn simulate_replaces_only_its_own_results_after_an_edit_of_the_scenario() {
    let folder = Folder::new();
    folder.run(&["simulate", "tiny.toml"]).success();
    folder
        .run(&["simulate", "tiny.toml", "--out", "kept"])
        .success();
    let before = folder.read("kept/scenario.toml");
    folder.put(
        "tiny.toml",
        &include_str!("tiny.toml").replace("mean = 50", "mean = 40"),
    );
    folder.run(&["simulate", "tiny.toml"]).success();
    let text = |name: &str| String::from_utf8(folder.read(name)).expect("text");
    let edited = text("tiny.toml");
    // The written scenario has the whole paths of its data.
    let written = text("runs/tiny-1/scenario.toml");
    assert!(written.contains("mean = 40") && written.lines().count() == edited.lines().count());
    let said = folder
        .run(&["simulate", "tiny.toml", "--out", "kept"])
        .mistake();
    insta::assert_snapshot!(said, @"error: kept holds results of another scenario; only results of the same scenario, seed and --relay are replaced: name another directory with --out, or empty this one");
    assert!(folder.read("kept/scenario.toml") == before);
    assert!(before != edited.as_bytes());
}

#[test]
fn simulate_runs_a_folder_of_results_again_in_place() {
    let folder = Folder::new();
    fs::create_dir(folder.path("here")).expect("made");
    let in_it = |scenario: &str| {
        let mut command = folder.command(&["simulate", scenario, "--data", "..", "--out", "."]);
        Outcome::of(command.current_dir(folder.path("here"))).success();
        folder.read("here/events.csv")
    };
    let first = in_it("../tiny.toml");
    assert!(in_it("scenario.toml") == first);
    assert_eq!(names(&folder.path("here")).len(), 7, "nothing else is left");
}

#[test]
fn simulate_leaves_no_directory_if_the_run_fails() {
    let folder = Folder::new();
    folder.put("train.libsvm", "1 1:1\nnonsense\n");
    let said = folder.run(&["simulate", "tiny.toml"]).mistake();
    assert!(said.contains("train.libsvm"), "{said}");
    assert_eq!(names(folder.0.path()), ["tiny.toml", "train.libsvm"]);
}

#[cfg(target_os = "linux")]
#[test]
fn simulate_checks_that_results_can_be_written_before_the_run() {
    let folder = Folder::new();
    // Not even root can create a file there.
    let mut command = folder.command(&["simulate", "tiny.toml", "--out", "/proc/results"]);
    let outcome = Outcome::of(command.env("RUST_LOG", "cotrain=debug"));
    assert!(!outcome.stderr.contains("simulated"), "{}", outcome.stderr);
    let said = outcome.mistake();
    assert!(
        said.contains("error: cannot put results into /proc/results: "),
        "{said}"
    );
}

// ---------------------------------------------------------------- Standard output and error

#[test]
fn simulate_quiet_leaves_stderr_to_errors() {
    let folder = Folder::new();
    let arguments = ["simulate", "tiny.toml", "--quiet"];
    let quiet = Outcome::of(folder.command(&arguments).env("RUST_LOG", "trace"));
    assert_eq!(quiet.stderr, "");
    assert!(
        quiet
            .success()
            .starts_with("tiny, seed 1: sparse perceptron")
    );
    let loud = Outcome::of(folder.command(&arguments[..2]).env("RUST_LOG", "debug"));
    assert!(loud.stderr.contains("scenario checked"), "{}", loud.stderr);
    assert!(
        loud.stderr.contains("wrote runs/tiny-1/report.html"),
        "{}",
        loud.stderr
    );
    assert!(
        folder
            .run(&["simulate", "none", "--quiet"])
            .mistake()
            .starts_with("error: ")
    );
}

#[test]
fn print_succeeds_if_the_reader_has_gone() {
    let folder = Folder::new();
    for arguments in [&["simulate", "tiny.toml"][..], &["scenarios"], &["--help"]] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let outcome = Outcome::of(folder.command(arguments).stdout(writer));
        assert_eq!(outcome.status, Some(0), "{arguments:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    }
    assert!(
        folder.path("runs/tiny-1/summary.json").exists(),
        "the files are there all the same"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn print_fails_with_1_if_the_result_cannot_be_written() {
    let folder = Folder::new();
    let full = fs::File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let outcome = Outcome::of(folder.command(&["scenarios"]).stdout(full));
    assert_eq!(outcome.status, Some(1));
    assert!(
        outcome
            .stderr
            .starts_with("error: cannot write to stdout: "),
        "{}",
        outcome.stderr
    );
}

#[test]
fn simulate_uses_colors_on_terminals_only() {
    let folder = Folder::new();
    let arguments = ["simulate", "tiny.toml", "--quiet"];
    assert!(!folder.run(&arguments).success().contains('\u{1b}'));
    let forced = Outcome::of(folder.command(&arguments).env("CLICOLOR_FORCE", "1"));
    assert!(forced.success().contains('\u{1b}'));
}
