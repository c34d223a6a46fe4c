mod pages;

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bytes::Bytes;
use parquet::basic::{Compression, ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, Type};

use super::content::Bounds;
use super::error::{LineFault, shown};
use super::grid::{Builder, Grid, check_names};
use super::{DataError, MAX_BYTES};

/// Number of values that are decoded at a time.
const BATCH: usize = 4_096;

/// Reads the columns of a Parquet file that `choose` returns the indices of, given the names.
///
/// Values become texts as in a .csv file; a null is an empty one. The number of a row, from 1,
/// stands for its line.
///
/// The library panics on some damaged files, for example if a page refers to a dictionary that the
/// file lacks. Such a panic becomes an error here.
pub(super) fn read(
    path: &Path,
    bytes: Vec<u8>,
    bounds: Bounds,
    choose: impl Fn(&[String]) -> Result<Vec<usize>, DataError>,
) -> Result<Grid, DataError> {
    // Nothing that the closure changes outlives it.
    let read = AssertUnwindSafe(|| read_whole(path, bytes, bounds, choose));
    catch_unwind(read).unwrap_or_else(|_| {
        Err(DataError::Parquet {
            path: path.to_owned(),
            source: ParquetError::General("its pages contradict each other".to_owned()),
        })
    })
}

/// Reads a file like [`read`], and may panic.
fn read_whole(
    path: &Path,
    bytes: Vec<u8>,
    bounds: Bounds,
    choose: impl Fn(&[String]) -> Result<Vec<usize>, DataError>,
) -> Result<Grid, DataError> {
    let failed = |source: ParquetError| DataError::Parquet {
        path: path.to_owned(),
        source,
    };
    let length = bytes.len();
    let bytes = Bytes::from(bytes);
    let reader = SerializedFileReader::new(bytes.clone()).map_err(failed)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let fields = schema.root_schema().get_fields();
    bounds.check_columns(path, fields.len())?;
    let names: Vec<String> = fields.iter().map(|it| it.name().to_owned()).collect();
    // Without columns, nothing bounds the number of rows that the file claims.
    if names.is_empty() {
        return Err(DataError::NoHeader {
            path: path.to_owned(),
        });
    }
    check_names(path, &names)?;
    let chosen = choose(&names)?;
    // The first leaf of a column is inserted last.
    let all = (0..schema.num_columns()).rev();
    let roots: HashMap<usize, usize> = all
        .map(|leaf| (schema.get_column_root_idx(leaf), leaf))
        .collect();
    let leaf = |&index: &usize| {
        let leaf = roots.get(&index).copied();
        let form = leaf.and_then(|leaf| Form::of(&fields[index], &schema.column(leaf)));
        let refused = || DataError::ParquetColumn {
            path: path.to_owned(),
            column: names[index].clone(),
            found: describe(&fields[index]),
        };
        leaf.zip(form).ok_or_else(refused)
    };
    let leaves: Vec<(usize, Form)> = chosen.iter().map(leaf).collect::<Result<_, _>>()?;
    let columns = reader.metadata().row_groups().iter();
    let columns = columns.flat_map(|group| leaves.iter().map(|(leaf, _)| group.column(*leaf)));
    for column in columns.clone() {
        within(column, length).map_err(failed)?;
    }
    if bounds.bytes < MAX_BYTES {
        let mut claimed = 0_u64;
        for column in columns.clone() {
            claimed = claimed.saturating_add(unpacked_size(column, &bytes).map_err(failed)?);
        }
        if claimed > bounds.bytes {
            let (path, max) = (path.to_owned(), bounds.bytes);
            return Err(DataError::TooLarge { path, max });
        }
    }
    let size: i64 = columns.fold(0, |sum, column| {
        sum.saturating_add(column.uncompressed_size())
    });
    if u64::try_from(size).is_ok_and(|size| size > bounds.bytes) {
        let (path, max) = (path.to_owned(), bounds.bytes);
        return Err(DataError::TooLarge { path, max });
    }
    let names: Vec<String> = chosen.iter().map(|&index| names[index].clone()).collect();
    let mut target = Target {
        path,
        grid: Builder::new(path, names, bounds),
        first: 0,
    };
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(failed)?;
        let rows = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
        for (column, (leaf, form)) in leaves.iter().enumerate() {
            let reader = group.get_column_reader(*leaf).map_err(failed)?;
            let found = target.column(column, *form, reader)?;
            if found != rows {
                return Err(failed(ParquetError::General(format!(
                    "a column has {found} values in a group of {rows} rows"
                ))));
            }
        }
        (0..rows).for_each(|row| target.grid.end_row(target.first + row + 1));
        target.first += rows;
    }
    Ok(target.grid.finish())
}

/// Returns the size that a column's pages claim to have, unpacked. Pages of gzip may unpack to more
/// than they claim.
fn unpacked_size(column: &ColumnChunkMetaData, bytes: &[u8]) -> Result<u64, ParquetError> {
    if matches!(column.compression(), Compression::GZIP(_)) {
        let message = "a column is packed by gzip, which is not taken from others; pack it by Snappy or Zstandard";
        return Err(ParquetError::General(message.to_owned()));
    }
    let start = column.dictionary_page_offset();
    let start = start.unwrap_or_else(|| column.data_page_offset());
    let range = |start: i64| {
        let start = usize::try_from(start).ok()?;
        let length = usize::try_from(column.compressed_size()).ok()?;
        bytes.get(start..start.checked_add(length)?)
    };
    range(start)
        .and_then(pages::unpacked_size)
        .ok_or_else(|| ParquetError::General("the header of a page is damaged".to_owned()))
}

/// Checks that a column's bytes lie within a file of this length. The reader panics if a number is
/// negative.
fn within(column: &ColumnChunkMetaData, length: usize) -> Result<(), ParquetError> {
    let start = column.dictionary_page_offset();
    let start = start.unwrap_or_else(|| column.data_page_offset());
    let end = start.checked_add(column.compressed_size());
    let end = end.and_then(|end| usize::try_from(end).ok());
    let positive = start >= 0 && column.compressed_size() >= 0;
    if positive && end.is_some_and(|end| end <= length) {
        return Ok(());
    }
    Err(ParquetError::General(format!(
        "a column begins at byte {start} and has {} bytes, expected both within the {length} bytes of the file",
        column.compressed_size()
    )))
}

/// Meaning of a column's values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Signed,
    Unsigned,
    Other,
}

impl Form {
    /// Returns the meaning of a column; `None` if its values are neither numbers, truth values nor
    /// texts, or are nested.
    fn of(field: &Type, column: &ColumnDescriptor) -> Option<Self> {
        let flat = field.is_primitive() && column.max_rep_level() == 0;
        if !flat || column.max_def_level() > 1 {
            return None;
        }
        let info = column.self_type().get_basic_info();
        match (
            column.physical_type(),
            info.logical_type_ref(),
            info.converted_type(),
        ) {
            (Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE, None, ConvertedType::NONE) => {
                Some(Self::Other)
            }
            (Physical::INT32 | Physical::INT64, Some(LogicalType::Integer(integer)), _) => {
                Some(if integer.is_signed {
                    Self::Signed
                } else {
                    Self::Unsigned
                })
            }
            (Physical::INT32 | Physical::INT64, None, converted) => match converted {
                ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64 => Some(Self::Signed),
                ConvertedType::UINT_8
                | ConvertedType::UINT_16
                | ConvertedType::UINT_32
                | ConvertedType::UINT_64 => Some(Self::Unsigned),
                _ => None,
            },
            (Physical::BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum), _)
            | (
                Physical::BYTE_ARRAY,
                None,
                ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM,
            ) => Some(Self::Other),
            _ => None,
        }
    }
}

/// Returns the type of a column for messages.
fn describe(field: &Type) -> String {
    if field.is_group() {
        return "nested values".to_owned();
    }
    let info = field.get_basic_info();
    if info.has_repetition() && info.repetition() == parquet::basic::Repetition::REPEATED {
        return "lists of values".to_owned();
    }
    match (info.logical_type_ref(), info.converted_type()) {
        (Some(logical), _) => {
            // Only its name: the rest is the library's fields, as in `Timestamp(TimestampType { … })`.
            let name = format!("{logical:?}");
            let end = name.find(|it: char| !it.is_alphanumeric());
            format!("values of the type {}", &name[..end.unwrap_or(name.len())])
        }
        (None, ConvertedType::NONE) => format!("values of the type {}", field.get_physical_type()),
        (None, converted) => format!("values of the type {converted}"),
    }
}

/// Grid that the columns of one file are added to.
struct Target<'a> {
    path: &'a Path,
    grid: Builder,
    /// Number of rows before those of the present row group.
    first: u64,
}

impl Target<'_> {
    /// Adds the values of a column in a row group, and returns their number.
    fn column(
        &mut self,
        column: usize,
        form: Form,
        reader: ColumnReader,
    ) -> Result<u64, DataError> {
        let unsigned = form == Form::Unsigned;
        match reader {
            ColumnReader::BoolColumnReader(values) => {
                self.values(column, values, |value, text| write!(text, "{value}"))
            }
            ColumnReader::Int32ColumnReader(values) => {
                self.values(column, values, |value, text| {
                    if unsigned {
                        write!(text, "{}", value.cast_unsigned())
                    } else {
                        write!(text, "{value}")
                    }
                })
            }
            ColumnReader::Int64ColumnReader(values) => {
                self.values(column, values, |value, text| {
                    if unsigned {
                        write!(text, "{}", value.cast_unsigned())
                    } else {
                        write!(text, "{value}")
                    }
                })
            }
            ColumnReader::FloatColumnReader(values) => {
                self.values(column, values, |value, text| {
                    number(f64::from(*value), text)
                })
            }
            ColumnReader::DoubleColumnReader(values) => {
                self.values(column, values, |value, text| number(*value, text))
            }
            ColumnReader::ByteArrayColumnReader(values) => {
                self.values(column, values, |value, text| text.write_all(value.data()))
            }
            // `Form::of` refused these types.
            ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => {
                Ok(0)
            }
        }
    }

    /// Adds all values of a reader as texts, and returns their number. A null is an empty text.
    fn values<T: DataType>(
        &mut self,
        column: usize,
        mut reader: ColumnReaderImpl<T>,
        write: impl Fn(&T::T, &mut Vec<u8>) -> io::Result<()>,
    ) -> Result<u64, DataError> {
        let failed = |source: ParquetError| DataError::Parquet {
            path: self.path.to_owned(),
            source,
        };
        let mut text = Vec::new();
        let mut found = 0;
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        loop {
            levels.clear();
            values.clear();
            let read = reader.read_records(BATCH, Some(&mut levels), None, &mut values);
            let (records, ..) = read.map_err(failed)?;
            if records == 0 {
                return Ok(found);
            }
            // A column without nulls has no levels.
            let mut given = values.iter();
            for record in 0..records {
                found += 1;
                text.clear();
                if levels.get(record).is_none_or(|level| *level > 0) {
                    let value = given.next().ok_or_else(|| {
                        failed(ParquetError::General("a value is missing".to_owned()))
                    })?;
                    write(value, &mut text).map_err(|source| DataError::Read {
                        path: self.path.to_owned(),
                        source,
                    })?;
                }
                if str::from_utf8(&text).is_ok() {
                    self.grid.push(column, text.trim_ascii())?;
                } else {
                    let fault = LineFault::NotUtf8 {
                        column: self.grid.name(column).to_owned(),
                        value: shown(&text),
                    };
                    self.grid.malformed.add(self.first + found, fault);
                    self.grid.push(column, b"")?;
                }
            }
        }
    }
}

/// Writes a number in its shortest form that reads as the same number.
fn number(value: f64, text: &mut Vec<u8>) -> io::Result<()> {
    // Other numbers have many zeros without an exponent.
    if value == 0.0 || (1e-5..1e16).contains(&value.abs()) {
        write!(text, "{value}")
    } else {
        write!(text, "{value:e}")
    }
}
