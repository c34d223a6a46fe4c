//! Scenarios of federated rounds: their file, and its check.

use std::{fs, path::Path, str::FromStr};

use cotrain_learning::federated::{Split, Training};
use cotrain_protocol::federated::{Rule, Width};
use serde::Deserialize;
use toml::Table;

use super::settings::{Attack, Settings};
use crate::scenario::{
    Check, FEDERATED, ScenarioError, is_federated,
    settings::{Setting, changed, with},
    values::{Number, Whole},
};

/// Maximum number of clients of a round, as in the contract.
const MAX_CLIENTS: i64 = 32;

/// Maximum number of rounds: the contract has a test set of so many parts.
const MAX_ROUNDS: i64 = 256;

/// Maximum number of digits that all rounds together score on, so that enough are left to learn.
const MAX_SAMPLES: usize = 1_000;

/// Maximum amount of a token. JSON readers keep it exact, in all rounds together.
const MAX_AMOUNT: i64 = 1_000_000_000;

/// Text of the scenario that comes with the program.
const EMBEDDED: &str = include_str!("../../../../scenarios/federated.toml");

/// Scenario of federated rounds with checked values.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    name: String,
    file: String,
    text: String,
    description: String,
    settings: Settings,
}

/// Format of a scenario's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    // The caller has read it.
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default)]
    description: String,
    rule: String,
    attack: String,
    strength: Option<Number>,
    clients: Whole,
    hostile: Whole,
    assumed_hostile: Option<Whole>,
    rounds: Whole,
    split: String,
    lanes: Whole,
    scale: Whole,
    epochs: Whole,
    rate: Number,
    batch: Whole,
    samples: Whole,
    margin: Whole,
    stake: Whole,
    slash: Whole,
    emission: Whole,
}

impl Scenario {
    /// Returns the scenario that comes with the program.
    ///
    /// # Errors
    /// None: a test reads it.
    pub fn embedded() -> Result<Self, ScenarioError> {
        Self::parse(FEDERATED, "scenarios/federated.toml", EMBEDDED)
    }

    /// Returns the scenario of federated rounds with this name or in this file.
    ///
    /// `None` if it is another scenario, or none, which
    /// [`Scenario::find`](crate::scenario::Scenario::find) knows.
    ///
    /// # Errors
    /// If it has an unknown key or an impossible value.
    pub fn find(name_or_path: &str) -> Result<Option<Self>, ScenarioError> {
        if name_or_path == FEDERATED {
            return Self::embedded().map(Some);
        }
        let path = Path::new(name_or_path);
        if path.extension().is_none_or(|extension| extension != "toml") {
            return Ok(None);
        }
        let Ok(text) = fs::read_to_string(path) else {
            return Ok(None);
        };
        let kind = toml::from_str::<Table>(&text).ok();
        if !kind.is_some_and(|table| is_federated(&table)) {
            return Ok(None);
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&name, name_or_path, &text).map(Some)
    }

    /// Parses a scenario from its text. `file` names the file in errors.
    ///
    /// # Errors
    /// If the text has an unknown key or an impossible value.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, ScenarioError> {
        let read: File = toml::from_str(text).map_err(|error| ScenarioError::Malformed {
            file: file.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let check = Check { file };
        Ok(Self {
            name: name.to_owned(),
            file: file.to_owned(),
            text: text.to_owned(),
            settings: check.federated(&read)?,
            description: check.description(read.description)?,
        })
    }

    /// Returns the scenario with other values, checked like one from a file.
    ///
    /// # Errors
    /// If a key does not exist, or the changed scenario is invalid.
    pub fn with(&self, settings: &[Setting]) -> Result<Self, ScenarioError> {
        if settings.is_empty() {
            return Ok(self.clone());
        }
        let table = changed(&self.file, &self.text, settings)?;
        // Check before writing the text: the user never sees it, so errors must not name its lines.
        if let Err(error) = table.clone().try_into::<File>() {
            let file = self.file.clone();
            let message = error.message().to_owned();
            return Err(with(settings, ScenarioError::Malformed { file, message }));
        }
        let parsed = Self::parse(&self.name, &self.file, &table.to_string());
        parsed.map_err(|error| with(settings, error))
    }

    /// Returns the scenario's name: its file's name without the extension.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text of its file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the purpose of the scenario, in a sentence.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns its settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns a short description of the data that the scenario needs.
    #[must_use]
    pub fn data_summary(&self) -> &'static str {
        "embedded pictures of digits"
    }
}

impl Check<'_> {
    fn federated(&self, read: &File) -> Result<Settings, ScenarioError> {
        let rule: Rule = self.name("rule", &read.rule)?;
        let attack: Attack = self.name("attack", &read.attack)?;
        let split: Split = self.name("split", &read.split)?;
        let clients: u8 = self.integer("clients", read.clients, 1, MAX_CLIENTS)?;
        let hostile: u8 = self.integer("hostile", read.hostile, 0, MAX_CLIENTS)?;
        if hostile >= clients {
            let allowed = format!("expected fewer than the {clients} clients");
            return self.impossible("hostile", hostile, allowed);
        }
        let assumed_hostile: u8 = match read.assumed_hostile {
            Some(number) => self.integer("assumed_hostile", number, 0, MAX_CLIENTS)?,
            None => hostile,
        };
        if rule.needed(assumed_hostile.into()) > clients.into() {
            let bears = (0..assumed_hostile).rev();
            let bears = bears
                .filter(|number| rule.needed((*number).into()) <= clients.into())
                .max();
            let bears = match bears {
                Some(most) => format!("at most {most} of {clients} clients"),
                None => format!("none of {clients} clients"),
            };
            let key = match read.assumed_hostile {
                Some(_) => "assumed_hostile",
                None => "hostile",
            };
            let allowed =
                format!("{rule} bears {bears}: choose fewer, more `clients`, or another `rule`");
            return self.impossible(key, assumed_hostile, allowed);
        }
        let rounds: u32 = self.integer("rounds", read.rounds, 1, MAX_ROUNDS)?;
        let samples: usize = self.integer("samples", read.samples, 1, i64::from(u16::MAX))?;
        let most = MAX_SAMPLES / rounds as usize;
        if samples > most {
            let allowed = format!(
                "{rounds} rounds use up {} digits: expected at most {most}, or fewer `rounds`",
                samples * rounds as usize
            );
            return self.impossible("samples", samples, allowed);
        }
        let stake: u64 = self.integer("stake", read.stake, 1, MAX_AMOUNT)?;
        let slash: u64 = self.integer("slash", read.slash, 0, MAX_AMOUNT)?;
        if slash > stake {
            let allowed = format!("expected at most the stake, which is {stake}");
            return self.impossible("slash", slash, allowed);
        }
        let emission: u64 = self.integer("emission", read.emission, 0, MAX_AMOUNT)?;
        Ok(Settings {
            rule,
            attack,
            strength: self.strength(attack, read.strength)?,
            clients,
            hostile,
            assumed_hostile,
            rounds,
            split,
            width: self.width(read.lanes)?,
            scale: self.integer("scale", read.scale, 4, 13)?,
            training: Training {
                epochs: self.integer("epochs", read.epochs, 1, 100)?,
                rate: self.within("rate", read.rate.0, 0.001, 100.0)?,
                batch: self.integer("batch", read.batch, 1, 10_000)?,
                seed: 0,
            },
            samples,
            margin: self.integer("margin", read.margin, 0, MAX_AMOUNT)?,
            stake: stake.into(),
            slash: slash.into(),
            emission: emission.into(),
        })
    }

    fn strength(
        &self,
        attack: Attack,
        given: Option<Number>,
    ) -> Result<Option<f64>, ScenarioError> {
        let Some(Number(strength)) = given else {
            return Ok(None);
        };
        if attack.usual_strength().is_none() {
            let allowed = format!("the attack `{}` has none: leave it out", attack.name());
            return self.impossible("strength", strength, allowed);
        }
        self.within("strength", strength, 0.0, 1_000.0).map(Some)
    }

    fn width(&self, lanes: Whole) -> Result<Width, ScenarioError> {
        match lanes.0 {
            8 => Ok(Width::Eight),
            16 => Ok(Width::Sixteen),
            other => self.impossible("lanes", other, "expected 8 or 16".to_owned()),
        }
    }

    fn name<T: FromStr<Err = String>>(&self, key: &str, text: &str) -> Result<T, ScenarioError> {
        let parsed = text.parse();
        parsed.or_else(|error: String| self.impossible(key, format!("{text:?}"), error))
    }

    fn integer<T: TryFrom<i64>>(
        &self,
        key: &str,
        Whole(value): Whole,
        least: i64,
        most: i64,
    ) -> Result<T, ScenarioError> {
        let within = (least..=most).contains(&value);
        let converted = within.then(|| T::try_from(value).ok()).flatten();
        let allowed = || format!("expected a whole number from {least} to {most}");
        converted.map_or_else(|| self.impossible(key, value, allowed()), Ok)
    }
}
