//! A file's bytes in memory, with bounds on what they may become.

use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::{DataError, MAX_BYTES, MAX_NUMBERS};

/// Bounds of a table, for bytes that somebody else sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum number of bytes, unpacked and decoded.
    pub bytes: u64,
    /// Maximum number of numbers: rows times features.
    pub numbers: usize,
    /// Maximum number of columns. Each takes hundreds of bytes, also an empty one.
    pub columns: usize,
}

impl Default for Bounds {
    /// Returns the bounds of a user's own files.
    fn default() -> Self {
        Self {
            bytes: MAX_BYTES,
            numbers: MAX_NUMBERS,
            columns: usize::MAX,
        }
    }
}

/// Bytes of a file that need not exist, with a name for messages.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Name of the file.
    pub name: PathBuf,
    /// Bytes of the file.
    pub bytes: Bytes,
    /// Bounds of the table in it.
    pub bounds: Bounds,
}

impl Bounds {
    /// Checks the number of columns of a table.
    pub(super) fn check_columns(self, path: &Path, found: usize) -> Result<(), DataError> {
        let max = self.columns;
        if found <= max {
            return Ok(());
        }
        Err(DataError::TooManyColumns {
            path: path.to_owned(),
            found,
            max,
        })
    }
}

impl fmt::Debug for Content {
    /// Writes the name and the size, as the bytes may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.name.display(), self.bytes.len())
    }
}

/// File of a table: a path, or bytes.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Path(&'a Path),
    Content(&'a Content),
}

impl<'a> Place<'a> {
    /// Returns the path, or the name of the bytes.
    pub(super) fn path(self) -> &'a Path {
        match self {
            Self::Path(path) => path,
            Self::Content(content) => &content.name,
        }
    }

    pub(super) fn bounds(self) -> Bounds {
        match self {
            Self::Path(_) => Bounds::default(),
            Self::Content(content) => content.bounds,
        }
    }
}
