//! From merged values to a checked configuration.

use std::{fmt::Display, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use alloy_primitives::{Address, utils::Unit, utils::parse_units};
use cotrain_learning::data::Source;
use cotrain_protocol::{AddressError, parse_address};
use cotrain_relayer::{KeepOptions, RelayOptions};
use figment::{Figment, value::Value};
use url::Url;

use super::{
    error::ConfigError,
    explain::{shown, source},
    keys::{self, KEYS},
    sections::{ApiSection, Config, EvaluateSection, KeySource, LogFormat, NodeSection, Password},
    sources::Sources,
};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Reads values by their keys.
pub(super) struct Reader<'a> {
    figment: &'a Figment,
}

impl<'a> Reader<'a> {
    pub(super) fn new(figment: &'a Figment) -> Self {
        Self { figment }
    }

    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let config = Config {
            listen: self.parsed(
                "listen",
                "an IP address with a port, such as \"0.0.0.0:8080\",",
            )?,
            log: match self.required("log")?.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(self.wrong("log", "\"text\" or \"json\"")),
            },
            database: self.required("database")?,
            registry: self
                .text("registry")?
                .map(|text| self.address("registry", &text))
                .transpose()?,
            models: self.addresses("models")?,
            from_block: self.number("from_block", 0..=u64::MAX >> 1)?,
            node: self.node()?,
            key: self.key()?,
            relay: self.relay()?,
            keep: self.keep()?,
            evaluate: self.evaluate()?,
            api: self.api()?,
        };
        if config.key.is_none() && (config.relay.is_some() || config.keep.is_some()) {
            let key = if config.relay.is_some() {
                "relay"
            } else {
                "keep"
            };
            return Err(ConfigError::Together {
                found: format!(
                    "`{key}.enabled` is true, but there is no key to sign transactions with"
                ),
                wanted: "set one of `key.keystore`, `key.key_env` and `key.development`",
            });
        }
        Ok(config)
    }

    fn node(&self) -> Result<NodeSection, ConfigError> {
        let url: Url = self.parsed("node.url", "a URL of http or https")?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(self.wrong("node.url", "a URL of http or https"));
        }
        Ok(NodeSection {
            url,
            timeout: self.duration("node.timeout", MILLISECOND..=HOUR)?,
            retries: self.small("node.retries", 0..=100)?,
            poll: self.duration("node.poll", MILLISECOND..=HOUR)?,
        })
    }

    fn key(&self) -> Result<Option<KeySource>, ConfigError> {
        let keystore = self.text("key.keystore")?.map(PathBuf::from);
        let file = self.text("key.password_file")?.map(PathBuf::from);
        let variable = self.text("key.password_env")?;
        let key_env = self.text("key.key_env")?;
        let development = self.number("key.development", 0..=9)?;
        let together = |found: &str, wanted| {
            Err(ConfigError::Together {
                found: found.to_owned(),
                wanted,
            })
        };
        if keystore.is_none() && (file.is_some() || variable.is_some()) {
            return together(
                "there is a password, but no keystore that it decrypts",
                "set `key.keystore`, or leave out `key.password_file` and `key.password_env`",
            );
        }
        match (keystore, key_env, development) {
            (None, None, None) => Ok(None),
            (Some(path), None, None) => {
                let password = match (file, variable) {
                    (Some(file), None) => Password::File(file),
                    (None, Some(name)) => Password::Variable(name),
                    _ => {
                        return together(
                            "`key.keystore` needs one password",
                            "set either `key.password_file` or `key.password_env`",
                        );
                    }
                };
                Ok(Some(KeySource::Keystore { path, password }))
            }
            (None, Some(name), None) => Ok(Some(KeySource::Variable(name))),
            (None, None, Some(account)) => {
                let account = u32::try_from(account).unwrap_or_default();
                Ok(Some(KeySource::Development(account)))
            }
            _ => together(
                "there is more than one key",
                "set one of `key.keystore`, `key.key_env` and `key.development`",
            ),
        }
    }

    fn relay(&self) -> Result<Option<RelayOptions>, ConfigError> {
        let section = RelayOptions {
            max_batch: self.small("relay.max_batch", 1..=10_000)?,
            max_age: self.duration("relay.max_age", Duration::ZERO..=DAY)?,
            min_fee: self.wei("relay.min_fee")?.unwrap_or_default(),
            max_gas_price: self.wei("relay.max_gas_price")?,
            max_waiting: self.whole("relay.max_waiting", 1..=1_000_000_000)?,
            bump_after: self.duration("relay.bump_after", SECOND..=DAY)?,
            confirmations: self.whole("relay.confirmations", 0..=10_000)?,
        };
        Ok(self.flag("relay.enabled")?.then_some(section))
    }

    fn keep(&self) -> Result<Option<KeepOptions>, ConfigError> {
        let section = KeepOptions {
            interval: self.duration("keep.interval", MILLISECOND..=DAY)?,
            max_gas_price: self.wei("keep.max_gas_price")?,
            max_claims: self.small("keep.max_claims", 1..=10_000)?,
            min_gain: self.wei("keep.min_gain")?.unwrap_or_default(),
        };
        Ok(self.flag("keep.enabled")?.then_some(section))
    }

    fn evaluate(&self) -> Result<Option<EvaluateSection>, ConfigError> {
        let label = self.required("evaluate.label")?;
        let text = self.text("evaluate.text")?;
        let every = self.whole("evaluate.every", 1..=1_000_000_000)?;
        let Some(name) = self.text("evaluate.data")? else {
            return Ok(None);
        };
        let data = Source::named(&name, None, &label, text.as_deref()).map_err(|_| {
            self.wrong(
                "evaluate.data",
                "`movie-reviews`, or a file that ends in .csv, .tsv or .libsvm (and .gz, where it is packed),",
            )
        })?;
        Ok(Some(EvaluateSection { data, every }))
    }

    pub(super) fn api(&self) -> Result<ApiSection, ConfigError> {
        let cors = self.list("api.cors")?;
        if !cors.iter().all(|origin| origin == "*" || is_origin(origin)) {
            return Err(self.wrong(
                "api.cors",
                "a list of origins such as \"https://example.org\", or [\"*\"],",
            ));
        }
        Ok(ApiSection {
            cors,
            max_body: self.size("api.max_body", 1_024..=268_435_456)?,
            timeout: self.duration("api.timeout", MILLISECOND..=HOUR)?,
            header_timeout: self.duration("api.header_timeout", MILLISECOND..=HOUR)?,
            idle_timeout: self.duration("api.idle_timeout", MILLISECOND..=HOUR)?,
            max_connections: self.size("api.max_connections", 1..=1_000_000)?,
            shutdown_timeout: self.duration("api.shutdown_timeout", MILLISECOND..=HOUR)?,
            rate: self.small("api.rate", 0..=1_000_000)?,
            burst: self.small("api.burst", 1..=1_000_000)?,
            concurrency: self.size("api.concurrency", 1..=1_000_000)?,
            max_streams: self.size("api.max_streams", 1..=1_000_000)?,
            max_page: self.small("api.max_page", 1..=10_000)?,
            metrics: self.flag("api.metrics")?,
            trust_forwarded_for: self.flag("api.trust_forwarded_for")?,
        })
    }

    /// Refuses keys that mean nothing. A variable that holds a password or key may be named as ours are.
    pub(super) fn refuse_unknown_keys(&self) -> Result<(), ConfigError> {
        let named: Vec<_> = ["key.password_env", "key.key_env"]
            .iter()
            .filter_map(|key| self.text(key).ok().flatten())
            .map(|name| format!("environment {name}"))
            .collect();
        let mut leaves = Vec::new();
        // The empty path is that of everything.
        if let Ok(values) = self.figment.find_value("") {
            flatten("", &values, &mut leaves);
        }
        for (path, value) in leaves {
            if keys::find(&path).is_some() {
                continue;
            }
            let source_name = self.figment.get_metadata(value.tag()).map_or_else(
                || "default".to_owned(),
                |metadata| metadata.name.to_string(),
            );
            if !named.contains(&source_name) {
                return Err(ConfigError::UnknownKey {
                    nearest: keys::nearest(&path),
                    allowed: allowed(&path),
                    key: path,
                    source_name,
                });
            }
        }
        Ok(())
    }

    fn value(&self, key: &str) -> Option<Value> {
        let value = self.figment.find_value(key).ok()?;
        (!matches!(value, Value::Empty(..))).then_some(value)
    }

    fn wrong(&self, path: &'static str, wanted: impl Into<String>) -> ConfigError {
        let key = keys::find(path).expect("every key that is read is in KEYS, as a test holds");
        ConfigError::Value {
            key: path,
            value: self
                .value(path)
                .map_or("not set".to_owned(), |value| shown(key, &value)),
            source_name: source(self.figment, path),
            wanted: wanted.into(),
        }
    }

    /// A text; a number, which is what a variable with digits alone is taken for, as it was written.
    fn text(&self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(_, text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(value) => match unsigned(&value) {
                Some(number) => Ok(Some(number.to_string())),
                None => Err(self.wrong(key, "a text that is not empty")),
            },
        }
    }

    fn required(&self, key: &'static str) -> Result<String, ConfigError> {
        self.text(key)?
            .ok_or_else(|| self.wrong(key, "a text that is not empty"))
    }

    fn optional<T: FromStr>(
        &self,
        key: &'static str,
        wanted: &str,
    ) -> Result<Option<T>, ConfigError> {
        self.text(key)?
            .map(|text| text.parse().map_err(|_| self.wrong(key, wanted)))
            .transpose()
    }

    fn parsed<T: FromStr>(&self, key: &'static str, wanted: &str) -> Result<T, ConfigError> {
        self.optional(key, wanted)?
            .ok_or_else(|| self.wrong(key, wanted))
    }

    fn flag(&self, key: &'static str) -> Result<bool, ConfigError> {
        self.value(key)
            .and_then(|value| value.to_bool())
            .ok_or_else(|| self.wrong(key, "true or false"))
    }

    fn number(
        &self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, ConfigError> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let number = match &value {
            Value::String(_, text) => text.parse().ok(),
            value => unsigned(value).and_then(|number| u64::try_from(number).ok()),
        };
        number
            .filter(|number| bounds.contains(number))
            .map(Some)
            .ok_or_else(|| self.wrong(key, between(&bounds, "a whole number")))
    }

    fn whole(&self, key: &'static str, bounds: RangeInclusive<u64>) -> Result<u64, ConfigError> {
        self.number(key, bounds.clone())?
            .ok_or_else(|| self.wrong(key, between(&bounds, "a whole number")))
    }

    fn small(&self, key: &'static str, bounds: RangeInclusive<u64>) -> Result<u32, ConfigError> {
        let wanted = between(&bounds, "a whole number");
        u32::try_from(self.whole(key, bounds)?).map_err(|_| self.wrong(key, wanted))
    }

    fn size(&self, key: &'static str, bounds: RangeInclusive<u64>) -> Result<usize, ConfigError> {
        let wanted = between(&bounds, "a whole number");
        usize::try_from(self.whole(key, bounds)?).map_err(|_| self.wrong(key, wanted))
    }

    fn duration(
        &self,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        let shown =
            humantime::format_duration(*bounds.start())..=humantime::format_duration(*bounds.end());
        self.text(key)?
            .and_then(|text| humantime::parse_duration(&text).ok())
            .filter(|duration| bounds.contains(duration))
            .ok_or_else(|| {
                self.wrong(
                    key,
                    between(&shown, "a duration with its unit, such as \"30 s\","),
                )
            })
    }

    /// Wei: a number, or with a unit.
    fn wei(&self, key: &'static str) -> Result<Option<u128>, ConfigError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let wrong = || {
            self.wrong(
                key,
                "a whole number of wei, or one with a unit such as \"0.01 ether\" or \"5 gwei\",",
            )
        };
        let (number, unit) = text.split_once(' ').unwrap_or((&text, "wei"));
        // `parse_units` would take signs and exponents, and the number of decimals for a unit.
        let plain = number.starts_with(|one: char| one.is_ascii_digit())
            && number.chars().all(|one| one.is_ascii_digit() || one == '.');
        if !plain || unit.contains(|one: char| one.is_ascii_digit()) {
            return Err(wrong());
        }
        let unit: Unit = unit.trim().parse().map_err(|_| wrong())?;
        let decimals = number
            .split_once('.')
            .map_or(0, |(_, decimals)| decimals.len());
        if decimals > usize::from(unit.get()) {
            return Err(wrong());
        }
        let amount = parse_units(number, unit.get()).map_err(|_| wrong())?;
        u128::try_from(amount.get_absolute())
            .map(Some)
            .map_err(|_| wrong())
    }

    /// A list; one text, as in a variable, is parted at its commas.
    fn list(&self, key: &'static str) -> Result<Vec<String>, ConfigError> {
        match self.value(key) {
            None => Ok(vec![]),
            Some(Value::String(_, text)) => Ok(text
                .split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect()),
            Some(Value::Array(_, values)) => values
                .into_iter()
                .map(Value::into_string)
                .collect::<Option<_>>()
                .ok_or_else(|| self.wrong(key, "a list of texts")),
            Some(_) => Err(self.wrong(key, "a list of texts")),
        }
    }

    fn addresses(&self, key: &'static str) -> Result<Vec<Address>, ConfigError> {
        let mut addresses: Vec<Address> = self
            .list(key)?
            .iter()
            .map(|text| self.address(key, text))
            .collect::<Result<_, _>>()?;
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    fn address(&self, key: &'static str, text: &str) -> Result<Address, ConfigError> {
        parse_address(text).map_err(|error| {
            let wanted = match error {
                AddressError::Checksum { .. } => {
                    "an address whose digits fit its checksum (EIP-55): one of them or its case is wrong here, and that"
                }
                AddressError::Zero => "another address than zero",
                AddressError::NotAnAddress { .. } => "an address, 0x and 40 hexadecimal digits,",
            };
            self.wrong(key, wanted)
        })
    }
}

impl Default for ApiSection {
    /// Returns the defaults of all keys.
    fn default() -> Self {
        Reader::new(&Sources::default().defaults())
            .api()
            .expect("the defaults pass their own checks, as a test holds")
    }
}

/// A whole number that is not negative, however its source keeps it.
fn unsigned(value: &Value) -> Option<u128> {
    value
        .to_u128()
        .or_else(|| u128::try_from(value.to_i128()?).ok())
}

fn between<T: Display>(bounds: &RangeInclusive<T>, what: &str) -> String {
    format!("{what} from {} to {}", bounds.start(), bounds.end())
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

/// The keys of the section that `path` is in; those without a section and the sections, where there is none.
fn allowed(path: &str) -> String {
    let prefix = path
        .split_once('.')
        .map(|(section, _)| format!("{section}."));
    let in_section = |prefix: &str| KEYS.iter().any(|key| key.path.starts_with(prefix));
    let names: Vec<_> = match prefix.filter(|prefix| in_section(prefix)) {
        Some(prefix) => KEYS
            .iter()
            .filter(|key| key.path.starts_with(&prefix))
            .map(|key| format!("`{}`", key.path))
            .collect(),
        None => KEYS
            .iter()
            .filter(|key| !key.path.contains('.'))
            .map(|key| format!("`{}`", key.path))
            .chain(keys::SECTIONS.iter().map(|(name, _)| format!("[{name}]")))
            .collect(),
    };
    names.join(", ")
}

fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}
