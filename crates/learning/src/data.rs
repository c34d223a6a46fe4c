//! Data sets: raw examples with their classes, read from files or embedded.

mod classes;
mod error;
mod file;
mod libsvm;
mod part;
mod reviews;
mod table;

use std::path::{Path, PathBuf};

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

pub use error::{DataError, LineFault, MalformedLine};
pub use part::{Example, Part};

use classes::Classes;
use part::Inputs;
use table::TableSpec;

use crate::text::escaped_list;

/// The share of data without test data of its own that is set aside to measure on, where nobody says another.
pub const TEST_SHARE: f64 = 0.2;

/// Numbers in data must lie within `-MAX_NUMBER..=MAX_NUMBER`, so that their squares and sums stay
/// finite.
pub(crate) const MAX_NUMBER: f64 = 1e100;

/// Whether a number is within the bounds; what is not a number is not.
pub(crate) fn in_bounds(value: f64) -> bool {
    value.abs() <= MAX_NUMBER
}

/// The highest index in libsvm data.
pub(crate) const MAX_INDEX: u32 = 1 << 24;

/// The most classes that a model can have.
pub(crate) const MAX_CLASSES: usize = 256;

/// Source of examples. Files may be gzipped; their first bytes tell, not their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The embedded film-review sentences with a mean sentiment of at least 0.25 either way:
    /// 10,375 texts; class `positive` where the sentiment is.
    MovieReviews,
    /// A table with a header.
    Table {
        /// Format of the table.
        format: TableFormat,
        /// The training data.
        train: PathBuf,
        /// The test data, with the same header; without it, a share of `train` is set aside.
        test: Option<PathBuf>,
        /// The name of the column with the class.
        label: String,
        /// The name of the column with the text; without it, every column but `label` is a number.
        text: Option<String>,
    },
    /// Lines of `label index:value …`: an integer, then indices from 1 that increase. `#` starts a
    /// comment. An index that is not given has value 0.
    Libsvm {
        /// The training data.
        train: PathBuf,
        /// The test data; without it, a share of `train` is set aside.
        test: Option<PathBuf>,
    },
}

impl Source {
    /// Returns the data that people name: `movie-reviews`, or a file whose ending says how it is written. `test` is a
    /// file with test data, and the columns are those of a table.
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

/// Returns the ending of a file's name, without that of gzip.
fn ending(path: &Path) -> Option<&str> {
    let unpacked = path.to_str()?.strip_suffix(".gz").map(Path::new);
    unpacked.unwrap_or(path).extension()?.to_str()
}

impl TableFormat {
    /// Returns the format of the table in a file by the ending of its name; `None` if it is no table's.
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
    /// Commas between fields that may be quoted.
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
    /// The name of each class, by its number: in numerical order where all are integers, else in
    /// lexicographic order.
    pub classes: Vec<String>,
    /// The names of a table's columns of numbers, in order; empty for other sources.
    pub columns: Vec<String>,
}

impl Dataset {
    /// Returns the names of columns that seem to number the rows, as pandas writes them: without a
    /// name or called `Unnamed`, or with consecutive whole numbers, each once. A model would learn from
    /// them in which order the rows stood.
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
            // Fewer rows may count up by chance.
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

// Whole numbers are exact as far as rows are counted.
#[allow(clippy::float_cmp)]
fn consecutive(before: f64, after: f64) -> bool {
    after == before + 1.0
}

/// Reads a data set.
///
/// Where `source` has test data of its own, both parts keep the order of their files, and
/// `test_share` and `seed` do not matter. Otherwise the examples are shuffled by `seed` and
/// `test_share` of them, rounded, at least one and not all, are set aside.
///
/// # Errors
/// Where a file cannot be read, a line is malformed, there are not at least two examples and two
/// classes to learn from, test data has a class that the training data lacks, or `test_share` is
/// not between 0 and 1.
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

/// Reads further examples for a model whose `classes` are known, in the order of the file; test data
/// that `source` has of its own is not looked at. `columns` are those that the model learned from, in
/// its order, where it learned from a table of numbers.
///
/// # Errors
/// Where the file cannot be read, a line is malformed, there is no example, one has another class, or
/// the file has other columns of numbers than the model, or has them in another order.
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
            };
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
    same_columns(&raw.path, &raw.columns, columns)?;
    let numbers = classes::known(&raw, classes)?;
    Ok(Part::new(raw, numbers))
}

/// Reads the texts of a table's columns by their names, in the order of the names and of the file: of each
/// row, the line where it starts, from 1, and its texts. Other columns are passed over.
///
/// # Errors
/// If the file cannot be read, a column is missing, or a row has another number of fields than the header.
pub fn read_columns(
    path: &Path,
    format: TableFormat,
    columns: &[&str],
) -> Result<Vec<(u64, Vec<String>)>, DataError> {
    table::columns(path, &file::read(path)?, format, columns)
}

/// Reads the names of a table's columns, in its order.
///
/// # Errors
/// If the file cannot be read, or is no table.
pub fn table_columns(path: &Path, format: TableFormat) -> Result<Vec<String>, DataError> {
    table::header(path, &file::read(path)?, format)
}

impl Dataset {
    /// Checks that the columns are those of a model, in its order, where it learned from a table of
    /// numbers.
    ///
    /// # Errors
    /// [`DataError::NotTheColumns`], with both lists.
    pub fn check_columns(&self, columns: Option<ModelColumns<'_>>) -> Result<(), DataError> {
        same_columns(self.train.path(), &self.columns, columns)
    }
}

/// The columns of the tables that a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelColumns<'a> {
    /// The names, in the order of the features.
    pub names: &'a [String],
    /// The number of columns that had no examples when the model was created: the last ones. A table may leave all of
    /// them out, and they are 0 then.
    pub reserved: usize,
}

impl<'a> ModelColumns<'a> {
    /// Returns the names of the columns that no table may leave out.
    #[must_use]
    pub fn needed(&self) -> &'a [String] {
        let needed = self.names.len().saturating_sub(self.reserved);
        &self.names[..needed]
    }
}

/// A number means what its column says: a table with other columns, or another order of them, is refused.
fn same_columns(
    path: &Path,
    found: &[String],
    wanted: Option<ModelColumns<'_>>,
) -> Result<(), DataError> {
    match wanted {
        // Another sort of example than the model learned from is refused by its encoder.
        Some(wanted) if !found.is_empty() && found != wanted.names && found != wanted.needed() => {
            let names = escaped_list(wanted.names);
            let reserved = escaped_list(&wanted.names[wanted.needed().len()..]);
            Err(DataError::NotTheColumns {
                path: path.to_owned(),
                found: escaped_list(found),
                wanted: match wanted.reserved {
                    0 => names,
                    _ => format!("{names} (all or none of {reserved})"),
                },
            })
        }
        _ => Ok(()),
    }
}

/// One file as read: labels are still strings.
struct Raw {
    path: PathBuf,
    inputs: Inputs,
    labels: Vec<String>,
    /// The line where each example starts, from 1.
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

// The casts are of counts of examples, far below 2^52.
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
