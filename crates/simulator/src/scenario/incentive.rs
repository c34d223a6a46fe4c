//! The section of a scenario about the payment of contributors.
//!
//! It names a mechanism, its terms and some settings of the simulation.
//! The mechanism's description defines keys, units and bounds of the terms.
//! The [`Section`] of each mechanism defines the other keys, in a file of its own.

use cotrain_protocol::mechanism::{Mechanism, Term, Terms, Unit};

use self::table::Given;
pub(super) use self::table::IncentiveTable;
use super::{Incentive, ScenarioError, check::Check};

mod market;
mod table;
mod trainer;

/// Section of a scenario for one mechanism, apart from its single terms.
struct Section {
    /// Keys in addition to those of the terms, with their units.
    own: &'static [(&'static str, Unit)],
    /// Least and largest value of the counts among them.
    counts: &'static [(&'static str, usize, usize)],
    /// Names of the terms without a key of their own; `own` keys determine them.
    hidden: &'static [&'static str],
    /// Function for the value of a term whose key is missing; `None` if the key is required.
    preset: fn(&Check<'_>, &IncentiveTable, &Term) -> Result<Option<u128>, ScenarioError>,
    /// Function that checks the terms against each other, and reads the `own` keys.
    finish: fn(&Check<'_>, &IncentiveTable, Terms) -> Result<Incentive, ScenarioError>,
}

/// Returns the section of a mechanism; a new mechanism must be added here.
fn section(mechanism: Mechanism) -> &'static Section {
    match mechanism {
        Mechanism::DepositRefundTake | Mechanism::Points => &trainer::SECTION,
        Mechanism::PredictionMarket => &market::SECTION,
    }
}

/// Returns the keys of a mechanism's section with their units, the terms first.
fn keys(mechanism: Mechanism) -> Vec<(String, Unit)> {
    let section = section(mechanism);
    let terms = mechanism.description().terms.iter();
    let terms = terms.filter(|term| !section.hidden.contains(&term.name));
    let own = section.own.iter();
    terms
        .map(|term| (key_of(term), term.unit))
        .chain(own.map(|(key, unit)| ((*key).to_owned(), *unit)))
        .collect()
}

/// Returns the keys of a mechanism's section with their units, and the least and largest value of
/// each: money in units of the scenario, durations in seconds.
pub(super) fn bounds_of(mechanism: Mechanism) -> Vec<(String, Unit, f64, f64)> {
    let (section, terms) = (section(mechanism), mechanism.description().terms);
    // Bounds of terms are far below 2^53, or the general bounds are lower.
    #[allow(clippy::cast_precision_loss)]
    let bounds = |(key, unit): (String, Unit)| {
        let term = terms.iter().find(|term| key_of(term) == key);
        let bits = term.map_or(64, |term| term.bits);
        let least = term.map_or(0.0, |term| term.least as f64);
        let largest = 2_f64.powi(i32::try_from(bits).unwrap_or(i32::MAX)) - 1.0;
        let (least, max) = match unit {
            Unit::Wei => (0.000_001, 1e9),
            Unit::Seconds => (least.max(1.0), largest.min(1e12)),
            Unit::Count => {
                let own = section.counts.iter().find(|(own, ..)| *own == key);
                own.map_or((least.max(1.0), largest.min(1e12)), |(_, least, max)| {
                    (*least as f64, *max as f64)
                })
            }
        };
        (key, unit, least, max)
    };
    keys(mechanism).into_iter().map(bounds).collect()
}

/// Returns the key of a term: its name in lower case, with underscores.
fn key_of(term: &Term) -> String {
    let mut key = String::new();
    for letter in term.name.chars() {
        if letter.is_ascii_uppercase() {
            key.push('_');
        }
        key.push(letter.to_ascii_lowercase());
    }
    key
}

impl Check<'_> {
    pub(super) fn incentive(&self, table: &IncentiveTable) -> Result<Incentive, ScenarioError> {
        let Ok(mechanism) = table.kind.parse::<Mechanism>() else {
            let known = Mechanism::ALL.map(Mechanism::name).join(", ");
            let value = format!("`{}`", table.kind);
            return self.impossible("incentive.kind", value, format!("known are {known}"));
        };
        let keys = keys(mechanism);
        let mut given = table.given.iter();
        if let Some((key, _)) = given.find(|(given, _)| !keys.iter().any(|(key, _)| key == given)) {
            let allowed = format!("`{}` has no such key: leave it out", table.kind);
            return self.impossible(format!("incentive.{key}"), "set", allowed);
        }
        let section = section(mechanism);
        let mut values = Vec::new();
        for term in mechanism.description().terms {
            values.push(self.term(section, table, term)?);
        }
        match Terms::from_values(mechanism, &values) {
            Some(terms) => (section.finish)(self, table, terms),
            // The bounds in the description equal those of the types, so this does not happen.
            None => self.impossible(
                "incentive",
                format!("{values:?}"),
                "expected the terms of the mechanism's contract",
            ),
        }
    }

    /// Reads a term or its preset, and checks its bounds.
    fn term(
        &self,
        section: &Section,
        table: &IncentiveTable,
        term: &Term,
    ) -> Result<u128, ScenarioError> {
        let name = key_of(term);
        let key = format!("incentive.{name}");
        let given = table.get(&name);
        let preset = || (section.preset)(self, table, term);
        let value = match given {
            None => preset()?,
            Some(Given::Money(units)) => Some(self.units(&key, *units)?),
            // A zero is valid if leaving the key out also means zero.
            Some(Given::Duration(wait)) if wait.seconds == 0.0 && preset()? == Some(0) => Some(0),
            Some(Given::Duration(wait)) => Some(self.seconds(&key, wait)?.into()),
            Some(Given::Count(count)) => Some(*count as u128),
        };
        let Some(value) = value else {
            return self.impossible(key, "missing", missing(term.unit));
        };
        if term.validate(value).is_err() {
            let shown = match given {
                Some(Given::Duration(wait)) => format!("{:?}", wait.text),
                _ => value.to_string(),
            };
            let (least, bits) = (term.least, term.bits);
            let allowed = match term.unit {
                Unit::Seconds => format!("expected {least} s to less than 2^{bits} s"),
                Unit::Wei => format!("expected {least} wei to less than 2^{bits} wei"),
                Unit::Count => format!("expected a number from {least} to less than 2^{bits}"),
            };
            return self.impossible(key, shown, allowed);
        }
        Ok(value)
    }

    /// Reads a whole number from `least` to `max`; returns `otherwise` if none is given.
    fn whole(
        &self,
        table: &IncentiveTable,
        name: &str,
        otherwise: usize,
        (least, max): (usize, usize),
    ) -> Result<usize, ScenarioError> {
        match table.get(name) {
            Some(Given::Count(given)) if (least..=max).contains(given) => Ok(*given),
            Some(Given::Count(given)) => {
                let allowed = format!("expected a number from {least} to {max}");
                self.impossible(format!("incentive.{name}"), given, allowed)
            }
            _ => Ok(otherwise),
        }
    }

    /// Reads a sum of money, in wei; `None` if it is not given.
    fn money(&self, table: &IncentiveTable, name: &str) -> Result<Option<u128>, ScenarioError> {
        match table.get(name) {
            Some(Given::Money(units)) => self.units(&format!("incentive.{name}"), *units).map(Some),
            _ => Ok(None),
        }
    }
}

/// Returns the advice for a missing value.
fn missing(unit: Unit) -> &'static str {
    match unit {
        Unit::Wei => "say how many units it is",
        Unit::Seconds => "say how long, such as \"1 day\"",
        Unit::Count => "say how many",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_one_unit_in_all_sections() {
        for one in Mechanism::ALL {
            for (key, unit) in keys(one) {
                for other in Mechanism::ALL {
                    let found = keys(other).into_iter().find(|(found, _)| *found == key);
                    assert!(found.is_none_or(|(_, found)| found == unit), "{key}");
                }
            }
        }
    }

    #[test]
    fn keys_are_the_terms_but_for_the_hidden_ones() {
        for mechanism in Mechanism::ALL {
            let (section, terms) = (section(mechanism), mechanism.description().terms);
            let keys = keys(mechanism);
            for term in terms {
                let is_key = keys.iter().any(|(key, _)| *key == key_of(term));
                assert_ne!(is_key, section.hidden.contains(&term.name), "{}", term.name);
            }
        }
    }
}
