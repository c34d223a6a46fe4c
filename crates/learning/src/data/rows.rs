//! Rows of tables: from the fields of a file to texts and numbers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::content::{Bounds, Place};
use super::error::LineFault;
use super::grid::{Cells, Grid};
use super::options::{ColumnType, Columns, MissingRule, Reading};
use super::part::Inputs;
use super::schema::{Column, Field, Schema, Unfit, is_missing};
use super::table::index;
use super::values::{ColumnValues, Fields, Values};
use super::{
    DEFAULT_LABEL, DataError, MAX_BYTES, ModelColumns, Raw, Source, TableFormat, arrangement, file,
    guess, table,
};
use crate::text::escaped_list;

/// Option and key that name the column with the classes.
const LABEL: &str = "--label-column (in a scenario, data.label)";
/// Option and key that name the column with the texts.
const TEXT: &str = "--text-column (in a scenario, data.text)";

/// A table to read, with the choices of the user.
pub(super) struct Spec<'a> {
    pub(super) train: Place<'a>,
    pub(super) test: Option<Place<'a>>,
    pub(super) format: TableFormat,
    pub(super) label: &'a str,
    /// Name of the column with the text, by either option; `None` if the model learns from columns.
    pub(super) text: Option<&'a str>,
    reading: &'a Reading,
    columns: &'a Columns,
    /// `true` if a class may be called like a missing value.
    keeps_labels: bool,
}

impl<'a> Spec<'a> {
    /// Returns the table of a source. `source` must be one. `keeps_labels` lets classes be called
    /// like missing values, as the rule [`MissingRule::Own`] of the label column does.
    pub(super) fn of(source: &'a Source, keeps_labels: bool) -> Result<Self, DataError> {
        let (train, test) = match source {
            Source::Table { train, test, .. } => {
                (Place::Path(train), test.as_deref().map(Place::Path))
            }
            Source::Content { content, .. } => (Place::Content(content), None),
            _ => return Err(no_table()),
        };
        let (Source::Table {
            format,
            label,
            text,
            reading,
            columns,
            ..
        }
        | Source::Content {
            format,
            label,
            text,
            reading,
            columns,
            ..
        }) = source
        else {
            return Err(no_table());
        };
        Ok(Self {
            train,
            test,
            format: *format,
            label,
            text: text_column(train.path(), text.as_deref(), label, columns)?,
            reading,
            columns,
            keeps_labels: keeps_labels || columns.missing.contains(&kept(label)),
        })
    }
}

fn no_table() -> DataError {
    DataError::NotForTable {
        path: PathBuf::new(),
        option: "--columns",
    }
}

/// Returns the rule by which a missing value of the label column is a class of its own.
fn kept(label: &str) -> (String, MissingRule) {
    (label.to_owned(), MissingRule::Own)
}

/// Returns the column with the text, which two options can name.
fn text_column<'a>(
    path: &Path,
    given: Option<&'a str>,
    label: &str,
    columns: &'a Columns,
) -> Result<Option<&'a str>, DataError> {
    let typed = columns.types.iter();
    let mut typed = typed.filter(|(_, it)| *it == ColumnType::Text);
    let text = match (given, typed.next()) {
        (Some(text), Some((column, _))) if column != text => {
            return Err(DataError::OptionTwice {
                options: "--text-column and --type",
                column: column.clone(),
            });
        }
        (Some(text), _) => text,
        (None, Some((column, _))) => column,
        (None, None) => return Ok(None),
    };
    if let Some((column, _)) = typed.next() {
        return Err(DataError::OptionTwice {
            options: "two of --type",
            column: column.clone(),
        });
    }
    // The other columns are not read, so there is nothing else to choose.
    let mut others = Columns {
        types: Vec::new(),
        ..columns.clone()
    };
    others.missing.retain(|it| *it != kept(label));
    let typed = columns.types.iter().any(|(_, it)| *it != ColumnType::Text);
    match others.given().or(typed.then_some("--type")) {
        None => Ok(Some(text)),
        Some(option) => Err(DataError::NotForTable {
            path: path.to_owned(),
            option,
        }),
    }
}

/// Reads the texts of a table with their classes.
pub(super) fn texts(place: Place<'_>, text: &str, spec: &Spec<'_>) -> Result<Raw, DataError> {
    let path = place.path();
    let grid = table::read(place, spec.format, spec.reading, |header| {
        let label = index(path, header, spec.label, LABEL)?;
        let text = index(path, header, text, TEXT)?;
        if text == label {
            return Err(no_inputs(path, spec.label));
        }
        Ok(vec![label, text])
    })?;
    let raw = labeled(grid, spec);
    raw.inputs.malformed.finish()?;
    let texts = raw.inputs.columns[0].iter().map(str::to_owned).collect();
    Ok(Raw {
        path: raw.path,
        inputs: Inputs::Text(texts),
        labels: raw.labels,
        lines: raw.lines,
    })
}

/// Reads the columns of a table that a model learns from, with the classes.
///
/// With `model`, they are the model's, in its order. With `train`, the training data, they are
/// those of that, in its order.
pub(super) fn numbers(
    place: Place<'_>,
    spec: &Spec<'_>,
    model: Option<ModelColumns<'_>>,
    train: Option<&Grid>,
) -> Result<Raw<Grid>, DataError> {
    let path = place.path();
    let grid = table::read(place, spec.format, spec.reading, |header| {
        let label = index(path, header, spec.label, LABEL)?;
        let is_optional = model.is_some() || train.is_some();
        let inputs = chosen(path, header, Some(label), spec.columns, is_optional)?;
        if inputs.is_empty() {
            return Err(no_inputs(path, spec.label));
        }
        let names: Vec<String> = inputs.iter().map(|&it| header[it].clone()).collect();
        let order = match (train, model) {
            (Some(train), _) => as_in(train, path, &names)?,
            (None, Some(model)) => arrangement(path, &names, &model.wanted())?,
            (None, None) => (0..names.len()).collect(),
        };
        let inputs = order.into_iter().map(|it| inputs[it]);
        Ok(std::iter::once(label).chain(inputs).collect())
    })?;
    Ok(labeled(grid, spec))
}

/// Returns the indices of the columns to learn from, in the order of the table.
///
/// `label` is the column with the class, if there is one. With `is_optional`, the table may lack
/// columns that are dropped.
pub(super) fn chosen(
    path: &Path,
    header: &[String],
    label: Option<usize>,
    columns: &Columns,
    is_optional: bool,
) -> Result<Vec<usize>, DataError> {
    let all = || (0..header.len()).filter(|&column| Some(column) != label);
    let label_name = label.map(|label| header[label].as_str());
    let known = |option: &'static str, name: &String, needed: bool| {
        let found = header.iter().position(|it| it == name);
        if found.is_some_and(|it| Some(it) != label) || (found.is_none() && !needed) {
            return Ok(());
        }
        let columns: Vec<&String> = all().map(|it| &header[it]).collect();
        Err(DataError::OptionColumn {
            path: path.to_owned(),
            option,
            column: name.clone(),
            is_label: found.is_some(),
            columns: escaped_list(&columns),
        })
    };
    for name in &columns.only {
        known("--columns", name, true)?;
    }
    for name in &columns.drop {
        known("--drop", name, !is_optional)?;
    }
    let ignored = |name: &String| {
        let typed = columns.types.iter().find(|(column, _)| column == name);
        typed.is_some_and(|(_, it)| *it == ColumnType::Ignored)
    };
    if !is_optional {
        refuse_contradictions(columns, label_name)?;
        for (name, _) in &columns.types {
            known("--type", name, true)?;
        }
        for rule in &columns.missing {
            if label_name.is_none_or(|label| *rule != kept(label)) {
                known("--missing", &rule.0, true)?;
            }
        }
    }
    let is_chosen = |&column: &usize| {
        let name = &header[column];
        let only = columns.only.is_empty() || columns.only.contains(name);
        only && !columns.drop.contains(name) && !ignored(name)
    };
    Ok(all().filter(is_chosen).collect())
}

/// Checks that no two options choose differently for a column.
fn refuse_contradictions(columns: &Columns, label: Option<&str>) -> Result<(), DataError> {
    let twice = |options, column: &String| DataError::OptionTwice {
        options,
        column: column.clone(),
    };
    if let Some(name) = columns.only.iter().find(|it| columns.drop.contains(it)) {
        return Err(twice("--columns and --drop", name));
    }
    for (at, (name, _)) in columns.types.iter().enumerate() {
        if columns.types[..at].iter().any(|(other, _)| other == name) {
            return Err(twice("two of --type", name));
        }
        let left_out = !columns.only.is_empty() && !columns.only.contains(name);
        if left_out || columns.drop.contains(name) {
            return Err(twice("--type and --columns or --drop", name));
        }
    }
    for (at, (name, _)) in columns.missing.iter().enumerate() {
        if columns.missing[..at].iter().any(|(other, _)| other == name) {
            return Err(twice("two of --missing", name));
        }
        let named = columns.only.contains(name) || label == Some(name.as_str());
        let left_out = !columns.only.is_empty() && !named;
        let ignored = (name.clone(), ColumnType::Ignored);
        if left_out || columns.drop.contains(name) || columns.types.contains(&ignored) {
            return Err(twice("--missing and --columns, --drop or --type", name));
        }
    }
    Ok(())
}

/// Returns the index of each column of the training data in the test data.
fn as_in(train: &Grid, path: &Path, found: &[String]) -> Result<Vec<usize>, DataError> {
    let index: HashMap<&String, usize> = found.iter().zip(0..).collect();
    let order: Option<Vec<usize>> = train
        .names
        .iter()
        .map(|name| index.get(name).copied())
        .collect();
    order
        .filter(|order| order.len() == found.len())
        .ok_or_else(|| DataError::ColumnsDiffer {
            train: train.path.clone(),
            wanted: escaped_list(&train.names),
            test: path.to_owned(),
            found: escaped_list(found),
        })
}

fn no_inputs(path: &Path, label: &str) -> DataError {
    DataError::NoInputs {
        path: path.to_owned(),
        label: label.to_owned(),
    }
}

/// Splits the first column of a grid, which has the classes, from the others.
fn labeled(mut grid: Grid, spec: &Spec<'_>) -> Raw<Grid> {
    let labels = grid.take_first();
    // Many tables call two classes `+` and `-`.
    let is_refused = |text: &str| !spec.keeps_labels && text != "-" && is_missing(text);
    for (text, line) in labels.iter().zip(&grid.lines) {
        let column = || spec.label.to_owned();
        if text.is_empty() {
            let column = column();
            grid.malformed.add(*line, LineFault::EmptyLabel { column });
        } else if is_refused(text) {
            let (column, value) = (column(), text.to_owned());
            let fault = LineFault::MissingLabel { column, value };
            grid.malformed.add(*line, fault);
        }
    }
    Raw {
        path: grid.path.clone(),
        labels: labels.iter().map(str::to_owned).collect(),
        lines: grid.lines.clone(),
        inputs: grid,
    }
}

/// Learns the schema of a table from these rows, and returns it with the columns' values.
pub(super) fn learn(
    raw: &Raw<Grid>,
    rows: &[usize],
    spec: &Spec<'_>,
) -> Result<(Schema, Vec<ColumnValues>), DataError> {
    let comma = spec.reading.decimal_comma;
    // A file without rows says nothing about types, and other checks refuse it.
    if rows.is_empty() {
        let schema = Schema::numbers(raw.inputs.names.iter().cloned());
        let schema = schema.map_err(|source| DataError::Schema {
            path: raw.path.clone(),
            source,
        })?;
        let values = read(&raw.inputs, &schema, comma);
        return Ok((schema, values));
    }
    // Each column becomes at least one feature.
    bounded(&raw.inputs, raw.inputs.names.len())?;
    let learned = guess::learn(&raw.inputs, rows, spec.columns, comma);
    if learned.is_err() {
        // Lines that could not be read may be the cause.
        raw.inputs.malformed.clone().finish()?;
    }
    learned
}

/// Reads the fields of a table. The grid has the columns of the schema, in order.
pub(super) fn values<'a>(
    raw: Raw<Grid>,
    schema: &'a Schema,
    learned: Option<Vec<ColumnValues>>,
    spec: &Spec<'_>,
    for_model: bool,
) -> Result<Raw<Values<'a>>, DataError> {
    let comma = spec.reading.decimal_comma;
    Ok(Raw {
        path: raw.path,
        inputs: checked(raw.inputs, schema, learned, comma, for_model)?,
        labels: raw.labels,
        lines: raw.lines,
    })
}

/// Reads the columns of a grid by the types of a schema.
fn read(grid: &Grid, schema: &Schema, decimal_comma: bool) -> Vec<ColumnValues> {
    let columns = schema.columns().iter().zip(&grid.columns);
    let read = |(column, cells): (&Column, &Cells)| {
        let fields = Fields::look(cells);
        fields.read(&column.kind, decimal_comma)
    };
    columns.map(read).collect()
}

/// Returns the values of a grid that has the columns of the schema, in order.
///
/// `learned` are these values if the schema was learned from them.
pub(super) fn checked(
    grid: Grid,
    schema: &Schema,
    learned: Option<Vec<ColumnValues>>,
    decimal_comma: bool,
    for_model: bool,
) -> Result<Values<'_>, DataError> {
    bounded(&grid, schema.width())?;
    let columns = learned.unwrap_or_else(|| read(&grid, schema, decimal_comma));
    match Values::new(schema, columns, grid.rows()) {
        Some(values) => grid.malformed.finish().map(|()| values),
        None => Err(misfits(grid, schema, decimal_comma, for_model)),
    }
}

/// Checks that the numbers of a grid's rows, each `features`, are not too many.
pub(super) fn bounded(grid: &Grid, features: usize) -> Result<(), DataError> {
    let (rows, max) = (grid.rows(), grid.bounds.numbers);
    if rows.saturating_mul(features) > max {
        return Err(DataError::TooManyNumbers {
            path: grid.path.clone(),
            rows,
            features,
            max,
        });
    }
    Ok(())
}

/// Returns the error of a grid with fields that do not fit the schema.
///
/// It names lines, so it reads row by row.
fn misfits(mut grid: Grid, schema: &Schema, decimal_comma: bool, for_model: bool) -> DataError {
    let mut numbers = vec![0.0; schema.width()];
    let mut missing = vec![0_usize; grid.names.len()];
    let mut first_missing = None;
    for row in 0..grid.rows() {
        let fields = grid.columns.iter().map(|cells| Field::Text(cells.get(row)));
        match schema.write(fields, decimal_comma, &mut numbers) {
            Ok(()) => {}
            Err((_, Unfit::Fault(LineFault::NotANumber { column, value }))) if !for_model => {
                let fault = LineFault::NeitherNumberNorMissing { column, value };
                grid.malformed.add(grid.lines[row], fault);
            }
            Err((_, Unfit::Fault(fault))) => grid.malformed.add(grid.lines[row], fault),
            Err((column, Unfit::Missing)) => {
                first_missing.get_or_insert(grid.lines[row]);
                // The columns before this one have values.
                for (column, count) in missing.iter_mut().enumerate().skip(column) {
                    let refused = schema.refuses(column, grid.column(column).get(row));
                    *count += usize::from(refused);
                }
            }
        }
    }
    if let Err(malformed) = grid.malformed.finish() {
        return malformed;
    }
    let columns = grid.names.into_iter().zip(missing);
    let columns: Vec<(String, usize)> = columns.filter(|(_, count)| *count > 0).collect();
    let total = columns.iter().map(|(_, count)| count).sum();
    let (path, line) = (grid.path, first_missing.unwrap_or_default());
    if for_model {
        DataError::MissingForModel {
            path,
            total,
            line,
            columns,
        }
    } else {
        DataError::Missing {
            path,
            total,
            line,
            columns,
        }
    }
}

/// A whole table, whose rows a model predicts.
pub struct Table {
    pub(super) grid: Grid,
}

impl Table {
    /// Reads all columns of a table.
    ///
    /// # Errors
    /// If the file cannot be read, or a row has another number of fields than the header.
    pub fn read(path: &Path, format: TableFormat, reading: &Reading) -> Result<Self, DataError> {
        let grid = table::read(Place::Path(path), format, reading, all)?;
        Self::checked(grid)
    }

    /// Reads a table from the bytes of a text or of a Parquet file, which messages call `path`.
    ///
    /// # Errors
    /// The errors of [`read`](Self::read).
    pub fn of_bytes(path: &Path, bytes: Vec<u8>, reading: &Reading) -> Result<Self, DataError> {
        // The caller may have read no more than that, so rows may be missing.
        if bytes.len() as u64 > MAX_BYTES {
            return Err(DataError::TooLarge {
                path: path.to_owned(),
                max: MAX_BYTES,
            });
        }
        let bounds = Bounds::default();
        let bytes = file::unpacked(path, bytes, bounds.bytes)?;
        let grid = if bytes.starts_with(b"PAR1") {
            table::of_parquet(path, bytes, bounds, reading, all)?
        } else {
            let bytes = file::decoded(path, bytes, reading.encoding, bounds.bytes)?;
            table::of_text(path, &bytes, bounds, TableFormat::Csv, reading, all)?
        };
        Self::checked(grid)
    }

    pub(super) fn checked(mut grid: Grid) -> Result<Self, DataError> {
        std::mem::take(&mut grid.malformed).finish()?;
        Ok(Self { grid })
    }

    /// Returns the names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.grid.names
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.grid.rows()
    }

    /// Returns `true` if there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the line where a row starts, from 1.
    ///
    /// # Panics
    /// Panics if there is no such row.
    #[must_use]
    pub fn line(&self, row: usize) -> u64 {
        self.grid.lines[row]
    }

    /// Returns a field.
    ///
    /// # Panics
    /// Panics if there is no such row or column.
    #[must_use]
    pub fn field(&self, row: usize, column: usize) -> &str {
        self.grid.column(column).get(row)
    }

    /// Returns the fields of a column of texts.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`].
    pub fn texts(&self, column: &str) -> Result<impl ExactSizeIterator<Item = &str>, DataError> {
        let column = index(&self.grid.path, &self.grid.names, column, TEXT)?;
        Ok(self.grid.column(column).iter())
    }

    /// Returns the rows as the numbers of a model's features.
    ///
    /// The names in the header decide, in any order. The column `label` is skipped; if it is `None`,
    /// a column `label` is skipped unless the model has one. Columns in `drop` are skipped, too.
    /// If the table leaves out all reserved columns, the rows have only the others.
    ///
    /// # Errors
    /// If a column is unknown or missing, or a field does not fit its column.
    pub fn numbers(
        &self,
        model: ModelColumns<'_>,
        label: Option<&str>,
        drop: &[String],
        decimal_comma: bool,
    ) -> Result<Array2<f64>, DataError> {
        let (path, header) = (&self.grid.path, &self.grid.names);
        if let Some(label) = label {
            super::class_apart(path, label, model)?;
        }
        let names = model.names();
        let label = label.unwrap_or(DEFAULT_LABEL);
        let is_class = |name: &String| name == label && !names.contains(name);
        let skipped = |name: &String| is_class(name) || drop.contains(name);
        let inputs: Vec<usize> = (0..header.len())
            .filter(|&column| !skipped(&header[column]))
            .collect();
        let found: Vec<String> = inputs.iter().map(|&it| header[it].clone()).collect();
        let order = arrangement(path, &found, &model.wanted())?;
        let columns: Vec<usize> = order.into_iter().map(|it| inputs[it]).collect();
        let grid = self.grid.arranged(&columns);
        let schema = model.schema_of(&grid);
        checked(grid, &schema, None, decimal_comma, true).map(|values| values.all())
    }
}

// The form of the choice of columns is given.
#[allow(clippy::unnecessary_wraps)]
fn all(header: &[String]) -> Result<Vec<usize>, DataError> {
    Ok((0..header.len()).collect())
}
