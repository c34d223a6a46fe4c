//! Files that are never half written.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// Writes a file atomically: after a crash, the old or the new content is there, whole. When this
/// returns, the file is on the disk, and only its owner may read it.
///
/// # Errors
/// If the file cannot be written. It is unchanged then.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The new name is on the disk once its directory is. Some systems cannot open a directory.
    if let Ok(directory) = fs::File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}
