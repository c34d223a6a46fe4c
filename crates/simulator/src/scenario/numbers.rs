//! Numbers of a scenario that a form can offer for change, with their bounds.

use cotrain_protocol::mechanism::{Mechanism, Unit as TermUnit};
use toml::{Table, Value};

use super::{Scenario, incentive::bounds_of};

/// Unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Part of a whole, from 0 to 1.
    Share,
    /// Units of the scenario's money.
    Money,
    /// Seconds; the scenario has a text such as `12 hours`.
    Seconds,
    /// Number of things.
    Count,
    /// Number with fractions, without a unit.
    Plain,
}

/// Number of a scenario, with the least and the largest value that its key takes.
///
/// Other keys may narrow the bounds: a standard deviation is at most its mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    /// Path, as in [`Setting::path`](super::settings::Setting::path).
    pub path: String,
    /// Unit of the following values.
    pub unit: Unit,
    /// Value in the scenario.
    pub value: f64,
    /// Least value.
    pub least: f64,
    /// Largest value.
    pub max: f64,
}

/// Numbers outside of `[incentive]` and `[[agents]]`: section and key, unit and bounds.
const GENERAL: [(&str, &str, Unit, f64, f64); 9] = [
    ("data", "train_samples", Unit::Count, 2.0, 1e6),
    ("data", "initial_share", Unit::Share, 0.0001, 0.9999),
    ("data", "test_share", Unit::Share, 0.001, 0.999),
    ("data", "features", Unit::Count, 1.0, 65_536.0),
    ("data", "hashed", Unit::Count, 2.0, 65_536.0),
    ("model", "smoothing", Unit::Plain, 1.0 / 256.0, 1e6),
    ("chain", "gas_price_gwei", Unit::Plain, 0.0, 1e9),
    ("run", "evaluate_every", Unit::Seconds, 1.0, 1e12),
    ("run", "limit", Unit::Seconds, 1.0, 1e12),
];

/// Numbers of an agent: key, unit and bounds.
const OF_AGENTS: [(&str, Unit, f64, f64); 10] = [
    ("start_balance", Unit::Money, 0.000_001, 1e9),
    ("deposit.mean", Unit::Money, 1.0, 1e9),
    ("deposit.sd", Unit::Money, 0.0, 1e9),
    ("wait.mean", Unit::Seconds, 1.0, 1e9),
    ("wait.sd", Unit::Seconds, 0.0, 1e9),
    ("mistakes", Unit::Share, 0.0, 1.0),
    ("agreement", Unit::Share, 0.0, 1.0),
    ("identities", Unit::Count, 1.0, 1_000.0),
    ("batch", Unit::Count, 1.0, 500.0),
    ("predictions", Unit::Count, 1.0, 100.0),
];

impl Scenario {
    /// Returns the numbers that the scenario's text sets, with their bounds.
    #[must_use]
    pub fn numbers(&self) -> Vec<Number> {
        // The text was checked, so it can be read again.
        let table: Table = toml::from_str(&self.text).unwrap_or_default();
        let mut numbers = Vec::new();
        let mut add = |path: String, value: Option<&Value>, unit, least, max| {
            let value = value.and_then(|value| read(value, unit));
            numbers.extend(value.map(|value| Number {
                path,
                unit,
                value,
                least,
                max,
            }));
        };
        if let Some(Value::Table(incentive)) = table.get("incentive") {
            let mechanism = incentive.get("kind").and_then(Value::as_str);
            let mechanism = mechanism.and_then(|name| name.parse::<Mechanism>().ok());
            for (key, unit, least, max) in mechanism.into_iter().flat_map(bounds_of) {
                let unit = match unit {
                    TermUnit::Wei => Unit::Money,
                    TermUnit::Seconds => Unit::Seconds,
                    TermUnit::Count => Unit::Count,
                };
                let path = format!("incentive.{key}");
                add(path, incentive.get(&key), unit, least, max);
            }
        }
        for agent in agents(&table) {
            let Some(name) = agent.get("name").and_then(Value::as_str) else {
                continue;
            };
            for (key, unit, least, max) in OF_AGENTS {
                let path = format!("agents.{name}.{key}");
                add(path, value(agent, key), unit, least, max);
            }
        }
        for (section, key, unit, least, max) in GENERAL {
            let path = format!("{section}.{key}");
            add(path.clone(), value(&table, &path), unit, least, max);
        }
        numbers
    }
}

fn agents(table: &Table) -> impl Iterator<Item = &Table> {
    let agents = table.get("agents").and_then(Value::as_array);
    agents.into_iter().flatten().filter_map(Value::as_table)
}

/// Returns the value at a path of keys joined by dots.
fn value<'t>(table: &'t Table, path: &str) -> Option<&'t Value> {
    match path.split_once('.') {
        Some((key, rest)) => value(table.get(key)?.as_table()?, rest),
        None => table.get(path),
    }
}

/// Returns a value as a number of its unit.
fn read(value: &Value, unit: Unit) -> Option<f64> {
    match (unit, value) {
        (Unit::Seconds, Value::String(text)) => humantime::parse_duration(text)
            .ok()
            .map(|it| it.as_secs_f64()),
        // No scenario has integers above 2^53.
        #[allow(clippy::cast_precision_loss)]
        (_, Value::Integer(value)) => Some(*value as f64),
        (_, Value::Float(value)) => Some(*value),
        _ => None,
    }
}

impl Number {
    /// Returns a value in the form that the scenario has at this number's path.
    #[must_use]
    pub fn form(&self, value: f64) -> Value {
        match self.unit {
            Unit::Seconds => {
                let (seconds, rest) = (value.trunc(), value.fract());
                Value::String(if rest == 0.0 {
                    format!("{seconds}s")
                } else {
                    format!("{seconds}s {:.0}ms", rest * 1e3)
                })
            }
            // The number has no fraction, and the bounds are far below 2^53.
            #[allow(clippy::cast_possible_truncation)]
            Unit::Count if value.fract() == 0.0 => Value::Integer(value as i64),
            _ => Value::Float(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::settings::Setting;

    fn all() -> impl Iterator<Item = (Scenario, Number)> {
        Scenario::embedded().iter().flat_map(|(name, _)| {
            let scenario = Scenario::find(name).expect("a scenario");
            let numbers = scenario.numbers().into_iter();
            numbers.map(move |number| (scenario.clone(), number))
        })
    }

    fn with(scenario: &Scenario, number: &Number, value: f64) -> Result<(), String> {
        let setting = Setting {
            path: number.path.clone(),
            value: number.form(value),
        };
        let changed = scenario.with(&[setting]);
        changed.map(|_| ()).map_err(|error| match error {
            super::super::ScenarioError::With { source, .. } => source.to_string(),
            error => error.to_string(),
        })
    }

    #[test]
    fn numbers_keep_their_value_if_it_is_set_again() {
        let mut seen = 0;
        for (scenario, number) in all() {
            with(&scenario, &number, number.value).expect("the same scenario");
            assert!(
                (number.least..=number.max).contains(&number.value),
                "{number:?}"
            );
            seen += 1;
        }
        assert!(seen > 200, "{seen}");
    }

    #[test]
    fn numbers_are_refused_beyond_their_bounds_and_only_there() {
        for (scenario, number) in all() {
            let [below, above] = match number.unit {
                Unit::Count => [number.least - 1.0, number.max + 1.0],
                _ => [number.least - number.least.max(1.0) / 2.0, number.max * 1.1],
            };
            // Nothing but the number of the data's samples limits `train_samples`.
            let values = match number.path.as_str() {
                "data.train_samples" => vec![below],
                _ => vec![below, above],
            };
            for value in values.into_iter().filter(|value| *value >= 0.0) {
                let refused = with(&scenario, &number, value);
                assert!(refused.is_err(), "{} = {value}", number.path);
            }
            for value in [number.least, number.max] {
                let Err(refused) = with(&scenario, &number, value) else {
                    continue;
                };
                // Another key is in the way: that of the bounds themselves would give numbers.
                let own = format!("`{}`", number.path.rsplit('.').next().unwrap_or_default());
                assert!(
                    !refused.contains(&format!("{own} is")) || refused.contains("mean"),
                    "{} = {value}: {refused}",
                    number.path
                );
            }
        }
    }

    #[test]
    fn form_writes_durations_with_their_fractions() {
        let number = Number {
            path: "run.limit".to_owned(),
            unit: Unit::Seconds,
            value: 1.0,
            least: 1.0,
            max: 2.0,
        };
        assert_eq!(number.form(86_400.0), Value::String("86400s".to_owned()));
        assert_eq!(number.form(1.5), Value::String("1s 500ms".to_owned()));
    }
}
