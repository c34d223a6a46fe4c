//! Many rows in one statement, which is what makes storing fast.

use sqlx::{Any, AssertSqlSafe, query::Query};

use super::{StoreError, Writing};

/// Far below what a statement may have: `SQLite` looks for the name of each parameter among all of them.
const MOST_VALUES: usize = 1_000;

/// A value of a row.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Int(i64),
    Bytes(Vec<u8>),
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

/// Positions, times, nonces and numbers of blocks are far below 2^63.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Inserts rows of `width` values each, that stand one after the other. `into` is a table with its columns.
pub(super) async fn insert(
    writing: &mut Writing,
    into: &str,
    width: usize,
    values: Vec<Value>,
) -> Result<(), StoreError> {
    let most = MOST_VALUES / width * width;
    let mut values = values.into_iter().peekable();
    while values.peek().is_some() {
        let some: Vec<_> = values.by_ref().take(most).collect();
        let rows = some.len() / width;
        let row = |row: usize| {
            let places: Vec<_> = (1..=width)
                .map(|place| format!("${}", row * width + place))
                .collect();
            format!("({})", places.join(","))
        };
        let rows: Vec<_> = (0..rows).map(row).collect();
        let statement = format!("INSERT INTO {into} VALUES {}", rows.join(","));
        // As many rows as the last time is the same statement again, which is prepared.
        let mut query =
            sqlx::query(AssertSqlSafe(statement)).persistent(rows.len() == most / width);
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
