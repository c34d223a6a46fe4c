//! Sources of a configuration, and error messages about mistakes.

use std::{fs, path::PathBuf, time::Duration};

use alloy_primitives::Address;
use cotrain_learning::data::{Columns, Reading, Source, TableFormat};
use cotrain_server::config::{
    ApiSection, Config, KeySource, LogFormat, Password, Setting, Sources,
};
use tempfile::TempDir;

/// Creates a file with this text. The caller must keep the returned directory.
fn file(text: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cotrain.toml");
    fs::write(&path, text).unwrap();
    (directory, path)
}

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn of_text(text: &str) -> Result<Config, String> {
    let (_directory, path) = file(text);
    Config::load(&Sources::default().with_file(&path)).map_err(|error| {
        error
            .to_string()
            .replace(path.to_str().unwrap(), "cotrain.toml")
    })
}

#[test]
fn example_is_the_defaults() {
    let defaults = Config::load(&Sources::default()).unwrap();
    assert_eq!(of_text(Config::example()).unwrap(), defaults);
    assert_eq!(defaults.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(defaults.log, LogFormat::Text);
    assert_eq!(defaults.node.timeout, Duration::from_secs(10));
    assert_eq!(
        (defaults.relay, defaults.keep, defaults.evaluate),
        (None, None, None)
    );
    assert_eq!(defaults.score, None);
    assert!(defaults.encoders.is_empty());
    assert_eq!(defaults.api, ApiSection::default());
}

#[test]
fn example_sets_every_key_if_its_comments_are_removed() {
    let lines: Vec<_> = Config::example()
        .lines()
        .map(|line| {
            let set = line.strip_prefix("# ").filter(|rest| {
                rest.split_once(" = ")
                    .is_some_and(|(name, _)| !name.contains(' '))
            });
            set.unwrap_or(line).to_owned()
        })
        .collect();
    // Setting all keys names three signing keys, which is the last mistake that the check reports.
    let error = of_text(&lines.join("\n")).unwrap_err();
    assert!(error.contains("there is more than one key"), "{error}");
}

#[test]
fn figment_lets_the_later_source_win() {
    let (_directory, path) =
        file("listen = \"0.0.0.0:1\"\n[relay]\nmax_batch = 7\nmax_age = \"1 min\"");
    let sources = Sources::default()
        .with_file(&path)
        .with_variables(variables(&[
            ("COTRAIN_RELAY__MAX_BATCH", "8"),
            ("COTRAIN_LISTEN", "0.0.0.0:2"),
            ("COTRAIN_RELAY__ENABLED", "true"),
            ("COTRAIN_KEY__DEVELOPMENT", "3"),
            ("OTHER_RELAY__MAX_BATCH", "9"),
        ]))
        .with_flag("listen", "--listen", "0.0.0.0:3");
    let figment = sources.figment().unwrap();
    let config = Config::extract(&figment).unwrap();
    let relay = config.relay.unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(
        (relay.max_batch, relay.max_age),
        (8, Duration::from_mins(1))
    );
    assert_eq!(config.key, Some(KeySource::Development(3)));

    let settings = Config::explain(&figment);
    let setting =
        |key: &str| -> Setting { settings.iter().find(|one| one.key == key).unwrap().clone() };
    assert_eq!(setting("listen").source, "flag --listen");
    assert_eq!(setting("listen").value.unwrap(), "\"0.0.0.0:3\"");
    assert_eq!(
        setting("relay.max_batch").source,
        "environment COTRAIN_RELAY__MAX_BATCH"
    );
    assert_eq!(setting("relay.max_batch").value.unwrap(), "8");
    assert_eq!(
        setting("relay.max_age").source,
        format!("file {}", path.display())
    );
    assert_eq!(setting("keep.enabled").source, "default");
    assert_eq!(setting("registry").value, None);
    assert!(settings.iter().all(|setting| setting.doc.ends_with('.')));
}

#[test]
fn explain_shows_no_secrets() {
    let sources = Sources::default()
        .with_flag("node.url", "--node", "https://node.example/v3/abcdef")
        .with_flag("database", "--database", "postgres://me:hunter2@db/cotrain");
    let shown = format!("{:?}", Config::explain(&sources.figment().unwrap()));
    assert!(
        !shown.contains("abcdef") && !shown.contains("hunter2"),
        "{shown}"
    );
    let sources = sources.with_flag("node.url", "--node", "abcdef");
    let error = Config::load(&sources).unwrap_err().to_string();
    assert_eq!(
        error,
        "`node.url` is \"***\" (flag --node), expected a URL of http or https"
    );
}

#[test]
fn wei_reads_amounts_with_their_unit() {
    for (text, wanted) in [
        ("5", Some(5)),
        ("\"5\"", Some(5)),
        ("\"5 gwei\"", Some(5_000_000_000)),
        ("\"0.01 ether\"", Some(10_000_000_000_000_000)),
        ("\"1.5 gwei\"", Some(1_500_000_000)),
        (
            "\"100000000000000000000\"",
            Some(100_000_000_000_000_000_000),
        ),
        ("\"-1\"", None),
        ("-1", None),
        ("\"1.5\"", None),
        ("\"1 euro\"", None),
        ("\"1 18\"", None),
        ("\"1e18\"", None),
        ("\".\"", None),
        ("true", None),
    ] {
        let config = of_text(&format!(
            "key.development = 0\n[relay]\nenabled = true\nmin_fee = {text}"
        ));
        assert_eq!(
            config.ok().and_then(|config| Some(config.relay?.min_fee)),
            wanted,
            "{text}"
        );
    }
}

#[test]
fn key_comes_from_one_source_only() {
    let key = |text: &str| of_text(&format!("[key]\n{text}")).map(|config| config.key);
    assert_eq!(
        key("keystore = \"a.json\"\npassword_file = \"b\""),
        Ok(Some(KeySource::Keystore {
            path: "a.json".into(),
            password: Password::File("b".into())
        }))
    );
    assert_eq!(
        key("key_env = \"KEY\""),
        Ok(Some(KeySource::Variable("KEY".to_owned())))
    );
    for wrong in [
        "keystore = \"a.json\"",
        "keystore = \"a.json\"\npassword_file = \"b\"\npassword_env = \"C\"",
        "password_env = \"C\"",
        "key_env = \"KEY\"\ndevelopment = 1",
        "development = 10",
    ] {
        assert!(key(wrong).is_err(), "{wrong}");
    }
    let error = of_text("[keep]\nenabled = true").unwrap_err();
    assert!(
        error.starts_with("`keep.enabled` is true, but there is no key"),
        "{error}"
    );
}

#[test]
fn score_drives_the_markets_that_are_named() {
    let market = "0x00000000000000000000000000000000000000aa";
    let on = "[key]\ndevelopment = 0\n[score]\nenabled = true\nmax_cost = \"1 gwei\"";
    let config = of_text(&format!("models = [\"{market}\"]\n{on}")).expect("valid");
    let score = config.score.expect("enabled");
    assert_eq!(
        score.markets,
        [market.parse::<Address>().expect("an address")]
    );
    assert_eq!((score.max_cost, score.max_gas_price), (1_000_000_000, None));

    let error = of_text(on).unwrap_err();
    assert!(
        error.contains("`score.enabled` is true, but no market is named"),
        "{error}"
    );
    let error = of_text(&format!("models = [\"{market}\"]\n[score]\nenabled = true")).unwrap_err();
    assert!(
        error.starts_with("`score.enabled` is true, but there is no key"),
        "{error}"
    );
}

#[test]
fn load_takes_the_password_from_a_variable_with_our_prefix() {
    let sources = Sources::default().with_variables(variables(&[
        ("COTRAIN_SECRET", "hunter2"),
        ("COTRAIN_KEY__KEYSTORE", "a.json"),
        ("COTRAIN_KEY__PASSWORD_ENV", "COTRAIN_SECRET"),
    ]));
    assert!(Config::load(&sources).is_ok());
}

#[test]
fn list_is_read_from_files_and_variables() {
    let [one, other] = [format!("0x{:040x}", 1), format!("0x{:040x}", 2)];
    let config = of_text(&format!("models = [\"{other}\", \"{one}\"]")).unwrap();
    let sources = Sources::default()
        .with_variables(variables(&[("COTRAIN_MODELS", &format!("{one}, {other}"))]));
    assert_eq!(Config::load(&sources).unwrap().models, config.models);
    assert_eq!(config.models.len(), 2);
    // Each list keeps its own source, even if it replaces another one.
    let (_directory, path) = file(&format!("models = [\"{one}\"]\n[api]\ncors = [\"*\"]"));
    let sources = Sources::default()
        .with_file(&path)
        .with_variables(variables(&[("COTRAIN_MODELS", &format!("[\"{other}\"]"))]));
    let figment = sources.figment().unwrap();
    assert_eq!(
        Config::extract(&figment).unwrap().models,
        [other.parse::<Address>().unwrap()]
    );
    let settings = Config::explain(&figment);
    let source = |key: &str| &settings.iter().find(|one| one.key == key).unwrap().source;
    assert_eq!(source("models"), "environment COTRAIN_MODELS");
    assert_eq!(source("api.cors"), &format!("file {}", path.display()));
}

/// Like every command that reads data, the coordinator rejects an ambiguous file extension.
/// It does not assume libsvm.
#[test]
fn evaluate_reads_data_in_the_format_of_their_file_extension() {
    let read = |name: &str, more: &str| {
        let text = format!("[evaluate]\ndata = \"{name}\"\n{more}");
        of_text(&text).map(|config| config.evaluate.unwrap().data)
    };
    let data = |name: &str| read(name, "");
    let texts = |name: &str| read(name, "text = \"body\"");
    let table = |name: &str, format| Source::Table {
        format,
        train: name.into(),
        test: None,
        label: "label".to_owned(),
        text: Some("body".to_owned()),
        reading: Reading::default(),
        columns: Columns::default(),
    };
    let libsvm = |name: &str| Source::Libsvm {
        train: name.into(),
        test: None,
    };
    assert_eq!(data("movie-reviews").unwrap(), Source::MovieReviews);
    assert_eq!(texts("a.csv").unwrap(), table("a.csv", TableFormat::Csv));
    assert_eq!(
        texts("b/a.tsv.gz").unwrap(),
        table("b/a.tsv.gz", TableFormat::Tsv)
    );
    for name in ["a.svm", "a.libsvm", "a.libsvm.gz"] {
        assert_eq!(data(name).unwrap(), libsvm(name));
        // The key would have no effect.
        assert!(texts(name).unwrap_err().contains("leave these keys out"));
    }
    for name in ["a.xlsx", "a", "csv", "a.csv.zip", "a.gz"] {
        let told = data(name).unwrap_err();
        assert_eq!(
            told,
            format!(
                "`evaluate.data` is \"{name}\" (file cotrain.toml), expected `movie-reviews`, `digits`, a file that \
                 ends in .csv, .tsv, .txt, .parquet or .libsvm (and .gz, where it is packed), or a folder of pictures"
            )
        );
    }
}

#[test]
fn config_error_names_value_source_and_expected_form() {
    for (text, wanted) in [
        (
            "[relay]\nmax_bach = 5",
            "`relay.max_bach` (file cotrain.toml) is no key; did you mean `relay.max_batch`? Allowed are \
             `relay.enabled`, `relay.max_batch`, ",
        ),
        (
            "realy = 5",
            "`realy` (file cotrain.toml) is no key; did you mean `",
        ),
        (
            "[relay]\nmax_batch = 0",
            "`relay.max_batch` is 0 (file cotrain.toml), expected a whole number from 1 to 10000",
        ),
        (
            "[node]\ntimeout = \"10\"",
            "`node.timeout` is \"10\" (file cotrain.toml), expected a duration with its unit, such as \"30 s\", \
             from 1ms to 1h",
        ),
        (
            "listen = \"localhost\"",
            "`listen` is \"localhost\" (file cotrain.toml), expected an IP address with a port",
        ),
        (
            "listen = { ip = 1 }",
            "`listen.ip` (file cotrain.toml) is no key",
        ),
        ("relay = 1", "`relay` (file cotrain.toml) is no key"),
        (
            "log = \"loud\"",
            "`log` is \"loud\" (file cotrain.toml), expected \"text\" or \"json\"",
        ),
        (
            "registry = \"0x1\"",
            "`registry` is \"0x1\" (file cotrain.toml), expected an address",
        ),
        (
            "[api]\ncors = [\"example.org\"]",
            "`api.cors` is [\"example.org\"] (file cotrain.toml), expected a list of origins",
        ),
        ("[api]\ncors = [\"https://example.org/\"]", "`api.cors` is "),
        ("[node]\nurl = \"ftp://node\"", "`node.url` is "),
        (
            "[api]\nmetrics = 1",
            "`api.metrics` is 1 (file cotrain.toml), expected true or false",
        ),
        ("a = ", "`cotrain.toml` is no TOML: "),
    ] {
        let error = of_text(text).unwrap_err();
        assert!(error.starts_with(wanted), "{text}:\n{error}");
    }
    let error = Config::load(&Sources::default().with_file("/nowhere/cotrain.toml")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read `/nowhere/cotrain.toml`: ")
    );
    let sources =
        Sources::default().with_variables(variables(&[("COTRAIN_KEEP__INTERVAL", "soon")]));
    let error = Config::load(&sources).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "`keep.interval` is \"soon\" (environment COTRAIN_KEEP__INTERVAL), expected a duration"
        ),
        "{error}"
    );
}

#[test]
fn address_refuses_a_wrong_digit_and_zero() {
    // The correct address ends with C8.
    let wrong = "0x70997970C51812dc3A010C7d01b50e0d17dc79c8";
    let zero = format!("0x{}", "0".repeat(40));
    for (address, told) in [(wrong, "EIP-55"), (&zero, "zero")] {
        for text in [
            format!("registry = \"{address}\""),
            format!("models = [\"{address}\"]"),
        ] {
            let error = of_text(&text).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
    let right = wrong.replace("c8", "C8");
    of_text(&format!("registry = \"{right}\"")).unwrap();
}

#[test]
fn load_takes_what_reaches_a_lightning_node_together() {
    let text = |lightning: &str| format!("[labels]\nenabled = true\n[lightning]\n{lightning}");
    let paths = "certificate = \"tls.cert\"\nmacaroon = \"invoice.macaroon\"\n";
    assert_eq!(of_text(&text("units = 5")).unwrap().lightning, None);
    let node = format!("url = \"https://localhost:8081\"\n{paths}");
    let section = of_text(&text(&format!(
        "{node}price = 7\nunits = 2\nmin_purchase = 3"
    )));
    let section = section.unwrap().lightning.unwrap();
    assert_eq!(section.certificate, PathBuf::from("tls.cert"));
    assert_eq!((section.price.cost(4), section.min_purchase), (14, 3_000));
    assert_eq!(section.expiry, Duration::from_mins(10));
    let error = |text: &str| of_text(text).unwrap_err();
    let part = error(&text(paths));
    assert!(part.contains("set `lightning.url`, "), "{part}");
    let plain = error(&text(&node.replace("https", "http")));
    assert!(plain.contains("expected a URL of https"), "{plain}");
    for free in ["price = 0", "units = 0", "min_purchase = 0"] {
        let free = error(&text(&format!("{node}{free}")));
        assert!(free.contains("expected a whole number from 1 "), "{free}");
    }
    let unsold = error(&format!("[lightning]\n{node}"));
    assert!(unsold.contains("`labels.enabled`"), "{unsold}");
}
