//! Data sets: raw examples with their classes, read from files or embedded.

mod classes;
mod error;
mod file;
mod libsvm;
mod part;
mod reviews;
mod table;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

pub use error::{DataError, LineFault, MalformedLine};
pub use part::{Example, Part};

use classes::Classes;
use part::Inputs;
use table::TableSpec;

/// Name of the column with the class, if no other is given.
pub const DEFAULT_LABEL: &str = "label";

use crate::text::escaped_list;

/// Default share of a data set without test data that is set aside for measuring.
pub const TEST_SHARE: f64 = 0.2;

/// Bound of the numbers in data: each must lie within `-MAX_NUMBER..=MAX_NUMBER`.
///
/// So their squares and sums stay finite.
pub(crate) const MAX_NUMBER: f64 = 1e100;

/// Returns `true` if a number is within the bounds, which NaN never is.
pub(crate) fn in_bounds(value: f64) -> bool {
    value.abs() <= MAX_NUMBER
}

/// Largest index in libsvm data.
pub(crate) const MAX_INDEX: u32 = 1 << 24;

/// Maximum number of classes of a model.
pub(crate) const MAX_CLASSES: usize = 256;

/// Source of examples. Its files may be gzipped: the first bytes decide, not the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded sentences of film reviews: 10,375 texts.
    ///
    /// The mean sentiment of each is at least 0.25 or at most -0.25. If it is positive, the class
    /// is `positive`.
    MovieReviews,
    /// A table with a header.
    Table {
        /// Format of the table.
        format: TableFormat,
        /// File with the training data.
        train: PathBuf,
        /// File with the test data and the same header; `None` sets a share of `train` aside.
        test: Option<PathBuf>,
        /// Name of the column with the class.
        label: String,
        /// Name of the column with the text; `None` if every column but `label` has numbers.
        text: Option<String>,
    },
    /// Lines of `label index:value …`: an integer, then increasing indices from 1.
    ///
    /// `#` starts a comment. An index that is absent has the value 0.
    Libsvm {
        /// File with the training data.
        train: PathBuf,
        /// File with the test data; `None` sets a share of `train` aside.
        test: Option<PathBuf>,
    },
}

impl Source {
    /// Returns the source that a user names: `movie-reviews`, or a file.
    ///
    /// The ending of the file's name decides its format. `test` is a file with test data; the
    /// columns are those of a table.
    ///
    /// # Errors
    /// [`DataError::Ending`].
    pub fn named(
        name: &str,
        test: Option<&Path>,
        label_column: &str,
        text_column: Option<&str>,
    ) -> Result<Self, DataError> {
        if name == "movie-reviews" {
            return Ok(Self::MovieReviews);
        }
        let train = PathBuf::from(name);
        let test = test.map(Path::to_owned);
        match ending(&train) {
            Some("libsvm" | "svm") => Ok(Self::Libsvm { train, test }),
            _ => match TableFormat::of(&train) {
                Some(format) => Ok(Self::Table {
                    format,
                    train,
                    test,
                    label: label_column.to_owned(),
                    text: text_column.map(ToOwned::to_owned),
                }),
                None => Err(DataError::Ending { path: train }),
            },
        }
    }
}

/// Returns the ending of a file's name, without gzip's `.gz`.
fn ending(path: &Path) -> Option<&str> {
    let unpacked = path.to_str()?.strip_suffix(".gz").map(Path::new);
    unpacked.unwrap_or(path).extension()?.to_str()
}

impl TableFormat {
    /// Returns the format of a table by the ending of its file's name.
    ///
    /// It is `None` if the ending is not that of a table.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match ending(path)? {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            _ => None,
        }
    }
}

/// Format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Commas between fields, which may be quoted.
    Csv,
    /// Tabs between fields; a quotation mark has no meaning.
    Tsv,
}

/// Examples before encoding.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Examples to train on.
    pub train: Part,
    /// Examples to measure on.
    pub test: Part,
    /// Name of each class, by its number.
    ///
    /// They are in numerical order if all are integers, else in lexicographic order.
    pub classes: Vec<String>,
    /// Names of a table's columns of numbers, in order; empty for other sources.
    pub columns: Vec<String>,
}

impl Dataset {
    /// Returns the names of columns that seem to number the rows, as in files of pandas.
    ///
    /// Such a column has no name, or a name that begins with `Unnamed: `, or consecutive whole
    /// numbers. From it, a model would learn the order of the rows.
    #[must_use]
    pub fn row_numbers(&self) -> Vec<String> {
        let rows = || self.train.examples().chain(self.test.examples());
        let numbers_rows = |column: usize, name: &str| {
            if name.is_empty() || name.starts_with("Unnamed: ") {
                return true;
            }
            let mut values: Vec<f64> = rows()
                .filter_map(|example| match example {
                    Example::Numbers(numbers) => numbers.get(column).copied(),
                    Example::Text(_) | Example::Indexed { .. } => None,
                })
                .collect();
            values.sort_unstable_by(f64::total_cmp);
            let consecutive = values.windows(2).all(|pair| consecutive(pair[0], pair[1]));
            // In fewer rows, consecutive numbers may be a coincidence.
            values.len() >= 10 && consecutive && values.first().is_some_and(|it| it.fract() == 0.0)
        };
        self.columns
            .iter()
            .enumerate()
            .filter(|(column, name)| numbers_rows(*column, name))
            .map(|(_, name)| name.clone())
            .collect()
    }
}

// Floats represent whole numbers exactly, as far as files number their rows.
#[allow(clippy::float_cmp)]
fn consecutive(before: f64, after: f64) -> bool {
    after == before + 1.0
}

/// Reads a data set.
///
/// If `source` has test data, both parts keep the order of their files, and `test_share` and `seed`
/// have no effect.
/// Otherwise `seed` decides the order of the examples, and a part of them becomes the test data.
/// That part is `test_share` of them, rounded; at least one, and not all.
///
/// # Errors
/// If a file cannot be read, or a line is malformed.
/// If the training data has fewer than two examples or two classes, or the test data has a class
/// that it lacks.
/// If `test_share` is not between 0 and 1.
pub fn load(source: &Source, test_share: f64, seed: u64) -> Result<Dataset, DataError> {
    let (train, test) = match source {
        Source::MovieReviews => (reviews::read()?, None),
        Source::Table {
            format,
            train,
            test,
            label,
            text,
        } => {
            let spec = TableSpec {
                format: *format,
                label,
                text: text.as_deref(),
                model: None,
            };
            read_parts(train, test.as_deref(), |path| {
                table::parse(path, &file::read(path)?, &spec)
            })?
        }
        Source::Libsvm { train, test } => read_parts(train, test.as_deref(), |path| {
            libsvm::parse(path, &file::read(path)?)
        })?,
    };
    match test {
        Some(test) => join(train, test),
        None => split(train, test_share, seed),
    }
}

/// Reads further examples for a model with these `classes`, in the order of the file.
///
/// It does not read the test data of `source`.
/// `columns` are those of the model, if it learned from a table of numbers. The table may have them
/// in any order, and the examples have them in the model's.
///
/// # Errors
/// If the file cannot be read, a line is malformed, there is no example, or one has another class.
/// If the columns of numbers are not the model's.
pub fn load_more(
    source: &Source,
    classes: &[String],
    columns: Option<ModelColumns<'_>>,
) -> Result<Part, DataError> {
    let raw = match source {
        Source::MovieReviews => reviews::read()?,
        Source::Table {
            format,
            train,
            label,
            text,
            ..
        } => {
            let spec = TableSpec {
                format: *format,
                label,
                text: text.as_deref(),
                model: columns,
            };
            if let (None, Some(columns)) = (text, columns) {
                class_apart(train, label, columns)?;
            }
            table::parse(train, &file::read(train)?, &spec)?
        }
        Source::Libsvm { train, .. } => libsvm::parse(train, &file::read(train)?)?,
    };
    if raw.labels.is_empty() {
        return Err(DataError::TooFew {
            path: raw.path,
            examples: 0,
            wanted: 1,
        });
    }
    let numbers = classes::known(&raw, classes)?;
    Ok(Part::new(raw, numbers))
}

/// Reads the texts of a table's columns, and skips all other columns.
///
/// It returns the rows in the order of the file. Each has the line where it starts, from 1, and its
/// texts in the order of `columns`.
///
/// # Errors
/// If the file cannot be read, a column is missing, or the number of a row's fields differs from
/// the header's.
pub fn read_columns(
    path: &Path,
    format: TableFormat,
    columns: &[&str],
) -> Result<Vec<(u64, Vec<String>)>, DataError> {
    table::columns(path, &file::read(path)?, format, |header| {
        let index = |name: &&str| table::index(path, header, name);
        columns.iter().map(index).collect()
    })
}

/// Reads the rows of a table of numbers for a model, as texts in the order of the model's columns.
///
/// The names in the header decide, in any order. The column `label` is skipped; if it is `None`, a
/// column `label` is skipped unless the model has one. If the table leaves out all reserved columns, the rows have only the others.
/// Each row has the line where it starts, from 1.
///
/// # Errors
/// If the file cannot be read, a column is unknown, missing or doubled, or the number of a row's
/// fields differs from the header's.
pub fn read_model_rows(
    path: &Path,
    format: TableFormat,
    columns: ModelColumns<'_>,
    label: Option<&str>,
) -> Result<Vec<(u64, Vec<String>)>, DataError> {
    if let Some(label) = label {
        class_apart(path, label, columns)?;
    }
    let label = label.unwrap_or(DEFAULT_LABEL);
    table::columns(path, &file::read(path)?, format, |header| {
        let is_class = |name: &String| name == label && !columns.names.contains(name);
        let inputs = (0..).zip(header).filter(|(_, name)| !is_class(name));
        let (indices, names): (Vec<usize>, Vec<String>) =
            inputs.map(|(index, name)| (index, name.clone())).unzip();
        let order = arrangement(path, &names, columns)?;
        Ok(order.into_iter().map(|column| indices[column]).collect())
    })
}

impl Dataset {
    /// Returns the test data with a model's columns of numbers, in the model's order.
    ///
    /// # Errors
    /// [`DataError::NotTheColumns`].
    pub fn test_for(&self, columns: Option<ModelColumns<'_>>) -> Result<Part, DataError> {
        match columns {
            Some(columns) if !self.columns.is_empty() => {
                let order = arrangement(self.test.path(), &self.columns, columns)?;
                Ok(self.test.arranged(&order))
            }
            _ => Ok(self.test.clone()),
        }
    }
}

/// Columns of the tables that a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelColumns<'a> {
    /// Names of the columns, in the order of the features.
    pub names: &'a [String],
    /// Number of columns, the last ones, that had no examples when the model was created.
    ///
    /// A table may leave out all of them; their values are 0 then.
    pub reserved: usize,
}

impl<'a> ModelColumns<'a> {
    /// Returns the names of the columns that every table must have.
    #[must_use]
    pub fn needed(&self) -> &'a [String] {
        let needed = self.names.len().saturating_sub(self.reserved);
        &self.names[..needed]
    }
}

/// Returns the index in a table of each of the model's columns, in the model's order.
///
/// A number means what its column says. So the model takes no table with other columns. If the
/// table lacks all reserved columns, they are left out.
fn arrangement(
    path: &Path,
    found: &[String],
    wanted: ModelColumns<'_>,
) -> Result<Vec<usize>, DataError> {
    let index: HashMap<&String, usize> = found.iter().zip(0..).collect();
    let (needed, reserved) = wanted.names.split_at(wanted.needed().len());
    let has_reserved = reserved.iter().any(|name| index.contains_key(name));
    let names = if has_reserved { wanted.names } else { needed };
    let order: Vec<usize> = names
        .iter()
        .filter_map(|name| index.get(name).copied())
        .collect();
    if order.len() == names.len() && order.len() == found.len() {
        return Ok(order);
    }
    let known: HashSet<&String> = names.iter().collect();
    let all = escaped_list(wanted.names);
    Err(DataError::NotTheColumns {
        path: path.to_owned(),
        found: escaped_list(found),
        wanted: match reserved {
            [] => all,
            _ => format!("{all} (all or none of {})", escaped_list(reserved)),
        },
        unknown: of(found, |name| !known.contains(name)),
        missing: of(names, |name| !index.contains_key(name)),
    })
}

/// Checks that the column with the class is none that the model learns from.
fn class_apart(path: &Path, label: &str, columns: ModelColumns<'_>) -> Result<(), DataError> {
    if columns.names.iter().any(|name| name == label) {
        return Err(DataError::LabelIsColumn {
            path: path.to_owned(),
            label: label.to_owned(),
        });
    }
    Ok(())
}

/// Returns the names for which a condition holds.
fn of(names: &[String], holds: impl Fn(&String) -> bool) -> Vec<String> {
    names.iter().filter(|&name| holds(name)).cloned().collect()
}

/// Contents of one file. Labels are still strings.
struct Raw {
    path: PathBuf,
    inputs: Inputs,
    labels: Vec<String>,
    /// Line where each example starts, from 1.
    lines: Vec<u64>,
    columns: Vec<String>,
}

fn read_parts(
    train: &Path,
    test: Option<&Path>,
    read: impl Fn(&Path) -> Result<Raw, DataError>,
) -> Result<(Raw, Option<Raw>), DataError> {
    Ok((read(train)?, test.map(read).transpose()?))
}

fn join(train: Raw, test: Raw) -> Result<Dataset, DataError> {
    let classes = Classes::of(&train)?;
    if train.columns != test.columns {
        return Err(DataError::ColumnsDiffer {
            train: train.path,
            wanted: escaped_list(&train.columns),
            test: test.path,
            found: escaped_list(&test.columns),
        });
    }
    if test.labels.is_empty() {
        return Err(DataError::TooFew {
            path: test.path,
            examples: 0,
            wanted: 1,
        });
    }
    let train_labels = classes.numbers(&train, &train.path)?;
    let test_labels = classes.numbers(&test, &train.path)?;
    Ok(Dataset {
        columns: train.columns.clone(),
        train: Part::new(train, train_labels),
        test: Part::new(test, test_labels),
        classes: classes.names(),
    })
}

// The casts concern numbers of examples, far below 2^52.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
fn split(raw: Raw, test_share: f64, seed: u64) -> Result<Dataset, DataError> {
    if !(test_share > 0.0 && test_share < 1.0) {
        return Err(DataError::TestShare { value: test_share });
    }
    let classes = Classes::of(&raw)?;
    let labels = classes.numbers(&raw, &raw.path)?;
    let examples = labels.len();
    let columns = raw.columns.clone();
    let all = Part::new(raw, labels);
    let mut order: Vec<usize> = (0..examples).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let tests = ((examples as f64 * test_share).round() as usize).clamp(1, examples - 1);
    let (test, train) = order.split_at(tests);
    Ok(Dataset {
        train: all.select(train),
        test: all.select(test),
        classes: classes.names(),
        columns,
    })
}
