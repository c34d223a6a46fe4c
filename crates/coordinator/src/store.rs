//! Everything that outlives the process, in `SQLite` or `PostgreSQL`.
//!
//! The statements are the same for both. Whatever belongs together is one transaction, so that a process that is
//! killed leaves all of it or nothing.

mod chain;
mod outbox;
mod reads;
mod rewinding;
mod submissions;
mod values;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256};
use sqlx::{
    Any, AnyPool, Executor, Row, SqlSafeStr, Transaction,
    any::{AnyPoolOptions, AnyRow, install_default_drivers},
    migrate::{Migration, MigrationType, Migrator},
};

pub(crate) use self::{
    chain::{Claim, Cursor, Inclusion, Log, Skip, Taken},
    outbox::{Attempt, NewTransaction, Outgoing},
    rewinding::Followed,
    submissions::{Inserted, NewSubmission},
};

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error(
        "cannot open the database {url}; a path of a SQLite file or a postgres:// URL is wanted"
    )]
    Open {
        /// Without a password.
        url: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The tables cannot be brought to this version's form.
    #[error(
        "cannot bring the tables of the database to the form of this version; was it made by a later one?"
    )]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Something stored is not of its form.
    #[error(
        "the database holds {what}, which is not of its form; restore it from a backup, or index again into an empty one"
    )]
    Malformed {
        /// What, in words.
        what: &'static str,
    },
}

/// Which database it is: all that differs is how a transaction that writes begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// A pool of connections to the database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: AnyPool,
    kind: Kind,
    /// The file's path, of `SQLite`.
    file: PathBuf,
}

/// A transaction that writes.
pub(crate) type Writing = Transaction<'static, Any>;

const SCHEMA: &str = include_str!("store/schema.sql");
const RELAYERS: &str = include_str!("store/relayers.sql");

/// Weights of a later block than that in which a model was closed, for nodes without old states (ADR 008).
const BASES: &str = include_str!("store/bases.sql");

impl Store {
    /// Opens a database, and creates it where it is a file that is not there: a path, or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::Migrate`].
    pub async fn open(database: &str) -> Result<Self, StoreError> {
        install_default_drivers();
        let postgres = database.starts_with("postgres://") || database.starts_with("postgresql://");
        let (kind, url) = if postgres {
            (Kind::Postgres, database.to_owned())
        } else {
            (Kind::Sqlite, format!("sqlite://{database}?mode=rwc"))
        };
        let options = AnyPoolOptions::new().max_connections(8).after_connect(move |connection, _| {
            Box::pin(async move {
                if kind == Kind::Sqlite {
                    // FULL: what is committed survives a power cut, too.
                    connection
                        .execute("PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -4096")
                        .await?;
                }
                Ok(())
            })
        });
        if let Some(folder) = Path::new(database)
            .parent()
            .filter(|_| kind == Kind::Sqlite)
        {
            // Where it cannot be made, opening says so.
            let _ = std::fs::create_dir_all(folder);
        }
        // Two that begin at once would both make the tables.
        let _opening = match kind {
            Kind::Sqlite => opening(Path::new(database)).await,
            Kind::Postgres => None,
        };
        let pool = options
            .connect(&url)
            .await
            .map_err(|source| StoreError::Open {
                url: without_password(database),
                source,
            })?;
        let file = PathBuf::from(database);
        let store = Self { pool, kind, file };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let (bytes, serial, zero_address) = match self.kind {
            Kind::Sqlite => ("BLOB", "INTEGER PRIMARY KEY AUTOINCREMENT", "zeroblob(20)"),
            Kind::Postgres => (
                "BYTEA",
                "BIGSERIAL PRIMARY KEY",
                "decode(repeat('00', 20), 'hex')",
            ),
        };
        let migration = |version, description: &'static str, schema: &str| {
            let schema = schema
                .replace("{bytes}", bytes)
                .replace("{serial}", serial)
                .replace("{zero_address}", zero_address);
            Migration::new(
                version,
                description.into(),
                MigrationType::Simple,
                sqlx::AssertSqlSafe(schema).into_sql_str(),
                false,
            )
        };
        let migrations = vec![
            migration(1, "models, events, submissions, transactions", SCHEMA),
            migration(2, "bases", BASES),
            migration(3, "relayers of submissions", RELAYERS),
        ];
        Migrator::with_migrations(migrations)
            .run(&self.pool)
            .await
            .map_err(StoreError::Migrate)
    }

    /// Begins a transaction that writes. `SQLite` has one writer at a time, and one that had begun to read could
    /// not become it.
    pub(crate) async fn write(&self) -> Result<Writing, StoreError> {
        Ok(match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            Kind::Postgres => self.pool.begin().await?,
        })
    }

    /// Whether the database answers.
    pub(crate) async fn is_alive(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }

    /// Tries to become the one process that writes what it reads from the chain and sends transactions: by a lock
    /// on a file beside that of `SQLite`, or one of `PostgreSQL`'s, as long as its connection lives.
    ///
    /// # Errors
    /// Where the database fails.
    pub(crate) async fn lead(&self, chain_id: u64) -> Result<Option<Leadership>, StoreError> {
        if self.kind == Kind::Sqlite {
            let lock = File::create(self.file.with_extension("lock"));
            let lock = lock.map_err(|error| StoreError::Database(sqlx::Error::Io(error)))?;
            let won = lock.try_lock().is_ok();
            return Ok(won.then_some(Leadership {
                connection: None,
                _lock: Some(lock),
            }));
        }
        let mut connection = self.pool.acquire().await?.detach();
        // "cotr", and the chain.
        let row = sqlx::query("SELECT pg_try_advisory_lock($1)")
            .bind(0x636f_7472_0000_0000_i64 | values::int(chain_id & 0xffff_ffff))
            .fetch_one(&mut connection)
            .await?;
        let won: bool = row.try_get(0)?;
        Ok(won.then_some(Leadership {
            connection: Some(connection),
            _lock: None,
        }))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Waits until nobody else opens the `SQLite` file. Where its folder takes no further file, opening it says why.
async fn opening(database: &Path) -> Option<File> {
    let path = database.with_extension("opening");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(path).ok()?;
        file.lock().ok().map(|()| file)
    });
    locked.await.ok().flatten()
}

/// The right to write and send, as long as [`Leadership::holds`].
#[derive(Debug)]
pub(crate) struct Leadership {
    /// Whose session has the lock; none where nobody else can have it.
    connection: Option<sqlx::AnyConnection>,
    /// Locked beside the file of `SQLite`, as long as it is open.
    _lock: Option<File>,
}

impl Leadership {
    /// Lets somebody else lead.
    pub(crate) async fn resign(self) {
        if let Some(connection) = self.connection {
            // Where this fails, the session is gone, and the lock with it.
            let _ = sqlx::Connection::close(connection).await;
        }
    }

    /// Whether it is still ours: the lock goes with the connection.
    pub(crate) async fn holds(&mut self) -> bool {
        match &mut self.connection {
            None => true,
            Some(connection) => sqlx::query("SELECT 1").execute(connection).await.is_ok(),
        }
    }
}

/// A database's URL as it may be shown.
#[must_use]
pub fn without_password(database: &str) -> String {
    let Ok(mut url) = url::Url::parse(database) else {
        return database.to_owned();
    };
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    url.to_string()
}

/// A model among those that are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ModelId(pub(crate) i64);

fn address(row: &AnyRow, column: usize) -> Result<Address, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    Address::try_from(bytes.as_slice()).map_err(|_| StoreError::Malformed { what: "an address" })
}

fn hash(row: &AnyRow, column: usize) -> Result<B256, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    B256::try_from(bytes.as_slice()).map_err(|_| StoreError::Malformed { what: "a hash" })
}

fn hash_option(row: &AnyRow, column: usize) -> Result<Option<B256>, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get(column)?;
    bytes
        .map(|bytes| B256::try_from(bytes.as_slice()))
        .transpose()
        .map_err(|_| StoreError::Malformed { what: "a hash" })
}

fn wei(row: &AnyRow, column: usize) -> Result<u128, StoreError> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes
        .try_into()
        .map(u128::from_be_bytes)
        .map_err(|_| StoreError::Malformed { what: "an amount" })
}

fn number(row: &AnyRow, column: usize) -> Result<u64, StoreError> {
    u64::try_from(row.try_get::<i64, _>(column)?)
        .map_err(|_| StoreError::Malformed { what: "a number" })
}

fn number_option(row: &AnyRow, column: usize) -> Result<Option<u64>, StoreError> {
    row.try_get::<Option<i64>, _>(column)?
        .map(u64::try_from)
        .transpose()
        .map_err(|_| StoreError::Malformed { what: "a number" })
}
