//! Column values: reading them from rows, and inserting many rows in one fast statement.

use alloy_primitives::{Address, B256};
use sqlx::{Any, AssertSqlSafe, Row, Transaction, any::AnyRow, query::Query};

use super::error::StoreError;

/// Transaction that writes.
pub type Writing = Transaction<'static, Any>;

/// Maximum number of values in one statement, far below the limit of the databases.
/// `SQLite` looks up the name of each parameter among all of them, so more values would be slower.
const MAX_VALUES: usize = 1_000;

/// Value of a column.
#[derive(Debug, Clone)]
pub enum Value {
    /// A signed number.
    Int(i64),
    /// Bytes: an amount, a hash, an address, or data.
    Bytes(Vec<u8>),
    /// Bytes, or NULL.
    OptionalBytes(Option<Vec<u8>>),
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(int(number))
    }
}

impl From<u128> for Value {
    fn from(wei: u128) -> Self {
        Self::Bytes(wei.to_be_bytes().to_vec())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

/// Returns a number as a column stores it.
/// Positions, times, nonces and block numbers are far below 2^63.
#[must_use]
pub fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Inserts rows of `width` values each, given one after the other.
/// `into` is a table with its columns.
///
/// # Errors
/// If the database fails.
pub async fn insert(
    writing: &mut Writing,
    into: &str,
    width: usize,
    values: Vec<Value>,
) -> Result<(), StoreError> {
    let max = MAX_VALUES / width * width;
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        let some: Vec<_> = values.by_ref().take(max).collect();
        let rows = some.len() / width;
        let row = |row: usize| {
            let placeholders: Vec<_> = (1..=width)
                .map(|index| format!("${}", row * width + index))
                .collect();
            format!("({})", placeholders.join(","))
        };
        let rows: Vec<_> = (0..rows).map(row).collect();
        let statement = format!("INSERT INTO {into} VALUES {}", rows.join(","));
        // Full chunks repeat the same statement, so only those are prepared.
        let mut query = sqlx::query(AssertSqlSafe(statement)).persistent(rows.len() == max / width);
        for value in some {
            query = bind(query, value);
        }
        query.execute(&mut **writing).await?;
    }
    Ok(())
}

fn bind(
    query: Query<'_, Any, sqlx::any::AnyArguments>,
    value: Value,
) -> Query<'_, Any, sqlx::any::AnyArguments> {
    match value {
        Value::Int(value) => query.bind(value),
        Value::Bytes(value) => query.bind(value),
        Value::OptionalBytes(value) => query.bind(value),
    }
}

/// Reads an address.
///
/// # Errors
/// If the column is missing or malformed.
pub fn address(row: &AnyRow, column: usize) -> Result<Address, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Address::try_from(bytes.as_slice()).map_err(|_| StoreError::Malformed { what: "an address" })
}

/// Reads a hash.
///
/// # Errors
/// If the column is missing or malformed.
pub fn hash(row: &AnyRow, column: usize) -> Result<B256, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    B256::try_from(bytes.as_slice()).map_err(|_| StoreError::Malformed { what: "a hash" })
}

/// Reads a hash, or NULL.
///
/// # Errors
/// If the column is missing or malformed.
pub fn hash_option(row: &AnyRow, column: usize) -> Result<Option<B256>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    bytes
        .map(|bytes| B256::try_from(bytes.as_slice()))
        .transpose()
        .map_err(|_| StoreError::Malformed { what: "a hash" })
}

/// Reads an amount in wei.
///
/// # Errors
/// If the column is missing or malformed.
pub fn wei(row: &AnyRow, column: usize) -> Result<u128, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes
        .try_into()
        .map(u128::from_be_bytes)
        .map_err(|_| StoreError::Malformed { what: "an amount" })
}

/// Reads a number that is not negative.
///
/// # Errors
/// If the column is missing or malformed.
pub fn number(row: &AnyRow, column: usize) -> Result<u64, StoreError> {
    u64::try_from(row.try_get::<i64, _>(column)?)
        .map_err(|_| StoreError::Malformed { what: "a number" })
}

/// Reads a number that is not negative, or NULL.
///
/// # Errors
/// If the column is missing or malformed.
pub fn number_option(row: &AnyRow, column: usize) -> Result<Option<u64>, StoreError> {
    row.try_get::<Option<i64>, _>(column)?
        .map(u64::try_from)
        .transpose()
        .map_err(|_| StoreError::Malformed { what: "a number" })
}
