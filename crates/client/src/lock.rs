//! Files that only one process may use at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
    process,
};

/// Right to use something, valid as long as this value lives. The system releases it when the
/// process ends, even if it is killed.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// Process id of an earlier holder that did not end cleanly.
    killed: Option<u32>,
}

/// Failure to take a lock.
#[derive(Debug)]
pub enum NoLock {
    /// Another process has it; with its process id, if that is known.
    Taken(Option<u32>),
    /// The file cannot be locked.
    Failed(io::Error),
}

/// The use of a file that processes lock.
#[derive(Debug)]
pub enum Use {
    /// No process uses it.
    Free,
    /// The process that used it last was killed.
    Killed,
    /// A process uses it, or the file cannot be read.
    Taken(NoLock),
}

impl From<io::Error> for NoLock {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

impl NoLock {
    /// Returns as text who uses `what`, or why that is unknown.
    #[must_use]
    pub fn message(&self, what: &Path) -> String {
        let what = what.display();
        match self {
            Self::Taken(Some(pid)) => format!("{what} is in use by process {pid}"),
            Self::Taken(None) => format!("{what} is in use by another process"),
            Self::Failed(error) => format!("cannot lock {what}: {error}"),
        }
    }
}

impl Lock {
    /// Locks a file and writes the process id into it. A missing file is created.
    ///
    /// # Errors
    /// [`NoLock`].
    pub fn take(path: &Path) -> Result<Self, NoLock> {
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            let locked = file.try_lock();
            let mut text = String::new();
            // Any other content names no process.
            let _ = (&mut file).take(32).read_to_string(&mut text);
            let noted = text.trim().parse().ok();
            match locked {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(NoLock::Taken(noted)),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
            if !is_at(&file, path)? {
                continue;
            }
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", process::id())?;
            return Ok(Self {
                file,
                killed: noted,
            });
        }
    }

    /// Removes the lock's file, and then releases the lock. Only on Unix can the next process
    /// notice that it locked a removed file. On other systems the file stays.
    ///
    /// # Errors
    /// If the file cannot be removed. The lock is released nevertheless.
    pub fn remove(self, path: &Path) -> io::Result<()> {
        if cfg!(unix) {
            fs::remove_file(path)?;
        }
        drop(self);
        Ok(())
    }

    /// Returns who uses the file of a lock, without changing it. A missing file is free.
    #[must_use]
    pub fn look(path: &Path) -> Use {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Use::Free,
            Err(error) => return Use::Taken(error.into()),
        };
        let locked = file.try_lock_shared();
        let mut text = String::new();
        // Any other content names no process.
        let _ = (&mut file).take(32).read_to_string(&mut text);
        let noted: Option<u32> = text.trim().parse().ok();
        match (locked, noted) {
            (Ok(()), Some(_)) => Use::Killed,
            (Ok(()), None) => Use::Free,
            (Err(TryLockError::WouldBlock), noted) => Use::Taken(NoLock::Taken(noted)),
            (Err(TryLockError::Error(error)), _) => Use::Taken(error.into()),
        }
    }

    /// Returns the process that had the lock before and was killed.
    #[must_use]
    pub fn killed(&self) -> Option<u32> {
        self.killed
    }
}

/// Returns `true` if a file is still at its path: an earlier holder of its lock may have removed
/// it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns `true`: on these systems no process removes the file.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // An empty file means that the process ended cleanly.
        let _ = self.file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lock_names_its_process_and_one_that_was_killed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let lock = Lock::take(&path).expect("locked");
        assert_eq!(lock.killed(), None);
        let other = Lock::take(&path).expect_err("taken");
        assert!(matches!(other, NoLock::Taken(Some(pid)) if pid == process::id()));
        assert!(other.message(&path).contains("in use by process"));
        let seen = Lock::look(&path);
        assert!(
            matches!(seen, Use::Taken(NoLock::Taken(Some(pid))) if pid == process::id()),
            "{seen:?}"
        );
        drop(lock);
        assert!(matches!(Lock::look(&path), Use::Free));
        assert!(matches!(Lock::look(&folder.path().join("none")), Use::Free));
        assert_eq!(Lock::take(&path).expect("free again").killed(), None);
        std::fs::write(&path, "77\n").expect("written");
        assert!(matches!(Lock::look(&path), Use::Killed));
        assert_eq!(Lock::take(&path).expect("free").killed(), Some(77));
    }

    #[cfg(unix)]
    #[test]
    fn is_at_is_false_for_a_file_that_was_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let lock = Lock::take(&path).expect("locked");
        let before = File::open(&path).expect("a file");
        assert!(is_at(&before, &path).expect("known"));
        lock.remove(&path).expect("removed");
        assert!(!path.exists() && !is_at(&before, &path).expect("known"));
        let _lock = Lock::take(&path).expect("a new one");
        assert!(!is_at(&before, &path).expect("known"));
    }
}
