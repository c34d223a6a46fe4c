//! Rows of an own pool as numbers, with the labels that some of them have.

use std::path::Path;

use alloy_primitives::{hex, keccak256};
use anyhow::anyhow;
use cotrain_learning::{
    data::{Table, is_missing},
    text::{escaped, escaped_list},
    vectors::embedded,
};
use ndarray::Array2;

use crate::{
    error::CommandError,
    label::rows::standardized,
    live::{
        data::{Columns, TypeOptions},
        input,
    },
};

/// Maximum length of a field that is shown, in characters.
const MAX_SHOWN: usize = 500;

/// Factor of the numbers that are sent, which have six decimal places.
const PLACES: f64 = 1e6;

/// Number of hexadecimal digits that stand for a row's content.
const DIGEST: usize = 12;

/// Pool of rows, some of which may have labels.
pub(super) struct Pool {
    table: Table,
    /// Rows × features, each with the mean 0 and the standard deviation 1.
    pub(super) rows: Array2<f64>,
    /// Features, each with its mean and its standard deviation in the pool.
    pub(super) features: Vec<Feature>,
    pub(super) classes: Vec<String>,
    /// Class of each row that has a label in the pool.
    pub(super) known: Vec<Option<usize>>,
    /// Class of each row in the column of answers, if there is one.
    pub(super) answers: Option<Vec<Option<usize>>>,
    /// Columns that are shown.
    shown: Vec<usize>,
}

/// Number of a row that a model learns from: `(value - mean) / deviation`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(super) struct Feature {
    pub(super) name: String,
    pub(super) mean: f64,
    pub(super) deviation: f64,
}

impl Pool {
    /// Reads the rows of a table. `classes` may be empty: then they are those of the labels.
    pub(super) fn read(
        path: &Path,
        columns: &Columns,
        types: &TypeOptions,
        classes: &[String],
        answers: Option<&str>,
    ) -> Result<Self, CommandError> {
        let reading = columns.reading.reading();
        let table = input::table(path, &reading)?;
        if table.len() < 2 {
            return Err(CommandError::Mistake(anyhow!(
                "cannot label `{}`: it has {} rows; expected 2 or more",
                escaped(&path.to_string_lossy()),
                table.len()
            )));
        }
        let label = columns.label_column.as_str();
        let labels = table.texts(label).ok().map(Iterator::collect::<Vec<_>>);
        let given = match answers {
            Some(column) => {
                let all = table.texts(column).map_err(CommandError::mistake)?;
                Some(all.collect::<Vec<_>>())
            }
            None => None,
        };
        // With a column of answers, the labels are all there, and hidden.
        let labels = labels.filter(|_| answers.is_none_or(|answers| answers != label));
        let all = labels.iter().chain(&given).flatten();
        let classes = named_classes(classes, all.copied().filter(|text| is_label(text)))?;
        let class_of = |text: &&str| class(&classes, text);
        let known = match &labels {
            Some(labels) => labels.iter().map(class_of).collect::<Result<_, _>>()?,
            None => vec![None; table.len()],
        };
        let given = given.map(|all| all.iter().map(class_of).collect::<Result<Vec<_>, _>>());
        let given = given.transpose()?;
        let mut apart = vec![label];
        apart.extend(answers);
        let (names, mut rows) = if let Some(column) = &columns.text_column {
            of_texts(table.texts(column).map_err(CommandError::mistake)?)
        } else {
            let chosen = columns.chosen(types);
            let learned = table.learned(&apart, &chosen, reading.decimal_comma);
            let learned = learned.map_err(CommandError::mistake)?;
            (learned.schema.features(), learned.rows)
        };
        let scales = standardized(&mut rows, false);
        rows.mapv_inplace(|it| (it * PLACES).round() / PLACES);
        let features = names.into_iter().zip(scales);
        let features = features.map(|(name, (mean, deviation))| Feature {
            name,
            mean,
            deviation,
        });
        let is_shown = |&column: &usize| !apart.contains(&table.names()[column].as_str());
        Ok(Self {
            features: features.collect(),
            shown: (0..table.names().len()).filter(is_shown).collect(),
            classes,
            known,
            answers: given,
            rows,
            table,
        })
    }

    /// Returns the number of rows.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns the numbers of a row.
    pub(super) fn row(&self, row: usize) -> &[f64] {
        let width = self.rows.ncols();
        let numbers = self.rows.as_slice().unwrap_or_default();
        numbers
            .get(row * width..(row + 1) * width)
            .unwrap_or_default()
    }

    /// Returns the beginning of a hash of a row's fields, by which a changed row is noticed.
    pub(super) fn digest(&self, row: usize) -> String {
        let fields: Vec<&str> = self
            .shown
            .iter()
            .map(|&it| self.table.field(row, it))
            .collect();
        let hash = keccak256(fields.join("\u{1f}"));
        hex::encode(hash).chars().take(DIGEST).collect()
    }

    /// Returns the fields of a row for people, each with the name of its column.
    pub(super) fn describe(&self, row: usize) -> Vec<(&str, String)> {
        let fields = self.shown.iter().map(|&column| {
            let text = self.table.field(row, column);
            let short: String = text.chars().take(MAX_SHOWN).collect();
            let cut = if short.len() < text.len() { "…" } else { "" };
            (self.table.names()[column].as_str(), format!("{short}{cut}"))
        });
        fields.collect()
    }
}

/// Returns `true` if a field has a label.
fn is_label(text: &str) -> bool {
    // Many tables call two classes `+` and `-`.
    text == "-" || !is_missing(text)
}

/// Returns the class of a field; `None` if it has no label.
pub(super) fn class(classes: &[String], text: &str) -> Result<Option<usize>, CommandError> {
    if !is_label(text) {
        return Ok(None);
    }
    let found = classes.iter().position(|it| it == text);
    found.map(Some).ok_or_else(|| {
        CommandError::Mistake(anyhow!(
            "`{}` is no class; expected one of {}, so correct the label, or give all with --classes",
            escaped(text),
            escaped_list(classes)
        ))
    })
}

/// Returns the classes that are given, or those of the labels in order.
fn named_classes<'a>(
    given: &[String],
    labels: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>, CommandError> {
    let mut classes: Vec<String> = given.iter().map(|it| it.trim().to_owned()).collect();
    if given.is_empty() {
        classes = labels.map(ToOwned::to_owned).collect();
        classes.sort_unstable();
        classes.dedup();
        let numbers: Option<Vec<i64>> = classes.iter().map(|it| it.parse().ok()).collect();
        if let Some(mut numbers) = numbers {
            numbers.sort_unstable();
            classes = numbers.iter().map(ToString::to_string).collect();
        }
    }
    let mut distinct = classes.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let count = classes.len();
    if count < 2 || distinct.len() < count || !distinct.iter().all(|it| is_label(it)) {
        return Err(CommandError::Mistake(anyhow!(
            "cannot label with the classes {}: expected two or more different names; give them with \
             --classes a,b",
            if count == 0 {
                "(none)".to_owned()
            } else {
                escaped_list(&classes)
            }
        )));
    }
    Ok(classes)
}

/// Returns the numbers that word vectors give texts, with their names.
fn of_texts<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> (Vec<String>, Array2<f64>) {
    let vectors = embedded();
    let width = vectors.dimensions();
    let mut rows = Array2::zeros((texts.len(), width));
    for (mut row, text) in rows.rows_mut().into_iter().zip(texts) {
        for (number, &of_text) in row.iter_mut().zip(&vectors.encode(text).numbers) {
            *number = f64::from(of_text);
        }
    }
    ((0..width).map(|it| format!("vector {it}")).collect(), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_classes_are_those_given_or_those_of_labels_in_order() {
        let named = |given: &[&str], labels: &[&'static str]| {
            let given: Vec<String> = given.iter().map(ToString::to_string).collect();
            named_classes(&given, labels.iter().copied())
        };
        assert_eq!(named(&["b", " a"], &[]).expect("two"), ["b", "a"]);
        assert_eq!(named(&[], &["10", "9", "10"]).expect("two"), ["9", "10"]);
        assert_eq!(named(&[], &["y", "x"]).expect("two"), ["x", "y"]);
        for wrong in [&["a"][..], &["a", "a"], &["a", ""], &[]] {
            let told = named(wrong, &[]).expect_err("a mistake").message();
            assert!(told.contains("--classes a,b"), "{told}");
        }
    }

    #[test]
    fn class_is_none_without_a_label() {
        let classes = ["+".to_owned(), "-".to_owned()];
        let class = |text| class(&classes, text).map_err(|error| error.message());
        assert_eq!(class("-"), Ok(Some(1)));
        assert_eq!(class(""), Ok(None));
        assert_eq!(class("NA"), Ok(None));
        assert!(class("x").unwrap_err().contains("`x` is no class"));
    }
}
