//! The form of a scenario's file.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, Deserializer, de};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) description: String,
    pub(super) data: DataTable,
    pub(super) model: ModelTable,
    pub(super) incentive: IncentiveTable,
    #[serde(default)]
    pub(super) chain: ChainTable,
    #[serde(default)]
    pub(super) run: RunTable,
    pub(super) agents: Vec<AgentTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataTable {
    pub(super) source: String,
    pub(super) train: Option<PathBuf>,
    pub(super) test: Option<PathBuf>,
    pub(super) label: Option<String>,
    pub(super) text: Option<String>,
    pub(super) test_share: Option<Number>,
    pub(super) features: Option<usize>,
    pub(super) train_samples: Option<usize>,
    pub(super) initial_share: Number,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelTable {
    pub(super) kind: String,
    pub(super) smoothing: Option<Number>,
    pub(super) max_number: Option<Number>,
    pub(super) max_length: Option<Number>,
    pub(super) bounds_margin: Option<Number>,
    pub(super) fixed_intercept: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IncentiveTable {
    pub(super) kind: String,
    pub(super) deposit_after_one_hour: Option<Number>,
    pub(super) refund_wait: Option<Duration>,
    pub(super) owner_claim_wait: Option<Duration>,
    pub(super) any_address_claim_wait: Option<Duration>,
    pub(super) report_notice: Option<Duration>,
    pub(super) prediction_price: Option<Number>,
    pub(super) bounty: Option<Number>,
    pub(super) stake: Option<Number>,
    pub(super) parts: Option<usize>,
    pub(super) test_samples: Option<usize>,
    pub(super) participation: Option<Duration>,
    pub(super) reveal_wait: Option<Duration>,
    pub(super) scoring_wait: Option<Duration>,
    pub(super) most_contributions: Option<usize>,
    pub(super) most_passes: Option<usize>,
}

impl IncentiveTable {
    /// The keys that are given and that belong to trainers.
    pub(super) fn trainer_keys(&self) -> Vec<&'static str> {
        given([
            (
                "deposit_after_one_hour",
                self.deposit_after_one_hour.is_some(),
            ),
            ("refund_wait", self.refund_wait.is_some()),
            ("owner_claim_wait", self.owner_claim_wait.is_some()),
            (
                "any_address_claim_wait",
                self.any_address_claim_wait.is_some(),
            ),
            ("report_notice", self.report_notice.is_some()),
            ("prediction_price", self.prediction_price.is_some()),
        ])
    }

    /// The keys that are given and that belong to prediction markets.
    pub(super) fn market_keys(&self) -> Vec<&'static str> {
        given([
            ("bounty", self.bounty.is_some()),
            ("stake", self.stake.is_some()),
            ("parts", self.parts.is_some()),
            ("test_samples", self.test_samples.is_some()),
            ("participation", self.participation.is_some()),
            ("reveal_wait", self.reveal_wait.is_some()),
            ("scoring_wait", self.scoring_wait.is_some()),
            ("most_contributions", self.most_contributions.is_some()),
            ("most_passes", self.most_passes.is_some()),
        ])
    }
}

/// The names of those that are given.
fn given<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect()
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ChainTable {
    #[serde(default)]
    pub(super) gas_price_gwei: Number,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RunTable {
    pub(super) evaluate_every: Option<Duration>,
    pub(super) limit: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentTable {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) start_balance: Number,
    pub(super) deposit: Option<DepositTable>,
    pub(super) wait: WaitTable,
    pub(super) mistakes: Option<Number>,
    pub(super) identities: Option<usize>,
    pub(super) batch: Option<usize>,
    pub(super) target_class: Option<u16>,
    pub(super) target_feature: Option<u16>,
    pub(super) agreement: Option<Number>,
    pub(super) predictions: Option<usize>,
}

impl AgentTable {
    /// The keys that are given and that not every kind of agent has.
    pub(super) fn own_keys(&self) -> Vec<&'static str> {
        given([
            ("mistakes", self.mistakes.is_some()),
            ("identities", self.identities.is_some()),
            ("batch", self.batch.is_some()),
            ("target_class", self.target_class.is_some()),
            ("target_feature", self.target_feature.is_some()),
            ("agreement", self.agreement.is_some()),
            ("predictions", self.predictions.is_some()),
        ])
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepositTable {
    pub(super) mean: Number,
    pub(super) sd: Number,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitTable {
    pub(super) mean: Duration,
    pub(super) sd: Duration,
}

/// A number, whole or not.
#[derive(Clone, Copy, Default)]
pub(super) struct Number(pub(super) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            // Beyond 2^53 a number is rounded; every bound below is far smaller or checked again.
            #[allow(clippy::cast_precision_loss)]
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A duration as it was written, with its unit.
pub(super) struct Duration {
    pub(super) seconds: f64,
    pub(super) text: String,
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration in quotes, with its unit, such as \"600s\", \"1h 30m\" or \"9 days\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                let duration = humantime::parse_duration(text).map_err(|reason| {
                    E::custom(format!(
                        "`{text}` is not a duration ({reason}); write one with its unit, such as \"600s\", \"1h 30m\" or \"9 days\""
                    ))
                })?;
                Ok(Duration {
                    seconds: duration.as_secs_f64(),
                    text: text.to_owned(),
                })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
