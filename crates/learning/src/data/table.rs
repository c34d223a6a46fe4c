use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};
use ndarray::Array2;

use super::error::{LineFault, Malformed, shown};
use super::part::Inputs;
use super::{DataError, Raw, TableFormat, in_bounds};

/// What is wanted from a table.
pub(super) struct TableSpec<'a> {
    pub(super) format: TableFormat,
    /// The column with the class.
    pub(super) label: &'a str,
    /// The column with the text; without it, all but the label are numbers.
    pub(super) text: Option<&'a str>,
}

pub(super) fn parse(path: &Path, bytes: &[u8], spec: &TableSpec<'_>) -> Result<Raw, DataError> {
    // The reader would take the rest of the file for one field.
    let open = bytes
        .iter()
        .fold(false, |open, &byte| open ^ (byte == b'"'));
    if spec.format == TableFormat::Csv && open {
        return Err(DataError::OpenQuote {
            path: path.to_owned(),
        });
    }
    let (delimiter, quoting) = match spec.format {
        TableFormat::Csv => (b',', true),
        TableFormat::Tsv => (b'\t', false),
    };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(quoting)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(bytes);
    let failed = |source: csv::Error| DataError::Read {
        path: path.to_owned(),
        source: source.into(),
    };
    let header = reader.byte_headers().map_err(failed)?.clone();
    if header.is_empty() {
        return Err(DataError::NoHeader {
            path: path.to_owned(),
        });
    }
    let mut table = Table::new(path, &header, spec)?;
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let line = record.position().map_or(0, csv::Position::line);
        table.add(&record, line);
    }
    table.finish()
}

/// A table that is being read.
struct Table {
    columns: Vec<String>,
    label: usize,
    inputs: Columns,
    labels: Vec<String>,
    lines: Vec<u64>,
    malformed: Malformed,
    path: std::path::PathBuf,
}

enum Columns {
    Text {
        column: usize,
        texts: Vec<String>,
    },
    Numbers {
        columns: Vec<usize>,
        numbers: Vec<f64>,
    },
}

impl Table {
    fn new(path: &Path, header: &ByteRecord, spec: &TableSpec<'_>) -> Result<Self, DataError> {
        let columns = names(path, header)?;
        let place = |wanted: &str| {
            columns
                .iter()
                .position(|column| column == wanted)
                .ok_or_else(|| DataError::MissingColumn {
                    path: path.to_owned(),
                    column: wanted.to_owned(),
                    columns: columns.join(", "),
                })
        };
        let label = place(spec.label)?;
        let inputs = match spec.text {
            Some(text) => Columns::Text {
                column: place(text)?,
                texts: Vec::new(),
            },
            None => Columns::Numbers {
                columns: (0..columns.len())
                    .filter(|&column| column != label)
                    .collect(),
                numbers: Vec::new(),
            },
        };
        let nothing = match &inputs {
            Columns::Text { column, .. } => *column == label,
            Columns::Numbers { columns, .. } => columns.is_empty(),
        };
        if nothing {
            return Err(DataError::NoInputs {
                path: path.to_owned(),
                label: spec.label.to_owned(),
            });
        }
        Ok(Self {
            columns,
            label,
            inputs,
            labels: Vec::new(),
            lines: Vec::new(),
            malformed: Malformed::new(path),
            path: path.to_owned(),
        })
    }

    fn add(&mut self, record: &ByteRecord, line: u64) {
        match self.try_add(record) {
            Ok(label) => {
                self.labels.push(label);
                self.lines.push(line);
            }
            // What was added before the fault is not used then.
            Err(fault) => self.malformed.add(line, fault),
        }
    }

    /// Adds a record's inputs; its label.
    fn try_add(&mut self, record: &ByteRecord) -> Result<String, LineFault> {
        if record.len() != self.columns.len() {
            return Err(LineFault::FieldCount {
                found: record.len(),
                wanted: self.columns.len(),
            });
        }
        let names = &self.columns;
        let field = |column: usize| utf8(&record[column], &names[column]);
        let label = field(self.label)?;
        if label.is_empty() {
            return Err(LineFault::EmptyLabel {
                column: names[self.label].clone(),
            });
        }
        match &mut self.inputs {
            Columns::Text { column, texts } => texts.push(field(*column)?.to_owned()),
            Columns::Numbers { columns, numbers } => {
                for &column in columns.iter() {
                    numbers.push(number(field(column)?, &names[column])?);
                }
            }
        }
        Ok(label.to_owned())
    }

    fn finish(self) -> Result<Raw, DataError> {
        self.malformed.finish()?;
        let (inputs, columns) = match self.inputs {
            Columns::Text { texts, .. } => (Inputs::Text(texts), Vec::new()),
            Columns::Numbers { columns, numbers } => {
                // As no line was malformed, there are that many numbers.
                let rows = Array2::from_shape_vec((self.labels.len(), columns.len()), numbers)
                    .unwrap_or_default();
                let names = columns.iter().map(|&column| self.columns[column].clone());
                (Inputs::Numbers(rows), names.collect())
            }
        };
        Ok(Raw {
            path: self.path,
            inputs,
            labels: self.labels,
            lines: self.lines,
            columns,
        })
    }
}

/// The names in a header, each once.
fn names(path: &Path, header: &ByteRecord) -> Result<Vec<String>, DataError> {
    let mut malformed = Malformed::new(path);
    let mut names: Vec<String> = Vec::new();
    for (field, column) in header.iter().zip(1..) {
        match utf8(field, &format!("number {column}")) {
            Ok(name) if names.iter().any(|other| other == name) => {
                return Err(DataError::DuplicateColumn {
                    path: path.to_owned(),
                    column: name.to_owned(),
                });
            }
            Ok(name) => names.push(name.to_owned()),
            Err(fault) => malformed.add(1, fault),
        }
    }
    malformed.finish().map(|()| names)
}

fn utf8<'a>(field: &'a [u8], column: &str) -> Result<&'a str, LineFault> {
    str::from_utf8(field).map_err(|_| LineFault::NotUtf8 {
        column: column.to_owned(),
        value: shown(field),
    })
}

fn number(field: &str, column: &str) -> Result<f64, LineFault> {
    let value: f64 = field.parse().map_err(|_| LineFault::NotANumber {
        column: column.to_owned(),
        value: shown(field.as_bytes()),
    })?;
    if in_bounds(value) {
        Ok(value)
    } else {
        Err(LineFault::OutOfRange {
            column: column.to_owned(),
            value: shown(field.as_bytes()),
        })
    }
}
