//! Checks that turn a scenario's file into a [`Scenario`].

use std::{collections::HashSet, fmt, path::PathBuf, str::FromStr};

use cotrain_learning::{
    data::{Columns, Reading, Source, TableFormat},
    encode::{Limits, TextOptions, Tokenizer},
    pictures::Form,
    text::{check_name, escaped_lines},
};
use cotrain_protocol::{classifier::Kind, sample::Encoding};

use super::{
    Data, Incentive, Model, Participant, Scenario, ScenarioError, Strategy, Vectors,
    file::{AgentTable, DataTable, File, MissingTable, ModelTable},
    values::{Duration, Number},
};
use crate::{
    agent::Habits,
    agents::Target,
    chance::Normal,
    money::{UNIT, to_integer},
};

/// Returns a scenario from its text, or the first mistake in it.
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
    let incentive = check.incentive(&parsed.incentive)?;
    Ok(Scenario {
        name: name.to_owned(),
        file: file.to_owned(),
        text: text.to_owned(),
        description: check.description(parsed.description)?,
        data: check.data(&parsed.data, folder)?,
        model: check.model(kind, &parsed.model)?,
        gas_price: check.gwei("chain.gas_price_gwei", parsed.chain.gas_price_gwei)?,
        evaluate_every: match &parsed.run.evaluate_every {
            Some(every) => check.seconds("run.evaluate_every", every)?,
            None => 86_400,
        },
        limit: match &parsed.run.limit {
            Some(limit) => check.seconds("run.limit", limit)?,
            None => 10 * 365 * 86_400,
        },
        agents: check.agents(&parsed.agents, &incentive, kind)?,
        incentive,
    })
}

pub(crate) struct Check<'a> {
    pub(crate) file: &'a str,
}

impl Check<'_> {
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

    fn model(&self, kind: Kind, table: &ModelTable) -> Result<Model, ScenarioError> {
        let key = "model.smoothing";
        if let (Some(smoothing), false) = (table.smoothing, kind == Kind::NaiveBayes) {
            return self.impossible(key, smoothing.0, "only naive-bayes has it: leave it out");
        }
        let smoothing = table.smoothing.map_or(1.0, |smoothing| smoothing.0);
        let smoothing = self.within(key, smoothing, 1.0 / 256.0, 1e6)?;
        let limit = |key: &str, given: Option<Number>| match given {
            Some(given) if kind.encoding() == Encoding::Sparse => {
                let allowed = "the samples of sparse learners have no numbers: leave it out";
                self.impossible(key, given.0, allowed)
            }
            Some(given) => self.within(key, given.0, 1e-6, 1e9).map(Some),
            None => Ok(None),
        };
        let limits = Limits {
            number: limit("model.max_number", table.max_number)?,
            length: limit("model.max_length", table.max_length)?,
            margin: limit("model.bounds_margin", table.bounds_margin)?.unwrap_or(1.0),
        };
        let fixed = table.fixed_intercept;
        if let (Some(fixed), false) = (fixed, kind == Kind::DensePerceptron) {
            let allowed = "only dense-perceptron learns its intercept: leave it out";
            return self.impossible("model.fixed_intercept", fixed, allowed);
        }
        Ok(Model {
            kind,
            smoothing,
            limits,
            fixed_intercept: fixed.unwrap_or(false),
        })
    }

    fn data(&self, table: &DataTable, folder: Option<PathBuf>) -> Result<Data, ScenarioError> {
        let source = self.source(table)?;
        let separate = table.test.is_some();
        if let (true, Some(share)) = (separate, table.test_share) {
            return self.impossible(
                "data.test_share",
                share.0,
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
                table.test_share.map_or(0.2, |share| share.0),
                0.001,
                0.999,
            )?,
            features,
            text: self.text(table)?,
            vectors: self.vectors(table)?,
            train_samples: match table.train_samples {
                Some(0 | 1) => {
                    let allowed = "expected at least 2: one to train with, one to contribute";
                    return self.impossible(
                        "data.train_samples",
                        table.train_samples.unwrap_or(0),
                        allowed,
                    );
                }
                samples => samples,
            },
            initial_share: self.within(
                "data.initial_share",
                table.initial_share.0,
                0.0001,
                0.9999,
            )?,
        })
    }

    fn text(&self, table: &DataTable) -> Result<TextOptions, ScenarioError> {
        let typed = || table.types.iter().flatten().any(|(_, it)| it == "text");
        let texts = table.source == "movie-reviews" || table.text.is_some() || typed();
        let keys = [
            ("data.tokenizer", table.tokenizer.is_some()),
            ("data.word_pairs", table.word_pairs.is_some()),
            ("data.hashed", table.hashed.is_some()),
            ("data.encoder", table.encoder.is_some()),
        ];
        if let Some((key, _)) = keys.into_iter().find(|(_, given)| *given && !texts) {
            let allowed = "only data of texts has it: name the column `text`, or leave it out";
            return self.impossible(key, "set", allowed);
        }
        let tokenizer = match &table.tokenizer {
            Some(name) => {
                let Ok(tokenizer) = name.parse::<Tokenizer>() else {
                    let known = Tokenizer::ALL.map(Tokenizer::name).join(", ");
                    let value = format!("`{name}`");
                    return self.impossible("data.tokenizer", value, format!("known are {known}"));
                };
                Some(tokenizer)
            }
            None => None,
        };
        if let Some(hashed) = table.hashed {
            let allowed = if table.features.is_some() {
                "`data.features` limits a vocabulary, which hashing replaces: leave one of the two out"
            } else if (2..=65_536).contains(&hashed) {
                ""
            } else {
                "2 to 65536 hashed features fit a model"
            };
            if !allowed.is_empty() {
                return self.impossible("data.hashed", hashed, allowed);
            }
        }
        Ok(TextOptions {
            tokenizer,
            word_pairs: table.word_pairs.unwrap_or(false),
            hashed: table.hashed,
        })
    }

    /// Returns the name of the table of word vectors.
    fn vectors(&self, table: &DataTable) -> Result<Option<Vectors>, ScenarioError> {
        let Some(name) = &table.encoder else {
            return Ok(None);
        };
        let others = [
            ("data.tokenizer", table.tokenizer.is_some()),
            ("data.word_pairs", table.word_pairs.is_some()),
            ("data.hashed", table.hashed.is_some()),
            ("data.features", table.features.is_some()),
        ];
        if let Some((key, _)) = others.into_iter().find(|(_, given)| *given) {
            let allowed = "`data.encoder` reads texts by its own rules: leave one of the two out";
            return self.impossible(key, "set", allowed);
        }
        Ok(Some(if name == Vectors::EMBEDDED {
            Vectors::Embedded
        } else {
            Vectors::File(name.into())
        }))
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
        let no_table = || -> Result<(), ScenarioError> {
            let keys = table.of_tables();
            keys.iter().try_for_each(|(key, set)| foreign(key, *set))
        };
        let train = || match &table.train {
            Some(train) => Ok(train.clone()),
            None => self.impossible(
                "data.train",
                "missing",
                "name the file of the training data",
            ),
        };
        if table.source != "pictures" {
            let keys = table.of_pictures();
            keys.iter().try_for_each(|(key, set)| foreign(key, *set))?;
        }
        if let Some(embedded) = Source::embedded(&table.source) {
            foreign("train", table.train.is_some())?;
            foreign("test", table.test.is_some())?;
            foreign("label", table.label.is_some())?;
            foreign("text", table.text.is_some())?;
            no_table()?;
            return Ok(embedded);
        }
        match table.source.as_str() {
            "libsvm" => {
                foreign("label", table.label.is_some())?;
                foreign("text", table.text.is_some())?;
                no_table()?;
                Ok(Source::Libsvm {
                    train: train()?,
                    test: table.test.clone(),
                })
            }
            "pictures" => {
                foreign("label", table.label.is_some())?;
                foreign("text", table.text.is_some())?;
                no_table()?;
                Ok(Source::Pictures {
                    train: train()?,
                    test: table.test.clone(),
                    form: self.form(table)?,
                })
            }
            source @ ("csv" | "tsv" | "parquet") => {
                let Some(label) = table.label.clone() else {
                    let allowed = "name the column that holds the label";
                    return self.impossible("data.label", "missing", allowed);
                };
                Ok(Source::Table {
                    format: match source {
                        "csv" => TableFormat::Csv,
                        "tsv" => TableFormat::Tsv,
                        _ => TableFormat::Parquet,
                    },
                    train: train()?,
                    test: table.test.clone(),
                    label,
                    text: table.text.clone(),
                    reading: self.reading(table)?,
                    columns: self.columns(table)?,
                })
            }
            other => self.impossible(
                "data.source",
                format!("`{other}`"),
                "known are movie-reviews, digits, csv, tsv, parquet, libsvm, pictures",
            ),
        }
    }

    /// Returns the form in which pictures are read.
    fn form(&self, table: &DataTable) -> Result<Form, ScenarioError> {
        let size = self.named("data.picture_size", table.picture_size.as_deref())?;
        let ink = table.picture_ink.unwrap_or(false);
        match Form::new(size.unwrap_or_default(), table.picture_levels, ink) {
            Ok(form) => Ok(form),
            Err(error) => {
                let levels = table.picture_levels.unwrap_or_default();
                self.impossible("data.picture_levels", levels, error.to_string())
            }
        }
    }

    /// Returns the choices for reading a table.
    fn reading(&self, table: &DataTable) -> Result<Reading, ScenarioError> {
        Ok(Reading {
            separator: self.named("data.separator", table.separator.as_deref())?,
            decimal_comma: table.decimal_comma.unwrap_or(false),
            encoding: self.named("data.encoding", table.encoding.as_deref())?,
        })
    }

    /// Returns the choices of a table's columns.
    fn columns(&self, table: &DataTable) -> Result<Columns, ScenarioError> {
        let mut columns = Columns {
            only: table.columns.clone().unwrap_or_default(),
            drop: table.drop.clone().unwrap_or_default(),
            ..Columns::default()
        };
        for (column, kind) in table.types.iter().flatten() {
            let key = format!("data.types.{column}");
            columns
                .types
                .extend(self.named(&key, Some(kind))?.map(|it| (column.clone(), it)));
        }
        match &table.missing {
            None => {}
            Some(MissingTable::All(rule)) => {
                let rule = self.named("data.missing", Some(rule))?;
                columns.missing_everywhere = rule.unwrap_or_default();
            }
            Some(MissingTable::Each(rules)) => {
                for (column, rule) in rules {
                    let key = format!("data.missing.{column}");
                    let rule = self.named(&key, Some(rule))?;
                    columns
                        .missing
                        .extend(rule.map(|rule| (column.clone(), rule)));
                }
            }
        }
        Ok(columns)
    }

    /// Returns what a key's text names; `None` if the key is not given.
    fn named<T: FromStr<Err: fmt::Display>>(
        &self,
        key: &str,
        text: Option<&str>,
    ) -> Result<Option<T>, ScenarioError> {
        let Some(text) = text else {
            return Ok(None);
        };
        match text.parse() {
            Ok(named) => Ok(Some(named)),
            Err(error) => self.impossible(key.to_owned(), format!("{text:?}"), error.to_string()),
        }
    }

    fn agents(
        &self,
        tables: &[AgentTable],
        incentive: &Incentive,
        kind: Kind,
    ) -> Result<Vec<Participant>, ScenarioError> {
        if !(1..=1_000).contains(&tables.len()) {
            let value = format!("{} tables", tables.len());
            return self.impossible("agents", value, "expected 1 to 1000 agents");
        }
        let mut names = HashSet::new();
        let mut agents = Vec::with_capacity(tables.len());
        for (index, table) in tables.iter().enumerate() {
            let agent = self.agent(&format!("agents[{index}]"), table, incentive, kind)?;
            if !names.insert(&table.name) {
                let value = format!("`{}`", table.name);
                return self.impossible(
                    format!("agents[{index}].name"),
                    value,
                    "another agent has it: each needs its own",
                );
            }
            agents.push(agent);
        }
        Ok(agents)
    }

    /// Returns the description, which must not contain control characters of a terminal.
    pub(crate) fn description(&self, description: String) -> Result<String, ScenarioError> {
        if escaped_lines(&description) == description {
            return Ok(description);
        }
        let allowed = "expected visible characters and line breaks";
        self.impossible("description", format!("{description:?}"), allowed)
    }

    fn agent(
        &self,
        agent: &str,
        table: &AgentTable,
        incentive: &Incentive,
        kind: Kind,
    ) -> Result<Participant, ScenarioError> {
        let key = |key: &str| format!("{agent}.{key}");
        let name = table.name.as_str();
        if name.trim() != name || check_name("the name", name).is_err() {
            let allowed =
                "expected a name of at most 200 visible characters, without blanks at its ends";
            return self.impossible(key("name"), format!("{name:?}"), allowed);
        }
        let strategy = self.strategy(agent, table, kind)?;
        let mechanism = incentive.description();
        if mechanism.claims.is_empty() && !strategy.lives_without_claims() {
            let value = format!("`{}`", table.kind);
            let others = Strategy::ALL.into_iter();
            let others: Vec<_> = others
                .filter(|it| it.lives_without_claims())
                .map(Strategy::name)
                .collect();
            let allowed = format!(
                "under {} there are no claims and no good contributions; expected one of {}",
                mechanism.name,
                others.join(", ")
            );
            return self.impossible(key("kind"), value, allowed);
        }
        let start_balance = self.units(&key("start_balance"), table.start_balance)?;
        let deposits = if matches!(strategy, Strategy::Caller { .. }) {
            Err("it contributes nothing".to_owned())
        } else if mechanism.carries_money {
            Ok(())
        } else {
            Err(format!("under {} nothing is deposited", mechanism.name))
        };
        let deposit = match (&table.deposit, deposits) {
            (None, Err(_)) => None,
            (None, Ok(())) => {
                let allowed = "say what the agent is willing to deposit: { mean = 50, sd = 10 }";
                return self.impossible(key("deposit"), "missing", allowed);
            }
            (Some(_), Err(why)) => {
                let allowed = format!("{why}: leave it out");
                return self.impossible(key("deposit"), "set", allowed);
            }
            (Some(deposit), Ok(())) => {
                let mean = self.within(&key("deposit.mean"), deposit.mean.0, 1.0, 1e9)?;
                let sd = self.within(&key("deposit.sd"), deposit.sd.0, 0.0, mean)?;
                if table.start_balance.0 < mean {
                    let allowed = format!("expected at least its mean deposit, {mean}");
                    return self.impossible(key("start_balance"), table.start_balance.0, allowed);
                }
                Some(Normal { mean, sd })
            }
        };
        let wait = &table.wait;
        self.duration(&key("wait.mean"), &wait.mean, 1.0, 1e9)?;
        self.duration(&key("wait.sd"), &wait.sd, 0.0, wait.mean.seconds)?;
        Ok(Participant {
            name: table.name.clone(),
            start_balance,
            habits: Habits {
                deposit,
                wait: Normal {
                    mean: wait.mean.seconds,
                    sd: wait.sd.seconds,
                },
            },
            strategy,
        })
    }

    /// Reads an agent's kind with its own keys; keys of other kinds are mistakes.
    fn strategy(
        &self,
        agent: &str,
        table: &AgentTable,
        kind: Kind,
    ) -> Result<Strategy, ScenarioError> {
        let key = |key: &str| format!("{agent}.{key}");
        let Some(mut strategy) = Strategy::ALL
            .into_iter()
            .find(|strategy| strategy.name() == table.kind)
        else {
            let known = Strategy::ALL.map(Strategy::name).join(", ");
            let value = format!("`{}`", table.kind);
            return self.impossible(key("kind"), value, format!("known are {known}"));
        };
        let mut left = table.own_keys();
        match &mut strategy {
            Strategy::Honest { mistakes } | Strategy::Flipper { mistakes } => {
                left.retain(|own| *own != "mistakes");
                if let Some(given) = table.mistakes {
                    *mistakes = self.within(&key("mistakes"), given.0, 0.0, 1.0)?;
                }
            }
            Strategy::Caller { predictions } => {
                left.retain(|own| *own != "predictions");
                self.count(&key("predictions"), table.predictions, 100, predictions)?;
            }
            Strategy::Sybil { identities } => {
                left.retain(|own| *own != "identities");
                self.count(&key("identities"), table.identities, 1_000, identities)?;
            }
            Strategy::Takeover { batch } => {
                left.retain(|own| *own != "batch");
                self.count(&key("batch"), table.batch, 500, batch)?;
            }
            Strategy::TargetedPoisoner { target, agreement } => {
                left.retain(|own| !matches!(*own, "target_class" | "target_feature" | "agreement"));
                if let Some(given) = table.agreement {
                    *agreement = self.within(&key("agreement"), given.0, 0.0, 1.0)?;
                }
                match (table.target_class, table.target_feature) {
                    (None, None) => {}
                    (Some(class), None) => *target = Target::Class(class),
                    (None, Some(feature)) if kind.encoding() == Encoding::Sparse => {
                        *target = Target::Feature(feature);
                    }
                    (None, Some(feature)) => {
                        let allowed = "only sparse learners have features that are present or not: give target_class";
                        return self.impossible(key("target_feature"), feature, allowed);
                    }
                    (Some(_), Some(feature)) => {
                        let allowed = "there is a target_class: leave one of the two out";
                        return self.impossible(key("target_feature"), feature, allowed);
                    }
                }
            }
            Strategy::Copycat
            | Strategy::Lazy
            | Strategy::SelfReporter
            | Strategy::LastMinute
            | Strategy::Rational
            | Strategy::Outlier => {}
            Strategy::FlipAndReport if kind.encoding() == Encoding::Sparse => {}
            Strategy::FlipAndReport => {
                let allowed =
                    "its lies are made of the features of others' samples: choose a sparse learner";
                return self.impossible(key("kind"), "`flip-and-report`", allowed);
            }
        }
        if let Some(foreign) = left.first() {
            let allowed = format!(
                "an agent of kind `{}` has no such key: leave it out",
                table.kind
            );
            return self.impossible(key(foreign), "set", allowed);
        }
        Ok(strategy)
    }

    /// Sets `count` to a given number from 1 to `max`; leaves it unchanged if none is given.
    fn count(
        &self,
        key: &str,
        given: Option<usize>,
        max: usize,
        count: &mut usize,
    ) -> Result<(), ScenarioError> {
        match given {
            None => Ok(()),
            Some(given) if (1..=max).contains(&given) => {
                *count = given;
                Ok(())
            }
            Some(given) => {
                self.impossible(key, given, format!("expected a number from 1 to {max}"))
            }
        }
    }

    /// Converts units to wei.
    pub(super) fn units(&self, key: &str, units: Number) -> Result<u128, ScenarioError> {
        let units = self.within(key, units.0, 0.000_001, 1e9)?;
        Ok(to_integer(units * 1e6) * (UNIT / 1_000_000))
    }

    /// Converts gwei to wei.
    fn gwei(&self, key: &str, gwei: Number) -> Result<u128, ScenarioError> {
        Ok(to_integer(self.within(key, gwei.0, 0.0, 1e9)? * 1e9))
    }

    /// Converts a duration to a whole number of seconds.
    pub(super) fn seconds(&self, key: &str, duration: &Duration) -> Result<u64, ScenarioError> {
        self.duration(key, duration, 1.0, 1e12)?;
        if duration.seconds.fract() != 0.0 {
            let allowed = "expected a whole number of seconds";
            return self.impossible(key, format!("{:?}", duration.text), allowed);
        }
        // The duration is at most 10^12 seconds, which fits.
        Ok(u64::try_from(to_integer(duration.seconds)).unwrap_or(u64::MAX))
    }

    fn duration(
        &self,
        key: &str,
        duration: &Duration,
        low: f64,
        high: f64,
    ) -> Result<(), ScenarioError> {
        if (low..=high).contains(&duration.seconds) {
            return Ok(());
        }
        let allowed = format!("expected a duration from {low} s to {high} s");
        self.impossible(key, format!("{:?}", duration.text), allowed)
    }

    pub(crate) fn within(
        &self,
        key: &str,
        value: f64,
        low: f64,
        high: f64,
    ) -> Result<f64, ScenarioError> {
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        let allowed = format!("expected a number from {low} to {high}");
        self.impossible(key, value, allowed)
    }

    pub(crate) fn impossible<T>(
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
}
