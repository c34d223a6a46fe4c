//! Errors of the database.

/// Reason why the database could not store or read something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error(
        "cannot open the database {url}; expected a path of a SQLite file or a postgres:// URL"
    )]
    Open {
        /// URL without its password.
        url: String,
        /// Error of the database.
        source: sqlx::Error,
    },
    /// The tables cannot be migrated to this version.
    #[error(
        "cannot bring the tables of the database to the form of this version; was it made by a later one?"
    )]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A statement failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A stored value is malformed.
    #[error(
        "the database holds {what}, which is not of its form; restore it from a backup, or index again into an empty one"
    )]
    Malformed {
        /// Malformed value, as text.
        what: &'static str,
    },
}
