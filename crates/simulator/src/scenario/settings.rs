//! Changes to single values of a scenario.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{Scenario, ScenarioError, file::File};

/// A new value for one key of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Keys joined by dots, such as `incentive.refund_wait`.
    /// For an agent: `agents.NAME.KEY`.
    pub path: String,
    /// New value.
    pub value: Value,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.path, self.value)
    }
}

impl FromStr for Setting {
    type Err = AxisError;

    /// Reads `PATH=VALUE`. The value is read as one of an [`Axis`].
    fn from_str(text: &str) -> Result<Self, AxisError> {
        let Axis { path, mut values } = text.parse()?;
        match values.pop() {
            Some(value) if values.is_empty() => Ok(Self { path, value }),
            _ => Err(AxisError::Several(text.to_owned())),
        }
    }
}

/// A path of a scenario, with the values that it takes in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// Path, as in [`Setting::path`].
    pub path: String,
    /// Values, at least one, without repetition.
    pub values: Vec<Value>,
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.path)?;
        for (index, value) in self.values.iter().enumerate() {
            write!(f, "{}{value}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Reason why a text cannot be read as an axis.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AxisError {
    /// The path or the values are missing.
    #[error("`{0}` is not PATH=VALUE,VALUE,… such as incentive.refund_wait=12h,1day")]
    Form(String),
    /// There is nothing between two commas.
    #[error("`{0}` has an empty value; write \"\" for an empty text")]
    Empty(String),
    /// There are several values, and one is expected.
    #[error("`{0}` has several values, expected one; a sweep takes them in turn")]
    Several(String),
    /// A value occurs twice.
    #[error("`{path}` is to be {value} twice; name each value once")]
    Twice {
        /// Path of the axis.
        path: String,
        /// Repeated value.
        value: String,
    },
}

impl FromStr for Axis {
    type Err = AxisError;

    /// Reads `PATH=VALUE,VALUE,…`.
    ///
    /// A value that is not valid TOML counts as a text.
    /// So `12 hours` needs no quotes, but a text with a comma does.
    fn from_str(text: &str) -> Result<Self, AxisError> {
        let form = || AxisError::Form(text.to_owned());
        let (path, values) = text.split_once('=').ok_or_else(form)?;
        let path = path.trim();
        if path.is_empty() || values.trim().is_empty() {
            return Err(form());
        }
        let mut axis = Self {
            path: path.to_owned(),
            values: Vec::new(),
        };
        for value in split(values) {
            let value = value.trim();
            if value.is_empty() {
                return Err(AxisError::Empty(text.to_owned()));
            }
            let value = read(value);
            if axis.values.contains(&value) {
                return Err(AxisError::Twice {
                    path: axis.path,
                    value: value.to_string(),
                });
            }
            axis.values.push(value);
        }
        Ok(axis)
    }
}

/// Splits a text at commas that are outside of quotes, brackets and braces.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quote, mut depth) = (None, 0_u32);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(open), _) => quote = (letter != open).then_some(open),
            (None, '"' | '\'') => quote = Some(letter),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn read(text: &str) -> Value {
    let table = toml::from_str::<Table>(&format!("value = {text}"));
    let value = table.ok().filter(|table| table.len() == 1);
    let value = value.and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Returns a value for display: a text without quotes.
#[must_use]
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns a value as an [`Axis`] or a [`Setting`] is read: a text without quotes if it can be.
#[must_use]
pub fn written(value: &Value) -> String {
    let plain = shown(value);
    let is_plain = split(&plain).len() == 1 && plain.trim() == plain && read(&plain) == *value;
    if is_plain { plain } else { value.to_string() }
}

/// Returns a value as a number; `None` if it is neither a number nor a duration.
/// A duration such as `"12 hours"` becomes days.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        // Integers above 2^53 are rounded; no scenario has such numbers.
        #[allow(clippy::cast_precision_loss)]
        Value::Integer(value) => Some(*value as f64),
        Value::Float(value) => value.is_finite().then_some(*value),
        Value::String(text) => {
            let duration = humantime::parse_duration(text).ok()?;
            Some(duration.as_secs_f64() / 86_400.0)
        }
        _ => None,
    }
}

impl Scenario {
    /// Returns the scenario with other values, checked like one from a file.
    /// Its text is written again, without comments.
    ///
    /// # Errors
    /// If a path does not exist in a scenario, or the changed scenario is invalid.
    pub fn with(&self, settings: &[Setting]) -> Result<Self, ScenarioError> {
        if settings.is_empty() {
            return Ok(self.clone());
        }
        let table = changed(&self.file, &self.text, settings)?;
        let with = |source| with(settings, source);
        // Check before writing the text: the user never sees it, so errors must not name its lines.
        table.clone().try_into::<File>().map_err(|error| {
            with(ScenarioError::Malformed {
                file: self.file.clone(),
                message: error.message().to_owned(),
            })
        })?;
        let folder = self.data.folder.clone();
        Self::parse(&self.name, &self.file, &table.to_string(), folder).map_err(with)
    }
}

/// Returns the table of a scenario's text with other values. `file` names it in errors.
pub(crate) fn changed(
    file: &str,
    text: &str,
    settings: &[Setting],
) -> Result<Table, ScenarioError> {
    let mut table: Table = toml::from_str(text).map_err(|error| ScenarioError::Malformed {
        file: file.to_owned(),
        message: error.message().to_owned(),
    })?;
    for (index, setting) in settings.iter().enumerate() {
        let is_first = settings[..index].iter().all(|it| it.path != setting.path);
        let done = if is_first {
            set(&mut table, setting)
        } else {
            Err("it is set twice; give it one value".to_owned())
        };
        done.map_err(|reason| ScenarioError::Setting {
            file: file.to_owned(),
            path: setting.path.clone(),
            reason,
        })?;
    }
    Ok(table)
}

/// Returns the error of a scenario that is invalid after its values were changed.
pub(crate) fn with(settings: &[Setting], source: ScenarioError) -> ScenarioError {
    ScenarioError::With {
        settings: list(settings),
        source: Box::new(source),
    }
}

/// Returns settings in one line.
fn list(settings: &[Setting]) -> String {
    let settings: Vec<_> = settings.iter().map(Setting::to_string).collect();
    settings.join(", ")
}

/// Maximum number of keys in a path. Scenarios have at most three; a table in each of thousands would
/// overflow the stack of whoever copies it.
const MAX_KEYS: usize = 8;

/// Changes one value, or returns the reason why that is impossible.
fn set(scenario: &mut Table, Setting { path, value }: &Setting) -> Result<(), String> {
    let (mut table, mut seen, rest) = match path.strip_prefix("agents.") {
        Some(rest) => {
            let (agent, name, key) = agent(scenario, rest)?;
            (agent, format!("agents.{name}"), key)
        }
        None if path == "agents" => return Err(form_of_agents(scenario)),
        None => (scenario, String::new(), path.as_str()),
    };
    let mut keys: Vec<_> = rest.split('.').take(MAX_KEYS + 1).collect();
    if keys.len() > MAX_KEYS {
        return Err(format!("expected at most {MAX_KEYS} keys joined by dots"));
    }
    if keys.iter().any(|key| key.is_empty()) {
        return Err("expected keys joined by dots".to_owned());
    }
    let last = keys.pop().expect("a text has at least one part");
    for key in keys {
        seen = join(&seen, key);
        let inner = table
            .entry(key)
            .or_insert_with(|| Value::Table(Table::new()));
        let shown = inner.to_string();
        table = inner
            .as_table_mut()
            .ok_or_else(|| format!("`{seen}` is {shown}, which holds nothing further"))?;
    }
    table.insert(last.to_owned(), value.clone());
    Ok(())
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// Returns the agent that `NAME.KEY` is about, with its name and the key.
/// A name may contain dots, so the longest name that fits counts.
fn agent<'t, 'p>(
    scenario: &'t mut Table,
    path: &'p str,
) -> Result<(&'t mut Table, String, &'p str), String> {
    let unknown = form_of_agents(scenario);
    let agents = scenario.get_mut("agents").and_then(Value::as_array_mut);
    let agents = agents.into_iter().flatten().filter_map(|agent| {
        let table = agent.as_table_mut()?;
        let name = table.get("name")?.as_str()?.to_owned();
        let key = path.strip_prefix(&name)?.strip_prefix('.')?;
        Some((table, name, key))
    });
    let found = agents.max_by_key(|(_, name, _)| name.len());
    match found {
        Some((_, name, "name")) => Err(format!(
            "the name of `{name}` stays: results are told apart by it"
        )),
        found => found.ok_or(unknown),
    }
}

fn form_of_agents(scenario: &Table) -> String {
    let agents = scenario.get("agents").and_then(Value::as_array);
    let names = agents.into_iter().flatten();
    let names = names.filter_map(|agent| Some(format!("`{}`", agent.get("name")?.as_str()?)));
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return "the scenario has no agents".to_owned();
    }
    format!(
        "expected agents.NAME.KEY; the agents are {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn scenario() -> Scenario {
        Scenario::find("movie-reviews").expect("a scenario")
    }

    fn settings(texts: &[&str]) -> Vec<Setting> {
        let setting = |text: &&str| {
            let mut axis: Axis = text.parse().expect("an axis");
            Setting {
                path: axis.path,
                value: axis.values.swap_remove(0),
            }
        };
        texts.iter().map(setting).collect()
    }

    fn refusal(texts: &[&str]) -> String {
        let error = scenario().with(&settings(texts)).expect_err("a refusal");
        let mut said = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(reason) = source {
            said = format!("{said}: {reason}");
            source = reason.source();
        }
        said
    }

    #[test]
    fn axis_reads_values_as_toml_and_as_texts_if_they_are_none() {
        let axis: Axis = r#"a.b = 1, 2.5,12 hours,"x, y",true,{ mean = 1, sd = 2 },[1,2]"#
            .parse()
            .expect("an axis");
        let shown: Vec<_> = axis.values.iter().map(shown).collect();
        assert_eq!(axis.path, "a.b");
        assert_eq!(
            shown,
            [
                "1",
                "2.5",
                "12 hours",
                "x, y",
                "true",
                "{ mean = 1, sd = 2 }",
                "[1, 2]"
            ]
        );
        assert_eq!(axis.to_string().parse(), Ok(axis));
        let numbers = ["1", "2.5", "\"12 hours\"", "true", "word", "nan"].map(read);
        assert_eq!(
            numbers.each_ref().map(number),
            [Some(1.0), Some(2.5), Some(0.5), None, None, None]
        );
        for (text, wanted) in [
            ("a.b", "`a.b` is not PATH=VALUE"),
            ("=1", "`=1` is not PATH=VALUE"),
            ("a.b=", "`a.b=` is not PATH=VALUE"),
            ("a.b=1,,2", "`a.b=1,,2` has an empty value"),
            ("a.b=1,1", "`a.b` is to be 1 twice"),
        ] {
            let said = text.parse::<Axis>().expect_err(text).to_string();
            assert!(said.starts_with(wanted), "{said}");
        }
    }

    #[test]
    fn with_sets_what_a_file_with_the_setting_says() {
        let changed = scenario()
            .with(&settings(&[
                "incentive.refund_wait=12 hours",
                "chain.gas_price_gwei=5",
                "agents.Bad.start_balance=200.5",
                "agents.Bad.deposit.mean=60",
            ]))
            .expect("a scenario");
        let before = scenario();
        let text = before
            .text()
            .replace("refund_wait = \"1 day\"", "refund_wait = \"12 hours\"")
            .replace("[model]", "[chain]\ngas_price_gwei = 5\n[model]")
            .replace("start_balance = 10_000\n", "start_balance = 200.5\n")
            .replace("mean = 100,", "mean = 60,");
        let by_hand = Scenario::parse(before.name(), before.file(), &text, None).expect("good");
        assert_ne!(by_hand, before);
        assert_eq!(
            Scenario {
                text: String::new(),
                ..changed
            },
            Scenario {
                text: String::new(),
                ..by_hand
            }
        );
        assert_eq!(before.with(&[]).expect("the same"), before);
    }

    #[test]
    fn with_finds_a_name_with_dots() {
        let text = scenario().text().replace("\"Bad\"", "\"Good.2\"");
        let scenario = Scenario::parse("dots", "dots.toml", &text, None).expect("good");
        let changed = scenario
            .with(&settings(&["agents.Good.2.start_balance=300"]))
            .expect("good");
        let balances: Vec<_> = changed.agents.iter().map(|it| it.start_balance).collect();
        assert_eq!(
            balances,
            [10_000, 300].map(|units| units * super::super::UNIT)
        );
    }

    #[test]
    fn with_answers_what_cannot_be_set_with_what_can() {
        assert_snapshot!(refusal(&["incentive.refund_wai=1h"]), @r#"with incentive.refund_wai = "1h": scenarios/movie-reviews.toml: unknown field `refund_wai`, expected one of `kind`, `refund_wait`, `owner_claim_wait`, `any_address_claim_wait`, `report_notice`, `deposit_after_one_hour`, `prediction_price`, `stake`, `participation`, `reveal_wait`, `scoring_wait`, `most_contributions`, `most_passes`, `bounty`, `parts`, `test_samples`"#);
        assert_snapshot!(refusal(&["incentives.refund_wait=1h"]), @r#"with incentives.refund_wait = "1h": scenarios/movie-reviews.toml: unknown field `incentives`, expected one of `description`, `data`, `model`, `incentive`, `chain`, `run`, `agents`"#);
        assert_snapshot!(refusal(&["incentive.refund_wait.max=1h"]), @r#"scenarios/movie-reviews.toml: cannot set `incentive.refund_wait.max`: `incentive.refund_wait` is "1 day", which holds nothing further"#);
        assert_snapshot!(refusal(&["agents.Bat.start_balance=1"]), @"scenarios/movie-reviews.toml: cannot set `agents.Bat.start_balance`: expected agents.NAME.KEY; the agents are `Good`, `Bad`");
        assert_snapshot!(refusal(&["agents.Bad=1"]), @"scenarios/movie-reviews.toml: cannot set `agents.Bad`: expected agents.NAME.KEY; the agents are `Good`, `Bad`");
        assert_snapshot!(refusal(&["agents=1"]), @"scenarios/movie-reviews.toml: cannot set `agents`: expected agents.NAME.KEY; the agents are `Good`, `Bad`");
        assert_snapshot!(refusal(&["agents.Bad.name=Evil"]), @"scenarios/movie-reviews.toml: cannot set `agents.Bad.name`: the name of `Bad` stays: results are told apart by it");
        assert_snapshot!(refusal(&["agents.Bad.starting=1"]), @r"with agents.Bad.starting = 1: scenarios/movie-reviews.toml: unknown field `starting`, expected one of `name`, `kind`, `start_balance`, `deposit`, `wait`, `mistakes`, `identities`, `batch`, `target_class`, `target_feature`, `agreement`, `predictions`");
        assert_snapshot!(refusal(&["incentive..kind=1"]), @"scenarios/movie-reviews.toml: cannot set `incentive..kind`: expected keys joined by dots");
        assert_snapshot!(refusal(&["agents.Bad.start_balance=ten"]), @r#"with agents.Bad.start_balance = "ten": scenarios/movie-reviews.toml: invalid type: string "ten", expected a number"#);
        assert_snapshot!(refusal(&["agents.Bad.start_balance=-1", "data.features=10"]), @"with agents.Bad.start_balance = -1, data.features = 10: scenarios/movie-reviews.toml: `agents[1].start_balance` is -1; expected a number from 0.000001 to 1000000000");
        assert_snapshot!(refusal(&["incentive.refund_wait=2 moons"]), @r#"with incentive.refund_wait = "2 moons": scenarios/movie-reviews.toml: `2 moons` is not a duration (unknown time unit "moons", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months, years (and few variations)); write one with its unit, such as "600s", "1h 30m" or "9 days""#);
    }
}
