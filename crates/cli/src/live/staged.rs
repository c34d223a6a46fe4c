//! Files that users name for a result, complete or not there at all, and texts that are safe in them.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use cotrain_learning::text::escaped_to;
use cotrain_results::results::unfinished;
use tempfile::NamedTempFile;

use crate::error::CommandError;

/// File that appears under its name when it is complete.
#[derive(Debug)]
pub(crate) struct Staged {
    file: NamedTempFile,
    path: PathBuf,
    force: bool,
}

impl Staged {
    /// Begins the file. An existing one is replaced only with `force`.
    pub(crate) fn begin(path: &Path, force: bool) -> Result<Self, CommandError> {
        if path.exists() && !force {
            return Err(there_already(path));
        }
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let file = unfinished(directory)
            .with_context(|| format!("cannot write {}", path.display()))
            .map_err(CommandError::Mistake)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            force,
        })
    }

    /// Returns the file to write to.
    pub(crate) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// Returns the path at which the file will be.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the whole content, and gives the file its name.
    pub(crate) fn write_whole(self, content: &[u8]) -> Result<(), CommandError> {
        self.file()
            .write_all(content)
            .with_context(|| format!("cannot write {}", self.path.display()))?;
        self.finish()
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<(), CommandError> {
        let failed = || format!("cannot write {}", self.path.display());
        self.file.as_file().sync_all().with_context(failed)?;
        let persisted = if self.force {
            self.file.persist(&self.path)
        } else {
            self.file.persist_noclobber(&self.path)
        };
        match persisted {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(there_already(&self.path))
            }
            Err(error) => Err(anyhow!(error.error)
                .context(format!("cannot write {}", self.path.display()))
                .into()),
        }
    }
}

fn there_already(path: &Path) -> CommandError {
    CommandError::Mistake(anyhow!(
        "cannot write {}: there is such a file; name another one, or replace it with --force",
        path.display()
    ))
}

/// Returns a text of strangers without characters that a terminal obeys, and `true` if it had to be
/// kept from being a formula. Spreadsheets compute a field that begins with `=`, `+`, `-` or `@`,
/// so such a field gets a `'` before it, unless it is a number.
pub(crate) fn guarded(text: &str) -> (String, bool) {
    let text = escaped_to(text, usize::MAX).to_string();
    let formula = text.starts_with(['=', '+', '-', '@']) && text.parse::<f64>().is_err();
    if formula {
        return (format!("'{text}"), true);
    }
    (text, false)
}
