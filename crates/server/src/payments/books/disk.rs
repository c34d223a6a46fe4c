//! Tables of the ledger: reading all entries, and writing some with their names.

use cotrain_indexer::{
    ChainStore, StoreError,
    store::sql::{self, Value, Writing},
};
use cotrain_payments::ledger::{Entry, Ledger, UniqueKey};
use sqlx::Row;

use super::{Group, Kept, OpenError};

/// Version of the form of an entry.
const FORM: u64 = 1;

/// Number of entries that are read at a time.
const PAGE: i64 = 10_000;

/// Rail of a state that is stored, and whose writer is told that the database failed.
#[cfg(test)]
pub(super) const ANSWER_LOST: &str = "answer lost";

/// Reads the ledger from its beginning.
pub(super) async fn read(store: &ChainStore) -> Result<Ledger, OpenError> {
    let mut ledger = Ledger::default();
    loop {
        let next = ledger.entries();
        let rows = sqlx::query(
            "SELECT number, version, entry FROM payment_entries WHERE number >= $1 ORDER BY number LIMIT $2",
        )
        .bind(sql::int(next))
        .bind(PAGE)
        .fetch_all(store.pool())
        .await
        .map_err(StoreError::from)?;
        if rows.is_empty() {
            return Ok(ledger);
        }
        for row in rows {
            let expected = ledger.entries();
            let damaged = |reason: String| OpenError::Damaged {
                number: expected,
                reason,
            };
            let number = sql::number(&row, 0)?;
            if number != expected {
                return Err(damaged(format!(
                    "it is missing, and the next one is {number}"
                )));
            }
            let found = sql::number(&row, 1)?;
            if found != FORM {
                return Err(OpenError::Form {
                    number,
                    found,
                    expected: FORM,
                });
            }
            let bytes: Vec<u8> = row.try_get(2).map_err(StoreError::from)?;
            let entry: Entry =
                serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
            ledger
                .apply(&entry)
                .map_err(|fault| damaged(fault.to_string()))?;
        }
    }
}

/// Writes entries from a number on, with their names and the states that belong to them.
pub(super) async fn write(store: &ChainStore, from: u64, group: &Group) -> Result<(), StoreError> {
    if group.entries.is_empty() && group.states.is_empty() {
        return Ok(());
    }
    let mut entries = Vec::with_capacity(3 * group.entries.len());
    let mut names = Vec::with_capacity(2 * group.entries.len());
    for (number, entry) in (from..).zip(&group.entries) {
        let json = serde_json::to_vec(entry);
        let json = json.map_err(|_| StoreError::Malformed {
            what: "an entry of the ledger of payments",
        })?;
        entries.extend([number.into(), FORM.into(), Value::Bytes(json)]);
        names.extend(entry.unique().iter().map(name));
    }
    let mut writing = store.write().await?;
    let into = "payment_entries (number, version, entry)";
    sql::insert(&mut writing, into, 3, entries).await?;
    sql::insert(&mut writing, "payment_names (name)", 1, names).await?;
    for kept in &group.states {
        keep(&mut writing, kept).await?;
    }
    writing.commit().await?;
    #[cfg(test)]
    if group.states.iter().any(|kept| kept.rail == ANSWER_LOST) {
        let what = "an answer that a test loses";
        return Err(StoreError::Malformed { what });
    }
    Ok(())
}

/// Stores a state that belongs to no entry, or deletes it.
pub(in crate::payments) async fn keep_alone(
    store: &ChainStore,
    rail: &'static str,
    name: Vec<u8>,
    state: Option<Vec<u8>>,
) -> Result<(), StoreError> {
    let states = vec![Kept { rail, name, state }];
    let group = Group {
        states,
        ..Group::default()
    };
    write(store, 0, &group).await
}

/// Returns the states of a rail, with their names.
pub(in crate::payments) async fn states(
    store: &ChainStore,
    rail: &str,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
    let rows = sqlx::query("SELECT name, state FROM payment_states WHERE rail = $1 ORDER BY name")
        .bind(rail)
        .fetch_all(store.pool())
        .await?;
    let read = |row: &sqlx::any::AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(read).collect()
}

async fn keep(writing: &mut Writing, kept: &Kept) -> Result<(), StoreError> {
    let query = match &kept.state {
        Some(state) => sqlx::query(
            "INSERT INTO payment_states (rail, name, state) VALUES ($1, $2, $3) \
             ON CONFLICT (rail, name) DO UPDATE SET state = excluded.state",
        )
        .bind(kept.rail)
        .bind(&kept.name[..])
        .bind(&state[..]),
        None => sqlx::query("DELETE FROM payment_states WHERE rail = $1 AND name = $2")
            .bind(kept.rail)
            .bind(&kept.name[..]),
    };
    query.execute(&mut **writing).await?;
    Ok(())
}

/// Returns the name that a database has once: a letter for the kind, and the contents.
fn name(key: &UniqueKey) -> Value {
    let (kind, content): (u8, Vec<u8>) = match key {
        UniqueKey::Account(id) => (b'a', id.0.to_vec()),
        UniqueKey::Owner(hash) => (b'o', hash.to_vec()),
        UniqueKey::Payment(id) => (b'p', id.hash().to_vec()),
        UniqueKey::Reservation(id) => (b'r', id.0.to_be_bytes().to_vec()),
        UniqueKey::End(id) => (b'e', id.0.to_be_bytes().to_vec()),
        UniqueKey::Refund(id) => (b'f', id.0.to_be_bytes().to_vec()),
    };
    Value::Bytes([vec![kind], content].concat())
}
