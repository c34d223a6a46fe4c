//! Encodes examples as users give them: a row, a list of features, or a file with many.

mod pictures;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use cotrain_protocol::{
    classifier::{Kind, Parameters},
    sample::{Encoding, encode_sparse},
};
use thiserror::Error;

use crate::{
    data::{
        DataError, Example, Field, FolderError, LineFault, MAX_BYTES, Reading, Source, Table,
        TableFormat, limited, load_more,
    },
    encode::{EncodeError, Encoder, Noted, Sort},
    pictures::PictureError,
    text::{escaped, escaped_list},
};

pub use pictures::{encode_picture, encode_picture_bytes, encode_pictures};

/// Sample, with figures on what it holds of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Encoded sample, as contracts take it.
    pub sample: Vec<u8>,
    /// Number of the input's words, indices or columns that the model knows.
    ///
    /// It is `None` for a dense sample that the user gave as bytes.
    pub known: Option<usize>,
    /// Number of values outside the model's range, which the encoder moved to its bounds.
    pub clipped: usize,
    /// Number of texts in categorical columns, or of indices, that the model does not know.
    pub unseen: usize,
}

impl From<Noted> for Encoded {
    fn from(noted: Noted) -> Self {
        Self {
            sample: noted.sample,
            known: Some(noted.known),
            clipped: noted.clamped,
            unseen: noted.unseen,
        }
    }
}

impl Encoded {
    /// Wraps a sample that the user gave as bytes.
    #[must_use]
    pub fn raw(encoding: Encoding, sample: Vec<u8>) -> Self {
        Self {
            known: (encoding == Encoding::Sparse).then_some(sample.len() / 2),
            sample,
            clipped: 0,
            unseen: 0,
        }
    }

    /// Returns `true` if the model knows nothing of the input. Its prediction is its prior then.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.known == Some(0)
    }
}

/// Reason why an input cannot be encoded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum InputError {
    /// The encoder refused the example.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A field of a row is not a number.
    #[error(
        "`{}` is no number; expected numbers separated by commas",
        escaped(field)
    )]
    NoNumber {
        /// Text of the field.
        field: String,
    },
    /// A part of a row is not an index with a value.
    #[error(
        "`{}` is no entry; expected `index:value` with an index from {first}",
        escaped(entry)
    )]
    NoEntry {
        /// Text of the part.
        entry: String,
        /// First index.
        first: u32,
    },
    /// A field of a row does not fit its column.
    #[error(transparent)]
    Field(#[from] LineFault),
    /// A row has a line break outside of quotation marks, so that it is more than one.
    #[error("there is a line break within the row; expected one row, or a line of a file for each")]
    LineBreak,
    /// A row has too few or too many fields.
    #[error(
        "the row has {found} {}, expected {wanted} separated by commas: {columns}",
        if *found == 1 { "field" } else { "fields" }
    )]
    FieldCount {
        /// Number of fields found.
        found: usize,
        /// Expected number of fields.
        wanted: usize,
        /// Names of the columns, escaped and separated by commas.
        columns: String,
    },
    /// The user gave a table to a model that learned from none.
    #[error("the model learned from libsvm data, which has no columns")]
    NoTable,
    /// The user gave a table to a model of texts without naming the column of the texts.
    #[error("the model learned from texts")]
    TextColumnWanted,
    /// A field of a list is not a feature.
    #[error(
        "`{}` is no feature; expected their numbers from 0, separated by commas",
        escaped(field)
    )]
    NoFeature {
        /// Text of the field.
        field: String,
    },
    /// The user listed features for a model whose samples are numbers.
    #[error("the samples of a {kind} are numbers")]
    NotSparse {
        /// Learner of the model.
        kind: Kind,
    },
    /// The user gave a row to a model of texts.
    #[error("the model learned from text")]
    TextWanted,
    /// The user gave a picture to a model of another sort.
    #[error("the model did not learn from pictures")]
    NoPictures,
    /// A file or a folder of pictures cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The bytes are no picture that can be read.
    #[error("cannot read the picture: {0}")]
    Picture(#[from] PictureError),
    /// The user named a column of texts for a model of another sort.
    #[error("the model did not learn from texts")]
    NoTexts,
    /// The user named a column of a file without columns.
    #[error("{} has no columns", path.display())]
    NoColumns {
        /// Path of the file.
        path: PathBuf,
    },
    /// The user chose how to read a table, and each line of the file is an example.
    #[error(
        "{} is read line by line, without {choice}; leave that out, or name a table with its column of texts",
        path.display()
    )]
    NotForLines {
        /// Path of the file.
        path: PathBuf,
        /// Choice for tables.
        choice: &'static str,
    },
    /// A line of a file cannot be encoded.
    #[error("line {line} of {}", path.display())]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: Box<InputError>,
    },
    /// An example of labeled data cannot be encoded.
    #[error("example {number} of {}", path.display())]
    Example {
        /// Number of the example, from 1.
        number: usize,
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: EncodeError,
    },
}

/// Encodes a text.
///
/// # Errors
/// If the model did not learn from texts.
pub fn encode_text(encoder: &Encoder, text: &str) -> Result<Encoded, InputError> {
    Ok(encoder.encode_noting(Example::Text(text))?.into())
}

/// Encodes a row, in the form of the data that the model learned from.
///
/// That is the fields of a table's row separated by commas, or `index:value …` with indices that
/// count as in that data.
///
/// # Errors
/// If the row has another form, or the model learned from texts.
pub fn encode_row(encoder: &Encoder, row: &str) -> Result<Encoded, InputError> {
    let noted = match encoder.takes() {
        Sort::Text => return Err(InputError::TextWanted),
        Sort::Numbers if encoder.columns().is_some_and(|it| !it.schema.is_plain()) => {
            let record = record(row)?;
            let fields: Vec<_> = record.iter().map(|it| Field::Text(it.trim())).collect();
            return encode_fields(encoder, &fields);
        }
        Sort::Numbers => encoder.encode_noting(Example::Numbers(&numbers(row)?)),
        Sort::Indexed => {
            let (indices, values) = entries(row, encoder.first_index())?;
            encoder.encode_noting(Example::Indexed {
                indices: &indices,
                values: Some(&values),
            })
        }
    };
    Ok(noted?.into())
}

/// Encodes the fields of a table's row, in the order of the model's columns.
///
/// The reserved columns may be left out together.
///
/// # Errors
/// If the number of fields is another one, or a field does not fit its column.
/// If the model learned from no columns.
pub fn encode_fields(encoder: &Encoder, fields: &[Field<'_>]) -> Result<Encoded, InputError> {
    let columns = encoder.columns().ok_or_else(|| match encoder.takes() {
        Sort::Text => InputError::TextWanted,
        Sort::Numbers | Sort::Indexed => InputError::NoTable,
    })?;
    let wanted = columns.schema.columns().len();
    if fields.len() != wanted && fields.len() + columns.reserved != wanted {
        return Err(InputError::FieldCount {
            found: fields.len(),
            wanted,
            columns: escaped_list(&columns.names()),
        });
    }
    let reserved = (fields.len()..wanted).map(|_| Field::Number(0.0));
    let numbers = columns.schema.row(fields.iter().copied().chain(reserved))?;
    Ok(encoder.encode_noting(Example::Numbers(&numbers))?.into())
}

/// Writes an example as [`encode_row`] reads it; `None` if it is a text.
#[must_use]
pub fn row_of(encoder: &Encoder, example: Example<'_>) -> Option<String> {
    match example {
        Example::Text(_) => None,
        Example::Numbers(numbers) => {
            let fields = match encoder.columns() {
                Some(columns) => columns.schema.fields(numbers),
                None => numbers.iter().map(f64::to_string).collect(),
            };
            let quoted = |field: &String| {
                if field.contains([',', '"', '\n', '\r']) {
                    format!("\"{}\"", field.replace('"', "\"\""))
                } else {
                    field.clone()
                }
            };
            Some(fields.iter().map(quoted).collect::<Vec<_>>().join(","))
        }
        Example::Indexed { indices, values } => {
            let first = encoder.first_index();
            let value = |at: usize| values.map_or(1.0, |values| values[at]);
            let entries = indices.iter().enumerate();
            let entries: Vec<String> = entries
                .map(|(at, index)| format!("{}:{}", index + first, value(at)))
                .collect();
            Some(entries.join(" "))
        }
    }
}

/// Encodes a list of the present features: their numbers from 0, separated by commas.
///
/// # Errors
/// If a field is not a number, or the model's samples do not list present features.
pub fn encode_features(parameters: &Parameters, list: &str) -> Result<Encoded, InputError> {
    let encoding = parameters.encoding();
    if encoding != Encoding::Sparse {
        let kind = parameters.kind();
        return Err(InputError::NotSparse { kind });
    }
    let feature = |field: &str| {
        let number = field.trim().parse::<u16>();
        number.map_err(|_| InputError::NoFeature {
            field: field.to_owned(),
        })
    };
    let mut features: Vec<u16> = list
        .split(',')
        .filter(|field| !field.trim().is_empty())
        .map(feature)
        .collect::<Result<_, _>>()?;
    features.sort_unstable();
    features.dedup();
    Ok(Encoded::raw(encoding, encode_sparse(&features)))
}

/// Choices for reading a file of examples without classes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileOptions<'a> {
    /// Column of a table with the texts; other columns are skipped.
    pub text_column: Option<&'a str>,
    /// Column with the classes, which is skipped; by default `label`, if the model has no such.
    pub label_column: Option<&'a str>,
    /// Further columns that are skipped.
    pub drop: &'a [String],
    /// Choices for reading a table.
    pub reading: Reading,
}

impl FileOptions<'_> {
    /// Checks that there are no choices for a table, since each line of the file is an example.
    ///
    /// # Errors
    /// [`InputError::NotForLines`].
    pub fn check_lines(&self, path: &Path) -> Result<(), InputError> {
        let choices = [
            (self.reading.separator.is_some(), "a separator"),
            (self.reading.decimal_comma, "decimal commas"),
            (self.reading.encoding.is_some(), "an encoding"),
            (!self.drop.is_empty(), "columns to leave out"),
        ];
        match choices.into_iter().find(|(given, _)| *given) {
            None => Ok(()),
            Some((_, choice)) => Err(InputError::NotForLines {
                path: path.to_owned(),
                choice,
            }),
        }
    }
}

/// Encodes a file of examples without classes.
///
/// With a text column, each row of a table is an example; other columns are skipped.
/// For a model of columns, the header of a table has the model's columns, in any order.
/// If the file is no table, each line is an example ([`encode_lines`]). So it is in an unpacked
/// .csv file whose first line consists of numbers, unless a column is called by a number.
///
/// # Errors
/// If the file cannot be read, or an example cannot be encoded.
/// If a column of a table is unknown, missing or doubled.
pub fn encode_file(
    encoder: &Encoder,
    path: &Path,
    options: &FileOptions<'_>,
) -> Result<Vec<Encoded>, InputError> {
    let as_lines = || {
        options.check_lines(path)?;
        encode_lines(encoder, path, &read(path)?)
    };
    let text_column = options.text_column;
    let format = match TableFormat::of(path) {
        Some(format) => format,
        None if text_column.is_some() => {
            let path = path.to_owned();
            return Err(InputError::NoColumns { path });
        }
        None => return as_lines(),
    };
    match (encoder.takes(), text_column) {
        (Sort::Text | Sort::Indexed, None) => return as_lines(),
        (Sort::Text, Some(_)) | (Sort::Numbers, None) => {}
        (_, Some(_)) => return Err(InputError::NoTexts),
    }
    let table = Table::read(path, format, &options.reading).map_err(InputError::Data);
    match table.and_then(|table| encode_table(encoder, path, &table, options)) {
        // The rows are numbers in the model's order, without a header. If a column of the model is
        // called by a number, the first line is a header in any case.
        Err(InputError::Data(
            DataError::NotTheColumns { .. }
            | DataError::DuplicateColumns { .. }
            | DataError::Malformed { .. },
        )) if is_plain(encoder) && begins_with_numbers(path) => as_lines(),
        other => other,
    }
}

/// Returns `true` if a model's rows are numbers alone, and no column is called by a number.
fn is_plain(encoder: &Encoder) -> bool {
    let is_number = |name: &String| name.trim().parse::<f64>().is_ok();
    let columns = encoder.columns();
    columns.is_some_and(|it| it.schema.is_plain() && !it.names().iter().any(is_number))
}

/// Encodes the rows of a table without classes.
///
/// # Errors
/// If a column is unknown or missing, or a row cannot be encoded.
pub fn encode_table(
    encoder: &Encoder,
    path: &Path,
    table: &Table,
    options: &FileOptions<'_>,
) -> Result<Vec<Encoded>, InputError> {
    let at_line = |row: usize, source: InputError| InputError::Line {
        line: table.line(row),
        path: path.to_owned(),
        source: Box::new(source),
    };
    match (encoder.columns(), options.text_column) {
        (Some(columns), None) => {
            let comma = options.reading.decimal_comma;
            let rows = table.numbers(columns, options.label_column, options.drop, comma)?;
            let encode = |(row, numbers): (usize, ndarray::ArrayView1<'_, f64>)| {
                let numbers = Example::Numbers(numbers.to_slice().unwrap_or_default());
                let noted = encoder.encode_noting(numbers);
                noted
                    .map(Encoded::from)
                    .map_err(|error| at_line(row, error.into()))
            };
            rows.rows().into_iter().enumerate().map(encode).collect()
        }
        (None, Some(column)) if encoder.takes() == Sort::Text => {
            let texts = table.texts(column)?.enumerate();
            let encode = |(row, text)| encode_text(encoder, text).map_err(|it| at_line(row, it));
            texts.map(encode).collect()
        }
        (_, Some(_)) => Err(InputError::NoTexts),
        (None, None) if encoder.takes() == Sort::Text => Err(InputError::TextColumnWanted),
        (None, None) => Err(InputError::NoTable),
    }
}

/// Encodes each line of a text that is not blank as an example. Errors name `path`.
///
/// # Errors
/// If an example cannot be encoded.
pub fn encode_lines(
    encoder: &Encoder,
    path: &Path,
    text: &str,
) -> Result<Vec<Encoded>, InputError> {
    let lines = lines(text).map(|(number, line)| (number, line.to_owned()));
    encode_all(encoder, path, lines.collect())
}

/// Samples of labeled data, in the order of the data.
#[derive(Debug)]
pub struct Labeled {
    /// Class number and sample of each example.
    pub samples: Vec<(u16, Encoded)>,
    /// Number of examples of libsvm data with a query, which was left out.
    pub queries: usize,
}

/// Encodes labeled data for a model with these classes.
///
/// # Errors
/// If the data cannot be read, or an example cannot be encoded.
/// If the data has other columns or classes than the model.
pub fn encode_labeled(
    encoder: &Encoder,
    source: &Source,
    classes: &[String],
) -> Result<Labeled, InputError> {
    let part = load_more(source, classes, encoder.inputs())?;
    let sample = |(index, (example, &label)): (usize, (_, &u16))| {
        let noted = encoder.encode_noting(example);
        let noted = noted.map_err(|source| InputError::Example {
            number: index + 1,
            path: part.path().to_owned(),
            source,
        })?;
        Ok((label, noted.into()))
    };
    let examples = part.examples().zip(part.labels());
    let samples: Result<_, InputError> = examples.enumerate().map(sample).collect();
    Ok(Labeled {
        samples: samples?,
        queries: part.queries(),
    })
}

/// Encodes examples, each with its line.
fn encode_all(
    encoder: &Encoder,
    path: &Path,
    examples: Vec<(u64, String)>,
) -> Result<Vec<Encoded>, InputError> {
    let encode = |(line, example): (u64, String)| {
        let sample = match encoder.takes() {
            Sort::Text => encode_text(encoder, &example),
            Sort::Numbers | Sort::Indexed => encode_row(encoder, &example),
        };
        sample.map_err(|source| InputError::Line {
            line,
            path: path.to_owned(),
            source: Box::new(source),
        })
    };
    examples.into_iter().map(encode).collect()
}

/// Returns `true` if the first line of a file consists of numbers and is therefore no header.
fn begins_with_numbers(path: &Path) -> bool {
    read(path).is_ok_and(|text| {
        let first = lines(&text).next();
        first.is_some_and(|(_, line)| numbers(line).is_ok())
    })
}

fn read(path: &Path) -> Result<String, InputError> {
    let file = File::open(path).map_err(|source| InputError::Read {
        path: path.to_owned(),
        source,
    })?;
    read_lines(path, file)
}

/// Reads a text whose lines are examples. Errors name `path`.
///
/// # Errors
/// If the text cannot be read or is no UTF-8.
/// [`DataError::TooLarge`] if it has more than [`MAX_BYTES`] bytes.
pub fn read_lines(path: &Path, source: impl io::Read) -> Result<String, InputError> {
    read_within(path, source, MAX_BYTES)
}

fn read_within(path: &Path, source: impl io::Read, max: u64) -> Result<String, InputError> {
    let read = limited(source, max).and_then(|bytes| {
        let text = bytes.map(String::from_utf8).transpose();
        text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    });
    let path = || path.to_owned();
    match read {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(DataError::TooLarge { path: path(), max }.into()),
        Err(source) => Err(InputError::Read {
            path: path(),
            source,
        }),
    }
}

/// Returns the lines of a text that are not blank, with their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = (1..).zip(text.trim_start_matches('\u{feff}').lines());
    lines.filter(|(_, line)| !line.trim().is_empty())
}

fn numbers(row: &str) -> Result<Vec<f64>, InputError> {
    let number = |field: &str| {
        let number = field.trim().parse();
        number.map_err(|_| InputError::NoNumber {
            field: field.to_owned(),
        })
    };
    row.split(',').map(number).collect()
}

/// Splits a row at its commas, which fields in quotation marks may contain, as line breaks may.
fn record(row: &str) -> Result<csv::StringRecord, InputError> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(row.as_bytes());
    let mut record = csv::StringRecord::new();
    // A text in memory is read without a failure; an empty one has no fields.
    let _ = reader.read_record(&mut record);
    let has_more = reader.read_record(&mut csv::StringRecord::new());
    if has_more.unwrap_or(true) {
        return Err(InputError::LineBreak);
    }
    Ok(record)
}

/// Reads the entries of a row as indices from 0 and values. The row counts them from `first`.
fn entries(row: &str, first: u32) -> Result<(Vec<u32>, Vec<f64>), InputError> {
    let entry = |pair: &str| {
        let (index, value) = pair.split_once(':')?;
        Some((
            index.parse::<u32>().ok()?.checked_sub(first)?,
            value.parse::<f64>().ok()?,
        ))
    };
    let mut found = (Vec::new(), Vec::new());
    for pair in row.split_whitespace() {
        let (index, value) = entry(pair).ok_or_else(|| InputError::NoEntry {
            entry: pair.to_owned(),
            first,
        })?;
        found.0.push(index);
        found.1.push(value);
    }
    let mut sorted = found.0.clone();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let index = pair[0] + first;
        return Err(LineFault::IndexTwice { index }.into());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn encoder(json: &str) -> Encoder {
        serde_json::from_str(json).expect("an encoder")
    }

    fn words() -> Encoder {
        encoder(r#"{"classifier":"naive-bayes","features":{"words":["good","bad"]}}"#)
    }

    fn columns() -> Encoder {
        encoder(r#"{"classifier":"naive-bayes","features":{"columns":["a","b","c"]},"reserved":1}"#)
    }

    fn indices() -> Encoder {
        encoder(r#"{"classifier":"naive-bayes","features":{"indices-up-to":4}}"#)
    }

    fn message<T>(result: Result<T, InputError>) -> String {
        let error = result.map(drop).expect_err("an error");
        let source = std::error::Error::source(&error);
        source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
    }

    #[test]
    fn encode_row_reads_what_the_model_learned_from() {
        let encoded = encode_row(&columns(), "1, 0,1").expect("a row");
        assert_eq!(encoded.sample, [0, 0, 0, 2]);
        assert_eq!(
            message(encode_row(&columns(), "1,x,0")),
            "`x` is no number; expected numbers separated by commas"
        );
        let encoded = encode_row(&indices(), "2:1 4:1").expect("a row");
        assert_eq!((encoded.sample, encoded.known), (vec![0, 1, 0, 3], Some(2)));
        for entry in ["0:1", "x:1", "2", "2:y"] {
            assert_eq!(
                message(encode_row(&indices(), entry)),
                format!("`{entry}` is no entry; expected `index:value` with an index from 1")
            );
        }
        assert_eq!(
            message(encode_row(&indices(), "2:1 4:1 2:0")),
            "the index 2 occurs more than once, expected each index once"
        );
        assert_eq!(
            message(encode_row(&words(), "1,2")),
            "the model learned from text"
        );
        let typed = encoder(
            r#"{"classifier":"naive-bayes","features":{"table":[{"name":"a","type":"categorical","values":["x\ny"],"other":true}]},"reserved":0}"#,
        );
        let quoted = encode_row(&typed, "\"x\ny\"\n").expect("a row");
        assert_eq!((quoted.unseen, quoted.known), (0, Some(1)));
        for rows in ["x\ny", "x\ry", "x\r\n\r\ny,z"] {
            let told = message(encode_row(&typed, rows));
            assert!(told.starts_with("there is a line break"), "{told}");
        }
    }

    #[test]
    fn row_of_is_what_encode_row_reads() {
        let numbers = Example::Numbers(&[1.0, 0.0]);
        assert_eq!(row_of(&columns(), numbers).as_deref(), Some("1,0"));
        let indexed = Example::Indexed {
            indices: &[1, 3],
            values: None,
        };
        let row = row_of(&indices(), indexed).expect("a row");
        assert_eq!(row, "2:1 4:1");
        let sample = encode_row(&indices(), &row).expect("a sample").sample;
        assert_eq!(sample, indices().encode(indexed).expect("a sample"));
        assert_eq!(row_of(&words(), Example::Text("a text")), None);
    }

    #[test]
    fn encode_features_orders_them_and_knows_how_many_there_are() {
        let sparse = Parameters::SparseNearestCentroid {
            classes: 2,
            features: 10,
        };
        let encoded = encode_features(&sparse, "7, 2,7,").expect("features");
        assert_eq!((encoded.sample, encoded.known), (vec![0, 2, 0, 7], Some(2)));
        assert!(encode_features(&sparse, "").expect("none").is_unknown());
        assert_eq!(
            message(encode_features(&sparse, "1,-1")),
            "`-1` is no feature; expected their numbers from 0, separated by commas"
        );
        let dense = Parameters::DensePerceptron {
            features: 2,
            learning_rate: 1,
            intercept: 0,
            bounds: cotrain_protocol::classifier::Bounds {
                max_number: 1,
                max_squared_length: 1,
            },
        };
        assert_eq!(
            message(encode_features(&dense, "1")),
            "the samples of a dense perceptron are numbers"
        );
    }

    #[test]
    fn read_within_refuses_more_bytes() {
        let path = Path::new("-");
        assert_eq!(read_within(path, &b"ab\n"[..], 3).expect("a text"), "ab\n");
        // It ends in the middle of a letter, and an endless source ends, too.
        let told = message(read_within(path, "abé".as_bytes(), 3));
        assert!(told.starts_with("`-` has more than 3 bytes"), "{told}");
        let told = read_within(path, io::repeat(b'a'), 1_000);
        assert!(matches!(
            told,
            Err(InputError::Data(DataError::TooLarge { .. }))
        ));
        let told = read_within(path, &[0xff][..], 3);
        assert!(matches!(told, Err(InputError::Read { .. })));
    }

    #[test]
    fn encode_fields_counts_one_field() {
        let one = encode_fields(&columns(), &[Field::Number(1.0)]);
        assert!(message(one).starts_with("the row has 1 field, expected 3"));
        let four = encode_fields(&columns(), &[Field::Number(1.0); 4]);
        assert!(message(four).starts_with("the row has 4 fields, expected 3"));
    }

    #[test]
    fn encode_file_reads_tables_and_lines() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            path
        };
        let options = |text_column| FileOptions {
            text_column,
            label_column: Some("kind"),
            ..FileOptions::default()
        };
        let samples = |encoder: &Encoder, path: &Path, column| {
            let all = encode_file(encoder, path, &options(column)).expect("samples");
            all.into_iter().map(|it| it.sample).collect::<Vec<_>>()
        };
        // The file names its columns, in any order and with the class between them. It may lack
        // the reserved ones, but only all of them.
        let table = put("named.csv", "kind,b,a\nham,1,0\nspam,0,1\n");
        assert_eq!(samples(&columns(), &table, None), [[0, 1], [0, 0]]);
        let bare = put("bare.csv", "1,0,0\n\n0,1,0\n");
        assert_eq!(samples(&columns(), &bare, None), [[0, 0], [0, 1]]);
        let texts = put("mail.csv", "id,body\n1,a good one\n2,bad\n");
        assert_eq!(samples(&words(), &texts, Some("body")), [[0, 0], [0, 1]]);
        let lines = put("texts.txt", "\u{feff}good\n\nbad\n");
        assert_eq!(samples(&words(), &lines, None), [[0, 0], [0, 1]]);
        let dropped = ["id".to_owned()];
        let told = encode_file(
            &words(),
            &lines,
            &FileOptions {
                drop: &dropped,
                ..FileOptions::default()
            },
        );
        assert!(matches!(told, Err(InputError::NotForLines { .. })));

        let message = |encoder: &Encoder, path: &Path, column| {
            message(encode_file(encoder, path, &options(column)))
        };
        let bad = put("bad.txt", "2:1\n\n1\n");
        assert_eq!(
            message(&indices(), &bad, None),
            format!(
                "line 3 of {}: `1` is no entry; expected `index:value` with an index from 1",
                bad.display()
            )
        );
        assert_eq!(
            message(&words(), &lines, Some("body")),
            format!("{} has no columns", lines.display())
        );
        assert_eq!(
            message(&columns(), &table, Some("a")),
            "the model did not learn from texts"
        );
        let other = put("other.csv", "x,y\n1,0\n");
        assert!(message(&columns(), &other, None).ends_with(
            "has the columns x, y, but the model has a, b, c (all or none of c): unknown x, y \
                 and missing a, b; give it the model's columns, in any order, and leave others out with --drop"
        ));
        for (header, fault) in [
            ("id,b,a", "unknown id"),
            ("c,a", "missing b"),
            ("class,kind,c,b", "unknown class and missing a"),
        ] {
            let row = header.replace(|letter| letter != ',', "0");
            let other = put("other.csv", &format!("{header}\n{row}\n"));
            let told = message(&columns(), &other, None);
            assert!(told.contains(&format!(": {fault}; give it")), "{told}");
        }
        let doubled = put("doubled.csv", "a,b,a,b,a\n1,0,1,0,1\n");
        let twice = message(&columns(), &doubled, None);
        assert!(
            twice.contains("has more than one column of a, b; rename"),
            "{twice}"
        );
        // A model whose columns are called by numbers needs a header: no line is taken for a row.
        let numbered = encoder(r#"{"classifier":"naive-bayes","features":{"columns":["0","1"]}}"#);
        for (header, fault) in [
            ("1,7", "unknown 7 and missing 0"),
            ("1,1,0", "has more than one column of 1"),
        ] {
            let row = header.replace(|letter| letter != ',', "1");
            let other = put("numbered.csv", &format!("{header}\n{row}\n"));
            let told = message(&numbered, &other, None);
            assert!(told.contains(fault), "{told}");
        }
        let turned = put("numbered.csv", "1,0\n1,0\n");
        let straight = put("straight.csv", "0,1\n0,1\n");
        let all =
            |path: &Path| encode_file(&numbered, path, &FileOptions::default()).expect("samples");
        assert_eq!(all(&turned), all(&straight));
        // A decimal comma is no separator of columns.
        let comma = put("comma.csv", "a,b\n\"0,1\",1\n");
        let told = message(&columns(), &comma, None);
        assert!(told.contains("column `a` has `0,1`, expected a number with a decimal point"));
        let missing = folder.path().join("missing.txt");
        assert!(message(&words(), &missing, None).starts_with("cannot read "));
    }
}
