//! Data sets: raw examples with their classes, read from files or embedded.

mod classes;
mod content;
mod digits;
mod doubts;
mod error;
mod file;
mod grid;
mod guess;
mod libsvm;
mod look;
mod memory;
mod options;
mod parquet;
mod part;
mod pictures;
mod pool;
mod reviews;
mod rows;
mod schema;
mod table;
mod values;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
};

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

pub use content::{Bounds, Content};
pub use doubts::Doubt;
pub use error::{DataError, LineFault, MalformedLine};
pub(crate) use file::limited;
pub use look::{Looks, Seen};
pub use options::{
    Charset, ColumnType, Columns, MissingRule, NoCharset, NoColumnType, NoMissingRule, NoSeparator,
    Reading, Separator,
};
pub use part::{Example, Part};
pub use pictures::{FolderError, LeftOut, picture, pictures};
pub use pool::PoolRows;
pub use rows::Table;
pub use schema::{Column, Field, Kind as ColumnKind, Missing, Schema, SchemaError, is_missing};

use classes::Classes;
use content::Place;
use doubts::{is_whole, values};
use grid::Grid;
use part::{Choose, Inputs};

/// Option that names the column with the texts.
const TEXT_COLUMN: &str = "--text-column";

/// Name of the column with the class, if no other is given.
pub const DEFAULT_LABEL: &str = "label";

use crate::pictures::Form;
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

/// Maximum number of bytes of a file, unpacked and decoded: 1 GiB.
///
/// A gzipped file of a few kilobytes can unpack to any number of bytes.
pub const MAX_BYTES: u64 = 1 << 30;

/// Maximum number of numbers of a table, each of 8 bytes: a categorical column gives many.
const MAX_NUMBERS: usize = 1 << 28;

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
    /// The embedded pictures of handwritten digits: 1,797 of 8×8 pixels of 17 levels of grey.
    ///
    /// A pixel is 0 (white) to 16 (black), and the classes are `0` to `9`.
    Digits,
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
        /// Name of the column with the text; `None` if the model learns from the other columns.
        text: Option<String>,
        /// Choices for reading the file.
        reading: Reading,
        /// Choices of columns, of their types and of what replaces missing values.
        columns: Columns,
    },
    /// A table with a header in the bytes of a file. A share of it is set aside as test data.
    Content {
        /// Format of the table.
        format: TableFormat,
        /// The bytes.
        content: Content,
        /// Name of the column with the class.
        label: String,
        /// Name of the column with the text; `None` if the model learns from the other columns.
        text: Option<String>,
        /// Choices for reading the bytes.
        reading: Reading,
        /// Choices of columns, of their types and of what replaces missing values.
        columns: Columns,
    },
    /// Lines of `label index:value …`: a whole number, then indices from 0 or 1 in any order.
    ///
    /// If an index of either file is 0, both count from 0. `#` starts a comment, and `qid:n` after
    /// the label is left out and counted. An index that is absent has the value 0.
    Libsvm {
        /// File with the training data.
        train: PathBuf,
        /// File with the test data; `None` sets a share of `train` aside.
        test: Option<PathBuf>,
    },
    /// Folders of pictures: each class is a folder of this name, with its PNG and JPEG files.
    ///
    /// The order is that of the names. Hidden files and those of other endings are left out.
    Pictures {
        /// Folder with the training data.
        train: PathBuf,
        /// Folder with the test data; `None` sets a share of `train` aside.
        test: Option<PathBuf>,
        /// Form in which pictures are read. For a model of pictures, its own form counts.
        form: Form,
    },
}

impl Source {
    /// Returns the table in the bytes of a file; its name tells the format.
    ///
    /// # Errors
    /// [`DataError::Ending`] if the name is not that of a table.
    pub fn of_content(
        content: Content,
        label_column: &str,
        text_column: Option<&str>,
        reading: Reading,
        columns: Columns,
    ) -> Result<Self, DataError> {
        Ok(Self::Content {
            format: content.format()?,
            content,
            label: label_column.to_owned(),
            text: text_column.map(ToOwned::to_owned),
            reading,
            columns,
        })
    }

    /// Returns the data that comes with cotrain under a name: `movie-reviews` or `digits`.
    #[must_use]
    pub fn embedded(name: &str) -> Option<Self> {
        match name {
            "movie-reviews" => Some(Self::MovieReviews),
            "digits" => Some(Self::Digits),
            _ => None,
        }
    }

    /// Returns the source that a user names: `movie-reviews`, `digits`, a file, or a folder of
    /// pictures.
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
        Self::chosen(
            name,
            test,
            label_column,
            text_column,
            Reading::default(),
            Columns::default(),
        )
    }

    /// Returns the source that a user names, as [`named`](Self::named) does, with these choices.
    ///
    /// # Errors
    /// [`DataError::Ending`].
    /// [`DataError::NotForTable`] if there are choices and the data is no table.
    pub fn chosen(
        name: &str,
        test: Option<&Path>,
        label_column: &str,
        text_column: Option<&str>,
        reading: Reading,
        columns: Columns,
    ) -> Result<Self, DataError> {
        let train = PathBuf::from(name);
        let for_tables = || {
            let option = text_column.map(|_| TEXT_COLUMN).or(reading.given());
            option.or_else(|| columns.given())
        };
        let no_table = || match for_tables() {
            None => Ok(()),
            Some(option) => Err(DataError::NotForTable {
                path: train.clone(),
                option,
            }),
        };
        if let Some(embedded) = Self::embedded(name) {
            no_table()?;
            return Ok(embedded);
        }
        let test = test.map(Path::to_owned);
        if train.is_dir() {
            no_table()?;
            let form = Form::default();
            return Ok(Self::Pictures { train, test, form });
        }
        // A text file is a table here, and lines without a header as the input of predictions.
        let format = match ending(&train) {
            Some("libsvm" | "svm") => {
                no_table()?;
                return Ok(Self::Libsvm { train, test });
            }
            Some("txt") => Some(TableFormat::Csv),
            _ => TableFormat::of(&train),
        };
        match format {
            Some(format) => Ok(Self::Table {
                format,
                train,
                test,
                label: label_column.to_owned(),
                text: text_column.map(ToOwned::to_owned),
                reading,
                columns,
            }),
            None => Err(DataError::Ending { path: train }),
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
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// Format of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Fields that may be quoted, with the separator that the header contains: commas, semicolons,
    /// tabs or `|`.
    Csv,
    /// Tabs between fields; a quotation mark has no meaning. Without a tab in the header, it is read
    /// as `Csv` is.
    Tsv,
    /// Flat columns of Apache Parquet.
    Parquet,
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
    /// Names of the numbers that stand for a table's row, in order; empty for other sources.
    pub columns: Vec<String>,
    /// Columns of a table and their types; no columns for other sources.
    pub schema: Schema,
    /// `true` if the indices of libsvm files count from 0.
    pub zero_based: bool,
    /// Form of the pictures; `None` for other sources.
    pub pictures: Option<Form>,
    /// Columns whose decimal commas may separate thousands, each with one of its fields.
    commas: Vec<(String, String)>,
}

impl Dataset {
    /// Returns the names of columns that seem to number or name the rows, as in files of pandas.
    ///
    /// Such a column has no name, or a name that begins with `Unnamed: `, or consecutive whole
    /// numbers. Or its name is a word such as `id` or `number` or ends so, and its whole numbers all
    /// differ. From it, a model would learn the order of the rows.
    #[must_use]
    pub fn row_numbers(&self) -> Vec<String> {
        if self.pictures.is_some() {
            return Vec::new();
        }
        let numbers_rows = |feature: usize, name: &str| {
            if name.is_empty() || name.starts_with("Unnamed: ") {
                return true;
            }
            // The parts of one file are numbered together, and those of two files each anew.
            let train = values(&self.train, feature);
            let both = [train.as_slice(), &values(&self.test, feature)].concat();
            [train, both]
                .into_iter()
                .any(|values| identifies(name, values))
        };
        let mut feature = 0;
        let mut found = Vec::new();
        for column in self.schema.columns() {
            let numeric = column.kind == ColumnKind::Numeric;
            if numeric && numbers_rows(feature, &column.name) {
                found.push(column.name.clone());
            }
            feature += column.width();
        }
        found
    }
}

/// Returns `true` if the values of a column of this name seem to number or name the rows.
fn identifies(name: &str, mut values: Vec<f64>) -> bool {
    // In fewer rows, consecutive numbers may be a coincidence.
    if values.len() < 10 || !values.iter().all(|it| is_whole(*it)) {
        return false;
    }
    values.sort_unstable_by(f64::total_cmp);
    let is_row_number = values.windows(2).all(|pair| consecutive(pair[0], pair[1]));
    let is_own = is_identifier(name) && values.windows(2).all(|pair| pair[0] < pair[1]);
    is_row_number || is_own
}

/// Returns `true` if a name is a word for identifiers or ends so, such as `PassengerId`, `user_id`,
/// `customer no` or `ISBN`.
fn is_identifier(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "id", "no", "nr", "number", "key", "code", "index", "isbn", "uuid", "serial",
    ];
    let name = name.trim_end_matches(['.', ' ']);
    let ends = |word: &&str| {
        let start = name.len().checked_sub(word.len())?;
        let (before, end) = name.split_at_checked(start)?;
        if !end.eq_ignore_ascii_case(word) {
            return None;
        }
        let before = before.chars().next_back();
        // `paid` and `GRID` end with other words.
        let is_capital = end.starts_with(char::is_uppercase);
        Some(before.is_none_or(|before| {
            if is_capital {
                !before.is_uppercase()
            } else {
                !before.is_alphabetic()
            }
        }))
    };
    WORDS.iter().any(|word| ends(word) == Some(true))
}

// Floats represent whole numbers exactly, as far as files number their rows.
#[allow(clippy::float_cmp)]
fn consecutive(before: f64, after: f64) -> bool {
    after == before + 1.0
}

/// Reads a data set.
///
/// If `source` has test data, both parts keep the order of their files, and `test_share` and `seed`
/// have no effect. A table of test data may have its columns in another order.
/// Otherwise `seed` decides the order of the examples, and a part of them becomes the test data.
/// That part is `test_share` of them, rounded; at least one, and not all.
///
/// All rows of a table's training file tell the types of its columns, also those set aside. The
/// texts of a categorical column and what replaces missing values depend on the training part alone.
///
/// # Errors
/// If a file cannot be read, or a line is malformed.
/// If the training data has fewer than two examples or two classes, or the test data has a class
/// that it lacks.
/// If `test_share` is not between 0 and 1.
/// If a table has missing values without a rule for them, or a column of texts that is none of
/// categories.
pub fn load(source: &Source, test_share: f64, seed: u64) -> Result<Dataset, DataError> {
    load_with(source, test_share, seed, None)
}

/// Reads a data set, as [`load`] does, for a model. Its columns decide the types.
///
/// # Errors
/// The errors of [`load`], and [`DataError::NotTheColumns`].
pub fn load_for(
    source: &Source,
    test_share: f64,
    seed: u64,
    model: ModelInputs<'_>,
) -> Result<Dataset, DataError> {
    load_with(source, test_share, seed, Some(model))
}

fn load_with(
    source: &Source,
    test_share: f64,
    seed: u64,
    model: Option<ModelInputs<'_>>,
) -> Result<Dataset, DataError> {
    // A class of the model may be called like a missing value.
    let keeps_labels = model.is_some();
    let model = model.unwrap_or_default();
    let mut schema = Schema::default();
    let mut zero_based = model.zero_based;
    let mut pictures = None;
    let mut commas = Vec::new();
    let parts = match source {
        Source::MovieReviews => split(&reviews::read()?, test_share, seed)?,
        Source::Digits => {
            schema = Schema::pixels(digits::FORM);
            let raw = digits::read()?;
            pictures = pictures::form_for(&raw.path, digits::FORM, model)?;
            split(&raw, test_share, seed)?
        }
        Source::Pictures { train, test, form } => {
            let form = pictures::form_of_folder(train, *form, model)?;
            pictures = Some(form);
            schema = Schema::pixels(form);
            let read = |path: &PathBuf| pictures::read(path, form);
            let (train, test) = (read(train)?, test.as_ref().map(read).transpose()?);
            join_or_split(train, test, test_share, seed)?
        }
        Source::Table { .. } | Source::Content { .. } => {
            let table = rows::Spec::of(source, keeps_labels)?;
            if let Some(text) = table.text {
                let read = |place: Place<'_>| rows::texts(place, text, &table);
                let (train, test) = (read(table.train)?, table.test.map(read).transpose()?);
                join_or_split(train, test, test_share, seed)?
            } else {
                let columns = model.columns;
                let raw = rows::numbers(table.train, &table, columns, None)?;
                let read =
                    |place: Place<'_>| rows::numbers(place, &table, columns, Some(&raw.inputs));
                let test = table.test.map(read);
                let test = test.transpose()?;
                let learned_from = match &test {
                    Some(_) => (0..raw.labels.len()).collect(),
                    None => order(raw.labels.len(), test_share, seed)?.1,
                };
                let learned;
                (schema, learned) = if let Some(columns) = columns {
                    (columns.schema_of(&raw.inputs), None)
                } else {
                    let (schema, values) = rows::learn(&raw, &learned_from, &table)?;
                    let both = raw.inputs.names.iter().zip(&values);
                    commas = both
                        .filter_map(|(name, it)| Some((name.clone(), it.thousands.clone()?)))
                        .collect();
                    (schema, Some(values))
                };
                let values =
                    |raw, learned| rows::values(raw, &schema, learned, &table, columns.is_some());
                let raw = values(raw, learned)?;
                match test {
                    Some(test) => join(raw.whole(), values(test, None)?.whole())?,
                    None => split(&raw, test_share, seed)?,
                }
            }
        }
        Source::Libsvm { train, test } => {
            let read = |path: &PathBuf| libsvm::parse(path, &file::read(path, None)?);
            let first = read(train)?;
            let second = test.as_ref().map(read).transpose()?;
            zero_based |= first.has_zero() || second.as_ref().is_some_and(libsvm::Lines::has_zero);
            let second = test.as_ref().zip(second);
            let second = second.map(|(path, lines)| lines.based(path, zero_based));
            let (train, test) = (first.based(train, zero_based)?, second.transpose()?);
            join_or_split(train, test, test_share, seed)?
        }
    };
    let (train, test, classes) = parts;
    Ok(Dataset {
        train,
        test,
        classes,
        columns: schema.features(),
        schema,
        zero_based,
        pictures,
        commas,
    })
}

/// Data that a model takes, for reading further examples of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelInputs<'a> {
    /// Columns of the model's tables; `None` if it did not learn from such.
    pub columns: Option<ModelColumns<'a>>,
    /// `true` if the model learned from libsvm data whose indices count from 0. All further data
    /// does so, too.
    pub zero_based: bool,
    /// Form of the model's pictures; `None` if it did not learn from pictures.
    pub pictures: Option<Form>,
}

/// Reads further examples for a model with these `classes`, in the order of the file.
///
/// It does not read the test data of `source`.
/// A table may have the model's columns in any order, and the examples have them in the model's.
/// If the indices of the model's data count from 1, and those of the file from 0, the file's first
/// index is the model's first.
///
/// # Errors
/// If the file cannot be read, a line is malformed, there is no example, or one has another class.
/// If the columns are not the model's.
pub fn load_more(
    source: &Source,
    classes: &[String],
    model: ModelInputs<'_>,
) -> Result<Part, DataError> {
    let raw = match source {
        Source::MovieReviews => reviews::read()?,
        Source::Digits => {
            let mut raw = digits::read()?;
            pictures::form_for(&raw.path, digits::FORM, model)?;
            if let Some(columns) = model.columns {
                let order = arrangement(&raw.path, &digits::FORM.names(), &columns.features())?;
                raw.inputs = raw.inputs.arranged(&order);
            }
            raw
        }
        Source::Table { .. } | Source::Content { .. } => {
            // A class that the model does not have is refused below, whatever it is called.
            let table = rows::Spec::of(source, true)?;
            if let Some(text) = table.text {
                rows::texts(table.train, text, &table)?
            } else {
                if let Some(columns) = model.columns {
                    class_apart(table.train.path(), table.label, columns)?;
                }
                let raw = rows::numbers(table.train, &table, model.columns, None)?;
                let (schema, learned) = if let Some(model) = model.columns {
                    (model.schema_of(&raw.inputs), None)
                } else {
                    let all: Vec<usize> = (0..raw.labels.len()).collect();
                    let (schema, values) = rows::learn(&raw, &all, &table)?;
                    (schema, Some(values))
                };
                rows::values(raw, &schema, learned, &table, true)?.whole()
            }
        }
        Source::Libsvm { train, .. } => {
            let lines = libsvm::parse(train, &file::read(train, None)?)?;
            let zero_based = model.zero_based || lines.has_zero();
            lines.based(train, zero_based)?
        }
        Source::Pictures { train, form, .. } => {
            pictures::read(train, pictures::form_of_folder(train, *form, model)?)?
        }
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

impl Dataset {
    /// Returns the test data with a model's columns, in the model's order.
    ///
    /// Columns of other types than numbers must be the model's: read the data by [`load_for`].
    ///
    /// # Errors
    /// [`DataError::NotTheColumns`].
    pub fn test_for(&self, columns: Option<ModelColumns<'_>>) -> Result<Part, DataError> {
        match columns {
            Some(columns) if !self.columns.is_empty() && !columns.has(&self.schema) => {
                let order = arrangement(self.test.path(), &self.columns, &columns.features())?;
                Ok(self.test.arranged(&order))
            }
            _ => Ok(self.test.clone()),
        }
    }
}

/// Columns of the tables that a model takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModelColumns<'a> {
    /// Columns with their types, in the order of the features.
    pub schema: &'a Schema,
    /// Number of columns, the last ones, that had no examples when the model was created.
    ///
    /// A table may leave out all of them; their values are 0 then.
    pub reserved: usize,
}

/// Names of which a table has all, or all but the last ones.
struct Wanted {
    names: Vec<String>,
    reserved: usize,
}

impl ModelColumns<'_> {
    /// Returns the names of all columns, in the order of the features.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.schema.names()
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            names: self.names(),
            reserved: self.reserved,
        }
    }

    fn features(&self) -> Wanted {
        Wanted {
            names: self.schema.features(),
            reserved: self.reserved,
        }
    }

    /// Returns `true` if these are the columns of a schema, all of them or without the reserved.
    fn has(&self, schema: &Schema) -> bool {
        let all = self.schema.columns();
        let needed = &all[..all.len().saturating_sub(self.reserved)];
        schema.columns() == all || schema.columns() == needed
    }

    /// Returns the schema of a grid with all columns, or without the reserved ones.
    fn schema_of(&self, grid: &Grid) -> Schema {
        self.schema.first(grid.names.len())
    }
}

/// Returns the index in a table of each of the model's columns, in the model's order.
///
/// A number means what its column says. So the model takes no table with other columns. If the
/// table lacks all reserved columns, they are left out.
fn arrangement(path: &Path, found: &[String], wanted: &Wanted) -> Result<Vec<usize>, DataError> {
    let index: HashMap<&String, usize> = found.iter().zip(0..).collect();
    let needed = wanted.names.len().saturating_sub(wanted.reserved);
    let (needed, reserved) = wanted.names.split_at(needed);
    let has_reserved = reserved.iter().any(|name| index.contains_key(name));
    let names = if has_reserved { &wanted.names } else { needed };
    let order: Vec<usize> = names
        .iter()
        .filter_map(|name| index.get(name).copied())
        .collect();
    if order.len() == names.len() && order.len() == found.len() {
        return Ok(order);
    }
    let known: HashSet<&String> = names.iter().collect();
    let all = escaped_list(&wanted.names);
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
    if columns
        .schema
        .columns()
        .iter()
        .any(|column| column.name == label)
    {
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
struct Raw<I = Inputs> {
    path: PathBuf,
    inputs: I,
    labels: Vec<String>,
    /// Line where each example starts, from 1.
    lines: Vec<u64>,
}

/// Training part, test part and names of the classes.
type Parts = (Part, Part, Vec<String>);

fn join(train: Raw, test: Raw) -> Result<Parts, DataError> {
    let classes = Classes::of(&train)?;
    if test.labels.is_empty() {
        return Err(DataError::TooFew {
            path: test.path,
            examples: 0,
            wanted: 1,
        });
    }
    let train_labels = classes.numbers(&train, &train.path)?;
    let test_labels = classes.numbers(&test, &train.path)?;
    let (train, test) = (Part::new(train, train_labels), Part::new(test, test_labels));
    Ok((train, test, classes.names()))
}

fn split<I: Choose>(raw: &Raw<I>, test_share: f64, seed: u64) -> Result<Parts, DataError> {
    check_share(test_share)?;
    let classes = Classes::of(raw)?;
    let labels = classes.numbers(raw, &raw.path)?;
    let (test, train) = order(labels.len(), test_share, seed)?;
    let (train, test) = (raw.part(&labels, &train), raw.part(&labels, &test));
    Ok((train, test, classes.names()))
}

fn join_or_split(
    train: Raw,
    test: Option<Raw>,
    test_share: f64,
    seed: u64,
) -> Result<Parts, DataError> {
    match test {
        Some(test) => join(train, test),
        None => split(&train, test_share, seed),
    }
}

/// Returns the number of examples to set aside as test data: a share, rounded, at least one and not
/// all.
// The casts concern numbers of examples, far below 2^52.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
pub(crate) fn test_count(examples: usize, share: f64) -> usize {
    let last = examples.saturating_sub(1);
    ((examples as f64 * share).round() as usize)
        .max(1)
        .min(last)
}

/// Returns the indices of the examples to measure on, and those of the examples to train on.
fn order(
    examples: usize,
    test_share: f64,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    check_share(test_share)?;
    let mut order: Vec<usize> = (0..examples).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    // Fewer than two examples cannot be split, which is told later.
    let tests = test_count(examples, test_share).max(1);
    let train = order.split_off(tests.min(examples));
    Ok((order, train))
}

fn check_share(test_share: f64) -> Result<(), DataError> {
    if test_share > 0.0 && test_share < 1.0 {
        return Ok(());
    }
    Err(DataError::TestShare { value: test_share })
}
