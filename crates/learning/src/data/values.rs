//! Values of a table's columns: each field is read once, and becomes numbers later.

use std::collections::HashMap;

use ndarray::Array2;

use super::grid::Cells;
use super::part::{Choose, Inputs};
use super::schema::{
    Column, Counts, Field, Kind, Mark, Missing, OTHER_MARKERS, Schema, Value, is_missing,
};
use super::{Raw, in_bounds};

/// Fields of a column by their form.
pub(super) struct Fields<'a> {
    cells: &'a Cells,
    /// Number of fields with a value.
    pub(super) given: usize,
    /// Number of numbers, also of those with another decimal mark.
    pub(super) numbers: usize,
    /// First number whose comma may separate thousands, if no number tells that it does not.
    thousands: Option<&'a str>,
    /// Number of each field with a decimal point or without a mark; NaN for all others, also for
    /// those out of bounds.
    plain: Vec<f64>,
}

impl<'a> Fields<'a> {
    pub(super) fn look(cells: &'a Cells) -> Self {
        let mut fields = Self {
            cells,
            given: 0,
            numbers: 0,
            thousands: None,
            plain: Vec::with_capacity(cells.len()),
        };
        let mut has_fractions = false;
        for field in cells.iter() {
            let parsed = field.parse::<f64>().ok();
            let plain = parsed.filter(|number| in_bounds(*number));
            fields.plain.push(plain.unwrap_or(f64::NAN));
            // No text of a missing value is a number within the bounds.
            if plain.is_some() {
                fields.given += 1;
                fields.numbers += 1;
            } else if !is_missing(field) {
                fields.given += 1;
                let mark = Mark::of(field);
                fields.numbers += usize::from(parsed.is_some() || mark.is_some());
                has_fractions |= mark == Some(Mark::Decimal);
                if mark == Some(Mark::Either) {
                    fields.thousands.get_or_insert(field);
                }
            }
        }
        if has_fractions {
            fields.thousands = None;
        }
        fields
    }

    /// Reads the fields as values of a type.
    pub(super) fn read(self, kind: &Kind, decimal_comma: bool) -> ColumnValues {
        let column = Column {
            name: String::new(),
            kind: kind.clone(),
            // The values do not depend on it, but no missing one may be refused here.
            missing: Missing::Own(0.0),
            markers: markers(|_| true),
        };
        let mut reader = Reader {
            column,
            decimal_comma,
            has_missing: false,
            is_unfit: false,
        };
        let thousands = self
            .thousands
            .filter(|_| decimal_comma && *kind == Kind::Numeric);
        let form = match kind {
            Kind::Numeric => {
                let mut numbers = self.plain;
                for (number, field) in numbers.iter_mut().zip(self.cells.iter()) {
                    // With a decimal comma, a number with a point is malformed.
                    if number.is_nan() || decimal_comma {
                        *number = reader.number(field);
                    }
                }
                Form::Numbers(numbers)
            }
            Kind::Boolean => {
                let texts = Texts::of(self.cells);
                let numbers: Vec<f64> = texts.distinct.iter().map(|it| reader.number(it)).collect();
                let indices = texts.indices.iter();
                Form::Numbers(indices.map(|&it| numbers[it as usize]).collect())
            }
            Kind::Categorical { .. } => {
                let texts = Texts::of(self.cells);
                let codes: Vec<u32> = texts.distinct.iter().map(|it| reader.code(it)).collect();
                let indices = texts.indices.iter();
                Form::Codes(indices.map(|&it| codes[it as usize]).collect())
            }
        };
        ColumnValues {
            form,
            has_missing: reader.has_missing,
            is_unfit: reader.is_unfit,
            thousands: thousands.map(str::to_owned),
        }
    }
}

/// Returns the texts for missing values that could be categories, those for which `is_wanted` holds.
pub(super) fn markers(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let markers = OTHER_MARKERS.into_iter().filter(|marker| is_wanted(marker));
    markers.map(str::to_owned).collect()
}

/// Reader of the fields of a column, which notes those without a value.
struct Reader {
    column: Column,
    decimal_comma: bool,
    has_missing: bool,
    is_unfit: bool,
}

impl Reader {
    fn value(&mut self, field: &str) -> Value {
        let value = self.column.value(Field::Text(field), self.decimal_comma);
        self.is_unfit |= value.is_err();
        let value = value.unwrap_or(Value::Missing);
        self.has_missing |= value == Value::Missing;
        value
    }

    fn number(&mut self, field: &str) -> f64 {
        match self.value(field) {
            Value::Number(number) => number,
            Value::Text(_) | Value::Missing => f64::NAN,
        }
    }

    fn code(&mut self, field: &str) -> u32 {
        match self.value(field) {
            Value::Text(Some(index)) => u32::try_from(index).unwrap_or(UNSEEN),
            Value::Text(None) => UNSEEN,
            Value::Number(_) | Value::Missing => MISSING,
        }
    }
}

/// Code of a text for which no number of a categorical column stands.
const UNSEEN: u32 = u32::MAX;
/// Code of a missing value of a categorical column.
const MISSING: u32 = u32::MAX - 1;

/// Values of a column in the order of the rows.
pub(super) struct ColumnValues {
    form: Form,
    /// `true` if a value is missing.
    has_missing: bool,
    /// `true` if a field does not fit the type.
    is_unfit: bool,
    /// Number that was read with a decimal comma, though all commas of the column may separate
    /// thousands.
    pub(super) thousands: Option<String>,
}

enum Form {
    /// Numbers of a numeric or boolean column; NaN for a missing value.
    Numbers(Vec<f64>),
    /// Codes of a categorical column: the index of the number that is 1, [`UNSEEN`] or [`MISSING`].
    Codes(Vec<u32>),
}

impl ColumnValues {
    /// Returns `true` if all fields fit a column of the type that they were read as.
    pub(super) fn fit(&self, column: &Column) -> bool {
        !(self.is_unfit || self.has_missing && column.missing == Missing::Refuse)
    }

    /// Returns the numbers of some rows, without those that are missing or malformed; none of a
    /// categorical column.
    pub(super) fn numbers(&self, rows: &[usize]) -> Vec<f64> {
        match &self.form {
            Form::Numbers(numbers) => {
                let numbers = rows.iter().map(|row| numbers[*row]);
                numbers.filter(|number| !number.is_nan()).collect()
            }
            Form::Codes(_) => Vec::new(),
        }
    }

    fn value(&self, row: usize) -> Value {
        match &self.form {
            Form::Numbers(numbers) if numbers[row].is_nan() => Value::Missing,
            Form::Numbers(numbers) => Value::Number(numbers[row]),
            Form::Codes(codes) => match codes[row] {
                UNSEEN => Value::Text(None),
                MISSING => Value::Missing,
                code => Value::Text(Some(code as usize)),
            },
        }
    }
}

/// Different texts of a column's fields.
pub(super) struct Texts<'a> {
    distinct: Vec<&'a str>,
    /// Index of each field's text in `distinct`.
    indices: Vec<u32>,
}

/// Texts that a boolean column has, without capital letters.
const WORDS: [[&str; 2]; 4] = [["true", "false"], ["yes", "no"], ["t", "f"], ["y", "n"]];

impl<'a> Texts<'a> {
    pub(super) fn of(cells: &'a Cells) -> Self {
        let mut known: HashMap<&str, u32> = HashMap::new();
        let mut distinct = Vec::new();
        let index = |field: &'a str| {
            *known.entry(field).or_insert_with(|| {
                distinct.push(field);
                // A grid has fewer fields than bytes, and these are below 2^31.
                u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX)
            })
        };
        let indices = cells.iter().map(index).collect();
        Self { distinct, indices }
    }

    /// Counts the texts in all rows, or in some of them, without missing ones.
    pub(super) fn counts(&self, rows: Option<&[usize]>) -> Counts<'a> {
        let mut counts = vec![0; self.distinct.len()];
        if let Some(rows) = rows {
            for row in rows {
                counts[self.indices[*row] as usize] += 1;
            }
        } else {
            for text in &self.indices {
                counts[*text as usize] += 1;
            }
        }
        let counts = self.distinct.iter().copied().zip(counts);
        let given = counts.filter(|(text, count)| *count > 0 && !is_missing(text));
        given.collect()
    }
}

/// Returns `true` if all texts are the two words of a pair that stands for truth values.
///
/// A letter alone, such as `F`, may mean anything, so both must occur.
pub(super) fn are_boolean<'a>(texts: &(impl Iterator<Item = &'a str> + Clone)) -> bool {
    let has = |word: &str| texts.clone().any(|text| text.eq_ignore_ascii_case(word));
    let whole = |pair: &[&str; 2]| {
        let in_pair = |text: &str| pair.iter().any(|word| text.eq_ignore_ascii_case(word));
        texts.clone().all(in_pair)
    };
    WORDS
        .iter()
        .any(|pair| whole(pair) && (pair[0].len() > 1 || (has(pair[0]) && has(pair[1]))))
}

/// Rows of a table, whose values fit the columns of its schema.
pub(super) struct Values<'a> {
    schema: &'a Schema,
    columns: Vec<ColumnValues>,
    rows: usize,
}

impl<'a> Values<'a> {
    /// Takes the values of all columns; `None` if some do not fit.
    pub(super) fn new(schema: &'a Schema, columns: Vec<ColumnValues>, rows: usize) -> Option<Self> {
        let mut both = schema.columns().iter().zip(&columns);
        let fit = both.all(|(column, values)| values.fit(column));
        fit.then_some(Self {
            schema,
            columns,
            rows,
        })
    }

    /// Returns the numbers that stand for all rows.
    pub(super) fn all(&self) -> Array2<f64> {
        self.numbers(0..self.rows)
    }

    fn numbers(&self, rows: impl ExactSizeIterator<Item = usize>) -> Array2<f64> {
        let (count, width) = (rows.len(), self.schema.width());
        let mut numbers = vec![0.0; count * width];
        let chunks = numbers.chunks_exact_mut(width.max(1));
        for (row, mut rest) in rows.zip(chunks) {
            for (column, values) in self.schema.columns().iter().zip(&self.columns) {
                let (own, after) = rest.split_at_mut(column.width());
                column.write(values.value(row), own);
                rest = after;
            }
        }
        // There are exactly that many numbers.
        Array2::from_shape_vec((count, width), numbers).unwrap_or_default()
    }
}

impl Raw<Values<'_>> {
    /// Returns all rows as numbers.
    pub(super) fn whole(self) -> Raw {
        Raw {
            path: self.path,
            inputs: Inputs::Numbers(self.inputs.all()),
            labels: self.labels,
            lines: self.lines,
        }
    }
}

impl Choose for Values<'_> {
    fn chosen(&self, rows: &[usize]) -> Inputs {
        Inputs::Numbers(self.numbers(rows.iter().copied()))
    }
}
