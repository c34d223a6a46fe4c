//! Tests which scenario files are accepted, and the messages for the others.

use std::path::Path;

use cotrain_learning::vectors::{Making, Table, WordVectors};
use cotrain_simulator::{
    scenario::{Scenario, ScenarioError},
    truth::Truth,
};
use insta::assert_snapshot;

const GOOD: &str = r#"
[data]
source = "movie-reviews"
initial_share = 0.5

[model]
kind = "sparse-perceptron"

[incentive]
kind = "deposit-refund-take"
deposit_after_one_hour = 1
refund_wait = "1 day"
owner_claim_wait = "9 days"
any_address_claim_wait = "9 days"

[[agents]]
name = "Good"
kind = "honest"
start_balance = 100
deposit = { mean = 50, sd = 10 }
wait = { mean = "10m", sd = "1s" }
"#;

fn parse(text: &str) -> Result<Scenario, ScenarioError> {
    Scenario::parse("mine", "mine.toml", text, None)
}

/// Returns the refusal of the good scenario with `from` replaced by `to`.
fn refusal(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "`{from}` is not in the scenario");
    parse(&GOOD.replace(from, to))
        .expect_err("a refusal")
        .to_string()
}

#[test]
fn parse_accepts_a_good_scenario() {
    let scenario = parse(GOOD).expect("a scenario");
    assert_eq!(scenario.name(), "mine");
}

#[test]
fn embedded_has_every_file_of_the_folder_and_each_is_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let mut embedded: Vec<_> = Scenario::embedded()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    files.sort();
    embedded.sort();
    // Federated rounds are a scenario of another kind, with a file of their own form.
    files.retain(|name| name != "federated");
    assert_eq!(files, embedded);
    for name in embedded {
        let scenario = Scenario::find(&name).expect("a good scenario");
        assert!(
            !scenario.description().is_empty(),
            "{name} says nothing of itself"
        );
    }
}

#[test]
fn find_lists_the_known_names_for_an_unknown_one() {
    let meant = Scenario::find("movie-review")
        .expect_err("a refusal")
        .to_string();
    assert!(
        meant.starts_with("there is no scenario `movie-review`; did you mean `movie-reviews`?"),
        "{meant}"
    );
    assert_snapshot!(Scenario::find("imbd").expect_err("a refusal"), @r"there is no scenario `imbd`; known are movie-reviews, callers, market, copycat, sybil, takeover, targeted-poisoner, lazy, self-reporter, last-minute, rational, flip-and-report, outlier, digits, young-model, imdb-drt, imdb-drt-naive-bayes, imdb-drt-nearest-centroid, imdb-market, federated; for your own give the path of a .toml file");
    assert_snapshot!(Scenario::find("no/such.toml").expect_err("a refusal"), @"cannot read the scenario no/such.toml");
}

#[test]
fn parse_lists_the_known_keys_for_an_unknown_one() {
    assert_snapshot!(refusal("initial_share", "inital_share"), @r"
    mine.toml: TOML parse error at line 4, column 1
      |
    4 | inital_share = 0.5
      | ^^^^^^^^^^^^
    unknown field `inital_share`, expected one of `source`, `train`, `test`, `label`, `text`, `separator`, `decimal_comma`, `encoding`, `columns`, `drop`, `types`, `missing`, `picture_size`, `picture_levels`, `picture_ink`, `test_share`, `features`, `hashed`, `tokenizer`, `word_pairs`, `encoder`, `train_samples`, `initial_share`
    ");
}

#[test]
fn parse_refuses_impossible_rules_for_texts() {
    let source = "source = \"movie-reviews\"";
    let all = [
        "tokenizer = \"icu\"",
        "hashed = 1",
        "hashed = 65537",
        "features = 100\nhashed = 100",
    ];
    let texts = all.map(|rule| refusal(source, &format!("{source}\n{rule}")));
    let rows = ["tokenizer = \"simple\"", "word_pairs = false", "hashed = 9"];
    let rows = rows.map(|rule| {
        let libsvm = format!("source = \"libsvm\"\ntrain = \"a.libsvm\"\n{rule}");
        refusal(source, &libsvm)
    });
    let said = [&texts[..], &rows[..]].concat().join("\n");
    assert_snapshot!(said, @"
    mine.toml: `data.tokenizer` is `icu`; known are simple, unicode
    mine.toml: `data.hashed` is 1; 2 to 65536 hashed features fit a model
    mine.toml: `data.hashed` is 65537; 2 to 65536 hashed features fit a model
    mine.toml: `data.hashed` is 100; `data.features` limits a vocabulary, which hashing replaces: leave one of the two out
    mine.toml: `data.tokenizer` is set; only data of texts has it: name the column `text`, or leave it out
    mine.toml: `data.word_pairs` is set; only data of texts has it: name the column `text`, or leave it out
    mine.toml: `data.hashed` is set; only data of texts has it: name the column `text`, or leave it out
    ");
    // The type of a column names the texts as well as the key `text` does.
    let typed = "source = \"csv\"\ntrain = \"a.csv\"\nlabel = \"kind\"\ntokenizer = \"unicode\"\n";
    for column in ["text = \"x\"", "types = { x = \"text\" }"] {
        parse(&GOOD.replace(source, &format!("{typed}{column}"))).expect("a scenario");
    }
    let numbers = refusal(source, &format!("{typed}types = {{ x = \"numeric\" }}"));
    assert!(numbers.contains("`data.tokenizer` is set; only data of texts"));
    for rule in [
        "tokenizer = \"unicode\"",
        "word_pairs = true",
        "hashed = 4096",
    ] {
        parse(&GOOD.replace(source, &format!("{source}\n{rule}"))).expect("a scenario");
    }
}

#[test]
fn parse_needs_the_unit_of_a_duration() {
    assert_snapshot!(refusal("\"1 day\"", "86400"), @r#"
    mine.toml: TOML parse error at line 12, column 15
       |
    12 | refund_wait = 86400
       |               ^^^^^
    invalid type: integer `86400`, expected a duration in quotes, with its unit, such as "600s", "1h 30m" or "9 days"
    "#);
    assert_snapshot!(refusal("\"1 day\"", "\"1 dya\""), @r#"
    mine.toml: TOML parse error at line 12, column 15
       |
    12 | refund_wait = "1 dya"
       |               ^^^^^^^
    `1 dya` is not a duration (unknown time unit "dya", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)); write one with its unit, such as "600s", "1h 30m" or "9 days"
    "#);
}

#[test]
fn parse_names_impossible_values_and_what_is_allowed() {
    let all = [
        ("initial_share = 0.5", "initial_share = 1.5"),
        ("initial_share = 0.5", "initial_share = nan"),
        ("source = \"movie-reviews\"", "source = \"imdb\""),
        (
            "source = \"movie-reviews\"",
            "source = \"movie-reviews\"\ntrain = \"a.csv\"",
        ),
        (
            "source = \"movie-reviews\"",
            "source = \"csv\"\ntrain = \"a.csv\"",
        ),
        ("source = \"movie-reviews\"", "source = \"libsvm\""),
        (
            "source = \"movie-reviews\"",
            "source = \"movie-reviews\"\nfeatures = 70000",
        ),
        ("kind = \"sparse-perceptron\"", "kind = \"perceptron\""),
        (
            "kind = \"sparse-perceptron\"",
            "kind = \"sparse-perceptron\"\nsmoothing = 1.0",
        ),
        (
            "kind = \"sparse-perceptron\"",
            "kind = \"sparse-perceptron\"\nmax_number = 3",
        ),
        (
            "kind = \"sparse-perceptron\"",
            "kind = \"dense-perceptron\"\nbounds_margin = 0",
        ),
        (
            "kind = \"sparse-perceptron\"",
            "kind = \"dense-nearest-centroid\"\nfixed_intercept = false",
        ),
        ("deposit_after_one_hour = 1\n", "\n"),
        (
            "deposit_after_one_hour = 1\n",
            "deposit_after_one_hour = -1\n",
        ),
        (
            "deposit_after_one_hour = 1\n",
            "deposit_after_one_hour = 8e7\n",
        ),
        ("\"deposit-refund-take\"", "\"points\""),
        ("\"deposit-refund-take\"", "\"lottery\""),
        ("owner_claim_wait = \"9 days\"", "owner_claim_wait = \"1h\""),
        ("refund_wait = \"1 day\"", "refund_wait = \"1ms\""),
        ("name = \"Good\"", "name = \"\""),
        ("name = \"Good\"", "name = \"Go\\u001bod\""),
        ("start_balance = 100", "start_balance = 10"),
        ("sd = 10", "sd = 1000"),
        ("deposit = { mean = 50, sd = 10 }", ""),
        ("mean = \"10m\"", "mean = \"0s\""),
        ("wait = {", "mistakes = 2\nwait = {"),
    ];
    let said = all.map(|(from, to)| refusal(from, to)).join("\n");
    assert_snapshot!(said, @r#"
    mine.toml: `data.initial_share` is 1.5; expected a number from 0.0001 to 0.9999
    mine.toml: `data.initial_share` is NaN; expected a number from 0.0001 to 0.9999
    mine.toml: `data.source` is `imdb`; known are movie-reviews, digits, csv, tsv, parquet, libsvm, pictures
    mine.toml: `data.train` is set; source `movie-reviews` has no such key: leave it out
    mine.toml: `data.label` is missing; name the column that holds the label
    mine.toml: `data.train` is missing; name the file of the training data
    mine.toml: `data.features` is 70000; 1 to 65536 features fit a model
    mine.toml: `model.kind` is `perceptron`; known are sparse-perceptron, dense-perceptron, naive-bayes, sparse-nearest-centroid, dense-nearest-centroid
    mine.toml: `model.smoothing` is 1; only naive-bayes has it: leave it out
    mine.toml: `model.max_number` is 3; the samples of sparse learners have no numbers: leave it out
    mine.toml: `model.bounds_margin` is 0; expected a number from 0.000001 to 1000000000
    mine.toml: `model.fixed_intercept` is false; only dense-perceptron learns its intercept: leave it out
    mine.toml: `incentive.deposit_after_one_hour` is missing; say what a contribution deposits after an hour without one
    mine.toml: `incentive.deposit_after_one_hour` is -1; expected a number from 0.000001 to 72000000
    mine.toml: `incentive.deposit_after_one_hour` is 80000000; expected a number from 0.000001 to 72000000
    mine.toml: `incentive.deposit_after_one_hour` is 1; under points nothing is deposited: leave it out
    mine.toml: `incentive.kind` is `lottery`; known are deposit-refund-take, points, prediction-market
    mine.toml: `incentive.owner_claim_wait` is 3600 s; expected refund_wait (86400 s) <= owner_claim_wait <= any_address_claim_wait (777600 s) < 2^40 s
    mine.toml: `incentive.refund_wait` is "1ms"; expected a duration from 1 s to 1000000000000 s
    mine.toml: `agents[0].name` is ""; expected a name of at most 200 visible characters, without blanks at its ends
    mine.toml: `agents[0].name` is "Go\u{1b}od"; expected a name of at most 200 visible characters, without blanks at its ends
    mine.toml: `agents[0].start_balance` is 10; expected at least its mean deposit, 50
    mine.toml: `agents[0].deposit.sd` is 1000; expected a number from 0 to 50
    mine.toml: `agents[0].deposit` is missing; say what the agent is willing to deposit: { mean = 50, sd = 10 }
    mine.toml: `agents[0].wait.mean` is "0s"; expected a duration from 1 s to 1000000000 s
    mine.toml: `agents[0].mistakes` is 2; expected a number from 0 to 1
    "#);
}

const MARKET: &str = r#"
[data]
source = "movie-reviews"
initial_share = 0.5

[model]
kind = "sparse-perceptron"

[incentive]
kind = "prediction-market"
bounty = 1000
stake = 5
participation = "2 days"
parts = 4

[[agents]]
name = "Good"
kind = "honest"
start_balance = 100
deposit = { mean = 50, sd = 10 }
wait = { mean = "10m", sd = "1s" }
"#;

#[test]
fn parse_names_impossible_terms_of_a_market_and_what_is_allowed() {
    parse(MARKET).expect("a scenario");
    let all = [
        ("bounty = 1000\n", ""),
        ("stake = 5\n", ""),
        ("stake = 5", "stake = 0"),
        ("stake = 5", "stake = 5\nrefund_wait = \"1 day\""),
        ("participation = \"2 days\"\n", ""),
        ("\"2 days\"", "\"200 years\""),
        ("\"2 days\"", "\"0s\""),
        ("parts = 4", "parts = 1"),
        ("parts = 4", "parts = 4\ntest_samples = 3"),
        ("parts = 4", "most_passes = 0"),
        ("parts = 4", "most_passes = 65536"),
        ("kind = \"honest\"", "kind = \"rational\""),
        ("kind = \"prediction-market\"\n", ""),
        ("parts = 4", "parts = 4\nparts = 5"),
        ("parts = 4", "parts = \"4\""),
        ("parts = 4", "cost_weight = 4"),
    ];
    let said = all.map(|(from, to)| {
        assert!(MARKET.contains(from), "`{from}` is not in the scenario");
        let error = parse(&MARKET.replace(from, to)).expect_err("a refusal");
        error.to_string()
    });
    assert_snapshot!(said.join("\n"), @r#"
    mine.toml: `incentive.bounty` is missing; say how many units it is
    mine.toml: `incentive.stake` is missing; say how many units it is
    mine.toml: `incentive.stake` is 0; expected a number from 0.000001 to 1000000000
    mine.toml: `incentive.refund_wait` is set; `prediction-market` has no such key: leave it out
    mine.toml: `incentive.participation` is missing; say how long, such as "1 day"
    mine.toml: `incentive.participation` is "200 years"; expected 1 s to less than 2^32 s
    mine.toml: `incentive.participation` is "0s"; expected a duration from 1 s to 1000000000000 s
    mine.toml: `incentive.parts` is 1; expected a number from 2 to 256
    mine.toml: `incentive.test_samples` is 3; expected a number from 4 to 1000000
    mine.toml: `incentive.most_passes` is 0; expected a number from 1 to less than 2^16
    mine.toml: `incentive.most_passes` is 65536; expected a number from 1 to less than 2^16
    mine.toml: `agents[0].kind` is `rational`; under prediction-market there are no claims and no good contributions; expected one of honest, flipper, caller, sybil, takeover, lazy
    mine.toml: TOML parse error at line 9, column 1
      |
    9 | [incentive]
      | ^^^^^^^^^^^
    missing field `kind`
    mine.toml: TOML parse error at line 15, column 1
       |
    15 | parts = 5
       | ^^^^^
    duplicate key
    mine.toml: TOML parse error at line 14, column 9
       |
    14 | parts = "4"
       |         ^^^
    invalid type: string "4", expected usize
    mine.toml: TOML parse error at line 14, column 1
       |
    14 | cost_weight = 4
       | ^^^^^^^^^^^
    unknown field `cost_weight`, expected one of `kind`, `refund_wait`, `owner_claim_wait`, `any_address_claim_wait`, `report_notice`, `deposit_after_one_hour`, `prediction_price`, `stake`, `participation`, `reveal_wait`, `scoring_wait`, `most_contributions`, `most_passes`, `bounty`, `parts`, `test_samples`
    "#);
}

#[test]
fn parse_takes_a_report_notice_of_zero_or_between_the_waits() {
    let notice = |wait: &str| {
        let with = format!("report_notice = \"{wait}\"\nrefund_wait");
        parse(&GOOD.replace("refund_wait", &with))
    };
    notice("0s").expect("none is the same as zero");
    notice("4 days").expect("it fits");
    assert_snapshot!(notice("5 days").expect_err("a refusal"), @"mine.toml: `incentive.report_notice` is 432000 s; expected refund_wait (86400 s) and twice the report_notice together at most owner_claim_wait (777600 s)");
}

#[test]
fn text_to_run_again_works_from_any_place() {
    let text = "# Mine.\n[data]\nsource = \"csv\" # a table\ntest = 'it\"s.csv'\ntrain = \"sub/train.csv\"\n\
                label = \"kind\"\ninitial_share = 0.5\n";
    let rest = Scenario::embedded()[0].1;
    let rest = &rest[rest.find("[model]").expect("a model")..];
    let text = format!("{text}{rest}");
    let parse = |text: &str, folder: &str| {
        Scenario::parse("mine", "mine.toml", text, Some(folder.into())).expect("a scenario")
    };
    let scenario = parse(&text, "/data");
    let again = scenario.text_to_run_again(None);
    assert_eq!(
        again,
        text.replace("\"sub/train.csv\"", "\"/data/sub/train.csv\"")
            .replace("'it\"s.csv'", "'/data/it\"s.csv'")
    );
    assert!(again.starts_with("# Mine.\n"));
    // Elsewhere it reads the same files, and writes the same text.
    assert_eq!(parse(&again, "/elsewhere").text_to_run_again(None), again);
    let named = scenario.text_to_run_again(Some(std::path::Path::new("/named")));
    assert!(named.contains("\"/named/sub/train.csv\""), "{named}");
    let embedded = Scenario::find("movie-reviews").expect("a scenario");
    assert_eq!(embedded.text_to_run_again(None), embedded.text());
}

#[test]
fn table_is_the_embedded_one_or_a_file_beside_the_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = "good 1 0\nbad -1 0\nfilm 0 1\n".as_bytes();
    let making = Making {
        dimensions: 2,
        width: 1,
        half: 0.0,
        notice: String::new(),
    };
    let words = WordVectors::read(words, 3).expect("vectors");
    let (small, _) = Table::make(&words, &making).expect("a table");
    std::fs::write(folder.path().join("small.cotvec"), small.to_bytes()).expect("written");
    std::fs::write(folder.path().join("none.cotvec"), "none").expect("written");
    let texts = "source = \"movie-reviews\"\ntrain_samples = 200";
    let scenario = |name: &str, folder: Option<&Path>| {
        let encoder = format!("{texts}\nencoder = \"{name}\"");
        let text = GOOD
            .replace("source = \"movie-reviews\"", &encoder)
            .replace("sparse-perceptron", "dense-nearest-centroid");
        let folder = folder.map(Path::to_owned);
        Scenario::parse("mine", "mine.toml", &text, folder).expect("a scenario")
    };
    let features = |name: &str, own: Option<&Path>, named: Option<&Path>| {
        let truth = Truth::load(&scenario(name, own), 1, named);
        truth
            .map(|truth| truth.encoder().features())
            .map_err(Box::new)
    };
    let here = Some(folder.path());
    assert_eq!(features("table", None, None).expect("embedded"), 128);
    assert_eq!(features("small.cotvec", here, None).expect("a file"), 2);
    let elsewhere = Some(Path::new("/elsewhere"));
    let named = features("small.cotvec", elsewhere, here);
    assert_eq!(named.expect("a file in the named folder"), 2);
    let again = scenario("small.cotvec", here).text_to_run_again(None);
    let whole = folder.path().join("small.cotvec");
    assert!(
        again.contains(&format!("encoder = \"{}\"", whole.display())),
        "{again}"
    );
    let embedded = scenario("table", here);
    assert_eq!(embedded.text_to_run_again(None), embedded.text());

    let error = features("small.cotvec", None, None).expect_err("no folder");
    assert!(error.is_users_mistake());
    assert_snapshot!(error, @"scenario `mine` needs embedded film-review sentences and small.cotvec: say with `--data DIR` in which folder they are");
    for (name, cause) in [
        ("tabel", "cannot read "),
        ("none.cotvec", "it begins with 0x6e6f6e65"),
    ] {
        let error = features(name, here, None).expect_err("no table");
        assert!(error.is_users_mistake());
        let said = format!("{error}");
        assert!(
            said.starts_with(&format!(
                "mine.toml: `data.encoder` is `{name}`, which is neither `table`"
            )),
            "{said}"
        );
        let source = std::error::Error::source(&error)
            .expect("a cause")
            .to_string();
        assert!(source.contains(cause), "{source}");
    }
}

#[test]
fn data_source_asks_for_data_that_is_not_part_of_cotrain() {
    let scenario = Scenario::find("imdb-drt").expect("a scenario");
    let options = cotrain_simulator::Options {
        seed: 1,
        relay: None,
        threads: cotrain_simulator::Threads::One,
        data_dir: None,
    };
    let error = cotrain_simulator::simulate(&scenario, &options, &mut |_| {}).expect_err("no data");
    assert!(error.is_users_mistake());
    assert_snapshot!(error, @"scenario `imdb-drt` needs imdb-1000.train.libsvm.gz and imdb-1000.test.libsvm.gz: say with `--data DIR` in which folder they are");
}

#[test]
fn parse_asks_for_a_number() {
    let said = refusal("start_balance = 100", "start_balance = \"100\"");
    assert!(
        said.ends_with("invalid type: string \"100\", expected a number"),
        "{said}"
    );
}

#[test]
fn parse_refuses_two_agents_with_one_name() {
    let agent = &GOOD[GOOD.find("[[agents]]").expect("an agent")..];
    let error = parse(&format!("{GOOD}{agent}")).expect_err("a refusal");
    assert_snapshot!(error, @"mine.toml: `agents[1].name` is `Good`; another agent has it: each needs its own");
}

#[test]
fn parse_gives_the_owner_anyones_wait_unless_it_is_set() {
    let shorter = GOOD.replace("owner_claim_wait = \"9 days\"\n", "");
    assert_ne!(shorter, GOOD);
    parse(&shorter).expect("a scenario");
}
