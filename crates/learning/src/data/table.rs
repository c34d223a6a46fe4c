use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};
use ndarray::Array2;

use super::error::{LineFault, Malformed, shown};
use super::part::Inputs;
use super::{DataError, ModelColumns, Raw, TableFormat, arrangement, in_bounds};
use crate::text::escaped_list;

/// Format of a table, and the names of the columns to read.
pub(super) struct TableSpec<'a> {
    pub(super) format: TableFormat,
    /// Name of the column with the class.
    pub(super) label: &'a str,
    /// Name of the column with the text; `None` if all columns but the label have numbers.
    pub(super) text: Option<&'a str>,
    /// Columns of the model that takes the numbers; `None` if a model learns from them anew.
    pub(super) model: Option<ModelColumns<'a>>,
}

/// Returns the index of the column that is given by its name.
pub(super) fn index(path: &Path, names: &[String], wanted: &str) -> Result<usize, DataError> {
    let index = names.iter().position(|column| column == wanted);
    index.ok_or_else(|| DataError::MissingColumn {
        path: path.to_owned(),
        column: wanted.to_owned(),
        columns: escaped_list(names),
    })
}

/// Reads the texts of the columns that `choose` returns the indices of, given the header.
///
/// Each row has the line where it starts, and a text for each index.
pub(super) fn columns(
    path: &Path,
    bytes: &[u8],
    format: TableFormat,
    choose: impl Fn(&[String]) -> Result<Vec<usize>, DataError>,
) -> Result<Vec<(u64, Vec<String>)>, DataError> {
    let mut rows = Vec::new();
    let mut malformed = Malformed::new(path);
    let mut chosen = Vec::new();
    let mut header = Vec::new();
    let mut first = true;
    records(path, bytes, format, |record, line| {
        if first {
            first = false;
            header = names(path, record, line)?;
            let indices = choose(&header);
            if let ([only], Err(_)) = (header.as_slice(), &indices) {
                separated(path, only, format)?;
            }
            chosen = indices?;
            return Ok(());
        }
        if record.len() != header.len() {
            let (found, wanted) = (record.len(), header.len());
            malformed.add(line, LineFault::FieldCount { found, wanted });
            return Ok(());
        }
        let row: Result<_, _> = chosen
            .iter()
            .map(|&index| utf8(&record[index], &header[index]).map(str::to_owned))
            .collect();
        match row {
            Ok(row) => rows.push((line, row)),
            Err(fault) => malformed.add(line, fault),
        }
        Ok(())
    })?;
    malformed.finish()?;
    Ok(rows)
}

pub(super) fn parse(path: &Path, bytes: &[u8], spec: &TableSpec<'_>) -> Result<Raw, DataError> {
    let mut table = None;
    records(path, bytes, spec.format, |record, line| {
        match &mut table {
            None => table = Some(Table::new(path, record, line, spec)?),
            Some(table) => table.add(record, line),
        }
        Ok(())
    })?;
    // If the file had no header, reading has failed before.
    let Some(table) = table else {
        let path = path.to_owned();
        return Err(DataError::NoHeader { path });
    };
    table.finish()
}

/// Reads all records of a table, the header first. Each has the line where it starts.
fn records(
    path: &Path,
    bytes: &[u8],
    format: TableFormat,
    mut each: impl FnMut(&ByteRecord, u64) -> Result<(), DataError>,
) -> Result<(), DataError> {
    // With an odd number, the reader would take the rest of the file for one field.
    let open = bytes
        .iter()
        .fold(false, |open, &byte| open ^ (byte == b'"'));
    if format == TableFormat::Csv && open {
        return Err(DataError::OpenQuote {
            path: path.to_owned(),
        });
    }
    let (delimiter, quoting) = match format {
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
    let mut lines = Lines::of(bytes);
    let header = reader.byte_headers().map_err(failed)?.clone();
    if header.is_empty() {
        return Err(DataError::NoHeader {
            path: path.to_owned(),
        });
    }
    let line = lines.line(start(&header));
    each(&header, line)?;
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let line = lines.line(start(&record));
        each(&record, line)?;
    }
    Ok(())
}

/// Returns the offset at which a record starts, or at which blank lines before it start.
fn start(record: &ByteRecord) -> usize {
    let start = record.position().map_or(0, csv::Position::byte);
    usize::try_from(start).unwrap_or(usize::MAX)
}

/// Counter of lines, as editors count them: LF, CR LF and CR each end a line, also within quotes.
///
/// The reader counts only LF, and too late.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line: 1,
        }
    }

    /// Returns the line, from 1, of the record at `start` or after the blank lines there.
    ///
    /// `start` must not decrease between calls.
    fn line(&mut self, start: usize) -> u64 {
        while let Some(&byte) = self.bytes.get(self.at) {
            let ends = matches!(byte, b'\r' | b'\n');
            if self.at >= start && !ends {
                break;
            }
            let next = self.bytes.get(self.at + 1);
            self.at += if byte == b'\r' && next == Some(&b'\n') {
                2
            } else {
                1
            };
            self.line += u64::from(ends);
        }
        self.line
    }
}

/// Table whose records are being read.
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
    fn new(
        path: &Path,
        header: &ByteRecord,
        line: u64,
        spec: &TableSpec<'_>,
    ) -> Result<Self, DataError> {
        let columns = names(path, header, line)?;
        if let [only] = columns.as_slice()
            && only != spec.label
        {
            separated(path, only, spec.format)?;
        }
        let label = index(path, &columns, spec.label)?;
        let inputs = if let Some(text) = spec.text {
            Columns::Text {
                column: index(path, &columns, text)?,
                texts: Vec::new(),
            }
        } else {
            let inputs = (0..columns.len()).filter(|&column| column != label);
            let mut inputs: Vec<usize> = inputs.collect();
            if let Some(model) = spec.model.filter(|_| !inputs.is_empty()) {
                let names = inputs.iter().map(|&column| columns[column].clone());
                let order = arrangement(path, &names.collect::<Vec<_>>(), model)?;
                inputs = order.into_iter().map(|index| inputs[index]).collect();
            }
            Columns::Numbers {
                columns: inputs,
                numbers: Vec::new(),
            }
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
            // `numbers` keeps the values before the fault. After a fault, nobody uses it.
            Err(fault) => self.malformed.add(line, fault),
        }
    }

    /// Adds the inputs of a record. It returns the label.
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
                // No line was malformed, so there are exactly that many numbers.
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

/// Checks that the only column of a table is not a header with another separator.
fn separated(path: &Path, header: &str, format: TableFormat) -> Result<(), DataError> {
    const COMMAS: &str = "`,`";
    const TABS: &str = "tabs";
    let (wanted, others) = match format {
        TableFormat::Csv => (
            COMMAS,
            [
                (';', "`;`", "save it with commas"),
                ('\t', TABS, "name it .tsv"),
                ('|', "`|`", "save it with commas"),
            ],
        ),
        TableFormat::Tsv => (
            TABS,
            [
                (',', COMMAS, "name it .csv"),
                (';', "`;`", "save it with tabs"),
                ('|', "`|`", "save it with tabs"),
            ],
        ),
    };
    let other = others.into_iter().find(|(mark, ..)| header.contains(*mark));
    let Some((_, found, advice)) = other else {
        return Ok(());
    };
    Err(DataError::Separator {
        path: path.to_owned(),
        header: header.to_owned(),
        found,
        wanted,
        advice,
    })
}

/// Returns the names in a header, which must differ.
fn names(path: &Path, header: &ByteRecord, line: u64) -> Result<Vec<String>, DataError> {
    let mut malformed = Malformed::new(path);
    let mut names: Vec<String> = Vec::new();
    let mut doubled: Vec<String> = Vec::new();
    for (field, column) in header.iter().zip(1..) {
        match utf8(field, &format!("number {column}")) {
            Ok(name) if names.iter().any(|other| other == name) => {
                if !doubled.iter().any(|other| other == name) {
                    doubled.push(name.to_owned());
                }
            }
            Ok(name) => names.push(name.to_owned()),
            Err(fault) => malformed.add(line, fault),
        }
    }
    malformed.finish()?;
    if doubled.is_empty() {
        return Ok(names);
    }
    Err(DataError::DuplicateColumns {
        path: path.to_owned(),
        columns: doubled,
    })
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
