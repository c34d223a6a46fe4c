//! The form of a scenario's file, and the checks that turn it into a [`Scenario`].

use std::{collections::HashSet, fmt, path::PathBuf};

use cotrain_learning::data::Source;
use cotrain_protocol::{
    classifier::Kind,
    trainer::{Incentive as Mechanism, Waits},
};
use serde::{Deserialize, Deserializer, de};

use super::{Agent, Data, Incentive, Model, Normal, Scenario, ScenarioError, UNIT};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    description: String,
    data: DataTable,
    model: ModelTable,
    incentive: IncentiveTable,
    #[serde(default)]
    chain: ChainTable,
    #[serde(default)]
    run: RunTable,
    agents: Vec<AgentTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataTable {
    source: String,
    train: Option<PathBuf>,
    test: Option<PathBuf>,
    label: Option<String>,
    text: Option<String>,
    test_share: Option<f64>,
    features: Option<usize>,
    initial_share: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelTable {
    kind: String,
    smoothing: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IncentiveTable {
    kind: String,
    deposit_after_one_hour: Option<f64>,
    refund_wait: Seconds,
    owner_claim_wait: Seconds,
    any_address_claim_wait: Seconds,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ChainTable {
    #[serde(default)]
    gas_price_gwei: f64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RunTable {
    evaluate_every: Option<Seconds>,
    limit: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentTable {
    name: String,
    good: bool,
    start_balance: f64,
    deposit: DepositTable,
    wait: WaitTable,
    #[serde(default)]
    mistakes: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepositTable {
    mean: f64,
    sd: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaitTable {
    mean: Seconds,
    sd: Seconds,
}

/// A duration written with its unit, in seconds.
#[derive(Clone, Copy)]
struct Seconds(f64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes, with its unit, such as \"600s\", \"1h 30m\" or \"9 days\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                humantime::parse_duration(text)
                    .map(|duration| Seconds(duration.as_secs_f64()))
                    .map_err(|reason| {
                        E::custom(format!(
                            "`{text}` is not a duration ({reason}); write one with its unit, such as \"600s\", \"1h 30m\" or \"9 days\""
                        ))
                    })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A scenario from its text, or the first thing wrong with it.
pub(super) fn check(
    name: &str,
    file: &str,
    text: &str,
    folder: Option<PathBuf>,
) -> Result<Scenario, ScenarioError> {
    let parsed: File = toml::from_str(text).map_err(|error| ScenarioError::Malformed {
        file: file.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let check = Check { file };
    let kind = check.kind(&parsed.model.kind)?;
    Ok(Scenario {
        name: name.to_owned(),
        description: parsed.description,
        data: check.data(&parsed.data, folder)?,
        model: check.model(kind, parsed.model.smoothing)?,
        incentive: check.incentive(&parsed.incentive)?,
        gas_price: check.gwei("chain.gas_price_gwei", parsed.chain.gas_price_gwei)?,
        evaluate_every: check.seconds("run.evaluate_every", parsed.run.evaluate_every, 86_400.0)?,
        limit: check.seconds("run.limit", parsed.run.limit, 10.0 * 365.25 * 86_400.0)?,
        agents: check.agents(&parsed.agents)?,
    })
}

struct Check<'a> {
    file: &'a str,
}

impl Check<'_> {
    fn impossible<T>(
        &self,
        key: impl Into<String>,
        value: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Result<T, ScenarioError> {
        Err(ScenarioError::Impossible {
            file: self.file.to_owned(),
            key: key.into(),
            value: value.to_string(),
            allowed: allowed.into(),
        })
    }

    fn within(&self, key: &str, value: f64, low: f64, high: f64) -> Result<f64, ScenarioError> {
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        self.impossible(
            key,
            value,
            format!("a number from {low} to {high} is wanted"),
        )
    }

    fn kind(&self, name: &str) -> Result<Kind, ScenarioError> {
        let known = Kind::ALL.map(Kind::name).join(", ");
        name.parse().or_else(|_| {
            self.impossible(
                "model.kind",
                format!("`{name}`"),
                format!("known are {known}"),
            )
        })
    }

    fn model(&self, kind: Kind, smoothing: Option<f64>) -> Result<Model, ScenarioError> {
        if let (Some(smoothing), false) = (smoothing, kind == Kind::NaiveBayes) {
            return self.impossible(
                "model.smoothing",
                smoothing,
                "only naive-bayes has it: leave it out",
            );
        }
        let smoothing = self.within(
            "model.smoothing",
            smoothing.unwrap_or(1.0),
            1.0 / 256.0,
            1e6,
        )?;
        Ok(Model { kind, smoothing })
    }

    fn data(&self, table: &DataTable, folder: Option<PathBuf>) -> Result<Data, ScenarioError> {
        let source = self.source(table)?;
        let separate = table.test.is_some();
        if let (true, Some(share)) = (separate, table.test_share) {
            return self.impossible(
                "data.test_share",
                share,
                "there is a separate test file: leave one of the two out",
            );
        }
        let features = match table.features {
            Some(0 | 65_537..) => {
                return self.impossible(
                    "data.features",
                    table.features.unwrap_or(0),
                    "1 to 65536 features fit a model",
                );
            }
            features => features,
        };
        Ok(Data {
            source,
            folder,
            test_share: self.within(
                "data.test_share",
                table.test_share.unwrap_or(0.2),
                0.001,
                0.999,
            )?,
            features,
            initial_share: self.within(
                "data.initial_share",
                table.initial_share,
                0.0001,
                0.9999,
            )?,
        })
    }

    fn source(&self, table: &DataTable) -> Result<Source, ScenarioError> {
        let foreign = |key: &str, set: bool| -> Result<(), ScenarioError> {
            if set {
                return self.impossible(
                    format!("data.{key}"),
                    "set",
                    format!("source `{}` has no such key: leave it out", table.source),
                );
            }
            Ok(())
        };
        let train = || match &table.train {
            Some(train) => Ok(train.clone()),
            None => self.impossible(
                "data.train",
                "missing",
                "name the file of the training data",
            ),
        };
        match table.source.as_str() {
            "movie-reviews" => {
                foreign("train", table.train.is_some())?;
                foreign("test", table.test.is_some())?;
                foreign("label", table.label.is_some())?;
                foreign("text", table.text.is_some())?;
                Ok(Source::MovieReviews)
            }
            "libsvm" => {
                foreign("label", table.label.is_some())?;
                foreign("text", table.text.is_some())?;
                Ok(Source::Libsvm {
                    train: train()?,
                    test: table.test.clone(),
                })
            }
            source @ ("csv" | "tsv") => {
                let Some(label) = table.label.clone() else {
                    return self.impossible(
                        "data.label",
                        "missing",
                        "name the column that holds the label",
                    );
                };
                let (train, test) = (train()?, table.test.clone());
                let column = table.text.clone();
                Ok(if source == "csv" {
                    Source::Csv {
                        train,
                        test,
                        label,
                        text: column,
                    }
                } else {
                    Source::Tsv {
                        train,
                        test,
                        label,
                        text: column,
                    }
                })
            }
            other => self.impossible(
                "data.source",
                format!("`{other}`"),
                "known are movie-reviews, csv, tsv, libsvm",
            ),
        }
    }

    fn incentive(&self, table: &IncentiveTable) -> Result<Incentive, ScenarioError> {
        let key = "incentive.deposit_after_one_hour";
        let mechanism = match (table.kind.as_str(), table.deposit_after_one_hour) {
            ("deposit-refund-take", Some(units)) => {
                // The deposit after a pause of an hour is 60 times the cost weight.
                Mechanism::DepositRefundTake {
                    cost_weight: self.units(key, units)? / 60,
                }
            }
            ("deposit-refund-take", None) => {
                return self.impossible(
                    key,
                    "missing",
                    "say what a contribution deposits after an hour without one",
                );
            }
            ("points", None) => Mechanism::Points,
            ("points", Some(units)) => {
                return self.impossible(
                    key,
                    units,
                    "under points nothing is deposited: leave it out",
                );
            }
            (other, _) => {
                return self.impossible(
                    "incentive.kind",
                    format!("`{other}`"),
                    "known are deposit-refund-take, points",
                );
            }
        };
        let wait =
            |key: &str, wait: Seconds| self.seconds(&format!("incentive.{key}"), Some(wait), 0.0);
        let waits = Waits {
            refund: wait("refund_wait", table.refund_wait)?,
            owner_claim: wait("owner_claim_wait", table.owner_claim_wait)?,
            any_address_claim: wait("any_address_claim_wait", table.any_address_claim_wait)?,
        };
        if !(waits.refund <= waits.owner_claim && waits.owner_claim <= waits.any_address_claim) {
            return self.impossible(
                "incentive.owner_claim_wait",
                format!("{} s", waits.owner_claim),
                format!(
                    "refund_wait ({} s) <= owner_claim_wait <= any_address_claim_wait ({} s) is wanted",
                    waits.refund, waits.any_address_claim
                ),
            );
        }
        Ok(Incentive { mechanism, waits })
    }

    fn agents(&self, tables: &[AgentTable]) -> Result<Vec<Agent>, ScenarioError> {
        if !(1..=1_000).contains(&tables.len()) {
            return self.impossible(
                "agents",
                format!("{} tables", tables.len()),
                "1 to 1000 agents are wanted",
            );
        }
        let mut names = HashSet::new();
        let mut agents = Vec::with_capacity(tables.len());
        for (place, table) in tables.iter().enumerate() {
            let key = |key: &str| format!("agents[{place}].{key}");
            if table.name.is_empty() || !names.insert(&table.name) {
                return self.impossible(
                    key("name"),
                    format!("`{}`", table.name),
                    "a name of its own is wanted",
                );
            }
            let wait = Normal {
                mean: table.wait.mean.0,
                sd: table.wait.sd.0,
            };
            let deposit = Normal {
                mean: table.deposit.mean,
                sd: table.deposit.sd,
            };
            self.within(&key("wait.mean (seconds)"), wait.mean, 1.0, 1e9)?;
            self.within(&key("wait.sd (seconds)"), wait.sd, 0.0, wait.mean)?;
            self.within(&key("deposit.mean"), deposit.mean, 1.0, 1e9)?;
            self.within(&key("deposit.sd"), deposit.sd, 0.0, deposit.mean)?;
            let start_balance = self.units(&key("start_balance"), table.start_balance)?;
            if table.start_balance < deposit.mean {
                return self.impossible(
                    key("start_balance"),
                    table.start_balance,
                    format!("at least its mean deposit, {}, is wanted", deposit.mean),
                );
            }
            agents.push(Agent {
                name: table.name.clone(),
                good: table.good,
                start_balance,
                deposit,
                wait,
                mistakes: self.within(&key("mistakes"), table.mistakes, 0.0, 1.0)?,
            });
        }
        Ok(agents)
    }

    /// Wei in that many units.
    fn units(&self, key: &str, units: f64) -> Result<u128, ScenarioError> {
        let units = self.within(key, units, 0.000_001, 1e9)?;
        Ok(to_integer(units * 1e6) * (UNIT / 1_000_000))
    }

    /// Wei in that many gwei.
    fn gwei(&self, key: &str, gwei: f64) -> Result<u128, ScenarioError> {
        Ok(to_integer(self.within(key, gwei, 0.0, 1e9)? * 1e9))
    }

    fn seconds(
        &self,
        key: &str,
        value: Option<Seconds>,
        default: f64,
    ) -> Result<u64, ScenarioError> {
        let seconds = value.map_or(default, |value| value.0);
        if seconds.fract() != 0.0 || !(1.0..1e12).contains(&seconds) {
            return self.impossible(
                key,
                format!("{seconds} s"),
                "a whole number of seconds from 1 to 10^12 is wanted",
            );
        }
        // At most 10^12 by the check above, which fits.
        Ok(u64::try_from(to_integer(seconds)).unwrap_or(u64::MAX))
    }
}

/// The nearest integer to a number already known to be at least 0 and below 2^64.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn to_integer(value: f64) -> u128 {
    // Truncation after adding a half rounds; the sign and the range are the caller's.
    (value + 0.5) as u128
}
