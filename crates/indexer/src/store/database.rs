//! The database: opening, migrations, write transactions, and the election of one leader.

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use sqlx::{
    AnyPool, Executor, Row, SqlSafeStr,
    any::{AnyPoolOptions, install_default_drivers},
    migrate::{Migration, MigrationType, Migrator},
};

use super::{
    error::StoreError,
    sql::{self, Writing},
};
use crate::taken::{Cursor, ModelId, Taken};

/// Kind of the database; write transactions begin differently in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    /// Returns the migrations of the schema, from the first version on.
    fn migrations(self) -> Vec<Migration> {
        let (bytes, serial, zero_address) = match self {
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
        vec![
            migration(1, "models, events, submissions, transactions", SCHEMA),
            migration(2, "bases", BASES),
            migration(3, "relayers of submissions", RELAYERS),
            migration(4, "first positions of contributions", FIRST_POSITIONS),
            migration(5, "books of payments", BOOKS),
        ]
    }
}

/// Answer of a [`Projection`] method.
pub type Done<'a> = BoxFuture<'a, Result<(), StoreError>>;

/// Tables of another service that follow the chain in the same transactions, with its own memory.
///
/// An error of a method with a transaction undoes that transaction.
pub trait Projection: fmt::Debug + Send + Sync {
    /// Applies the facts of new blocks, within the transaction that stores them.
    fn take<'a>(&'a self, writing: &'a mut Writing, model: ModelId, taken: &'a Taken) -> Done<'a>;

    /// Undoes everything after the block `fork`, within the transaction that rolls it back.
    fn roll_back<'a>(&'a self, writing: &'a mut Writing, model: ModelId, fork: Cursor) -> Done<'a>;

    /// Deletes all rows of a model, within the transaction that deletes the model.
    fn forget<'a>(&'a self, writing: &'a mut Writing, model: ModelId) -> Done<'a>;

    /// Reports that the facts of new blocks are stored.
    fn on_taken(&self, model: ModelId, taken: &Taken);

    /// Reports that a model was read again from the database, so memory of it may be wrong.
    fn on_loaded(&self, model: ModelId) -> Done<'_>;
}

/// Pool of connections to the database, and the index in it; cheap to clone.
#[derive(Debug, Clone)]
pub struct ChainStore {
    pub(super) pool: AnyPool,
    kind: Kind,
    /// Path of the `SQLite` file.
    file: PathBuf,
    pub(super) projection: Option<Arc<dyn Projection>>,
}

/// Tables of the index and of the relayer: a database has only one list of migrations.
const SCHEMA: &str = include_str!("schema.sql");
const RELAYERS: &str = include_str!("relayers.sql");

/// Table of first weights that are later than the closing, for nodes without old states (ADR 008).
const BASES: &str = include_str!("bases.sql");
const FIRST_POSITIONS: &str = include_str!("first_positions.sql");

/// Tables of the labeling service's ledger.
const BOOKS: &str = include_str!("books.sql");

impl ChainStore {
    /// Opens a database by a path or a `postgres://` URL; creates a missing file.
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
                    // `FULL`: a committed transaction also survives a power failure.
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
            // If the folder cannot be created, opening the file reports the reason.
            let _ = std::fs::create_dir_all(folder);
        }
        // Two processes that open a new file at once would both create the tables.
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
        let store = Self {
            pool,
            kind,
            file,
            projection: None,
        };
        store.migrate().await?;
        Ok(store)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        Migrator::with_migrations(self.kind.migrations())
            .run(&self.pool)
            .await
            .map_err(StoreError::Migrate)
    }

    /// Returns the same store with further tables that follow the chain.
    #[must_use]
    pub fn with_projection(self, projection: Arc<dyn Projection>) -> Self {
        Self {
            projection: Some(projection),
            ..self
        }
    }

    /// Returns the pool of connections.
    #[must_use]
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Returns `true` if the database is `PostgreSQL`, where several processes can write at once.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.kind == Kind::Postgres
    }

    /// Begins a write transaction.
    ///
    /// `SQLite` allows one writer at a time.
    /// A transaction that has already read could not become the writer.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn write(&self) -> Result<Writing, StoreError> {
        Ok(match self.kind {
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await?,
            Kind::Postgres => self.pool.begin().await?,
        })
    }

    /// Reports to the projection that a model was read from the database.
    pub(crate) async fn loaded(&self, model: ModelId) -> Result<(), StoreError> {
        match &self.projection {
            Some(projection) => projection.on_loaded(model).await,
            None => Ok(()),
        }
    }

    /// Returns `true` if the database answers.
    pub async fn is_alive(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }

    /// Tries to become the leader, the one process that stores blocks and sends transactions.
    ///
    /// The lock is a file beside that of `SQLite`, or an advisory lock of `PostgreSQL`.
    /// It lasts as long as the file is open, or the connection lives.
    /// Returns `None` if another process leads.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn lead(&self, chain_id: u64) -> Result<Option<Leadership>, StoreError> {
        // The key is "cotr", followed by 32 bits of the chain id.
        let key = 0x636f_7472_0000_0000_i64 | sql::int(chain_id & 0xffff_ffff);
        self.lock("lock", key).await
    }

    /// Tries to become the one process that writes the ledger of payments; see [`ChainStore::lead`].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn keep_books(&self) -> Result<Option<Leadership>, StoreError> {
        // The key is "cotrbook". A chain id with these 32 bits would be 1,651,470,187.
        self.lock("books", 0x636f_7472_626f_6f6b).await
    }

    async fn lock(&self, extension: &str, key: i64) -> Result<Option<Leadership>, StoreError> {
        if self.kind == Kind::Sqlite {
            let lock = File::create(self.file.with_extension(extension));
            let lock = lock.map_err(|error| StoreError::Database(sqlx::Error::Io(error)))?;
            let won = lock.try_lock().is_ok();
            return Ok(won.then_some(Leadership {
                connection: None,
                _lock: Some(lock),
            }));
        }
        let mut connection = self.pool.acquire().await?.detach();
        let row = sqlx::query("SELECT pg_try_advisory_lock($1)")
            .bind(key)
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

/// Waits until no other process opens the `SQLite` file.
/// Returns `None` if the folder takes no new file; opening the database then reports why.
async fn opening(database: &Path) -> Option<File> {
    let path = database.with_extension("opening");
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::create(path).ok()?;
        file.lock().ok().map(|()| file)
    });
    locked.await.ok().flatten()
}

/// The right to write and send, valid as long as [`Leadership::holds`] returns `true`.
#[derive(Debug)]
pub struct Leadership {
    /// Session that holds the lock of `PostgreSQL`.
    connection: Option<sqlx::AnyConnection>,
    /// Lock file beside that of `SQLite`, locked as long as it is open.
    _lock: Option<File>,
}

impl Leadership {
    /// Releases the lock, so that another process can lead.
    pub async fn resign(self) {
        if let Some(connection) = self.connection {
            // If this fails, the session is gone, and with it the lock.
            let _ = sqlx::Connection::close(connection).await;
        }
    }

    /// Returns `true` if this process still holds the lock; a lost connection releases it.
    pub async fn holds(&mut self) -> bool {
        match &mut self.connection {
            None => true,
            Some(connection) => sqlx::query("SELECT 1").execute(connection).await.is_ok(),
        }
    }
}

/// Returns a database URL without its password, for display.
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

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    };

    use alloy_primitives::{Address, B256};

    use super::*;
    use crate::taken::Beginning;

    /// A projection that records its calls and can be set to fail.
    #[derive(Debug, Default)]
    struct Notes {
        fails: AtomicBool,
        calls: Mutex<Vec<&'static str>>,
    }

    impl Notes {
        fn note(&self, call: &'static str) -> Done<'_> {
            self.calls.lock().expect("whole").push(call);
            let fails = self.fails.load(Ordering::Relaxed);
            Box::pin(async move {
                if fails {
                    return Err(StoreError::Malformed { what: "a test" });
                }
                Ok(())
            })
        }

        fn calls(&self) -> Vec<&'static str> {
            std::mem::take(&mut self.calls.lock().expect("whole"))
        }
    }

    impl Projection for Notes {
        fn take<'a>(&'a self, _: &'a mut Writing, _: ModelId, _: &'a Taken) -> Done<'a> {
            self.note("take")
        }

        fn roll_back<'a>(&'a self, _: &'a mut Writing, _: ModelId, _: Cursor) -> Done<'a> {
            self.note("roll back")
        }

        fn forget<'a>(&'a self, _: &'a mut Writing, _: ModelId) -> Done<'a> {
            self.note("forget")
        }

        fn on_taken(&self, _: ModelId, _: &Taken) {
            self.calls.lock().expect("whole").push("on taken");
        }

        fn on_loaded(&self, _: ModelId) -> Done<'_> {
            self.note("on loaded")
        }
    }

    #[tokio::test]
    async fn open_migrates_contributions_of_an_earlier_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("db").to_string_lossy().into_owned();
        install_default_drivers();
        let pool = AnyPoolOptions::new()
            .connect(&format!("sqlite://{database}?mode=rwc"))
            .await;
        let pool = pool.expect("a database");
        let mut migrations = Kind::Sqlite.migrations();
        migrations.truncate(3);
        let earlier = Migrator::with_migrations(migrations).run(&pool).await;
        earlier.expect("the schema of the version before");
        let row = "INSERT INTO contributions (model, position, batch, author, label, deposit, time, sample, block, \
                   transaction_hash, settled, taken) VALUES (1, 6, 5, zeroblob(20), 1, zeroblob(16), 7, x'00', 8, \
                   zeroblob(32), 0, zeroblob(16))";
        pool.execute(row).await.expect("stored");
        pool.close().await;

        let store = ChainStore::open(&database).await.expect("migrated");
        let row = store
            .contribution(ModelId(1), 6)
            .await
            .expect("read")
            .expect("kept");
        assert_eq!((row.first_position, row.contribution.position), (5, 6));
    }

    #[tokio::test]
    async fn projection_prevents_the_storing_of_what_it_refuses() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("db");
        let store = ChainStore::open(&database.to_string_lossy()).await;
        let notes = Arc::new(Notes::default());
        let store = store.expect("a store").with_projection(notes.clone());
        let at = |block| Cursor {
            block,
            hash: B256::with_last_byte(u8::try_from(block).expect("small")),
        };
        let beginning = Beginning {
            base: None,
            words: Vec::new(),
            time: 0,
        };
        let trainer = Address::repeat_byte(1);
        let added = store.add_model(1, trainer, at(1), &beginning).await;
        added.expect("stored");
        let known = async || store.model(1, trainer).await.expect("read");
        let (model, _, _) = known().await.expect("a model");
        let cursor = async || known().await.map(|(_, cursor, _)| cursor);
        let blocks = |blocks: &[u64]| Taken {
            blocks: blocks.iter().map(|it| (*it, at(*it).hash)).collect(),
            ..Taken::default()
        };
        store.take(model, &blocks(&[1, 2])).await.expect("stored");
        assert_eq!(notes.calls(), ["take", "on taken"]);
        assert_eq!(cursor().await, Some(at(2)));

        notes.fails.store(true, Ordering::Relaxed);
        let refused = store.take(model, &blocks(&[3])).await;
        refused.expect_err("refused");
        assert_eq!(notes.calls(), ["take"]);
        store.roll_back(model, at(1)).await.expect_err("refused");
        assert_eq!(notes.calls(), ["roll back"]);
        store.forget_model(model).await.expect_err("refused");
        assert_eq!(notes.calls(), ["forget"]);
        assert_eq!(cursor().await, Some(at(2)));
        let known = store.known_blocks(model).await.expect("read");
        assert_eq!(known, [at(2), at(1)]);

        notes.fails.store(false, Ordering::Relaxed);
        store.roll_back(model, at(1)).await.expect("taken back");
        assert_eq!(cursor().await, Some(at(1)));
        store.forget_model(model).await.expect("forgotten");
        assert_eq!(cursor().await, None);
        assert_eq!(notes.calls(), ["roll back", "forget"]);
    }
}
