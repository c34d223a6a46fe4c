//! Format of a scenario's file.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use super::{
    incentive::IncentiveTable,
    values::{Duration, Number},
};

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
    pub(super) separator: Option<String>,
    pub(super) decimal_comma: Option<bool>,
    pub(super) encoding: Option<String>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) drop: Option<Vec<String>>,
    pub(super) types: Option<BTreeMap<String, String>>,
    pub(super) missing: Option<MissingTable>,
    pub(super) picture_size: Option<String>,
    pub(super) picture_levels: Option<u32>,
    pub(super) picture_ink: Option<bool>,
    pub(super) test_share: Option<Number>,
    pub(super) features: Option<usize>,
    pub(super) hashed: Option<usize>,
    pub(super) tokenizer: Option<String>,
    pub(super) word_pairs: Option<bool>,
    pub(super) encoder: Option<String>,
    pub(super) train_samples: Option<usize>,
    pub(super) initial_share: Number,
}

/// Rules for missing values.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a rule such as \"mean\", or a table of columns with their rules"
)]
pub(super) enum MissingTable {
    /// Rule of all columns.
    All(String),
    /// Rules by column.
    Each(BTreeMap<String, String>),
}

impl DataTable {
    /// Returns the keys that only tables of columns have, each with whether it is given.
    pub(super) fn of_tables(&self) -> [(&'static str, bool); 7] {
        [
            ("separator", self.separator.is_some()),
            ("decimal_comma", self.decimal_comma.is_some()),
            ("encoding", self.encoding.is_some()),
            ("columns", self.columns.is_some()),
            ("drop", self.drop.is_some()),
            ("types", self.types.is_some()),
            ("missing", self.missing.is_some()),
        ]
    }

    /// Returns the keys that only folders of pictures have, each with whether it is given.
    pub(super) fn of_pictures(&self) -> [(&'static str, bool); 3] {
        [
            ("picture_size", self.picture_size.is_some()),
            ("picture_levels", self.picture_levels.is_some()),
            ("picture_ink", self.picture_ink.is_some()),
        ]
    }
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

/// Returns the names of the keys that are present.
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
    /// Returns the present keys that only some kinds of agents have.
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
