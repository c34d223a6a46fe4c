use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{MAX_CLASSES, MAX_INDEX, MAX_NUMBER};
use crate::text::{escaped, escaped_list, escaped_to};

/// Fault of a data set.
#[derive(Debug, Error)]
pub enum DataError {
    /// The name does not tell the format of the data.
    #[error(
        "the data `{}` is neither `movie-reviews` nor a file that ends in .csv, .tsv or .libsvm (and .gz, where it is packed)",
        path.display()
    )]
    Ending {
        /// Name that the user gave.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The gzipped file is damaged.
    #[error("`{}` starts as gzip does but cannot be unpacked; fetch or pack it again", path.display())]
    Unpack {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// Some lines are malformed.
    #[error("`{}` has {total} malformed {}; correct or remove {}:{}",
        path.display(),
        if *total == 1 { "line" } else { "lines" },
        if *total == 1 { "it" } else { "them" },
        List(lines, *total))]
    Malformed {
        /// Path of the file.
        path: PathBuf,
        /// First malformed lines.
        lines: Vec<MalformedLine>,
        /// Number of malformed lines.
        total: usize,
    },
    /// The number of quotation marks is odd, so some field has no end.
    #[error("`{}` has an odd number of quotation marks, so a quoted field never ends; inside quotes, double a mark that belongs to the text", path.display())]
    OpenQuote {
        /// Path of the file.
        path: PathBuf,
    },
    /// The table is empty.
    #[error("`{}` is empty, expected a header with the names of the columns", path.display())]
    NoHeader {
        /// Path of the file.
        path: PathBuf,
    },
    /// The header lacks a requested column.
    #[error("`{}` has no column `{}`; its columns are {columns}", path.display(), escaped(column))]
    MissingColumn {
        /// Path of the file.
        path: PathBuf,
        /// Requested column.
        column: String,
        /// Existing columns, escaped and separated by commas.
        columns: String,
    },
    /// The header is a single field that contains another separator than the format's.
    #[error(
        "`{}` has one column, `{}`, as its fields are separated by {found}, expected {wanted}; {advice}",
        path.display(), escaped(header)
    )]
    Separator {
        /// Path of the file.
        path: PathBuf,
        /// Text of the header.
        header: String,
        /// Separator in the header.
        found: &'static str,
        /// Separator of the format.
        wanted: &'static str,
        /// Next step for the user.
        advice: &'static str,
    },
    /// Some columns have the same name.
    #[error("`{}` has more than one column of {}; rename or remove all but one of each", path.display(), escaped_list(columns))]
    DuplicateColumns {
        /// Path of the file.
        path: PathBuf,
        /// Each name of several columns.
        columns: Vec<String>,
    },
    /// The label is the only column, or the text column is the label column.
    #[error("`{}` has nothing to learn from beside the label column `{}`; name another label or text column", path.display(), escaped(label))]
    NoInputs {
        /// Path of the file.
        path: PathBuf,
        /// Name of the label column.
        label: String,
    },
    /// The columns of the test data differ from those of the training data.
    #[error("`{}` has the columns {found}, but `{}` has {wanted}; give both the same columns in the same order", test.display(), train.display())]
    ColumnsDiffer {
        /// File of the training data.
        train: PathBuf,
        /// Its columns of numbers, escaped and separated by commas.
        wanted: String,
        /// File of the test data.
        test: PathBuf,
        /// Its columns of numbers, escaped and separated by commas.
        found: String,
    },
    /// The column with the class is one of the model's.
    #[error("`{}` cannot have its classes in the column `{}`: the model learns from a column of that name; choose another label column, or rename it", path.display(), escaped(label))]
    LabelIsColumn {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        label: String,
    },
    /// The columns of further data differ from those that the model learned from.
    #[error("`{}` has the columns {found}, but the model has {wanted}: {}; give it the model's columns, in any order", path.display(), mismatch(unknown, missing))]
    NotTheColumns {
        /// Path of the file.
        path: PathBuf,
        /// Its columns of numbers, escaped and separated by commas.
        found: String,
        /// Columns of the model, separated by commas.
        wanted: String,
        /// Columns that only the file has.
        unknown: Vec<String>,
        /// Columns that only the model has.
        missing: Vec<String>,
    },
    /// There are too few examples.
    #[error("the number of examples in `{}` is {examples}, expected at least {wanted}", path.display())]
    TooFew {
        /// Path of the file.
        path: PathBuf,
        /// Number of examples found.
        examples: usize,
        /// Minimum number of examples.
        wanted: usize,
    },
    /// All examples have the same class.
    #[error("all {examples} examples in `{}` have the class `{}`; a model needs at least two classes", path.display(), escaped(class))]
    OneClass {
        /// Path of the file.
        path: PathBuf,
        /// Name of the class.
        class: String,
        /// Number of examples found.
        examples: usize,
    },
    /// There are more classes than a model can have.
    #[error("`{}` has {classes} classes, at most {MAX_CLASSES} are possible; is the label column the right one?", path.display())]
    TooManyClasses {
        /// Path of the file.
        path: PathBuf,
        /// Number of classes found.
        classes: usize,
    },
    /// The test data has a class that the training data lacks.
    #[error("line {line} of `{}` has the class `{}`, which `{}` does not have; its classes are {classes}", test.display(), escaped(class), train.display())]
    UnknownClass {
        /// File of the training data.
        train: PathBuf,
        /// File of the test data.
        test: PathBuf,
        /// Line of the test data, from 1.
        line: u64,
        /// Unknown class.
        class: String,
        /// Classes of the training data, escaped and separated by commas.
        classes: String,
    },
    /// The further data has a class that the model lacks.
    #[error("line {line} of `{}` has the class `{}`, which the model does not have; the file has the classes {found}, but the model has {classes}; is the label column the right one?", path.display(), escaped(class))]
    NotAClass {
        /// Path of the file.
        path: PathBuf,
        /// Line of the file, from 1.
        line: u64,
        /// Unknown class.
        class: String,
        /// First classes of the file, escaped and separated by commas.
        found: String,
        /// Classes of the model, escaped and separated by commas.
        classes: String,
    },
    /// The share of test data is not between 0 and 1.
    #[error("the share of test data is {value}, expected a number above 0 and below 1")]
    TestShare {
        /// Value that the caller gave.
        value: f64,
    },
}

/// Returns the columns that only a file has, and those that only a model has.
fn mismatch(unknown: &[String], missing: &[String]) -> String {
    let lists = [("unknown", unknown), ("missing", missing)];
    let lists = lists.iter().filter(|(_, names)| !names.is_empty());
    let lists = lists.map(|(fault, names)| format!("{fault} {}", escaped_list(names)));
    lists.collect::<Vec<_>>().join(" and ")
}

/// Malformed line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct MalformedLine {
    /// Number of the line, from 1.
    pub line: u64,
    /// Fault of the line.
    pub fault: LineFault,
}

/// Fault of a line. Messages cut its values after 40 characters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum LineFault {
    #[error("{found} fields, expected {wanted} as in the header")]
    FieldCount { found: usize, wanted: usize },
    #[error("column `{}` has `{value}`, expected UTF-8", escaped(column))]
    NotUtf8 { column: String, value: String },
    #[error("column `{}` has `{value}`, expected a number", escaped(column))]
    NotANumber { column: String, value: String },
    #[error(
        "column `{}` has `{value}`, expected a number between -{MAX_NUMBER:e} and {MAX_NUMBER:e}",
        escaped(column)
    )]
    OutOfRange { column: String, value: String },
    #[error("column `{}` is empty, expected a class", escaped(column))]
    EmptyLabel { column: String },
    #[error("the label is `{value}`, expected an integer")]
    LabelNotInteger { value: String },
    #[error("there is `{value}`, expected `index:value`")]
    NotAPair { value: String },
    #[error("there is the index `{value}`, expected a whole number from 1 to {MAX_INDEX}")]
    Index { value: String },
    #[error("index {index} follows {previous}, indices must increase")]
    IndexNotIncreasing { index: u32, previous: u32 },
    #[error(
        "index {index} has the value `{value}`, expected a number between -{MAX_NUMBER:e} and {MAX_NUMBER:e}"
    )]
    Value { index: u32, value: String },
}

/// Collector of malformed lines, which keeps the first ones and counts all.
pub(super) struct Malformed {
    path: PathBuf,
    lines: Vec<MalformedLine>,
    total: usize,
}

impl Malformed {
    const KEPT: usize = 10;

    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            lines: Vec::new(),
            total: 0,
        }
    }

    pub(super) fn add(&mut self, line: u64, fault: LineFault) {
        self.total += 1;
        if self.lines.len() < Self::KEPT {
            self.lines.push(MalformedLine { line, fault });
        }
    }

    pub(super) fn finish(self) -> Result<(), DataError> {
        if self.total == 0 {
            return Ok(());
        }
        Err(DataError::Malformed {
            path: self.path,
            lines: self.lines,
            total: self.total,
        })
    }
}

/// Returns a value as messages show it: escaped, and cut after 40 characters.
pub(super) fn shown(value: &[u8]) -> String {
    const LONGEST: usize = 40;
    escaped_to(&String::from_utf8_lossy(value), LONGEST).to_string()
}

struct List<'a>(&'a [MalformedLine], usize);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0 {
            write!(f, "\n  {line}")?;
        }
        match self.1 - self.0.len() {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}
