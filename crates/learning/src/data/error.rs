use std::fmt;
use std::io;
use std::path::PathBuf;

use parquet::errors::ParquetError;
use thiserror::Error;

use super::pictures::FolderError;
use super::schema::SchemaError;
use super::{MAX_CLASSES, MAX_NUMBER, TEXT_COLUMN};
use crate::text::{escaped, escaped_list, escaped_to};

/// Text before the name of a key, in messages that name an option.
const KEY: &str = "in a scenario, data.";

/// Fault of a data set.
#[derive(Debug, Error)]
pub enum DataError {
    /// The name does not tell the format of the data.
    #[error(
        "the data `{}` is neither `movie-reviews`, `digits`, a file that ends in .csv, .tsv, .txt, .parquet or .libsvm (and .gz, where it is packed) nor a folder of pictures",
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
    /// The file has more bytes than a data set may have.
    #[error(
        "`{}` has more than {}, unpacked and decoded; split it into smaller files",
        path.display(), size(*max)
    )]
    TooLarge {
        /// Path of the file.
        path: PathBuf,
        /// Maximum number of bytes.
        max: u64,
    },
    /// The table has more columns than its bounds allow.
    #[error(
        "`{}` has {found} columns, expected at most {max}; leave out those that are not needed",
        path.display()
    )]
    TooManyColumns {
        /// Path of the file.
        path: PathBuf,
        /// Number of columns.
        found: usize,
        /// Maximum number of columns.
        max: usize,
    },
    /// The numbers that stand for a table would take too much memory.
    #[error(
        "the {rows} rows of `{}` with {features} features each are more than {max} numbers; leave columns out with --drop ({KEY}drop), or split the file",
        path.display()
    )]
    TooManyNumbers {
        /// Path of the file.
        path: PathBuf,
        /// Number of rows.
        rows: usize,
        /// Number of features of a row.
        features: usize,
        /// Maximum number of numbers.
        max: usize,
    },
    /// The text is no UTF-8, and its encoding is not named.
    #[error(
        "line {line} of `{}` is not UTF-8; it seems to be {encoding}, as `{value}`: if that is right, say --encoding {encoding} ({KEY}encoding)",
        path.display()
    )]
    NotUtf8 {
        /// Path of the file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// Text of the line as it is in that encoding, escaped and cut.
        value: String,
        /// Name of the encoding that the text seems to have.
        encoding: &'static str,
    },
    /// The file is no text.
    #[error(
        "`{}` is no text: {found}; unpack it, or write it as CSV or as a .parquet file",
        path.display()
    )]
    NoText {
        /// Path of the file.
        path: PathBuf,
        /// Contents that the file seems to have.
        found: &'static str,
    },
    /// The text has bytes that its encoding does not have.
    #[error(
        "`{}` is not {encoding}: it has bytes that mean nothing there; name its encoding with --encoding ({KEY}encoding)",
        path.display()
    )]
    NotDecoded {
        /// Path of the file.
        path: PathBuf,
        /// Name of the encoding.
        encoding: &'static str,
    },
    /// The Parquet file is damaged, or packed in a way that cannot be read.
    #[error(
        "cannot read `{}` as Parquet: it is damaged, or packed by another method than Snappy, gzip and Zstandard; write it again",
        path.display()
    )]
    Parquet {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: ParquetError,
    },
    /// A column of a Parquet file has values that are no numbers, truth values or texts.
    #[error(
        "the column `{}` of `{}` has {found}, expected numbers, truth values or texts; leave it out with --drop ({KEY}drop)",
        escaped(column), path.display()
    )]
    ParquetColumn {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        column: String,
        /// Type of its values.
        found: String,
    },
    /// An option for texts is given for a Parquet file.
    #[error("`{}` is Parquet, which {option} says nothing about; leave the option out", path.display())]
    NotForParquet {
        /// Path of the file.
        path: PathBuf,
        /// Option that the user gave.
        option: &'static str,
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
    #[error("`{}` has no column `{}`; its columns are {columns}; name another with {option}", path.display(), escaped(column))]
    MissingColumn {
        /// Path of the file.
        path: PathBuf,
        /// Requested column.
        column: String,
        /// Option that names the column.
        option: &'static str,
        /// Existing columns, escaped and separated by commas.
        columns: String,
    },
    /// The header contains several characters that separate fields in other tables.
    #[error(
        "the header of `{}`, `{header}`, has more than one separator: {}; name the one between its fields with --separator ({KEY}separator)",
        path.display(), found.join(", ")
    )]
    Separator {
        /// Path of the file.
        path: PathBuf,
        /// Text of the header, escaped and cut.
        header: String,
        /// Names of the separators in the header.
        found: Vec<&'static str>,
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
    #[error("`{}` has the columns {found}, but `{}` has {wanted}; give both the same columns, in any order", test.display(), train.display())]
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
    #[error("`{}` has the columns {found}, but the model has {wanted}: {}; give it the model's columns, in any order{}",
        path.display(), mismatch(unknown, missing), if unknown.is_empty() { "" } else { ", and leave others out with --drop" })]
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
    /// An option names a column that the table does not have, or that has the classes.
    #[error(
        "{option} names the column `{}`, which {}; the columns of `{}` are {columns}",
        escaped(column), if *is_label { "has the classes" } else { "is none of the table's" }, path.display()
    )]
    OptionColumn {
        /// Path of the file.
        path: PathBuf,
        /// Name of the option on the command line.
        option: &'static str,
        /// Name of the column.
        column: String,
        /// `true` if the column has the classes.
        is_label: bool,
        /// Columns to learn from, escaped and separated by commas.
        columns: String,
    },
    /// Two options contradict each other, or one is given twice.
    #[error(
        "{options} contradict each other for the column `{}`; leave one out",
        escaped(column)
    )]
    OptionTwice {
        /// Options, as on the command line.
        options: &'static str,
        /// Name of the column.
        column: String,
    },
    /// An option for tables is given for data of another sort.
    #[error("{option} is for tables of {}; leave it out for `{}`", columns_of(option), path.display())]
    NotForTable {
        /// Path of the file.
        path: PathBuf,
        /// Option that the user gave.
        option: &'static str,
    },
    /// Pictures cannot be read as data.
    #[error(transparent)]
    Pictures(#[from] FolderError),
    /// A column has too many different texts to be one of categories.
    #[error(
        "the column `{name}` of `{}` has {distinct} different texts in {rows} rows, such as `{example}`; leave it out with --drop ({KEY}drop), learn from the words in it with --text-column ({KEY}text), or say --type '{name}=categorical' ({KEY}types)",
        path.display()
    )]
    ManyTexts {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column, escaped.
        name: String,
        /// Number of different texts.
        distinct: usize,
        /// Number of rows with a text.
        rows: usize,
        /// One of the texts, escaped and cut.
        example: String,
    },
    /// No row that a model learns from has a value in a column.
    #[error(
        "no row to learn from has a value in the column `{}` of `{}`; leave it out with --drop '{}' ({KEY}drop)",
        escaped(column), path.display(), escaped(column)
    )]
    NoValues {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        column: String,
    },
    /// Each text of a categorical column occurs once.
    #[error(
        "each text in the column `{}` of `{}` occurs once, so nothing can be learned from it; leave it out with --drop ({KEY}drop)",
        escaped(column), path.display()
    )]
    OnlyRareTexts {
        /// Path of the file.
        path: PathBuf,
        /// Name of the column.
        column: String,
    },
    /// A rule for missing values is impossible in a column.
    #[error(
        "the column `{}` is categorical, which has no {rule}; expected --missing '{}=own' or '{}=refuse'",
        escaped(column),
        escaped(column),
        escaped(column)
    )]
    NoMean {
        /// Name of the column.
        column: String,
        /// Name of the rule.
        rule: &'static str,
    },
    /// Values are missing.
    #[error(
        "`{}` has {total} missing {}, the first in line {line}: {}; replace them with --missing, such as --missing mean, median or own ({KEY}missing), or leave the {} out with --drop ({KEY}drop)",
        path.display(),
        if *total == 1 { "value" } else { "values" },
        missing_counts(columns),
        if columns.len() == 1 { "column" } else { "columns" }
    )]
    Missing {
        /// Path of the file.
        path: PathBuf,
        /// Number of missing values.
        total: usize,
        /// Line of the first one, from 1.
        line: u64,
        /// Columns with missing values, and the number of these.
        columns: Vec<(String, usize)>,
    },
    /// Values are missing that the model refuses.
    #[error(
        "`{}` has {total} missing {}, the first in line {line}: {}; the model takes no missing values there, so leave these rows out",
        path.display(),
        if *total == 1 { "value" } else { "values" },
        missing_counts(columns)
    )]
    MissingForModel {
        /// Path of the file.
        path: PathBuf,
        /// Number of missing values.
        total: usize,
        /// Line of the first one, from 1.
        line: u64,
        /// Columns with missing values, and the number of these.
        columns: Vec<(String, usize)>,
    },
    /// The columns make no schema.
    #[error("the columns of `{}` cannot be learned from: {source}; rename a column", path.display())]
    Schema {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: SchemaError,
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

/// Returns the contents of the tables that an option is for.
fn columns_of(option: &str) -> &'static str {
    match option {
        TEXT_COLUMN => "texts",
        _ => "numbers, categories and truth values",
    }
}

/// Returns columns with their number of missing values.
fn missing_counts(columns: &[(String, usize)]) -> String {
    const SHOWN: usize = 10;
    let shown = columns.iter().take(SHOWN);
    let mut text: Vec<String> = shown
        .map(|(name, count)| format!("{count} in `{}`", escaped(name)))
        .collect();
    match columns.len().saturating_sub(SHOWN) {
        0 => {}
        1 => text.push("more in another column".to_owned()),
        more => text.push(format!("more in {more} other columns")),
    }
    text.join(", ")
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
    #[error(
        "{found} {}, expected {wanted} as in the header",
        if *found == 1 { "field" } else { "fields" }
    )]
    FieldCount { found: usize, wanted: usize },
    #[error(
        "it follows a blank line, which has no meaning in a table of one column; write \"\" for an empty text"
    )]
    AfterBlank,
    #[error("column `{}` has `{value}`, expected UTF-8", escaped(column))]
    NotUtf8 { column: String, value: String },
    #[error("column `{}` has `{value}`, expected a number", escaped(column))]
    NotANumber { column: String, value: String },
    #[error("column `{}` has `{value}`, expected a number", escaped(column))]
    NeitherNumberNorMissing { column: String, value: String },
    #[error(
        "column `{}` has `{value}`, expected a number between -{MAX_NUMBER:e} and {MAX_NUMBER:e}",
        escaped(column)
    )]
    OutOfRange { column: String, value: String },
    #[error(
        "column `{}` has `{value}`, expected a number with a decimal point; for decimal commas, say --decimal-comma ({KEY}decimal_comma)",
        escaped(column)
    )]
    DecimalComma { column: String, value: String },
    #[error(
        "column `{}` has `{value}`, expected a number without a comma between thousands; remove the commas of the column, or say --decimal-comma ({KEY}decimal_comma) if it means {decimal}",
        escaped(column)
    )]
    EitherComma {
        column: String,
        value: String,
        decimal: String,
    },
    #[error(
        "column `{}` has `{value}`, expected a number without commas between thousands; remove them",
        escaped(column)
    )]
    Thousands { column: String, value: String },
    #[error(
        "column `{}` has `{value}`, expected a number without points between thousands; remove them, and say --decimal-comma ({KEY}decimal_comma)",
        escaped(column)
    )]
    ThousandsAndDecimal { column: String, value: String },
    #[error(
        "column `{}` has `{value}`, expected a number with a decimal comma and no point",
        escaped(column)
    )]
    NotADecimalComma { column: String, value: String },
    #[error(
        "column `{}` has `{value}`, expected true or false, yes or no, 1 or 0",
        escaped(column)
    )]
    NotBoolean { column: String, value: String },
    #[error(
        "column `{}` has no value, but the model takes no missing ones there",
        escaped(column)
    )]
    NoValue { column: String },
    #[error("column `{}` is empty, expected a class", escaped(column))]
    EmptyLabel { column: String },
    #[error(
        "column `{}` has `{value}`, which stands for a missing class; remove the line, or say --missing '{}=own' ({KEY}missing) if `{value}` is a class",
        escaped(column),
        escaped(column)
    )]
    MissingLabel { column: String, value: String },
    #[error("the label is `{value}`, expected an integer")]
    LabelNotInteger { value: String },
    #[error("the query is `{value}`, expected an integer")]
    Query { value: String },
    #[error("there is `{value}`, expected `index:value`")]
    NotAPair { value: String },
    #[error("there is the index `{value}`, expected a whole number from {first} to {last}")]
    Index {
        value: String,
        first: u32,
        last: u32,
    },
    #[error("the index {index} occurs more than once, expected each index once")]
    IndexTwice { index: u32 },
    #[error(
        "index {index} has the value `{value}`, expected a number between -{MAX_NUMBER:e} and {MAX_NUMBER:e}"
    )]
    Value { index: u32, value: String },
}

/// Collector of malformed lines, which keeps the first ones and counts all.
#[derive(Clone, Default)]
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

    /// Adds a line. Lines may come in any order, and the first ones of the file are kept.
    pub(super) fn add(&mut self, line: u64, fault: LineFault) {
        self.total += 1;
        let at = self.lines.partition_point(|kept| kept.line <= line);
        if at < Self::KEPT {
            self.lines.insert(at, MalformedLine { line, fault });
            self.lines.truncate(Self::KEPT);
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
            0 => {}
            more => write!(f, "\n  and {more} more")?,
        }
        let has = |found: fn(&LineFault) -> bool| self.0.iter().any(|line| found(&line.fault));
        if has(|fault| matches!(fault, LineFault::NeitherNumberNorMissing { .. })) {
            write!(
                f,
                "\n  if a value is missing, leave its field empty and say --missing ({KEY}missing)"
            )?;
        }
        if has(
            |fault| matches!(fault, LineFault::LabelNotInteger { value } if value.parse::<f64>().is_ok()),
        ) {
            write!(
                f,
                "\n  a model tells classes apart and estimates no numbers: give each range of values an integer"
            )?;
        }
        Ok(())
    }
}

/// Returns a number of bytes in words.
fn size(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        mebibytes => format!("{mebibytes} MiB"),
    }
}
