//! Files that are whole, whatever happens.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use tempfile::NamedTempFile;

/// Writes a file so that the old one or the new one is there, whole, whatever happens. It is on the disk when this
/// returns, and only its owner may read it.
///
/// # Errors
/// If the file cannot be written; it is as it was before then.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    // The new name is on the disk once its directory is. Some systems cannot open one.
    if let Ok(directory) = fs::File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}
