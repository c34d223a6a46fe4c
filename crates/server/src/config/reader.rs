//! Conversion of merged values to a checked configuration.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use alloy_primitives::Address;
use cotrain_learning::data::{Columns, DataError, Reading, Source};
use cotrain_relayer::{KeepOptions, RelayOptions, ScoreOptions, SendOptions};
use figment2::{Figment, value::Value};
use serde::Deserialize;

use super::{
    assets::{self, AssetSection},
    error::ConfigError,
    explain::{shown, source, source_name},
    forms,
    keys::{allowed, is_key, nearest},
    lightning::LightningGiven,
    sections::{
        ApiSection, Config, EvaluateSection, KeySource, LabelsSection, LogFormat, NodeSection,
        Password, SimulationsSection, X402Section,
    },
    sources::Sources,
};

const SECOND: u64 = 1_000;
const DAY: u64 = 24 * 60 * 60 * SECOND;

/// Values in the structure of `default.toml`, each parsed by its form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(deserialize_with = "forms::socket")]
    listen: SocketAddr,
    log: LogFormat,
    #[serde(deserialize_with = "forms::text")]
    database: String,
    #[serde(default, deserialize_with = "forms::address_if_set")]
    registry: Option<Address>,
    #[serde(deserialize_with = "forms::addresses")]
    models: Vec<Address>,
    #[serde(
        default,
        deserialize_with = "forms::whole_if_set::<_, _, 0, { u64::MAX >> 1 }>"
    )]
    from_block: Option<u64>,
    node: NodeSection,
    #[serde(default)]
    key: KeyGiven,
    relay: RelayGiven,
    keep: KeepGiven,
    score: ScoreGiven,
    evaluate: EvaluateGiven,
    encoders: EncodersGiven,
    simulations: SimulationsSection,
    labels: LabelsSection,
    x402: X402Given,
    lightning: LightningGiven,
    api: ApiSection,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyGiven {
    #[serde(default, deserialize_with = "forms::path_if_set")]
    keystore: Option<PathBuf>,
    #[serde(default, deserialize_with = "forms::path_if_set")]
    password_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "forms::text_if_set")]
    password_env: Option<String>,
    #[serde(default, deserialize_with = "forms::text_if_set")]
    key_env: Option<String>,
    #[serde(default, deserialize_with = "forms::whole_if_set::<_, _, 0, 9>")]
    development: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RelayGiven {
    #[serde(deserialize_with = "forms::flag")]
    enabled: bool,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 10_000>")]
    max_batch: u32,
    #[serde(deserialize_with = "forms::duration::<_, 0, DAY>")]
    max_age: Duration,
    #[serde(deserialize_with = "forms::wei")]
    min_fee: u128,
    #[serde(default, deserialize_with = "forms::wei_if_set")]
    max_gas_price: Option<u128>,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000_000>")]
    max_waiting: u64,
    #[serde(deserialize_with = "forms::duration::<_, SECOND, DAY>")]
    bump_after: Duration,
    #[serde(deserialize_with = "forms::whole::<_, _, 0, 10_000>")]
    confirmations: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepGiven {
    #[serde(deserialize_with = "forms::flag")]
    enabled: bool,
    #[serde(deserialize_with = "forms::duration::<_, 1, DAY>")]
    interval: Duration,
    #[serde(default, deserialize_with = "forms::wei_if_set")]
    max_gas_price: Option<u128>,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 10_000>")]
    max_claims: u32,
    #[serde(deserialize_with = "forms::wei")]
    min_gain: u128,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreGiven {
    #[serde(deserialize_with = "forms::flag")]
    enabled: bool,
    #[serde(default, deserialize_with = "forms::wei_if_set")]
    max_gas_price: Option<u128>,
    #[serde(deserialize_with = "forms::wei")]
    max_cost: u128,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluateGiven {
    #[serde(default, deserialize_with = "forms::text_if_set")]
    data: Option<String>,
    #[serde(deserialize_with = "forms::text")]
    label: String,
    #[serde(default, deserialize_with = "forms::text_if_set")]
    text: Option<String>,
    #[serde(deserialize_with = "forms::texts")]
    columns: Vec<String>,
    #[serde(deserialize_with = "forms::texts")]
    drop: Vec<String>,
    #[serde(default, deserialize_with = "forms::text_if_set")]
    separator: Option<String>,
    #[serde(deserialize_with = "forms::flag")]
    decimal_comma: bool,
    #[serde(default, deserialize_with = "forms::text_if_set")]
    encoding: Option<String>,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000_000>")]
    every: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncodersGiven {
    #[serde(deserialize_with = "forms::texts")]
    files: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct X402Given {
    #[serde(deserialize_with = "forms::flag")]
    facilitator: bool,
    #[serde(default, deserialize_with = "forms::path_if_set")]
    keystore: Option<PathBuf>,
    #[serde(default, deserialize_with = "forms::path_if_set")]
    password_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "forms::text_if_set")]
    password_env: Option<String>,
    #[serde(default, deserialize_with = "forms::text_if_set")]
    key_env: Option<String>,
    #[serde(default, deserialize_with = "forms::whole_if_set::<_, _, 0, 9>")]
    development: Option<u32>,
    #[serde(deserialize_with = "assets::read")]
    assets: Vec<AssetSection>,
    #[serde(default, deserialize_with = "forms::address_if_set")]
    pay_to: Option<Address>,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000_000_000>")]
    min_purchase: u64,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000>")]
    max_daily_failures: u64,
    #[serde(deserialize_with = "forms::duration::<_, { 10 * SECOND }, { 3_600 * SECOND }>")]
    offer_time: Duration,
    #[serde(deserialize_with = "forms::one_address")]
    settlement: Address,
    #[serde(deserialize_with = "forms::one_address")]
    collector: Address,
    #[serde(deserialize_with = "forms::duration::<_, { 900 * SECOND }, { 30 * DAY }>")]
    withdraw_delay: Duration,
    #[serde(deserialize_with = "forms::duration::<_, SECOND, { 30 * DAY }>")]
    claim_after: Duration,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 1_000_000_000_000>")]
    claim_above: u64,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 10_000>")]
    confirmations: u64,
    #[serde(deserialize_with = "forms::whole::<_, _, 1, 10_000>")]
    final_after: u64,
    #[serde(deserialize_with = "forms::duration::<_, SECOND, DAY>")]
    patience: Duration,
    #[serde(default, deserialize_with = "forms::wei_if_set")]
    max_gas_price: Option<u128>,
    #[serde(deserialize_with = "forms::wei")]
    max_daily_gas: u128,
}

/// Reads a configuration from merged sources.
pub(super) fn read(figment: &Figment) -> Result<Config, ConfigError> {
    refuse_unknown_keys(figment)?;
    let given: Given = extract(figment, None)?;
    let score = score(&given.score, &given.models)?;
    let config = Config {
        listen: given.listen,
        log: given.log,
        database: given.database,
        registry: given.registry,
        models: given.models,
        from_block: given.from_block,
        node: given.node,
        key: key("key", given.key)?,
        send: SendOptions {
            bump_after: given.relay.bump_after,
            confirmations: given.relay.confirmations,
        },
        relay: relay(&given.relay),
        keep: keep(&given.keep),
        score,
        evaluate: evaluate(figment, given.evaluate)?,
        encoders: given
            .encoders
            .files
            .into_iter()
            .map(PathBuf::from)
            .collect(),
        simulations: given.simulations,
        labels: given.labels,
        x402: x402(given.x402)?,
        lightning: given.lightning.read()?,
        api: given.api,
    };
    if config.lightning.is_some() && !config.labels.enabled {
        return Err(ConfigError::Together {
            found:
                "`lightning.url` is set, but `labels.enabled` is false: there is nothing to sell"
                    .to_owned(),
            wanted: "set `labels.enabled` to true, or leave `lightning.url` out".to_owned(),
        });
    }
    if let Some(section) = config.sends().filter(|_| config.key.is_none()) {
        return Err(ConfigError::Together {
            found: format!(
                "`{section}.enabled` is true, but there is no key to sign transactions with"
            ),
            wanted: one_key("key"),
        });
    }
    Ok(config)
}

impl Default for ApiSection {
    /// Returns the default of each key in the section.
    fn default() -> Self {
        extract(&Sources::defaults(), Some("api"))
            .expect("the defaults pass their own checks, as a test holds")
    }
}

impl Default for SimulationsSection {
    /// Returns the default of each key in the section.
    fn default() -> Self {
        extract(&Sources::defaults(), Some("simulations"))
            .expect("the defaults pass their own checks, as a test holds")
    }
}

impl Default for LabelsSection {
    /// Returns the default of each key in the section.
    fn default() -> Self {
        extract(&Sources::defaults(), Some("labels"))
            .expect("the defaults pass their own checks, as a test holds")
    }
}

/// Reads all values, or those of one section.
fn extract<'de, T: Deserialize<'de>>(
    figment: &Figment,
    section: Option<&str>,
) -> Result<T, ConfigError> {
    let extracted = match section {
        Some(section) => figment.extract_inner(section),
        None => figment.extract(),
    };
    // A form's error says what it expects. Serde's other errors begin with the same word.
    extracted.map_err(|error| {
        let expected = error.kind.to_string();
        wrong(figment, &error.path.join("."), &expected)
    })
}

/// Returns the error for a value that its key does not accept.
fn wrong(figment: &Figment, path: &str, expected: &str) -> ConfigError {
    let value = figment.find_value(path).ok();
    ConfigError::Value {
        key: path.to_owned(),
        value: value.map_or("not set".to_owned(), |value| shown(path, &value)),
        source_name: source(figment, path),
        expected: expected.to_owned(),
    }
}

/// Returns the advice to set one source of a section's key.
fn one_key(section: &str) -> String {
    format!("set one of `{section}.keystore`, `{section}.key_env` and `{section}.development`")
}

/// Reads the source of the key of a section.
fn key(section: &str, given: KeyGiven) -> Result<Option<KeySource>, ConfigError> {
    let together = |found: String, wanted| Err(ConfigError::Together { found, wanted });
    let (file, variable) = (given.password_file, given.password_env);
    if given.keystore.is_none() && (file.is_some() || variable.is_some()) {
        return together(
            "there is a password, but no keystore that it decrypts".to_owned(),
            format!(
                "set `{section}.keystore`, or leave out `{section}.password_file` and `{section}.password_env`"
            ),
        );
    }
    match (given.keystore, given.key_env, given.development) {
        (None, None, None) => Ok(None),
        (Some(path), None, None) => {
            let password = match (file, variable) {
                (Some(file), None) => Password::File(file),
                (None, Some(name)) => Password::Variable(name),
                _ => {
                    return together(
                        format!("`{section}.keystore` needs one password"),
                        format!("set either `{section}.password_file` or `{section}.password_env`"),
                    );
                }
            };
            Ok(Some(KeySource::Keystore { path, password }))
        }
        (None, Some(name), None) => Ok(Some(KeySource::Variable(name))),
        (None, None, Some(account)) => Ok(Some(KeySource::Development(account))),
        _ => together("there is more than one key".to_owned(), one_key(section)),
    }
}

fn x402(given: X402Given) -> Result<X402Section, ConfigError> {
    let source = KeyGiven {
        keystore: given.keystore,
        password_file: given.password_file,
        password_env: given.password_env,
        key_env: given.key_env,
        development: given.development,
    };
    let key = key("x402", source)?;
    if given.facilitator && key.is_none() {
        return Err(ConfigError::Together {
            found: "`x402.facilitator` is true, but there is no key to pay gas with".to_owned(),
            wanted: one_key("x402"),
        });
    }
    if !given.assets.is_empty() && key.is_none() {
        return Err(ConfigError::Together {
            found: "`x402.assets` names tokens, but there is no key that settles payments"
                .to_owned(),
            wanted: one_key("x402"),
        });
    }
    Ok(X402Section {
        facilitator: given.facilitator,
        key,
        assets: given.assets,
        pay_to: given.pay_to,
        min_purchase: given.min_purchase,
        max_daily_failures: given.max_daily_failures,
        offer_time: given.offer_time,
        settlement: given.settlement,
        collector: given.collector,
        withdraw_delay: given.withdraw_delay,
        claim_after: given.claim_after,
        claim_above: given.claim_above,
        confirmations: given.confirmations,
        final_after: given.final_after,
        patience: given.patience,
        max_gas_price: given.max_gas_price,
        max_daily_gas: given.max_daily_gas,
    })
}

fn relay(given: &RelayGiven) -> Option<RelayOptions> {
    given.enabled.then_some(RelayOptions {
        max_batch: given.max_batch,
        max_age: given.max_age,
        min_fee: given.min_fee,
        max_gas_price: given.max_gas_price,
        max_waiting: given.max_waiting,
    })
}

fn keep(given: &KeepGiven) -> Option<KeepOptions> {
    given.enabled.then_some(KeepOptions {
        interval: given.interval,
        max_gas_price: given.max_gas_price,
        max_claims: given.max_claims,
        min_gain: given.min_gain,
    })
}

fn score(given: &ScoreGiven, models: &[Address]) -> Result<Option<ScoreOptions>, ConfigError> {
    if given.enabled && models.is_empty() {
        return Err(ConfigError::Together {
            found: "`score.enabled` is true, but no market is named".to_owned(),
            wanted: "name the markets to drive in `models`".to_owned(),
        });
    }
    Ok(given.enabled.then(|| ScoreOptions {
        markets: models.to_vec(),
        max_gas_price: given.max_gas_price,
        max_cost: given.max_cost,
    }))
}

fn evaluate(
    figment: &Figment,
    given: EvaluateGiven,
) -> Result<Option<EvaluateSection>, ConfigError> {
    let Some(name) = given.data else {
        return Ok(None);
    };
    let reading = Reading {
        separator: named(
            figment,
            "evaluate.separator",
            given.separator.as_deref(),
            "comma, semicolon, tab or pipe",
        )?,
        decimal_comma: given.decimal_comma,
        encoding: named(
            figment,
            "evaluate.encoding",
            given.encoding.as_deref(),
            "a name of the Encoding Standard, such as windows-1252",
        )?,
    };
    let columns = Columns {
        only: given.columns,
        drop: given.drop,
        ..Columns::default()
    };
    let text = given.text.as_deref();
    let data = Source::chosen(&name, None, &given.label, text, reading, columns);
    let data = data.map_err(|error| match error {
        DataError::NotForTable { .. } => ConfigError::Together {
            found: "`evaluate` chooses columns or how to read a table, but `evaluate.data` is none"
                .to_owned(),
            wanted: "leave these keys out, or name a table".to_owned(),
        },
        _ => wrong(
            figment,
            "evaluate.data",
            "`movie-reviews`, `digits`, a file that ends in .csv, .tsv, .txt, .parquet or .libsvm (and .gz, where it is packed), or a folder of pictures",
        ),
    })?;
    Ok(Some(EvaluateSection {
        data,
        every: given.every,
    }))
}

/// Returns what a key's text names; `None` if the key is not given.
fn named<T: FromStr>(
    figment: &Figment,
    key: &str,
    text: Option<&str>,
    expected: &'static str,
) -> Result<Option<T>, ConfigError> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| wrong(figment, key, expected))
}

/// Rejects unknown keys, and suggests the nearest known one.
fn refuse_unknown_keys(figment: &Figment) -> Result<(), ConfigError> {
    let mut leaves = Vec::new();
    // The empty path selects everything.
    if let Ok(values) = figment.find_value("") {
        flatten("", &values, &mut leaves);
    }
    for (path, value) in leaves {
        if !is_key(&path) {
            let metadata = figment.get_metadata(value.tag());
            return Err(ConfigError::UnknownKey {
                nearest: nearest(&path),
                allowed: allowed(&path),
                key: path,
                source_name: source_name(metadata),
            });
        }
    }
    Ok(())
}

fn flatten(prefix: &str, value: &Value, leaves: &mut Vec<(String, Value)>) {
    let Some(values) = value.as_dict() else {
        leaves.push((prefix.to_owned(), value.clone()));
        return;
    };
    for (name, value) in values {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        flatten(&path, value, leaves);
    }
}
