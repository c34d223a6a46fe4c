//! Bodies of requests to plan, and what they mean.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use cotrain_client::{
    api::{Account, Data, Wei},
    initial::{Title, check_terms},
};
use cotrain_learning::{
    data::{
        Bounds, ColumnType, Columns, Content, DEFAULT_LABEL, MissingRule, Reading, Separator,
        Source,
    },
    encode::{self, Limits, TextOptions, Tokenizer},
    initial::{self, Initial},
    text::{self, MAX_DESCRIPTION, MAX_NAME, escaped_to},
};
use cotrain_protocol::{
    classifier::Kind as Learner,
    market,
    mechanism::{Mechanism, Terms},
    trainer::{Incentive, Waits},
};
use serde::{Deserialize, Deserializer, de::Error as _};
use utoipa::ToSchema;

use super::fault::unfit;
use crate::api::{kinds::Kind, problem::Problem};

/// Defaults of `cotrain deploy`: the cost weight in wei, and the waits in seconds.
const COST_WEIGHT: u128 = 1_000_000_000_000;
const DAY: u64 = 24 * 60 * 60;
/// Default stake of `cotrain market create`, in wei.
const STAKE: u128 = 10_000_000_000_000_000;

/// Account that stands for an owner who is not known yet.
pub(in crate::api) const SOMEBODY: Address = Address::repeat_byte(0x11);

/// Maximum number of columns that a body names.
const MAX_COLUMNS: usize = 1_000;

/// File of a table.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FileBody {
    /// Name with its ending, which tells the format: .csv, .tsv, .txt or .parquet, with or without
    /// .gz. Messages call the file so.
    #[schema(min_length = 1, max_length = 200, example = "mail.csv")]
    name: String,
    /// Bytes of the file, at most `api.max_plan_bytes`.
    data: Data,
}

impl FileBody {
    /// Returns the bytes of the file with the bounds of what they may become.
    pub(super) fn content(self, max: usize, bounds: Bounds) -> Result<Content, Problem> {
        named("file.name", &self.name)?;
        let bytes = self.data.0.0;
        if bytes.len() > max {
            let detail = format!(
                "the file has {} bytes, and this coordinator takes at most {max}; send fewer rows, or use the command `cotrain deploy`",
                bytes.len()
            );
            return Err(Problem::new(&Kind::TOO_LARGE, detail));
        }
        let content = Content {
            name: self.name.into(),
            bytes,
            bounds,
        };
        if content.format().is_err() {
            let detail = format!(
                "the name `{}` tells no format; expected the ending .csv, .tsv, .txt or .parquet, with or without .gz",
                content.name.display()
            );
            return Err(Problem::new(&Kind::INVALID_DATA, detail));
        }
        Ok(content)
    }
}

/// Checks a text that people read.
pub(in crate::api) fn named(field: &str, name: &str) -> Result<(), Problem> {
    text::check_name(&format!("`{field}`"), name).map_err(|error| invalid(&error))
}

pub(super) fn invalid(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(&Kind::INVALID_REQUEST, error)
}

/// Choices for reading a table, for what its file does not tell.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReadingBody {
    /// Separator of the fields; by default, the header tells it.
    separator: Option<SeparatorBody>,
    /// Whether numbers have a decimal comma, as in `1,5`.
    #[serde(default)]
    decimal_comma: bool,
    /// Encoding of a text that is no UTF-8, such as `windows-1252`.
    #[schema(max_length = 40)]
    encoding: Option<String>,
}

impl ReadingBody {
    fn reading(&self) -> Result<Reading, Problem> {
        let charset = |name: &String| name.parse().map_err(|error| invalid(&error));
        Ok(Reading {
            separator: self.separator.map(|it| it.0),
            decimal_comma: self.decimal_comma,
            encoding: self.encoding.as_ref().map(charset).transpose()?,
        })
    }
}

/// Defines a choice that is one of a few names in JSON.
macro_rules! named {
    ($name:ident, $inner:ty, $doc:literal, $($value:literal),+) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const NAMES: [&str; [$($value),+].len()] = [$($value),+];
                let text = String::deserialize(deserializer)?;
                let parsed = NAMES.contains(&text.as_str()).then(|| text.parse().ok());
                parsed.flatten().map(Self).ok_or_else(|| {
                    let found = escaped_to(&text, 40);
                    D::Error::custom(format!("`{found}` is unknown, expected {}", NAMES.join(", ")))
                })
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($doc))
                    .enum_values(Some([$($value),+]))
                    .into()
            }
        }

        impl ToSchema for $name {}
    };
}

named!(
    SeparatorBody,
    Separator,
    "Separator of the fields of a table.",
    "comma",
    "semicolon",
    "tab",
    "pipe"
);
named!(
    TypeBody,
    ColumnType,
    "Type of a column: numbers, one of a few texts, true or false, a text whose words are learned, or nothing to learn from.",
    "numeric",
    "categorical",
    "boolean",
    "text",
    "ignored"
);
named!(
    MissingBody,
    MissingRule,
    "Replacement of missing values: the mean or the median of the column, a feature of its own, or none.",
    "mean",
    "median",
    "own",
    "refuse"
);
named!(
    LearnerBody,
    Learner,
    "Learner of the model.",
    "sparse-perceptron",
    "dense-perceptron",
    "naive-bayes",
    "sparse-nearest-centroid",
    "dense-nearest-centroid"
);
named!(
    TokenizerBody,
    Tokenizer,
    "Rule by which texts are split into words.",
    "simple",
    "unicode"
);

/// Table to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct LookBody {
    pub(super) file: FileBody,
    #[schema(inline)]
    reading: Option<ReadingBody>,
}

impl LookBody {
    pub(super) fn reading(&self) -> Result<Reading, Problem> {
        self.reading
            .as_ref()
            .map_or(Ok(Reading::default()), ReadingBody::reading)
    }
}

/// Waits of a model, in seconds. Each has the default of `cotrain deploy`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct WaitsBody {
    /// Time from a contribution to its refund or a report of it; 1 day by default.
    #[schema(minimum = 1, maximum = 1_099_511_627_775_u64)]
    refund: Option<u64>,
    /// Time from a contribution to the owner's late claim; 9 days by default.
    #[schema(minimum = 1, maximum = 1_099_511_627_775_u64)]
    owner_claim: Option<u64>,
    /// Time from a contribution to anyone's late claim; 9 days by default.
    #[schema(minimum = 1, maximum = 1_099_511_627_775_u64)]
    any_address_claim: Option<u64>,
    /// Notice of a report; none by default.
    #[schema(minimum = 0, maximum = 1_099_511_627_775_u64)]
    report_notice: Option<u64>,
}

/// Terms of a prediction market. Each that is left out has the default of `cotrain market create`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct MarketBody {
    /// Stake of each contribution, in wei; 0.01 ether by default.
    stake: Option<Wei>,
    /// Time during which the market takes contributions, in seconds; 1 day by default.
    #[schema(minimum = 1, maximum = 4_294_967_295_u64)]
    participation: Option<u64>,
    /// Time to reveal, in seconds; 1 day by default.
    #[schema(minimum = 1, maximum = 4_294_967_295_u64)]
    reveal_wait: Option<u64>,
    /// Time to score after the last reveal, in seconds; 1 day by default.
    #[schema(minimum = 1, maximum = 4_294_967_295_u64)]
    scoring_wait: Option<u64>,
    /// Number of contributions at which the market closes early; 1,000 by default.
    #[schema(minimum = 1, maximum = 4_294_967_295_u64)]
    most_contributions: Option<u64>,
    /// Maximum number of passes over the contributions; 10 by default.
    #[schema(minimum = 1, maximum = 65_535)]
    most_passes: Option<u64>,
}

impl MarketBody {
    fn terms(&self) -> Result<Terms, Problem> {
        let terms = Terms::Market(market::Terms {
            stake: self.stake.as_ref().map_or(STAKE, |it| it.0),
            participation: self.participation.unwrap_or(DAY),
            reveal_wait: self.reveal_wait.unwrap_or(DAY),
            scoring_wait: self.scoring_wait.unwrap_or(DAY),
            most_contributions: self.most_contributions.unwrap_or(1_000),
            most_passes: self.most_passes.unwrap_or(10),
        });
        let description = Mechanism::PredictionMarket.description();
        for (term, value) in description.terms.iter().zip(terms.values()) {
            if term.validate(value).is_err() {
                let detail = format!(
                    "a term of `market` is {value}, expected {} to 2^{} - 1: the {}",
                    term.least, term.bits, term.meaning
                );
                return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
            }
        }
        Ok(terms)
    }
}

/// Deployment to plan. What is left out has the default of `cotrain deploy`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::api) struct PlanBody {
    file: FileBody,
    #[schema(inline)]
    reading: Option<ReadingBody>,
    /// Account that will deploy the model and own it. The plan depends on it in nothing but its
    /// gas, so it may be left out.
    owner: Option<Account>,
    /// Name of the model.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Purpose of the model, in one or a few sentences.
    #[schema(max_length = 4_000)]
    description: Option<String>,
    /// Column that contains the class; `label` by default.
    #[schema(max_length = 200)]
    label: Option<String>,
    /// Column that contains the text; without it, the other columns are features.
    #[schema(max_length = 200)]
    text: Option<String>,
    /// Columns to leave out.
    #[schema(max_items = 1_000)]
    drop: Option<Vec<String>>,
    /// Types of columns by their names; the others are guessed.
    #[schema(value_type = Option<BTreeMap<String, TypeBody>>)]
    types: Option<BTreeMap<String, TypeBody>>,
    /// Replacement of missing values in all columns.
    missing: Option<MissingBody>,
    /// Learner; by default naive Bayes, or the dense centroid for numbers other than 0 and 1.
    learner: Option<LearnerBody>,
    /// Number of the most frequent words or indices to keep; 2,000 words by default.
    #[schema(minimum = 1, maximum = 65_536)]
    features: Option<u32>,
    /// Number of features to hash words to, instead of keeping the most frequent ones.
    #[schema(minimum = 2, maximum = 65_536)]
    hashed: Option<u32>,
    /// Rule by which texts are split into words; by default, their scripts decide.
    tokenizer: Option<TokenizerBody>,
    /// Whether two neighboring words are taken as a word, too.
    #[serde(default)]
    word_pairs: bool,
    /// Share of the training data that the model learns from; a half by default.
    #[schema(exclusive_minimum = 0.0, maximum = 1.0)]
    initial: Option<f64>,
    /// Seed of all random choices; 1 by default.
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    seed: Option<u64>,
    /// Further classes without examples in the data.
    #[schema(max_items = 255)]
    reserve_classes: Option<Vec<String>>,
    /// Whether refunded contributions are counted, instead of taking deposits.
    #[serde(default)]
    points: bool,
    /// Cost weight of the deposit's formula, in wei; 10^12 by default.
    cost_weight: Option<Wei>,
    #[schema(inline)]
    waits: Option<WaitsBody>,
    /// Terms of a prediction market, if the model is to be the first one of a market. Its provider
    /// then commits to a test set, which is no part of the plan.
    #[schema(inline)]
    market: Option<MarketBody>,
}

/// Checked options of a plan.
pub(super) struct Wanted {
    pub(super) options: initial::Options,
    pub(super) title: Title,
    pub(super) terms: Terms,
    pub(super) owner: Address,
}

impl PlanBody {
    /// Checks the options.
    pub(super) fn wanted(self, max: usize, bounds: Bounds) -> Result<Wanted, Problem> {
        let terms = Incentives {
            points: self.points,
            cost_weight: self.cost_weight.as_ref(),
            waits: self.waits.as_ref(),
            market: self.market.as_ref(),
        };
        let terms = terms.terms()?;
        named("name", &self.name)?;
        let description = self.description.unwrap_or_default();
        text::check("`description`", &description, MAX_DESCRIPTION)
            .map_err(|error| invalid(&error))?;
        let initial = self.initial.unwrap_or(0.5);
        if !(f64::MIN_POSITIVE..=1.0).contains(&initial) {
            let detail = format!("`initial` is {initial}, expected a share above 0 and at most 1");
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        }
        if self.features.is_some() && self.hashed.is_some() {
            let detail = "`features` and `hashed` exclude each other; leave one out";
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        }
        let reading = self
            .reading
            .as_ref()
            .map_or(Ok(Reading::default()), ReadingBody::reading)?;
        let (drop, types) = (
            self.drop.unwrap_or_default(),
            self.types.unwrap_or_default(),
        );
        let reserved_classes = self.reserve_classes.unwrap_or_default();
        let names = drop.iter().chain(types.keys()).chain(&reserved_classes);
        let names = names.chain(self.label.iter().chain(&self.text));
        let (mut count, mut longest) = (0, 0);
        for name in names {
            (count, longest) = (count + 1, longest.max(name.chars().count()));
        }
        if count > MAX_COLUMNS || longest > MAX_NAME {
            let detail = format!(
                "the body names {count} columns and classes, the longest with {longest} characters; at most {MAX_COLUMNS} names of {MAX_NAME} characters are possible"
            );
            return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
        }
        let columns = Columns {
            drop,
            types: types.into_iter().map(|(name, it)| (name, it.0)).collect(),
            missing_everywhere: self.missing.map_or(MissingRule::Refuse, |it| it.0),
            ..Columns::default()
        };
        let source = Source::of_content(
            self.file.content(max, bounds)?,
            self.label.as_deref().unwrap_or(DEFAULT_LABEL),
            self.text.as_deref(),
            reading,
            columns,
        );
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Wanted {
            options: initial::Options {
                source: source.map_err(|error| unfit(&error))?,
                initial: Initial::Share(initial),
                seed: self.seed.unwrap_or(1),
                learner: self.learner.map(|it| it.0),
                reserved_classes,
                encoding: encode::Options {
                    features: self.features.map(count),
                    text: TextOptions {
                        tokenizer: self.tokenizer.map(|it| it.0),
                        word_pairs: self.word_pairs,
                        hashed: self.hashed.map(count),
                    },
                    limits: Limits::default(),
                    ..encode::Options::default()
                },
            },
            title: Title {
                name: self.name,
                description,
            },
            terms,
            owner: self.owner.map_or(SOMEBODY, |owner| owner.0),
        })
    }
}

/// Terms of a model as a body gives them.
pub(in crate::api) struct Incentives<'a> {
    pub(in crate::api) points: bool,
    pub(in crate::api) cost_weight: Option<&'a Wei>,
    pub(in crate::api) waits: Option<&'a WaitsBody>,
    pub(in crate::api) market: Option<&'a MarketBody>,
}

impl Incentives<'_> {
    /// Returns the checked terms. What is left out has the default of `cotrain deploy`.
    pub(in crate::api) fn terms(&self) -> Result<Terms, Problem> {
        if let Some(market) = self.market {
            if self.points || self.cost_weight.is_some() || self.waits.is_some() {
                let detail =
                    "a market has none of `points`, `costWeight` and `waits`; leave them out";
                return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
            }
            return market.terms();
        }
        let incentive = match (self.points, self.cost_weight) {
            (true, Some(_)) => {
                let detail = "`points` and `costWeight` exclude each other; leave one out";
                return Err(Problem::new(&Kind::INVALID_REQUEST, detail));
            }
            (true, None) => Incentive::Points,
            (false, cost_weight) => Incentive::DepositRefundTake {
                cost_weight: cost_weight.map_or(COST_WEIGHT, |it| it.0),
            },
        };
        let given = self.waits;
        let wait = |get: fn(&WaitsBody) -> Option<u64>, usual| given.and_then(get).unwrap_or(usual);
        let waits = Waits {
            refund: wait(|it| it.refund, DAY),
            owner_claim: wait(|it| it.owner_claim, 9 * DAY),
            any_address_claim: wait(|it| it.any_address_claim, 9 * DAY),
            report_notice: wait(|it| it.report_notice, 0),
        };
        check_terms(&incentive, &waits).map_err(|error| invalid(&error))?;
        Ok(Terms::Trainer { incentive, waits })
    }
}
