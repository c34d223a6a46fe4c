use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use cotrain_protocol::classifier::Kind;
use cotrain_protocol::sample::Encoding;

use super::{DEFAULT_WORDS, EncodeError, ReserveFault, text};
use crate::data::{Dataset, Example, MAX_INDEX, Part};
use crate::text::{escaped, escaped_list};

/// Words, columns or indices that are features, in the order of the feature numbers.
#[derive(Clone, Debug)]
pub(super) enum Names {
    Words(Vec<String>),
    Columns(Vec<String>),
    /// Indices from 0.
    Indices(Vec<u32>),
}

impl Names {
    /// Chooses features from the training part.
    pub(super) fn learn(dataset: &Dataset, features: Option<usize>) -> Result<Self, EncodeError> {
        match (dataset.train.examples().next(), features) {
            (None, _) => Err(EncodeError::NoFeatures {
                path: dataset.train.path().to_owned(),
            }),
            (Some(Example::Text(_)), _) => {
                let counts = word_counts(&dataset.train);
                let words = most_frequent(counts, features.unwrap_or(DEFAULT_WORDS));
                Ok(Self::Words(words))
            }
            (Some(Example::Numbers(_)), Some(features)) if features != dataset.columns.len() => {
                Err(EncodeError::NotTheColumns {
                    path: dataset.train.path().to_owned(),
                    columns: dataset.columns.len(),
                    features,
                })
            }
            (Some(Example::Numbers(_)), _) => Ok(Self::Columns(dataset.columns.clone())),
            (Some(Example::Indexed { .. }), features) => {
                let counts = (0..).zip(index_counts(&dataset.train));
                Ok(Self::Indices(match features {
                    Some(features) => most_frequent(counts, features),
                    None => counts.map(|(index, _)| index).collect(),
                }))
            }
        }
    }

    /// Adds features without examples after the others.
    pub(super) fn reserve(&mut self, kind: Kind, reserved: &[String]) -> Result<(), EncodeError> {
        for name in reserved {
            let name = name.trim();
            self.reserve_one(kind, name)
                .map_err(|fault| EncodeError::Reserve {
                    name: name.to_owned(),
                    fault,
                })?;
        }
        Ok(())
    }

    fn reserve_one(&mut self, kind: Kind, name: &str) -> Result<(), ReserveFault> {
        if kind.encoding() != Encoding::Sparse {
            return Err(ReserveFault::Dense(kind));
        }
        if name.is_empty() {
            return Err(ReserveFault::Empty);
        }
        match self {
            Self::Words(words) => {
                let read: Vec<String> = text::tokens(&name.to_lowercase())
                    .map(ToOwned::to_owned)
                    .collect();
                if read.is_empty() {
                    return Err(ReserveFault::NoWord);
                }
                if read != [name] {
                    return Err(ReserveFault::OtherWords(read));
                }
                add(words, name.to_owned())
            }
            Self::Columns(columns) => add(columns, name.to_owned()),
            Self::Indices(indices) => {
                let index = name.parse().ok();
                let index = index.filter(|index| (1..=MAX_INDEX).contains(index));
                add(indices, index.ok_or(ReserveFault::NoIndex)? - 1)
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Words(names) | Self::Columns(names) => names.len(),
            Self::Indices(indices) => indices.len(),
        }
    }

    /// Returns the word, the column's name, or the index from 1.
    pub(super) fn get(&self, feature: usize) -> Option<String> {
        match self {
            Self::Words(names) | Self::Columns(names) => names.get(feature).cloned(),
            Self::Indices(indices) => indices.get(feature).map(|index| (index + 1).to_string()),
        }
    }

    /// Returns the description of a feature in messages.
    pub(super) fn describe(&self, feature: u16) -> String {
        let sort = match self {
            Self::Words(_) => "word",
            Self::Columns(_) => "column",
            Self::Indices(_) => "index",
        };
        let name = self.get(usize::from(feature)).unwrap_or_default();
        format!("{sort} `{}`", escaped(&name))
    }
}

fn add<T: PartialEq>(names: &mut Vec<T>, name: T) -> Result<(), ReserveFault> {
    if names.contains(&name) {
        return Err(ReserveFault::Known);
    }
    names.push(name);
    Ok(())
}

/// Map from words, columns or indices to feature numbers.
#[derive(Clone, Debug)]
pub(super) enum Lookup {
    Words(HashMap<String, u16>),
    /// Names of columns, and the number of the last ones that a row may leave out. These are 0
    /// then.
    Columns(Vec<String>, usize),
    /// Feature numbers by index from 0; `None` for an index that is no feature.
    Indices(Vec<Option<u16>>),
}

impl Lookup {
    /// Inverts at most 65,536 `names`. The last `reserved` of them had no examples.
    pub(super) fn new(names: &Names, reserved: usize) -> Self {
        match names {
            Names::Words(words) => Self::Words(words.iter().cloned().zip(0..=u16::MAX).collect()),
            Names::Columns(columns) => Self::Columns(columns.clone(), reserved),
            Names::Indices(indices) => {
                let width = indices.iter().max().map_or(0, |&last| last as usize + 1);
                let mut numbers = vec![None; width];
                for (&index, number) in indices.iter().zip(0..=u16::MAX) {
                    numbers[index as usize] = Some(number);
                }
                Self::Indices(numbers)
            }
        }
    }

    /// Returns an example's features that are not 0 with their values, by increasing number.
    pub(super) fn features(&self, example: Example<'_>) -> Result<Vec<(u16, f64)>, EncodeError> {
        let mut features: Vec<(u16, f64)> = match (self, example) {
            (Self::Words(numbers), Example::Text(text)) => text::tokens(&text.to_lowercase())
                .filter_map(|word| Some((*numbers.get(word)?, 1.0)))
                .collect(),
            (Self::Columns(columns, reserved), Example::Numbers(values)) => {
                if values.len() != columns.len() && values.len() + reserved != columns.len() {
                    return Err(EncodeError::WrongWidth {
                        found: values.len(),
                        wanted: columns.len(),
                        reserved: *reserved,
                        columns: escaped_list(columns),
                    });
                }
                (0..=u16::MAX).zip(values.iter().copied()).collect()
            }
            (Self::Indices(numbers), Example::Indexed { indices, values }) => indices
                .iter()
                .enumerate()
                .filter_map(|(at, &index)| {
                    let number = (*numbers.get(index as usize)?)?;
                    let value = values.map_or(Some(1.0), |values| values.get(at).copied())?;
                    Some((number, value))
                })
                .collect(),
            (_, example) => {
                return Err(EncodeError::WrongSort {
                    found: sort(example),
                    wanted: self.sort(),
                });
            }
        };
        features.retain(|&(_, value)| value != 0.0);
        features.sort_unstable_by_key(|&(number, _)| number);
        features.dedup_by_key(|&mut (number, _)| number);
        Ok(features)
    }

    fn sort(&self) -> &'static str {
        match self {
            Self::Words(_) => TEXT,
            Self::Columns(..) => NUMBERS,
            Self::Indices(_) => INDEXED,
        }
    }
}

const TEXT: &str = "text";
const NUMBERS: &str = "a row of numbers";
const INDEXED: &str = "indices with values";

fn sort(example: Example<'_>) -> &'static str {
    match example {
        Example::Text(_) => TEXT,
        Example::Numbers(_) => NUMBERS,
        Example::Indexed { .. } => INDEXED,
    }
}

/// Counts the examples that contain each word.
fn word_counts(part: &Part) -> HashMap<String, u32> {
    let mut counts = HashMap::new();
    for example in part.examples() {
        if let Example::Text(text) = example {
            let text = text.to_lowercase();
            for word in text::tokens(&text).collect::<BTreeSet<_>>() {
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => {
                        counts.insert(word.to_owned(), 1);
                    }
                }
            }
        }
    }
    counts
}

/// Counts the examples that contain each index, from 0 to the largest.
fn index_counts(part: &Part) -> Vec<u32> {
    let mut counts = Vec::new();
    for example in part.examples() {
        if let Example::Indexed { indices, .. } = example {
            if let Some(&last) = indices.last() {
                counts.resize(counts.len().max(last as usize + 1), 0);
            }
            for &index in indices {
                counts[index as usize] += 1;
            }
        }
    }
    counts
}

/// Returns the `wanted` most frequent names, by falling frequency; ties are in the names' order.
fn most_frequent<T: Ord>(counts: impl IntoIterator<Item = (T, u32)>, wanted: usize) -> Vec<T> {
    let mut counts: Vec<(T, u32)> = counts.into_iter().collect();
    counts.sort_unstable_by(|(a, a_count), (b, b_count)| {
        (Reverse(a_count), a).cmp(&(Reverse(b_count), b))
    });
    counts.truncate(wanted);
    counts.into_iter().map(|(name, _)| name).collect()
}
