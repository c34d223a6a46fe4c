//! Learns the types of a table's columns, and what replaces missing values.

use super::DataError;
use super::error::shown;
use super::grid::{Cells, Grid};
use super::options::{ColumnType, Columns, MissingRule};
use super::schema::{Column, Kind, Missing, Schema, categorical};
use super::values::{ColumnValues, Fields, Texts, are_boolean, markers};
use crate::text::escaped;

/// Maximum number of different texts of a column that is taken for categorical without being
/// called so.
const MAX_GUESSED: usize = 64;

/// Learns the schema of a grid's columns from these rows, and returns it with the columns' values.
///
/// All rows of the grid tell the types, so that these do not depend on chance.
pub(super) fn learn(
    grid: &Grid,
    rows: &[usize],
    options: &Columns,
    decimal_comma: bool,
) -> Result<(Schema, Vec<ColumnValues>), DataError> {
    let mut columns = Vec::with_capacity(grid.names.len());
    let mut all = Vec::with_capacity(grid.names.len());
    for (index, name) in grid.names.iter().enumerate() {
        let fields = Fields::look(grid.column(index));
        let chosen = options.types.iter().find(|(column, _)| column == name);
        let kind = match chosen.map(|(_, chosen)| *chosen) {
            Some(ColumnType::Numeric) => Kind::Numeric,
            Some(ColumnType::Boolean) => Kind::Boolean,
            Some(ColumnType::Categorical) => {
                categorical_of(grid, index, rows, &Texts::of(grid.column(index)))?
            }
            // Texts and ignored columns are not in the grid.
            Some(ColumnType::Text | ColumnType::Ignored) | None => {
                guess(grid, index, rows, &fields)?
            }
        };
        let is_whole = fields.given == grid.rows();
        let rule = rule(name, &kind, is_whole, options)?;
        let values = fields.read(&kind, decimal_comma);
        let is_categorical = matches!(kind, Kind::Categorical { .. });
        columns.push(Column {
            name: name.clone(),
            missing: missing(rule, &kind, &values, rows),
            markers: markers(|marker| is_categorical && has(grid.column(index), marker)),
            kind,
        });
        all.push(values);
    }
    let schema = Schema::new(columns).map_err(|source| DataError::Schema {
        path: grid.path.clone(),
        source,
    })?;
    Ok((schema, all))
}

/// Returns `true` if a field of a column is this text.
fn has(cells: &Cells, text: &str) -> bool {
    cells.iter().any(|field| field == text)
}

/// Learns the texts of a categorical column, some of which must have a feature of their own.
fn categorical_of(
    grid: &Grid,
    index: usize,
    rows: &[usize],
    texts: &Texts<'_>,
) -> Result<Kind, DataError> {
    match categorical(&texts.counts(Some(rows)), rows.len()) {
        Kind::Categorical { values, .. } if values.is_empty() => Err(DataError::OnlyRareTexts {
            path: grid.path.clone(),
            column: grid.names[index].clone(),
        }),
        kind => Ok(kind),
    }
}

/// Guesses the type of a column.
///
/// If at least half of the fields are numbers, the others are mistakes.
fn guess(
    grid: &Grid,
    index: usize,
    rows: &[usize],
    fields: &Fields<'_>,
) -> Result<Kind, DataError> {
    let name = &grid.names[index];
    if fields.given == 0 {
        return Err(DataError::NoValues {
            path: grid.path.clone(),
            column: name.clone(),
        });
    }
    if fields.numbers * 2 >= fields.given {
        return Ok(Kind::Numeric);
    }
    let texts = Texts::of(grid.column(index));
    let counts = texts.counts(None);
    if are_boolean(&counts.keys().copied()) {
        return Ok(Kind::Boolean);
    }
    let distinct = counts.len();
    if is_few(distinct, fields.given) {
        return categorical_of(grid, index, rows, &texts);
    }
    let example = counts.keys().next().copied().unwrap_or_default();
    Err(DataError::ManyTexts {
        path: grid.path.clone(),
        name: escaped(name).to_string(),
        distinct,
        rows: fields.given,
        example: shown(example.as_bytes()),
    })
}

/// Returns `true` if so many different texts of so many fields are taken for categories.
pub(super) fn is_few(distinct: usize, given: usize) -> bool {
    let few = distinct <= 10 && distinct < given;
    few || (distinct <= MAX_GUESSED && distinct * 2 <= given)
}

/// Returns the rule for a column's missing values. `is_whole` says that there are none.
fn rule(
    name: &str,
    kind: &Kind,
    is_whole: bool,
    options: &Columns,
) -> Result<MissingRule, DataError> {
    let own = options.missing.iter().find(|(column, _)| column == name);
    let categorical = matches!(kind, Kind::Categorical { .. });
    Ok(match own {
        Some((_, rule @ (MissingRule::Mean | MissingRule::Median))) if categorical => {
            return Err(DataError::NoMean {
                column: name.to_owned(),
                rule: rule.name(),
            });
        }
        Some((_, rule)) => *rule,
        // Without missing values, a feature for them would cost gas and never be learned.
        None if is_whole => match options.missing_everywhere {
            rule @ (MissingRule::Mean | MissingRule::Median) if !categorical => rule,
            _ => MissingRule::Refuse,
        },
        None => match options.missing_everywhere {
            MissingRule::Mean | MissingRule::Median if categorical => MissingRule::Own,
            rule => rule,
        },
    })
}

/// Returns the rule with what replaces missing values, learned from these rows.
fn missing(rule: MissingRule, kind: &Kind, values: &ColumnValues, rows: &[usize]) -> Missing {
    match rule {
        MissingRule::Refuse => Missing::Refuse,
        MissingRule::Mean => Missing::Mean(mean(&values.numbers(rows))),
        MissingRule::Median => Missing::Median(median(values.numbers(rows))),
        MissingRule::Own => Missing::Own(match kind {
            Kind::Numeric => mean(&values.numbers(rows)),
            Kind::Boolean | Kind::Categorical { .. } => 0.0,
        }),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
        assert!((mean(&[1.0, 2.0, 6.0]) - 3.0).abs() < 1e-9);
    }
}
