//! Plan of a deployment: the initial model, its card and its incentive. The plan is complete before
//! the first transaction.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::Address;
use anyhow::anyhow;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use cotrain_client::{
    deploy,
    initial::{InitialModel, TermsFault, Title, check_terms},
};
use cotrain_learning::{
    Encoder,
    data::{Example, Source},
    encode::{self, Limits, Samples, TextOptions, Tokenizer},
    initial::{self, Founding, Initial, PrepareError, Prepared},
    input::row_of,
    text::{self, MAX_DESCRIPTION, escaped},
    train::Quantization,
};
use cotrain_protocol::{
    classifier::Kind,
    mechanism::Terms,
    trainer::{Incentive, Waits},
};
use cotrain_results::{
    format::{counted, numbers_rows, unknown_texts},
    measured::Measured,
};

use super::{
    bounds::{describe_bounds, describe_features},
    data::{Columns, TypeOptions, left_out},
    encoder,
    input::tell_queries,
    sentence,
    wei::Wei,
    whole_seconds,
};
use crate::{error::CommandError, output::Narrator};

/// Initial model, and the data that it is trained and measured on.
#[derive(Debug, Clone, Args)]
pub(crate) struct InitialOptions {
    /// Data to train and measure the initial model on: `movie-reviews` or `digits`, which come with
    /// cotrain, a file that ends in .csv, .tsv, .txt, .parquet or .libsvm, or a folder with a folder
    /// of pictures (.png, .jpg) for each class
    #[arg(
        long,
        value_name = "DATA",
        default_value = "movie-reviews",
        help_heading = "Data"
    )]
    pub(crate) data: String,
    /// Data to measure on [default: a fifth of the data, set aside at random]
    #[arg(long, value_name = "FILE", help_heading = "Data")]
    pub(crate) test: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) columns: Columns,
    #[command(flatten)]
    pub(crate) types: TypeOptions,
    /// Part of the training data that the initial model learns from: a share, or a number of
    /// examples
    #[arg(
        long,
        value_name = "SHARE|N",
        default_value = "0.5",
        value_parser = str::parse::<Initial>,
        help_heading = "Data"
    )]
    pub(crate) initial: Initial,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Data")]
    pub(crate) seed: u64,
    /// Learner [default: naive-bayes, or dense-nearest-centroid for numbers other than 0 and 1]
    #[arg(
        long,
        value_name = "NAME",
        value_parser = learners(),
        help_heading = "Model"
    )]
    pub(crate) learner: Option<Kind>,
    /// Number of the most frequent words or indices to keep [default: 2000 words, all indices]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub(crate) features: Option<usize>,
    /// Rule by which texts are split into words: `simple` takes runs of at least two letters,
    /// `unicode` Unicode's words, also of Chinese, Japanese and Thai [default: unicode if the texts
    /// are in scripts without spaces, else simple]
    #[arg(
        long,
        value_name = "NAME",
        value_parser = tokenizers(),
        help_heading = "Model"
    )]
    pub(crate) tokenizer: Option<Tokenizer>,
    /// Take two neighboring words as a word, too, such as "not good"
    #[arg(long, help_heading = "Model")]
    pub(crate) word_pairs: bool,
    /// Hash words to this number of features, 2 to 65536, instead of keeping the most frequent
    /// ones: the model can learn words that no example has yet, and some words share a feature
    #[arg(
        long,
        value_name = "N",
        conflicts_with_all = ["features", "reserve_features"],
        help_heading = "Model"
    )]
    pub(crate) hashed: Option<usize>,
    /// Encoder that turns texts into numbers: `table` for the table of word vectors that comes with
    /// cotrain, a file that `cotrain encoder make` wrote, or `sentence` for the program
    /// cotrain-sentence, which everyone who sends texts needs. An encoder helps a model of few
    /// examples; with thousands, single words are better. The learner is dense-nearest-centroid by
    /// default
    #[arg(
        long,
        value_name = "TABLE|FILE|sentence",
        conflicts_with_all = ["tokenizer", "word_pairs", "hashed", "features", "reserve_features"],
        help_heading = "Model"
    )]
    pub(crate) encoder: Option<String>,
    /// Number of dimensions of a model with `--encoder sentence`: more cost more gas [default: 64]
    #[arg(long, value_name = "N", requires = "encoder", help_heading = "Model")]
    pub(crate) dimensions: Option<usize>,
    /// Additional classes without examples in the data, separated by commas: contributions can
    /// teach them later. A model's classes are fixed at creation; perceptrons always have two
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "Model"
    )]
    pub(crate) reserve_classes: Vec<String>,
    /// Additional words, columns of 0 and 1, or libsvm indices without examples in the data,
    /// separated by commas: contributions can teach them later. A model's features are fixed at
    /// creation; the dense learners scale each column by its examples, so they take none
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "Model"
    )]
    pub(crate) reserve_features: Vec<String>,
    /// Keep the intercept of a dense perceptron as trained. Without this option, contributions move
    /// it too, through a constant number at the end of each sample
    #[arg(long, help_heading = "Model")]
    pub(crate) fixed_intercept: bool,
    /// Largest number that a dense model learns from, in standard deviations of a column from its
    /// mean; larger ones are clipped to it [default: the largest of the training data]
    #[arg(long, value_name = "SD", help_heading = "Model")]
    pub(crate) max_number: Option<f64>,
    /// Largest length of a row that a dense model learns from, the root of the sum of its squared
    /// numbers; longer rows are scaled down to it [default: the largest of the training data]
    #[arg(long, value_name = "SD", help_heading = "Model")]
    pub(crate) max_length: Option<f64>,
    /// Name of the model
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "model",
        help_heading = "Model"
    )]
    pub(crate) name: String,
    /// Description of the model
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true,
        help_heading = "Model"
    )]
    pub(crate) description: String,
}

impl InitialOptions {
    /// Returns the data to measure on, if it is named.
    pub(crate) fn test_source(&self) -> Result<Option<Source>, CommandError> {
        let test = self.test.as_ref().map(|test| test.to_string_lossy());
        test.map(|test| self.columns.source(&test)).transpose()
    }

    /// Says if making the initial model takes minutes.
    pub(crate) fn announce(&self, narrator: &Narrator) {
        if self.encoder.as_deref() == Some(sentence::NAME) {
            sentence::announce(narrator);
        }
    }

    /// Returns the options for making the initial model.
    fn preparation(&self) -> Result<initial::Options, CommandError> {
        let (vectors, sentences) = match self.encoder.as_deref() {
            Some(sentence::NAME) => (None, Some(sentence::chosen(self.dimensions)?)),
            _ if self.dimensions.is_some() => {
                return Err(CommandError::Mistake(anyhow!(
                    "--dimensions is for `--encoder {}`, and a table has its own; leave it out, or make another \
                     table with `cotrain encoder make`",
                    sentence::NAME
                )));
            }
            table => (table.map(encoder::chosen).transpose()?, None),
        };
        Ok(initial::Options {
            source: self
                .columns
                .founding(&self.data, self.test.as_deref(), &self.types)?,
            initial: self.initial,
            seed: self.seed,
            learner: self.learner,
            reserved_classes: self.reserve_classes.clone(),
            encoding: encode::Options {
                features: self.features,
                text: TextOptions {
                    tokenizer: self.tokenizer,
                    word_pairs: self.word_pairs,
                    hashed: self.hashed,
                },
                vectors,
                sentences,
                limits: Limits {
                    number: self.max_number,
                    length: self.max_length,
                    ..Limits::default()
                },
                fixed_intercept: self.fixed_intercept,
                reserved: self.reserve_features.clone(),
            },
        })
    }
}

/// Model to deploy, with its incentive.
#[derive(Debug, Clone, Args)]
pub(crate) struct ModelOptions {
    #[command(flatten)]
    pub(crate) initial: InitialOptions,
    /// Cost weight, in wei: each contribution deposits this amount times 3600, divided by the
    /// square root of the seconds since the last one
    #[arg(
        long,
        value_name = "WEI",
        default_value = "1000gwei",
        help_heading = "Incentive"
    )]
    pub(crate) cost_weight: Wei,
    /// Count refunded contributions instead of taking deposits
    #[arg(long, conflicts_with = "cost_weight", help_heading = "Incentive")]
    pub(crate) points: bool,
    /// Time from a contribution to its refund or a report of it
    #[arg(
        long,
        value_name = "TIME",
        default_value = "1day",
        value_parser = whole_seconds,
        help_heading = "Incentive"
    )]
    pub(crate) refund_wait: Duration,
    /// Time from a contribution to the owner's late claim of its deposit
    #[arg(
        long,
        value_name = "TIME",
        default_value = "9days",
        value_parser = whole_seconds,
        help_heading = "Incentive"
    )]
    pub(crate) owner_claim_wait: Duration,
    /// Time from a contribution to anyone's late claim of its deposit
    #[arg(
        long,
        value_name = "TIME",
        default_value = "9days",
        value_parser = whole_seconds,
        help_heading = "Incentive"
    )]
    pub(crate) any_address_claim_wait: Duration,
    /// Notice between the announcement of a report and the report, so that the refund can be pushed
    /// in between; 0s if reports need no notice. Maximum: half of the time from `--refund-wait` to
    /// `--owner-claim-wait`
    #[arg(
        long,
        value_name = "TIME",
        default_value = "0s",
        value_parser = whole_seconds,
        help_heading = "Incentive"
    )]
    pub(crate) report_notice: Duration,
}

impl ModelOptions {
    /// Returns the terms of the incentive, within their bounds.
    fn terms(&self) -> Result<Terms, CommandError> {
        let incentive = if self.points {
            Incentive::Points
        } else {
            Incentive::DepositRefundTake {
                cost_weight: self.cost_weight.0,
            }
        };
        let waits = Waits {
            refund: self.refund_wait.as_secs(),
            owner_claim: self.owner_claim_wait.as_secs(),
            any_address_claim: self.any_address_claim_wait.as_secs(),
            report_notice: self.report_notice.as_secs(),
        };
        check(&incentive, &waits).map_err(CommandError::Mistake)?;
        Ok(Terms::Trainer { incentive, waits })
    }
}

/// Returns the parser of learners. It lists their names for shells and in error messages.
fn learners() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name)).try_map(|name| name.parse::<Kind>())
}

/// Returns the parser of tokenizers. It lists their names for shells and in error messages.
fn tokenizers() -> impl TypedValueParser<Value = Tokenizer> {
    PossibleValuesParser::new(Tokenizer::ALL.map(Tokenizer::name))
        .try_map(|name| name.parse::<Tokenizer>())
}

/// Checks the bounds of the contracts, in the words of the options, and that refunds have a wait.
fn check(incentive: &Incentive, waits: &Waits) -> anyhow::Result<()> {
    let shown = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds)).to_string();
    check_terms(incentive, waits).map_err(|fault| match fault {
        TermsFault::NoWait => anyhow!(
            "--refund-wait is 0s; expected at least 1s: without a wait a contribution stakes nothing"
        ),
        TermsFault::OwnerFirst {
            refund,
            owner_claim,
        } => anyhow!(
            "--owner-claim-wait {} is shorter than --refund-wait {}; make it at least as long",
            shown(owner_claim),
            shown(refund)
        ),
        TermsFault::AnyoneFirst {
            owner_claim,
            any_address_claim,
        } => anyhow!(
            "--any-address-claim-wait {} is shorter than --owner-claim-wait {}; make it at least as long",
            shown(any_address_claim),
            shown(owner_claim)
        ),
        TermsFault::LongNotice { notice, between } => anyhow!(
            "--report-notice {} is more than half of the {} from --refund-wait to --owner-claim-wait; make it at most that half",
            shown(notice),
            shown(between)
        ),
        TermsFault::TooLong { any_address_claim } => anyhow!(
            "--any-address-claim-wait is {any_address_claim} s; expected less than 2^40 s, 34,000 years"
        ),
        TermsFault::NothingStaked => anyhow!(
            "--cost-weight is 0, so nothing would be staked; name a weight such as 1000gwei, or say --points"
        ),
        TermsFault::TooMuch { cost_weight } => anyhow!(
            "--cost-weight is {}; expected less than 2^80 wei, which is {}",
            Wei(cost_weight),
            Wei(1 << 80)
        ),
    })
}

/// A deployment, with its descriptions for people.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    /// Part of the plan that goes on the chain.
    pub(crate) deployment: deploy::Plan,
    pub(crate) quantization: Quantization,
    /// Figures on the predictions of the initial model for the test data.
    pub(crate) evaluation: Measured,
    /// Number of examples that the initial model was trained on.
    pub(crate) trained_on: usize,
    /// Files and folders of pictures that are not read, in words.
    left_out: Vec<String>,
    /// Columns that seem to number or name the rows of the table.
    row_numbers: Vec<String>,
    /// Number of examples with a query, which the model does not learn from.
    queries: usize,
    /// Columns of a table with their types, in words; none of a table of numbers alone.
    types: Vec<(String, String)>,
    /// First example of the test data as an option, such as `--text`, and its class.
    pub(crate) example: Option<(String, String)>,
    /// Number of columns of a table to learn from; 0 for other data.
    columns: usize,
    /// Doubts about the table that its owner can settle, in words.
    doubts: Vec<String>,
    /// Number of the data's numbers that were clipped to the bounds.
    pub(crate) clamped: usize,
    /// Number of the texts it was trained on of which the encoder knows nothing.
    unknown: usize,
}

impl Plan {
    /// Reads the data and trains the initial model, with deposits and claims.
    pub(crate) fn make(options: &ModelOptions, owner: Address) -> Result<Self, CommandError> {
        let terms = options.terms()?;
        let (plan, _) = Self::with_terms(&options.initial, terms, owner)?;
        Ok(plan)
    }

    /// Reads the data and trains the initial model. It also returns the samples that the model is
    /// measured on.
    pub(crate) fn with_terms(
        options: &InitialOptions,
        terms: Terms,
        owner: Address,
    ) -> Result<(Self, Samples), CommandError> {
        check_texts(options)?;
        let preparation = options.preparation()?;
        let left_out = left_out(&preparation.source)?;
        let prepared = Prepared::read(&preparation).map_err(not_prepared)?;
        let plan = Self {
            left_out,
            ..Self::with_prepared(options, terms, owner, &prepared)?
        };
        Ok((plan, prepared.encoded.test))
    }

    /// Trains the initial model on samples that others contributed, with deposits and claims.
    pub(crate) fn found(
        options: &ModelOptions,
        founding: Founding<'_>,
        owner: Address,
    ) -> Result<Self, CommandError> {
        let terms = options.terms()?;
        check_texts(&options.initial)?;
        let prepared = Prepared::found(founding).map_err(not_prepared)?;
        Self::with_prepared(&options.initial, terms, owner, &prepared)
    }

    /// Trains the initial model on prepared data.
    fn with_prepared(
        options: &InitialOptions,
        terms: Terms,
        owner: Address,
        prepared: &Prepared,
    ) -> Result<Self, CommandError> {
        let encoded = &prepared.encoded;
        let title = Title {
            name: options.name.clone(),
            description: options.description.clone(),
        };
        let model = InitialModel::train(&title, terms, owner, prepared);
        let model = model.map_err(CommandError::mistake)?;
        Ok(Self {
            name: options.name.clone(),
            deployment: model.deployment,
            quantization: model.quantization,
            evaluation: Measured::new(&model.confusion, encoded.classes.clone()),
            trained_on: model.trained_on,
            left_out: Vec::new(),
            row_numbers: model.row_numbers,
            queries: model.queries,
            types: model.types,
            example: prepared
                .test_example()
                .and_then(|it| example(&encoded.encoder, it)),
            columns: model.columns,
            doubts: model.doubts.iter().map(ToString::to_string).collect(),
            clamped: model.clamped,
            unknown: model.unknown,
        })
    }

    /// Tells which pictures are not read and the types of a table's columns, and warns of columns
    /// that a model should not learn from.
    pub(crate) fn warn(&self, narrator: &Narrator) {
        for left_out in &self.left_out {
            narrator.say(left_out);
        }
        for (column, kind) in &self.types {
            narrator.say(format_args!("column `{}`: {kind}", escaped(column)));
        }
        if !self.types.is_empty() {
            narrator.say(format_args!(
                "if a type is not what the column means, say --type NAME=TYPE, or leave the column out with --drop"
            ));
        } else if self.columns > 0 {
            narrator.say(format_args!(
                "{}, all numeric",
                counted(self.columns as u64, "column")
            ));
        }
        for doubt in &self.doubts {
            narrator.say(doubt);
        }
        tell_queries(narrator, self.queries);
        if let Some(told) = unknown_texts(self.unknown, self.trained_on) {
            narrator.say(format_args!(
                "warning: {told}; choose an encoder for their language"
            ));
        }
        for column in &self.row_numbers {
            narrator.say(format_args!(
                "warning: {}; if so, leave it out with --drop {}",
                numbers_rows(column),
                quoted(column).unwrap_or_else(|| "NAME".to_owned())
            ));
        }
    }

    /// Returns the number of features, as text.
    pub(crate) fn describe_features(&self) -> String {
        let deployment = &self.deployment;
        describe_features(
            deployment.classifier.parameters(),
            deployment.card.encoder.as_ref(),
        )
    }

    /// Returns the bounds of what the model learns from, as text; `None` if its samples have no
    /// numbers.
    pub(crate) fn bounds(&self) -> Option<String> {
        let deployment = &self.deployment;
        describe_bounds(
            deployment.classifier.parameters(),
            deployment.card.encoder.as_ref(),
        )
    }
}

/// Checks the texts of a model's card.
fn check_texts(options: &InitialOptions) -> Result<(), CommandError> {
    text::check_name("--name", &options.name).map_err(CommandError::mistake)?;
    text::check("--description", &options.description, MAX_DESCRIPTION)
        .map_err(CommandError::mistake)
}

/// Returns an example as an option of `cotrain predict`, and its class; `None` if a shell could not
/// read it verbatim.
fn example(encoder: &Encoder, (example, class): (Example<'_>, &str)) -> Option<(String, String)> {
    /// Longer examples are of no use at a prompt.
    const MAX_LENGTH: usize = 200;
    let option = match example {
        Example::Text(text) => format!("--text {}", quoted(text)?),
        Example::Numbers(_) => {
            let row = row_of(encoder, example)?;
            let plain = |it: char| it.is_ascii_alphanumeric() || ",.+-_".contains(it);
            if row.chars().all(plain) {
                format!("--row {row}")
            } else {
                // `--row` may begin with a minus sign.
                format!("--row {}", in_marks(&row)?)
            }
        }
        Example::Indexed { .. } => format!("--row '{}'", row_of(encoder, example)?),
    };
    // `--label` takes a negative number, but nothing else that begins like an option.
    let is_number = class.parse::<i64>().is_ok();
    let class = is_number
        .then(|| class.to_owned())
        .or_else(|| quoted(class))?;
    (option.len() <= MAX_LENGTH).then_some((option, class))
}

/// Returns the form of an example's option for a model of `data`, if no example is fit to be shown.
pub(crate) fn placeholder(data: &str) -> &'static str {
    if Path::new(data).is_dir() {
        "--picture FILE"
    } else {
        "--row ROW"
    }
}

/// Quotes a text for a shell; `None` if it looks like an option, or contains characters that cannot
/// be seen.
fn quoted(text: &str) -> Option<String> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return Some(text.to_owned());
    }
    let is_option = text.starts_with('-');
    in_marks(text).filter(|_| !is_option)
}

/// Puts a text in quotation marks for a shell; `None` if it contains characters that cannot be seen.
fn in_marks(text: &str) -> Option<String> {
    let visible = text::check("the text", text, usize::MAX).is_ok();
    visible.then(|| format!("'{}'", text.replace('\'', "'\\''")))
}

/// Returns the failure for data that makes no initial model, in the names of options.
fn not_prepared(error: PrepareError) -> CommandError {
    CommandError::Mistake(match error {
        PrepareError::EmptyClass => {
            anyhow!("--reserve-classes names an empty class; give names separated by commas")
        }
        PrepareError::KnownClass { name } => anyhow!(
            "cannot reserve the class `{name}`: the data or --reserve-classes have it already; leave it out"
        ),
        PrepareError::LabelColumn { name } => anyhow!(
            "cannot reserve the feature `{}`: that column has the classes (--label-column); leave it out",
            escaped(&name)
        ),
        PrepareError::TooFew { wanted, examples } => {
            anyhow!("--initial is {wanted}, and there are {examples} examples to train on")
        }
        error => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_names_the_option_of_a_wait_that_is_out_of_bounds() {
        let problem_with = |refund, owner_claim, any_address_claim, report_notice| {
            let waits = Waits {
                refund,
                owner_claim,
                any_address_claim,
                report_notice,
            };
            check(&Incentive::Points, &waits)
                .map_or_else(|error| error.to_string(), |()| String::new())
        };
        let problem_of = |refund, owner_claim, any| problem_with(refund, owner_claim, any, 0);
        assert_eq!(problem_of(1, 1, 1), "");
        assert_eq!(problem_with(1, 7_201, 7_201, 3_600), "");
        assert_eq!(
            problem_with(86_400, 7 * 86_400, 7 * 86_400, 4 * 86_400),
            "--report-notice 4days is more than half of the 6days from --refund-wait to --owner-claim-wait; make it \
             at most that half"
        );
        assert_eq!(
            problem_with(1, 7_200, 7_200, 3_600),
            "--report-notice 1h is more than half of the 1h 59m 59s from --refund-wait to --owner-claim-wait; make it \
             at most that half"
        );
        assert_eq!(problem_of(86_400, 86_400, (1 << 40) - 1), "");
        assert_eq!(
            problem_of(0, 9, 9),
            "--refund-wait is 0s; expected at least 1s: without a wait a contribution stakes nothing"
        );
        assert_eq!(
            problem_of(86_400, 3_600, 777_600),
            "--owner-claim-wait 1h is shorter than --refund-wait 1day; make it at least as long"
        );
        assert_eq!(
            problem_of(86_400, 777_600, 3_600),
            "--any-address-claim-wait 1h is shorter than --owner-claim-wait 9days; make it at least as long"
        );
        assert_eq!(
            problem_of(1, 1 << 40, 1 << 40),
            "--any-address-claim-wait is 1099511627776 s; expected less than 2^40 s, 34,000 years"
        );
    }

    #[test]
    fn check_bounds_the_cost_weight_as_the_contract_does() {
        let waits = Waits {
            refund: 1,
            owner_claim: 1,
            any_address_claim: 1,
            report_notice: 0,
        };
        let check = |cost_weight| check(&Incentive::DepositRefundTake { cost_weight }, &waits);
        check((1 << 80) - 1).expect("the most");
        check(1).expect("the least");
        let message = check(0).unwrap_err().to_string();
        assert!(message.contains("nothing would be staked"), "{message}");
        let message = check(1 << 80).unwrap_err().to_string();
        assert!(
            message.starts_with("--cost-weight is 1208925.8"),
            "{message}"
        );
    }

    #[test]
    fn not_prepared_names_the_options() {
        let message = |error| not_prepared(error).message();
        let name = "ham".to_owned();
        assert_eq!(
            message(PrepareError::KnownClass { name }),
            "cannot reserve the class `ham`: the data or --reserve-classes have it already; leave it out"
        );
        assert_eq!(
            message(PrepareError::EmptyClass),
            "--reserve-classes names an empty class; give names separated by commas"
        );
        let (wanted, examples) = (9, 8);
        assert_eq!(
            message(PrepareError::TooFew { wanted, examples }),
            "--initial is 9, and there are 8 examples to train on"
        );
    }

    #[test]
    fn example_is_an_option_that_a_shell_takes() {
        let encoder = |features: &str| -> Encoder {
            let card = format!(r#"{{"classifier":"naive-bayes","features":{features}}}"#);
            serde_json::from_str(&card).expect("an encoder")
        };
        let columns = encoder(r#"{"columns":["x","y"]}"#);
        let indices = encoder(r#"{"indices-up-to":9}"#);
        let option = |found| {
            let encoder = match found {
                Example::Indexed { .. } => &indices,
                _ => &columns,
            };
            example(encoder, (found, "a class")).map(|(option, _)| option)
        };
        let message = option(Example::Text("it's good"));
        assert_eq!(message.as_deref(), Some(r"--text 'it'\''s good'"));
        let message = option(Example::Numbers(&[-1.5, 2.0]));
        assert_eq!(message.as_deref(), Some("--row -1.5,2"));
        let indexed = Example::Indexed {
            indices: &[0, 4],
            values: None,
        };
        assert_eq!(option(indexed).as_deref(), Some("--row '1:1 5:1'"));
        assert_eq!(option(Example::Text("--dev")), None);
        assert_eq!(option(Example::Text(&"long ".repeat(50))), None);
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().to_str().expect("UTF-8");
        assert_eq!(
            [placeholder(folder), placeholder("t.csv")],
            ["--picture FILE", "--row ROW"]
        );
        let (_, class) = example(&indices, (indexed, "a class")).expect("an example");
        let typed = encoder(
            r#"{"table":[{"name":"a","type":"boolean"},{"name":"b","type":"categorical","values":["it's"]}]}"#,
        );
        let (row, _) = example(&typed, (Example::Numbers(&[1.0, 1.0]), "a class")).expect("a row");
        assert_eq!(row, r"--row 'true,it'\''s'");
        assert_eq!(class, "'a class'");
    }
}
