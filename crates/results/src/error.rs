//! Errors of rendering and writing.

use std::{error::Error, io, path::PathBuf};

/// Reason why results cannot be rendered or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// The template of a page failed.
    #[error("cannot render the page")]
    Page(#[from] minijinja::Error),
    /// The figures cannot be expressed in JSON.
    #[error("cannot write the summary")]
    Summary(#[from] serde_json::Error),
    /// A number does not fit the tables.
    #[error("cannot write the tables")]
    Tables(#[source] Box<dyn Error + Send + Sync>),
    /// A file cannot be written.
    #[error("cannot write to {}", folder.display())]
    Write {
        /// Folder of the file.
        folder: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}
