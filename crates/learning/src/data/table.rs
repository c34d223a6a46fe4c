use std::path::Path;

use csv::{ByteRecord, ReaderBuilder};

use super::content::{Bounds, Place};
use super::error::{LineFault, shown};
use super::grid::{Builder, Grid, check_names};
use super::options::{Reading, Separator};
use super::{DataError, TableFormat, file, parquet};
use crate::text::escaped_list;

/// Returns the index of the column that is given by its name.
///
/// `option` names the column for the user.
pub(super) fn index(
    path: &Path,
    names: &[String],
    wanted: &str,
    option: &'static str,
) -> Result<usize, DataError> {
    let index = names.iter().position(|column| column == wanted);
    index.ok_or_else(|| DataError::MissingColumn {
        path: path.to_owned(),
        column: wanted.to_owned(),
        option,
        columns: escaped_list(names),
    })
}

/// Reads the columns that `choose` returns the indices of, given the header.
///
/// The grid has them in that order. Rows with another number of fields than the header are
/// malformed.
pub(super) fn read(
    place: Place<'_>,
    format: TableFormat,
    reading: &Reading,
    choose: impl Fn(&[String]) -> Result<Vec<usize>, DataError>,
) -> Result<Grid, DataError> {
    let (path, bounds) = (place.path(), place.bounds());
    let bytes = file::packed(place)?;
    match format {
        TableFormat::Parquet => of_parquet(path, bytes, bounds, reading, choose),
        TableFormat::Csv | TableFormat::Tsv => {
            let bytes = file::decoded(path, bytes, reading.encoding, bounds.bytes)?;
            of_text(path, &bytes, bounds, format, reading, choose)
        }
    }
}

/// Reads the chosen columns of a Parquet file, for which no option for texts may be given.
pub(super) fn of_parquet(
    path: &Path,
    bytes: Vec<u8>,
    bounds: Bounds,
    reading: &Reading,
    choose: impl Fn(&[String]) -> Result<Vec<usize>, DataError>,
) -> Result<Grid, DataError> {
    match reading.given() {
        None => parquet::read(path, bytes, bounds, choose),
        Some(option) => Err(DataError::NotForParquet {
            path: path.to_owned(),
            option,
        }),
    }
}

/// Reads the chosen columns of a table that is a text.
pub(super) fn of_text(
    path: &Path,
    bytes: &[u8],
    bounds: Bounds,
    format: TableFormat,
    reading: &Reading,
    choose: impl Fn(&[String]) -> Result<Vec<usize>, DataError>,
) -> Result<Grid, DataError> {
    file::check_utf8(path, bytes)?;
    let (first_line, bytes) = named_separator(bytes);
    let separator = separator(path, bytes, format, reading.separator.or(first_line))?;
    // In .tsv files, a quotation mark has no meaning.
    let quoting = !(format == TableFormat::Tsv && separator == Separator::Tab);
    // With an odd number, the reader would take the rest of the file for one field.
    let open = || {
        let marks = bytes.iter().filter(|byte| **byte == b'"');
        marks.fold(false, |open, _| !open)
    };
    if quoting && open() {
        return Err(DataError::OpenQuote {
            path: path.to_owned(),
        });
    }
    let mut reader = ReaderBuilder::new()
        .delimiter(separator.byte())
        .quoting(quoting)
        .flexible(true)
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
    bounds.check_columns(path, header.len())?;
    // It counts the lines before the first row, too.
    lines.line(start(&header));
    let names: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
        .collect();
    check_names(path, &names)?;
    let chosen = choose(&names)?;
    let names: Vec<String> = chosen.iter().map(|&index| names[index].clone()).collect();
    let mut grid = Builder::new(path, names, bounds);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(failed)? {
        let start = start(&record);
        let line = lines.line(start);
        // The reader skips blank lines. In a table of one column, they might be empty texts.
        if header.len() == 1 && is_blank_at(bytes, start) {
            grid.malformed.add(line, LineFault::AfterBlank);
            continue;
        }
        if record.len() != header.len() {
            let (found, wanted) = (record.len(), header.len());
            let fault = LineFault::FieldCount { found, wanted };
            grid.malformed.add(line, fault);
            continue;
        }
        for (column, &index) in chosen.iter().enumerate() {
            grid.push(column, record[index].trim_ascii())?;
        }
        grid.end_row(line);
    }
    Ok(grid.finish())
}

/// Returns the separator that a first line such as `sep=;` names, as spreadsheets write it, and the
/// bytes without the text of that line.
///
/// The line stays as a blank one, so that all others keep their numbers.
fn named_separator(bytes: &[u8]) -> (Option<Separator>, &[u8]) {
    let named = || {
        let rest = bytes.get(..4).filter(|it| it.eq_ignore_ascii_case(b"sep="));
        let (separator, rest) = rest.and(bytes.get(4..))?.split_first()?;
        let ends = matches!(rest.first(), Some(b'\r' | b'\n'));
        let separator = Separator::ALL
            .into_iter()
            .find(|it| it.byte() == *separator);
        separator.filter(|_| ends).map(|it| (Some(it), rest))
    };
    named().unwrap_or((None, bytes))
}

/// Returns the offset at which a record starts, or at which blank lines before it start.
fn start(record: &ByteRecord) -> usize {
    let start = record.position().map_or(0, csv::Position::byte);
    usize::try_from(start).unwrap_or(usize::MAX)
}

/// Returns `true` if there is a blank line at the offset where a record ends.
fn is_blank_at(bytes: &[u8], end: usize) -> bool {
    let ends = |at: usize| matches!(bytes.get(at), Some(b'\r' | b'\n'));
    // The reader may leave the second half of a CR LF.
    let half = bytes.get(end) == Some(&b'\n') && end > 0 && bytes[end - 1] == b'\r';
    ends(end + usize::from(half))
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
        // Almost all lines end with LF alone, and these are counted faster.
        if let Some(skipped) = self.bytes.get(self.at..start)
            && !skipped.contains(&b'\r')
        {
            let ends = skipped.iter().map(|byte| u64::from(*byte == b'\n'));
            self.line += ends.sum::<u64>();
            self.at = start;
        }
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

/// Returns the separator of a table: the given one, or the only one that the header contains.
///
/// In .tsv files, a tab is the separator, whatever else the header contains.
/// In a header without a separator there is one column.
fn separator(
    path: &Path,
    bytes: &[u8],
    format: TableFormat,
    given: Option<Separator>,
) -> Result<Separator, DataError> {
    if let Some(given) = given {
        return Ok(given);
    }
    let usual = match format {
        TableFormat::Tsv => Separator::Tab,
        TableFormat::Csv | TableFormat::Parquet => Separator::Comma,
    };
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let start = bytes.iter().position(|byte| !ends(byte)).unwrap_or(0);
    let bytes = &bytes[start..];
    if format == TableFormat::Tsv
        && bytes
            .iter()
            .take_while(|it| !ends(it))
            .any(|it| *it == b'\t')
    {
        return Ok(Separator::Tab);
    }
    let mut found: Vec<Separator> = Vec::new();
    let mut quoted = false;
    let mut length = 0;
    for &byte in bytes {
        if ends(&byte) && !quoted {
            break;
        }
        length += 1;
        quoted ^= byte == b'"';
        let separator = Separator::ALL.into_iter().find(|it| it.byte() == byte);
        if let Some(separator) = separator.filter(|it| !quoted && !found.contains(it)) {
            found.push(separator);
        }
    }
    match found.as_slice() {
        [] => Ok(usual),
        [only] => Ok(*only),
        several => Err(DataError::Separator {
            path: path.to_owned(),
            header: shown(&bytes[..length]),
            found: several.iter().map(|it| it.name()).collect(),
        }),
    }
}
