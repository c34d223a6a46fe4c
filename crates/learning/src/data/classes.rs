use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::doubts::is_whole;
use super::error::shown;
use super::{DataError, MAX_CLASSES, Raw};
use crate::text::escaped_list;

/// Classes of a training file, in order.
pub(super) enum Classes {
    Integers(Vec<i64>),
    Names(Vec<String>),
}

impl Classes {
    pub(super) fn of<I>(raw: &Raw<I>) -> Result<Self, DataError> {
        if raw.labels.len() < 2 {
            return Err(DataError::TooFew {
                path: raw.path.clone(),
                examples: raw.labels.len(),
                wanted: 2,
            });
        }
        let integers: Result<BTreeSet<i64>, _> = raw.labels.iter().map(|l| l.parse()).collect();
        let names = || raw.labels.iter().collect::<BTreeSet<_>>();
        let classes = match integers {
            Ok(integers) => Self::Integers(integers.into_iter().collect()),
            Err(_) => Self::Names(names().into_iter().cloned().collect()),
        };
        match classes.len() {
            1 => Err(DataError::OneClass {
                path: raw.path.clone(),
                class: raw.labels[0].clone(),
                examples: raw.labels.len(),
            }),
            2..=MAX_CLASSES => Ok(classes),
            classes => Err(DataError::TooManyClasses {
                path: raw.path.clone(),
                classes,
            }),
        }
    }

    /// Returns the class number of each example of `raw`; `train` is the file with the classes.
    pub(super) fn numbers<I>(&self, raw: &Raw<I>, train: &Path) -> Result<Vec<u16>, DataError> {
        let number = |(label, line): (&String, &u64)| {
            self.number(label).ok_or_else(|| DataError::UnknownClass {
                train: train.to_owned(),
                test: raw.path.clone(),
                line: *line,
                class: label.clone(),
                classes: escaped_list(&self.names()),
            })
        };
        raw.labels.iter().zip(&raw.lines).map(number).collect()
    }

    pub(super) fn names(&self) -> Vec<String> {
        match self {
            Self::Integers(integers) => integers.iter().map(ToString::to_string).collect(),
            Self::Names(names) => names.clone(),
        }
    }

    fn number(&self, label: &str) -> Option<u16> {
        let index = match self {
            Self::Integers(integers) => integers.binary_search(&integer(label)?),
            Self::Names(names) => names.binary_search_by(|name| name.as_str().cmp(label)),
        };
        u16::try_from(index.ok()?).ok()
    }

    fn len(&self) -> usize {
        match self {
            Self::Integers(integers) => integers.len(),
            Self::Names(names) => names.len(),
        }
    }
}

/// Returns the integer that a label stands for, also as `1.0`; `None` if it is none.
// The bounds are those of whole numbers that floats have exactly.
#[allow(clippy::cast_possible_truncation)]
fn integer(label: &str) -> Option<i64> {
    const MAX: f64 = 9_007_199_254_740_992.0;
    label.parse().ok().or_else(|| {
        let number: f64 = label.parse().ok()?;
        (is_whole(number) && number.abs() <= MAX).then_some(number as i64)
    })
}

/// Returns the class number of each example of `raw`, given the model's classes in any order.
pub(super) fn known(raw: &Raw, classes: &[String]) -> Result<Vec<u16>, DataError> {
    let of_integers = classes.iter().all(|class| class.parse::<i64>().is_ok());
    let numbers: HashMap<&str, u16> = classes.iter().map(String::as_str).zip(0..).collect();
    let number = |(label, line): (&String, &u64)| {
        let canonical = match label.parse::<i64>() {
            Ok(integer) => Some(integer),
            // Programs that know no missing integers write `1.0`.
            Err(_) if of_integers => integer(label),
            Err(_) => None,
        };
        let canonical = canonical.map(|integer| integer.to_string());
        numbers
            .get(label.as_str())
            .or_else(|| numbers.get(canonical?.as_str()))
            .copied()
            .ok_or_else(|| DataError::NotAClass {
                path: raw.path.clone(),
                line: *line,
                class: label.clone(),
                found: first_names(raw),
                classes: escaped_list(classes),
            })
    };
    raw.labels.iter().zip(&raw.lines).map(number).collect()
}

/// Returns the first classes of a file in order, for messages: a wrong column may have thousands.
fn first_names(raw: &Raw) -> String {
    const SHOWN: usize = 10;
    let names: BTreeSet<&str> = raw.labels.iter().map(String::as_str).collect();
    let mut text: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|it| shown(it.as_bytes()))
        .collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}
