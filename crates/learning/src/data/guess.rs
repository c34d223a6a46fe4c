//! Learns the types of a table's columns, and what replaces missing values.

use std::collections::HashMap;

use super::DataError;
use super::error::shown;
use super::grid::{Cells, Grid};
use super::options::{ColumnType, Columns, MissingRule};
use super::schema::{
    Column, Counts, Kind, Missing, Schema, categorical, has_decimal_comma, is_missing, number,
    truth,
};
use crate::text::escaped;

/// Maximum number of different texts of a column that is taken for categorical without being
/// called so.
const MAX_GUESSED: usize = 64;

/// Learns the schema of a grid's columns from these rows.
///
/// All rows of the grid tell the types, so that these do not depend on chance.
pub(super) fn learn(
    grid: &Grid,
    rows: &[usize],
    options: &Columns,
    decimal_comma: bool,
) -> Result<Schema, DataError> {
    let mut columns = Vec::with_capacity(grid.names.len());
    let all: Vec<usize> = (0..grid.rows()).collect();
    for (index, name) in grid.names.iter().enumerate() {
        let cells = grid.column(index);
        let found = Found::look(cells);
        let chosen = options.types.iter().find(|(column, _)| column == name);
        let kind = match chosen.map(|(_, chosen)| *chosen) {
            Some(ColumnType::Numeric) => Kind::Numeric,
            Some(ColumnType::Boolean) => Kind::Boolean,
            Some(ColumnType::Categorical) => categorical_of(grid, index, rows)?,
            // Texts and ignored columns are not in the grid.
            Some(ColumnType::Text | ColumnType::Ignored) | None => {
                found.guess(grid, index, &all, rows)?
            }
        };
        let missing = missing(grid, index, rows, &kind, options, &found, decimal_comma)?;
        columns.push(Column {
            name: name.clone(),
            kind,
            missing,
        });
    }
    Schema::new(columns).map_err(|source| DataError::Schema {
        path: grid.path.clone(),
        source,
    })
}

/// Learns the texts of a categorical column, some of which must have a feature of their own.
fn categorical_of(grid: &Grid, index: usize, rows: &[usize]) -> Result<Kind, DataError> {
    match categorical(&counts(grid.column(index), rows), rows.len()) {
        Kind::Categorical { values, .. } if values.is_empty() => Err(DataError::OnlyRareTexts {
            path: grid.path.clone(),
            column: grid.names[index].clone(),
        }),
        kind => Ok(kind),
    }
}

/// Counts of a column's fields by their form.
#[derive(Default)]
struct Found {
    /// Number of fields with a value.
    given: usize,
    /// Number of numbers, also of those with another decimal mark.
    numbers: usize,
    /// Number of fields that are `true` or `false`, `yes` or `no`, `t` or `f`, `y` or `n`.
    words: [[usize; 2]; 4],
}

/// Texts that a boolean column has, without capital letters.
const WORDS: [[&str; 2]; 4] = [["true", "false"], ["yes", "no"], ["t", "f"], ["y", "n"]];

impl Found {
    fn look(cells: &Cells) -> Self {
        let mut found = Self::default();
        for field in cells.iter() {
            if is_missing(field) {
                continue;
            }
            found.given += 1;
            if is_number(field) || has_decimal_comma(field) {
                found.numbers += 1;
            } else if truth(field).is_some() {
                for (pair, counts) in WORDS.iter().zip(&mut found.words) {
                    for (word, count) in pair.iter().zip(counts) {
                        *count += usize::from(field.eq_ignore_ascii_case(word));
                    }
                }
            }
        }
        found
    }

    /// Returns `true` if all fields are the two words of a pair.
    ///
    /// A letter alone, such as `F`, may mean anything, so both must occur.
    fn is_boolean(&self) -> bool {
        let whole = |counts: &[usize; 2]| counts[0] + counts[1] == self.given;
        let [true_false, yes_no, t_f, y_n] = &self.words;
        whole(true_false)
            || whole(yes_no)
            || [t_f, y_n]
                .iter()
                .any(|it| whole(it) && it[0] > 0 && it[1] > 0)
    }

    /// Guesses the type of a column.
    ///
    /// If at least half of the fields are numbers, the others are mistakes.
    fn guess(
        &self,
        grid: &Grid,
        index: usize,
        all: &[usize],
        rows: &[usize],
    ) -> Result<Kind, DataError> {
        let name = &grid.names[index];
        if self.given == 0 {
            return Err(DataError::NoValues {
                path: grid.path.clone(),
                column: name.clone(),
            });
        }
        if self.numbers * 2 >= self.given {
            return Ok(Kind::Numeric);
        }
        if self.is_boolean() {
            return Ok(Kind::Boolean);
        }
        let counts = counts(grid.column(index), all);
        let distinct = counts.len();
        let few = distinct <= 10 && distinct < self.given;
        if few || (distinct <= MAX_GUESSED && distinct * 2 <= self.given) {
            return categorical_of(grid, index, rows);
        }
        let example = counts.keys().next().copied().unwrap_or_default();
        Err(DataError::ManyTexts {
            path: grid.path.clone(),
            name: escaped(name).to_string(),
            distinct,
            rows: self.given,
            example: shown(example.as_bytes()),
        })
    }
}

/// Counts the texts of a column's fields, without missing ones.
fn counts<'a>(cells: &'a Cells, rows: &[usize]) -> Counts<'a> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for &row in rows {
        let field = cells.get(row);
        if !is_missing(field) {
            *counts.entry(field).or_default() += 1;
        }
    }
    counts.into_iter().collect()
}

/// Returns the rule for a column's missing values, with what replaces them.
fn missing(
    grid: &Grid,
    index: usize,
    rows: &[usize],
    kind: &Kind,
    options: &Columns,
    found: &Found,
    decimal_comma: bool,
) -> Result<Missing, DataError> {
    let name = &grid.names[index];
    let own = options.missing.iter().find(|(column, _)| column == name);
    let categorical = matches!(kind, Kind::Categorical { .. });
    let rule = match own {
        Some((_, rule @ (MissingRule::Mean | MissingRule::Median))) if categorical => {
            return Err(DataError::NoMean {
                column: name.clone(),
                rule: rule.name(),
            });
        }
        Some((_, rule)) => *rule,
        // Without missing values, a feature for them would cost gas and never be learned.
        None if found.given == grid.rows() => match options.missing_everywhere {
            rule @ (MissingRule::Mean | MissingRule::Median) if !categorical => rule,
            _ => MissingRule::Refuse,
        },
        None => match options.missing_everywhere {
            MissingRule::Mean | MissingRule::Median if categorical => MissingRule::Own,
            rule => rule,
        },
    };
    let numbers = || numbers(grid, index, rows, kind, decimal_comma);
    Ok(match rule {
        MissingRule::Refuse => Missing::Refuse,
        MissingRule::Mean => Missing::Mean(mean(&numbers())),
        MissingRule::Median => Missing::Median(median(numbers())),
        MissingRule::Own => Missing::Own(match kind {
            Kind::Numeric => mean(&numbers()),
            Kind::Boolean | Kind::Categorical { .. } => 0.0,
        }),
    })
}

/// Returns the numbers of a column, without those that are missing or malformed.
fn numbers(
    grid: &Grid,
    index: usize,
    rows: &[usize],
    kind: &Kind,
    decimal_comma: bool,
) -> Vec<f64> {
    let cells = grid.column(index);
    let fields = rows.iter().map(|row| cells.get(*row));
    let fields = fields.filter(|field| !is_missing(field));
    let value = |field: &str| match kind {
        Kind::Boolean => truth(field).map(|value| f64::from(u8::from(value))),
        _ => number(field, decimal_comma, "").ok(),
    };
    fields.filter_map(value).collect()
}

// Numbers of examples are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn mean(numbers: &[f64]) -> f64 {
    match numbers.len() {
        0 => 0.0,
        count => numbers.iter().sum::<f64>() / count as f64,
    }
}

/// Returns the number in the middle, or the mean of both in the middle.
fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let half = numbers.len() / 2;
    match (numbers.len(), numbers.get(half)) {
        (_, None) => 0.0,
        (count, Some(upper)) if count % 2 == 1 => *upper,
        (_, Some(upper)) => mean(&[numbers[half - 1], *upper]),
    }
}

/// Returns `true` if a text has the form of a number, as `f64` reads it.
///
/// It is much faster than reading.
fn is_number(field: &str) -> bool {
    let bytes = field.as_bytes();
    let bytes = match bytes {
        [b'+' | b'-', rest @ ..] => rest,
        all => all,
    };
    let digits = |bytes: &[u8]| bytes.iter().take_while(|it| it.is_ascii_digit()).count();
    let whole = digits(bytes);
    let mut rest = &bytes[whole..];
    let mut count = whole;
    if let [b'.', after @ ..] = rest {
        let fraction = digits(after);
        count += fraction;
        rest = &after[fraction..];
    }
    match rest {
        [] => count > 0,
        [b'e' | b'E', exponent @ ..] => {
            let exponent = match exponent {
                [b'+' | b'-', rest @ ..] => rest,
                all => all,
            };
            let length = digits(exponent);
            count > 0 && length > 0 && length == exponent.len()
        }
        _ => whole == 0 && count == 0 && field.parse::<f64>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_number_agrees_with_reading() {
        for text in [
            "1",
            "-1",
            "+1.5",
            ".5",
            "5.",
            "1e5",
            "1E-5",
            "1e+300",
            "inf",
            "-Infinity",
            "",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            "1,5",
            "0x10",
            "1_000",
            "12 ",
            "nano",
            "1-2",
        ] {
            assert_eq!(is_number(text), text.parse::<f64>().is_ok(), "{text}");
        }
    }

    #[test]
    fn median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
        assert!((mean(&[1.0, 2.0, 6.0]) - 3.0).abs() < 1e-9);
    }
}
