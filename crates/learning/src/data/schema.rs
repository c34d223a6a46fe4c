//! Types of a table's columns, and the numbers that stand for a row.

mod error;
mod field;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::error::{LineFault, shown};
use super::in_bounds;
use crate::pictures::Form;

pub use error::SchemaError;
pub use field::{Field, is_missing};
pub(super) use field::{Mark, OTHER_MARKERS, Unfit, Value, number, truth};

use field::{is_always_missing, is_other_marker};

/// Maximum number of texts of a categorical column that are features of their own.
pub(super) const MAX_VALUES: usize = 1_000;

/// Bytes of the names of all features of a schema.
///
/// A categorical column's name stands in that of each of its values.
/// So a small card of a stranger could ask for a lot of memory.
const MAX_NAMES: u64 = 16 << 20;

/// Columns that a model takes, in order, and the numbers that stand for each.
///
/// A row of texts becomes one number for a numeric column or a boolean one, and one for each text
/// of a categorical column. A model's features are these numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    columns: Vec<Column>,
    /// Number of numbers of a row.
    width: usize,
}

/// Column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Column {
    /// Name in the header.
    pub name: String,
    /// Type of the values.
    pub kind: Kind,
    /// Rule for missing values.
    pub missing: Missing,
    /// Texts of a categorical column that stand for missing values though they could be categories,
    /// such as `n/a`: those that the training data had, in increasing order. In the other columns,
    /// every such text does.
    pub markers: Vec<String>,
}

/// Serialized form of a column.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    r#type: WrittenType,
    /// Texts of a categorical column that have a feature; only such columns have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    /// `true` if all other texts of a categorical column have a feature together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    other: bool,
    #[serde(default, skip_serializing_if = "Missing::is_refused")]
    missing: Missing,
    /// Texts of a categorical column that stand for missing values; the first cards had none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    markers: Vec<String>,
}

/// Type of a serialized column.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WrittenType {
    Numeric,
    Boolean,
    Categorical,
}

impl From<Column> for Written {
    fn from(column: Column) -> Self {
        let (r#type, values, other) = match column.kind {
            Kind::Numeric => (WrittenType::Numeric, Vec::new(), false),
            Kind::Boolean => (WrittenType::Boolean, Vec::new(), false),
            Kind::Categorical { values, other } => (WrittenType::Categorical, values, other),
        };
        Self {
            name: column.name,
            r#type,
            values,
            other,
            missing: column.missing,
            markers: column.markers,
        }
    }
}

impl TryFrom<Written> for Column {
    type Error = SchemaError;

    fn try_from(written: Written) -> Result<Self, SchemaError> {
        let Written {
            name,
            r#type,
            values,
            other,
            missing,
            markers,
        } = written;
        let kind = match r#type {
            WrittenType::Categorical => Kind::Categorical { values, other },
            _ if other || !values.is_empty() || !markers.is_empty() => {
                return Err(SchemaError::Values(name));
            }
            WrittenType::Numeric => Kind::Numeric,
            WrittenType::Boolean => Kind::Boolean,
        };
        Ok(Self {
            name,
            kind,
            missing,
            markers,
        })
    }
}

/// Type of a column's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers.
    Numeric,
    /// 0 or 1, from texts such as `true` and `no`.
    Boolean,
    /// 1 at the feature of the text, and 0 at the others.
    Categorical {
        /// Texts that have a feature, in increasing order.
        values: Vec<String>,
        /// `true` if all other texts have a feature together, since the training data had rare
        /// ones.
        other: bool,
    },
}

/// Rule for missing values, with what replaces them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// A missing value is a mistake.
    #[default]
    Refuse,
    /// Mean of the training data.
    Mean(f64),
    /// Median of the training data.
    Median(f64),
    /// A feature after those of the column is 1 if the value is missing. The column's own number is
    /// then this one; it is 0 in a categorical column, whose features are all 0.
    Own(f64),
}

impl Missing {
    // Serde passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_refused(&self) -> bool {
        *self == Self::Refuse
    }

    /// Returns the number that replaces a missing one; `None` if it is refused.
    fn fill(self) -> Option<f64> {
        match self {
            Self::Refuse => None,
            Self::Mean(number) | Self::Median(number) | Self::Own(number) => Some(number),
        }
    }
}

impl Column {
    /// Creates a column of numbers without missing values.
    #[must_use]
    pub fn numeric(name: String) -> Self {
        Self {
            name,
            kind: Kind::Numeric,
            missing: Missing::Refuse,
            markers: Vec::new(),
        }
    }

    /// Returns the number of numbers that stand for a value.
    pub(super) fn width(&self) -> usize {
        let own = usize::from(matches!(self.missing, Missing::Own(_)));
        own + match &self.kind {
            Kind::Numeric | Kind::Boolean => 1,
            Kind::Categorical { values, other } => values.len() + usize::from(*other),
        }
    }

    /// Adds the name of each number to a list.
    fn add_names(&self, names: &mut Vec<String>) {
        let name = &self.name;
        let own = matches!(self.missing, Missing::Own(_));
        match &self.kind {
            Kind::Numeric | Kind::Boolean => {
                names.push(name.clone());
                names.extend(own.then(|| format!("{name} (missing)")));
            }
            Kind::Categorical { values, other } => {
                names.extend(values.iter().map(|value| format!("{name}={value}")));
                names.extend(other.then(|| format!("{name}=(other)")));
                names.extend(own.then(|| format!("{name}=(missing)")));
            }
        }
    }

    /// Returns about as many bytes as the names of its numbers have.
    fn bytes_of_names(&self) -> u64 {
        let values: usize = match &self.kind {
            Kind::Numeric | Kind::Boolean => 0,
            Kind::Categorical { values, .. } => values.iter().map(String::len).sum(),
        };
        self.width() as u64 * self.name.len() as u64 + values as u64
    }

    /// Checks everything that learning guarantees.
    fn check(&self) -> Result<(), SchemaError> {
        if let Kind::Categorical { values, other } = &self.kind {
            if !values.is_sorted_by(|before, after| before < after) {
                return Err(SchemaError::Order(self.name.clone()));
            }
            if values.is_empty() && !other {
                return Err(SchemaError::NoValues(self.name.clone()));
            }
            let marks = |marker: &String| is_other_marker(marker) && !values.contains(marker);
            if !self.markers.is_sorted_by(|before, after| before < after)
                || !self.markers.iter().all(marks)
            {
                return Err(SchemaError::Markers(self.name.clone()));
            }
        }
        let Some(fill) = self.missing.fill() else {
            return Ok(());
        };
        let zero = fill.total_cmp(&0.0).is_eq();
        let (possible, expected) = match (&self.kind, self.missing) {
            (Kind::Categorical { .. }, Missing::Own(_)) => (zero, "0, and a feature of their own"),
            (Kind::Categorical { .. }, _) => (false, "a feature of their own, or nothing"),
            (Kind::Boolean, _) => ((0.0..=1.0).contains(&fill), "a number from 0 to 1"),
            (Kind::Numeric, _) => (in_bounds(fill), "a number between -1e100 and 1e100"),
        };
        if possible {
            return Ok(());
        }
        Err(SchemaError::Fill {
            column: self.name.clone(),
            fill,
            expected,
        })
    }

    /// Reads a field.
    ///
    /// # Errors
    /// If the field does not fit the type, or is missing and refused.
    pub(super) fn value(&self, field: Field<'_>, decimal_comma: bool) -> Result<Value, Unfit> {
        let text = match field {
            Field::Text(text) if !self.is_missing(text) => text,
            Field::Text(_) | Field::Missing if self.missing.is_refused() => {
                return Err(Unfit::Missing);
            }
            Field::Text(_) | Field::Missing => return Ok(Value::Missing),
            Field::Number(number) if self.kind == Kind::Numeric => {
                return Ok(Value::Number(number));
            }
            // A class of a column such as `7` is a text in the table.
            Field::Number(number) => return self.value(Field::Text(&number.to_string()), false),
        };
        Ok(match &self.kind {
            Kind::Numeric => Value::Number(number(text, decimal_comma, &self.name)?),
            Kind::Boolean => {
                let value = truth(text).ok_or_else(|| LineFault::NotBoolean {
                    column: self.name.clone(),
                    value: shown(text.as_bytes()),
                })?;
                Value::Number(f64::from(u8::from(value)))
            }
            Kind::Categorical { values, other } => {
                let found = values.binary_search_by(|value| value.as_str().cmp(text));
                Value::Text(found.ok().or(other.then_some(values.len())))
            }
        })
    }

    /// Writes the numbers that stand for a value to `numbers`, which are as many zeros.
    pub(super) fn write(&self, value: Value, numbers: &mut [f64]) {
        match value {
            Value::Number(number) => numbers[0] = number,
            Value::Text(Some(index)) => numbers[index] = 1.0,
            // All are 0: no feature stands for a text that the training data lacked.
            Value::Text(None) => {}
            Value::Missing => {
                if let (Some(fill), false) = (self.missing.fill(), self.is_categorical()) {
                    numbers[0] = fill;
                }
                if let (Missing::Own(_), Some(last)) = (self.missing, numbers.last_mut()) {
                    *last = 1.0;
                }
            }
        }
    }

    /// Returns `true` if a field stands for a missing value of this column.
    fn is_missing(&self, field: &str) -> bool {
        match self.kind {
            Kind::Categorical { .. } => {
                is_always_missing(field) || self.markers.iter().any(|marker| marker == field)
            }
            Kind::Numeric | Kind::Boolean => is_missing(field),
        }
    }

    fn is_categorical(&self) -> bool {
        matches!(self.kind, Kind::Categorical { .. })
    }

    /// Returns `true` if all numbers are 0, which only an unknown text of a categorical column has.
    fn is_unseen(&self, numbers: &[f64]) -> bool {
        self.is_categorical() && numbers.iter().all(|number| number.total_cmp(&0.0).is_eq())
    }

    /// Returns a field that becomes these numbers.
    fn field(&self, numbers: &[f64]) -> String {
        let is_one = |at: usize| numbers.get(at).is_some_and(|it| it.total_cmp(&1.0).is_eq());
        if matches!(self.missing, Missing::Own(_)) && is_one(numbers.len() - 1) {
            return String::new();
        }
        match &self.kind {
            Kind::Numeric => numbers[0].to_string(),
            Kind::Boolean if is_one(0) => "true".to_owned(),
            Kind::Boolean if numbers[0] == 0.0 => "false".to_owned(),
            // It is the mean of a boolean column.
            Kind::Boolean => String::new(),
            Kind::Categorical { values, .. } => {
                let found = (0..values.len()).find(|&at| is_one(at));
                // No text of a feature is called so, or it would have been found.
                found.map_or_else(|| "(other)".to_owned(), |at| values[at].clone())
            }
        }
    }

    /// Returns the type with its values, for people: `categorical (C, Q, S and rare ones)`.
    fn describe(&self) -> String {
        let kind = match &self.kind {
            Kind::Numeric => "numeric".to_owned(),
            Kind::Boolean => "boolean".to_owned(),
            Kind::Categorical { values, other } => {
                const SHOWN: usize = 5;
                let first: Vec<String> = values
                    .iter()
                    .take(SHOWN)
                    .map(|value| shown(value.as_bytes()))
                    .collect();
                let more = values.len().saturating_sub(SHOWN);
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                let rare = if *other { ", rare ones together" } else { "" };
                format!("categorical ({}{more}{rare})", first.join(", "))
            }
        };
        match self.missing {
            Missing::Refuse => kind,
            Missing::Mean(fill) => format!("{kind}, missing ones are the mean, {fill}"),
            Missing::Median(fill) => format!("{kind}, missing ones are the median, {fill}"),
            Missing::Own(_) => format!("{kind}, missing ones apart"),
        }
    }
}

impl Schema {
    /// Creates a schema from columns.
    ///
    /// # Errors
    /// [`SchemaError`].
    pub fn new(columns: Vec<Column>) -> Result<Self, SchemaError> {
        columns.iter().try_for_each(Column::check)?;
        once(columns.iter().map(|column| &column.name))?;
        let found: u64 = columns.iter().map(Column::bytes_of_names).sum();
        if found > MAX_NAMES {
            let max = MAX_NAMES;
            return Err(SchemaError::Names { found, max });
        }
        let schema = Self {
            width: Self::width_of(&columns),
            columns,
        };
        once(&schema.features())?;
        Ok(schema)
    }

    /// Creates a schema of columns of numbers without missing values.
    ///
    /// # Errors
    /// [`SchemaError::Twice`].
    pub fn numbers(names: impl IntoIterator<Item = String>) -> Result<Self, SchemaError> {
        Self::new(names.into_iter().map(Column::numeric).collect())
    }

    /// Creates a schema of the pixels of pictures: all are numbers.
    pub(crate) fn pixels(form: Form) -> Self {
        // The only faults that columns of numbers can have are their names, and these all differ.
        Self::numbers(form.names()).unwrap_or_default()
    }

    /// Returns the columns in order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns the name of each column in the header of a table.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.columns.iter().map(|it| it.name.clone()).collect()
    }

    /// Returns the name of each number of a row.
    ///
    /// That is the column's name, such as `age`, or the column's with the text's: `color=red`.
    #[must_use]
    pub fn features(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.width);
        for column in &self.columns {
            column.add_names(&mut names);
        }
        names
    }

    /// Returns the number of numbers of a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of numbers of a row with these columns.
    pub(crate) fn width_of(columns: &[Column]) -> usize {
        columns.iter().map(Column::width).sum()
    }

    /// Returns a schema of the first columns.
    pub(super) fn first(&self, count: usize) -> Self {
        let columns: Vec<Column> = self.columns.iter().take(count).cloned().collect();
        Self {
            width: Self::width_of(&columns),
            columns,
        }
    }

    /// Returns `true` if a column refuses a field because it is missing.
    pub(super) fn refuses(&self, column: usize, field: &str) -> bool {
        let refuses = |column: &Column| column.missing.is_refused() && column.is_missing(field);
        self.columns.get(column).is_some_and(refuses)
    }

    /// Returns `true` if all columns have numbers and refuse missing ones.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let plain = |it: &Column| it.kind == Kind::Numeric && it.missing.is_refused();
        self.columns.iter().all(plain)
    }

    /// Returns the number of categorical columns of a row whose text the model does not know.
    ///
    /// Columns with a feature for rare texts know all.
    #[must_use]
    pub fn unseen(&self, numbers: &[f64]) -> usize {
        let mut rest = numbers;
        let mut unseen = 0;
        for column in &self.columns {
            let Some((own, after)) = rest.split_at_checked(column.width()) else {
                break;
            };
            unseen += usize::from(column.is_unseen(own));
            rest = after;
        }
        unseen
    }

    /// Returns each column with its type, for people.
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        let columns = self.columns.iter();
        columns.map(|it| (it.name.clone(), it.describe())).collect()
    }

    /// Returns the numbers that stand for a row, whose fields are in the order of the columns.
    ///
    /// # Errors
    /// The first field that does not fit its column.
    pub fn row<'a>(
        &self,
        fields: impl IntoIterator<Item = Field<'a>>,
    ) -> Result<Vec<f64>, LineFault> {
        let mut numbers = vec![0.0; self.width];
        match self.write(fields, false, &mut numbers) {
            Ok(()) => Ok(numbers),
            Err((_, Unfit::Fault(fault))) => Err(fault),
            Err((column, Unfit::Missing)) => Err(LineFault::NoValue {
                column: self.columns[column].name.clone(),
            }),
        }
    }

    /// Returns fields that [`row`](Self::row) turns into these numbers.
    #[must_use]
    pub fn fields(&self, numbers: &[f64]) -> Vec<String> {
        let mut rest = numbers;
        let mut fields = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let Some((own, after)) = rest.split_at_checked(column.width()) else {
                break;
            };
            fields.push(column.field(own));
            rest = after;
        }
        fields
    }

    /// Returns each column with its type, for people; none if all are plain numbers.
    #[must_use]
    pub fn describe_unless_plain(&self) -> Vec<(String, String)> {
        if self.is_plain() {
            return Vec::new();
        }
        self.describe()
    }

    /// Writes the numbers of a row to `numbers`, which are as many zeros.
    ///
    /// `fields` are in the order of the columns. It returns the first column that does not fit.
    pub(super) fn write<'a>(
        &self,
        fields: impl IntoIterator<Item = Field<'a>>,
        decimal_comma: bool,
        numbers: &mut [f64],
    ) -> Result<(), (usize, Unfit)> {
        let mut rest = numbers;
        for (index, (column, field)) in self.columns.iter().zip(fields).enumerate() {
            let Some((own, after)) = rest.split_at_mut_checked(column.width()) else {
                break;
            };
            let value = column.value(field, decimal_comma);
            column.write(value.map_err(|unfit| (index, unfit))?, own);
            rest = after;
        }
        Ok(())
    }
}

/// Checks that no name occurs twice.
fn once<'a>(names: impl IntoIterator<Item = &'a String>) -> Result<(), SchemaError> {
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => Err(SchemaError::Twice(name.clone())),
    }
}

/// Counts of texts, in the order of the texts.
pub(super) type Counts<'a> = BTreeMap<&'a str, usize>;

/// Returns the categorical type that the counts of a column's texts suggest.
///
/// A text has a feature of its own if it occurs in enough of the `rows`; rarer ones share one. No
/// more than [`MAX_VALUES`] have their own, the most frequent ones.
pub(super) fn categorical(counts: &Counts<'_>, rows: usize) -> Kind {
    let needed = (rows / 200).clamp(2, 20);
    let mut frequent: Vec<(&str, usize)> = counts
        .iter()
        .map(|(value, count)| (*value, *count))
        .filter(|(_, count)| *count >= needed)
        .collect();
    // The sort is stable, so ties stay in the order of the texts.
    frequent.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    frequent.truncate(MAX_VALUES);
    let mut values: Vec<String> = frequent.iter().map(|(it, _)| (*it).to_owned()).collect();
    values.sort_unstable();
    Kind::Categorical {
        other: values.len() < counts.len(),
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_refuses_names_that_ask_for_a_lot_of_memory() {
        let column = |length: usize| Column {
            name: "n".repeat(length),
            kind: Kind::Categorical {
                values: (100..200).map(|value| value.to_string()).collect(),
                other: false,
            },
            missing: Missing::Refuse,
            markers: Vec::new(),
        };
        let longest = (usize::try_from(MAX_NAMES).expect("a length") - 300) / 100;
        assert!(Schema::new(vec![column(longest)]).is_ok());
        let found = (longest as u64 + 1) * 100 + 300;
        let refused = Schema::new(vec![column(longest + 1)]);
        let max = MAX_NAMES;
        assert_eq!(refused, Err(SchemaError::Names { found, max }));
    }
}
