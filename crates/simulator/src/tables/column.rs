//! Columns, and writers of CSV and Parquet that append rows in one or several steps.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

/// Digits of the widest decimal that all readers of Parquet support, and its length in bytes.
const DECIMAL_DIGITS: u32 = 38;
const DECIMAL_BYTES: i32 = 16;

/// A named column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column<'a> {
    /// Name of the column.
    pub name: String,
    /// Values of the rows.
    pub values: Values<'a>,
}

/// The values of a column, from the first row to the last.
#[derive(Debug, Clone, PartialEq)]
pub enum Values<'a> {
    /// Whole numbers of at most 63 bits.
    Whole(Vec<u64>),
    /// Real numbers.
    Real(Vec<f64>),
    /// Whole numbers that some rows lack.
    MaybeWhole(Vec<Option<u64>>),
    /// Real numbers that some rows lack.
    MaybeReal(Vec<Option<f64>>),
    /// Texts.
    Text(Vec<&'a str>),
    /// Sums of money, in wei.
    Wei(Vec<u128>),
}

impl<'a> Column<'a> {
    /// Creates a column.
    #[must_use]
    pub fn new(name: impl Into<String>, values: Values<'a>) -> Self {
        Self {
            name: name.into(),
            values,
        }
    }
}

/// Writer of a table in CSV.
#[derive(Debug)]
pub struct Csv<W: Write> {
    writer: csv::Writer<W>,
    headed: bool,
}

impl<W: Write> Csv<W> {
    /// Creates a table without rows.
    pub fn new(to: W) -> Self {
        Self {
            writer: csv::Writer::from_writer(to),
            headed: false,
        }
    }

    /// Appends rows. Each call must pass the same columns, all of one length.
    ///
    /// # Errors
    /// Returns an error if the rows cannot be written.
    pub fn write(&mut self, columns: &[Column<'_>]) -> io::Result<()> {
        if !self.headed {
            self.writer
                .write_record(columns.iter().map(|column| &column.name))?;
            self.headed = true;
        }
        let rows = columns.first().map_or(0, |column| column.values.len());
        for row in 0..rows {
            self.writer
                .write_record(columns.iter().map(|column| column.values.text(row)))?;
        }
        Ok(())
    }

    /// Ends the table, and returns what it was written to.
    ///
    /// # Errors
    /// Returns an error if the last rows cannot be written.
    pub fn finish(self) -> io::Result<W> {
        self.writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)
    }
}

/// Writer of a table in Parquet.
#[expect(
    missing_debug_implementations,
    reason = "the library's writer has none"
)]
pub struct Parquet<W: Write + Send>(SerializedFileWriter<W>);

impl<W: Write + Send> Parquet<W> {
    /// Creates a table of that name without rows. It has the same columns as `columns`.
    ///
    /// # Errors
    /// Returns an error if the head of the table cannot be written.
    pub fn new(to: W, name: &str, columns: &[Column<'_>]) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            // The default would name the library's version.
            .set_created_by("cotrain".to_owned())
            .set_compression(Compression::SNAPPY)
            .build();
        let schema = schema(name, columns)?;
        Ok(Self(SerializedFileWriter::new(
            to,
            schema,
            Arc::new(properties),
        )?))
    }

    /// Appends rows as a row group. Each call must pass the same columns, all of one length.
    ///
    /// # Errors
    /// Returns an error if the rows cannot be written, a whole number has more than 63 bits, or a
    /// sum of money more than 38 digits.
    ///
    /// # Panics
    /// Panics if a call passes more columns than the first one.
    pub fn write(&mut self, columns: &[Column<'_>]) -> Result<(), ParquetError> {
        let mut rows = self.0.next_row_group()?;
        for column in columns {
            let mut chunk = rows
                .next_column()?
                .expect("a column of the schema for each of the table");
            column.values.write(&mut chunk)?;
            chunk.close()?;
        }
        rows.close()?;
        Ok(())
    }

    /// Ends the table, and returns what it was written to.
    ///
    /// # Errors
    /// Returns an error if the end of the table cannot be written.
    pub fn finish(self) -> Result<W, ParquetError> {
        self.0.into_inner()
    }
}

fn schema(name: &str, columns: &[Column<'_>]) -> Result<TypePtr, ParquetError> {
    let fields = columns
        .iter()
        .map(|column| column.values.parquet_type(&column.name).map(Arc::new));
    let fields = fields.collect::<Result<_, _>>()?;
    Ok(Arc::new(
        Type::group_type_builder(name).with_fields(fields).build()?,
    ))
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Whole(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::MaybeWhole(values) => values.len(),
            Self::MaybeReal(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Wei(values) => values.len(),
        }
    }

    /// Returns one value as text. A real number gets the shortest text that parses to the same
    /// number. A missing value is an empty text.
    fn text(&self, row: usize) -> String {
        match self {
            Self::Whole(values) => values[row].to_string(),
            Self::Real(values) => values[row].to_string(),
            Self::MaybeWhole(values) => values[row].map_or_else(String::new, |it| it.to_string()),
            Self::MaybeReal(values) => values[row].map_or_else(String::new, |it| it.to_string()),
            Self::Text(values) => values[row].to_owned(),
            Self::Wei(values) => values[row].to_string(),
        }
    }

    fn parquet_type(&self, name: &str) -> Result<Type, ParquetError> {
        let physical = match self {
            Self::Whole(_) | Self::MaybeWhole(_) => PhysicalType::INT64,
            Self::Real(_) | Self::MaybeReal(_) => PhysicalType::DOUBLE,
            Self::Text(_) => PhysicalType::BYTE_ARRAY,
            Self::Wei(_) => PhysicalType::FIXED_LEN_BYTE_ARRAY,
        };
        let repetition = match self {
            Self::MaybeWhole(_) | Self::MaybeReal(_) => Repetition::OPTIONAL,
            _ => Repetition::REQUIRED,
        };
        let column = Type::primitive_type_builder(name, physical).with_repetition(repetition);
        match self {
            Self::Whole(_) | Self::Real(_) | Self::MaybeWhole(_) | Self::MaybeReal(_) => {
                column.build()
            }
            Self::Text(_) => column.with_logical_type(Some(LogicalType::String)).build(),
            Self::Wei(_) => {
                let precision = DECIMAL_DIGITS.cast_signed();
                column
                    .with_length(DECIMAL_BYTES)
                    .with_precision(precision)
                    .with_scale(0)
                    .with_logical_type(Some(LogicalType::decimal(0, precision)))
                    .build()
            }
        }
    }

    fn write(&self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self {
            Self::Whole(values) => {
                let values = values.iter().map(|&value| signed(value));
                let values = values.collect::<Result<Vec<_>, _>>()?;
                writer
                    .typed::<Int64Type>()
                    .write_batch(&values, None, None)?;
            }
            Self::Real(values) => {
                writer
                    .typed::<DoubleType>()
                    .write_batch(values, None, None)?;
            }
            Self::MaybeWhole(values) => {
                let values = values.iter().map(|value| value.map(signed).transpose());
                let values = values.collect::<Result<Vec<_>, _>>()?;
                write_some::<Int64Type>(writer, &values)?;
            }
            Self::MaybeReal(values) => write_some::<DoubleType>(writer, values)?,
            Self::Text(values) => {
                let values: Vec<_> = values.iter().map(|&value| ByteArray::from(value)).collect();
                writer
                    .typed::<ByteArrayType>()
                    .write_batch(&values, None, None)?;
            }
            Self::Wei(values) => {
                let values = values.iter().map(|&value| Ok(decimal(value)?.into()));
                let values = values.collect::<Result<Vec<_>, ParquetError>>()?;
                writer
                    .typed::<FixedLenByteArrayType>()
                    .write_batch(&values, None, None)?;
            }
        }
        Ok(())
    }
}

/// Encodes a decimal of 38 digits for Parquet: big endian, two's complement.
fn decimal(value: u128) -> Result<Vec<u8>, ParquetError> {
    if value >= 10_u128.pow(DECIMAL_DIGITS) {
        return Err(ParquetError::General(format!(
            "a sum is {value} wei, and a table in Parquet holds {DECIMAL_DIGITS} digits at most"
        )));
    }
    Ok(value.to_be_bytes().to_vec())
}

/// Writes values that some rows lack: the present ones, and for each row a flag for presence.
fn write_some<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    values: &[Option<T::T>],
) -> Result<(), ParquetError> {
    let there: Vec<_> = values.iter().flatten().cloned().collect();
    let levels: Vec<_> = values.iter().map(|it| i16::from(it.is_some())).collect();
    writer
        .typed::<T>()
        .write_batch(&there, Some(&levels), None)?;
    Ok(())
}

fn signed(value: u64) -> Result<i64, ParquetError> {
    i64::try_from(value).map_err(|error| ParquetError::External(Box::new(error)))
}
