//! Tables of a run, as CSV and Parquet.
//!
//! Two tables, the same in both formats, for the same [`Run`] the same bytes on every machine:
//!
//! - **series**: a row an evaluation of the model. `seconds`, `day` (seconds in days), `accuracy`
//!   (in [0, 1]), `contributions` and `unclaimed` (so far), and for each agent a column
//!   `balance_percent_<agent>`: what it holds in percent of its start. The table is wide because
//!   what was observed is the economy at one moment, and a row holds all of it: it plots as it is,
//!   and nothing is repeated. The prefix keeps an agent named `day` apart from the day, and lets
//!   one line melt the table (`starts_with("balance_percent_")`).
//! - **events**: a row a contribution or claim. `seconds`, `action`, `agent` (its name), `position`
//!   (which contribution), `label`, `amount_wei` (paid in by a contribution, out by everything else) and
//!   `gas` (of a transaction that did several things, each has an equal part; what does not divide
//!   is the first one's, so that the sum is exact).
//!
//! In CSV `amount_wei` is a decimal number of any length: read it as text or as a big integer. In
//! Parquet it is a `decimal(38, 0)`. Whole numbers in Parquet are signed, so that differences of
//! two rows mean what they say.

use std::sync::Arc;

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    data_type::{ByteArray, ByteArrayType, DoubleType, FixedLenByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use crate::run::{Run, percent};

/// Digits of the widest decimal that readers of Parquet agree on, and the bytes it takes.
const DECIMAL_DIGITS: u32 = 38;
const DECIMAL_BYTES: i32 = 16;

/// The series as CSV.
#[must_use]
pub fn series_csv(run: &Run) -> Vec<u8> {
    csv(&series(run))
}

/// The events as CSV.
#[must_use]
pub fn events_csv(run: &Run) -> Vec<u8> {
    csv(&events(run))
}

/// The series as Parquet.
///
/// # Errors
/// Where a count exceeds `i64::MAX`.
pub fn series_parquet(run: &Run) -> Result<Vec<u8>, ParquetError> {
    parquet("series", &series(run))
}

/// The events as Parquet.
///
/// # Errors
/// Where an amount has more than 38 digits, or a count exceeds `i64::MAX`.
pub fn events_parquet(run: &Run) -> Result<Vec<u8>, ParquetError> {
    parquet("events", &events(run))
}

/// Seconds in days.
#[must_use]
pub fn days(seconds: u64) -> f64 {
    // Seconds of a simulation are far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let seconds = seconds as f64;
    seconds / 86_400.0
}

/// A named column of a table.
struct Column<'a> {
    name: String,
    values: Values<'a>,
}

/// The values of a column, from the first row to the last.
enum Values<'a> {
    Whole(Vec<u64>),
    Real(Vec<f64>),
    Text(Vec<&'a str>),
    Wei(Vec<u128>),
}

impl<'a> Column<'a> {
    fn new(name: impl Into<String>, values: Values<'a>) -> Self {
        Self {
            name: name.into(),
            values,
        }
    }
}

fn series(run: &Run) -> Vec<Column<'_>> {
    let rows = &run.series;
    let days = rows.iter().map(|row| days(row.seconds)).collect();
    let mut columns = vec![
        Column::new(
            "seconds",
            Values::Whole(rows.iter().map(|row| row.seconds).collect()),
        ),
        Column::new("day", Values::Real(days)),
        Column::new(
            "accuracy",
            Values::Real(rows.iter().map(|row| row.accuracy).collect()),
        ),
        Column::new(
            "contributions",
            Values::Whole(rows.iter().map(|row| row.contributions).collect()),
        ),
        Column::new(
            "unclaimed",
            Values::Whole(rows.iter().map(|row| row.unclaimed).collect()),
        ),
    ];
    columns.extend(run.agents.iter().enumerate().map(|(place, agent)| {
        let balances = rows
            .iter()
            .map(|row| percent(row.balances[place], agent.start_balance));
        Column::new(
            format!("balance_percent_{}", agent.name),
            Values::Real(balances.collect()),
        )
    }));
    columns
}

fn events(run: &Run) -> Vec<Column<'_>> {
    let rows = &run.events;
    let names = rows
        .iter()
        .map(|event| run.agents[usize::from(event.agent)].name.as_str());
    vec![
        Column::new(
            "seconds",
            Values::Whole(rows.iter().map(|event| event.seconds).collect()),
        ),
        Column::new(
            "action",
            Values::Text(rows.iter().map(|event| event.action.name()).collect()),
        ),
        Column::new("agent", Values::Text(names.collect())),
        Column::new(
            "position",
            Values::Whole(rows.iter().map(|event| event.position).collect()),
        ),
        Column::new(
            "label",
            Values::Whole(rows.iter().map(|event| event.label.into()).collect()),
        ),
        Column::new(
            "amount_wei",
            Values::Wei(rows.iter().map(|event| event.amount).collect()),
        ),
        Column::new(
            "gas",
            Values::Whole(rows.iter().map(|event| event.gas).collect()),
        ),
    ]
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Whole(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Wei(values) => values.len(),
        }
    }

    /// One value as text; a real number as the shortest that reads back as the same.
    fn text(&self, row: usize) -> String {
        match self {
            Self::Whole(values) => values[row].to_string(),
            Self::Real(values) => values[row].to_string(),
            Self::Text(values) => values[row].to_owned(),
            Self::Wei(values) => values[row].to_string(),
        }
    }

    fn parquet_type(&self, name: &str) -> Result<Type, ParquetError> {
        let physical = match self {
            Self::Whole(_) => PhysicalType::INT64,
            Self::Real(_) => PhysicalType::DOUBLE,
            Self::Text(_) => PhysicalType::BYTE_ARRAY,
            Self::Wei(_) => PhysicalType::FIXED_LEN_BYTE_ARRAY,
        };
        let column =
            Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED);
        match self {
            Self::Whole(_) | Self::Real(_) => column.build(),
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
                let values = values
                    .iter()
                    .map(|&value| i64::try_from(value).map_err(external));
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

/// A decimal of 38 digits as Parquet stores it: big endian, two's complement.
fn decimal(value: u128) -> Result<Vec<u8>, ParquetError> {
    if value >= 10_u128.pow(DECIMAL_DIGITS) {
        return Err(ParquetError::General(format!(
            "amount_wei is {value}, and a table in Parquet holds {DECIMAL_DIGITS} digits at most"
        )));
    }
    Ok(value.to_be_bytes().to_vec())
}

fn external(error: std::num::TryFromIntError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

fn csv(columns: &[Column<'_>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rows = columns.first().map_or(0, |column| column.values.len());
    let fine = "records of equal length in memory";
    writer
        .write_record(columns.iter().map(|column| &column.name))
        .expect(fine);
    for row in 0..rows {
        writer
            .write_record(columns.iter().map(|column| column.values.text(row)))
            .expect(fine);
    }
    writer.into_inner().expect(fine)
}

fn parquet(name: &str, columns: &[Column<'_>]) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        // The default names the version of the library.
        .set_created_by("cotrain".to_owned())
        .set_compression(Compression::SNAPPY)
        .build();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema(name, columns)?, Arc::new(properties))?;
    let mut rows = writer.next_row_group()?;
    for column in columns {
        let mut chunk = rows
            .next_column()?
            .expect("a column of the schema for each of the table");
        column.values.write(&mut chunk)?;
        chunk.close()?;
    }
    rows.close()?;
    writer.into_inner()
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

#[cfg(test)]
mod tests;
