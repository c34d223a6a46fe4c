//! Directory of results. Each file is written under another name and then moved to its own,
//! `summary.json` last. So no file is ever half-written, and results with a summary are complete.
//! The directory itself is never replaced: it may be a mount point, the target of a link or the
//! working directory of a shell.

use std::{
    fmt, fs,
    io::{self, ErrorKind, Write},
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tempfile::NamedTempFile;

/// Names of the files of every run, in the order in which they are written.
pub const FILES: [&str; 7] = [
    SCENARIO,
    "series.csv",
    "series.parquet",
    "events.csv",
    "events.parquet",
    "report.html",
    SUMMARY,
];

/// Names of the files of federated rounds, in the order in which they are written.
pub const FEDERATED_FILES: [&str; 5] =
    [SCENARIO, "rounds.csv", "values.csv", "report.html", SUMMARY];

const SCENARIO: &str = "scenario.toml";
const SUMMARY: &str = "summary.json";

/// Name of the file with every transaction; only a recorded run has it.
pub const RECORDING: &str = "transactions.jsonl.gz";

/// Prefix and suffix of names of incomplete files.
const UNFINISHED: (&str, &str) = (".cotrain-", ".partial");

/// Reason why a directory cannot take results.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// The directory cannot be read or written.
    #[error("cannot put results into {}", directory.display())]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The directory holds something that this run may not replace.
    #[error(
        "{} holds {holds}; only results of the same scenario, seed and --relay are replaced: name another \
         directory with --out, or empty this one",
        directory.display()
    )]
    Occupied {
        /// The directory.
        directory: PathBuf,
        /// A description of what it holds.
        holds: String,
    },
}

/// Seed and relaying of a run. Runs with the same scenario and identity have the same results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Identity {
    seed: u64,
    relay: Option<Relay>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Relay {
    size: usize,
}

impl Identity {
    /// Returns the identity of a run. `relay` is the number of contributions per transaction.
    #[must_use]
    pub fn new(seed: u64, relay: Option<NonZeroUsize>) -> Self {
        Self {
            seed,
            relay: relay.map(|size| Relay { size: size.get() }),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}", self.seed)?;
        match self.relay {
            Some(Relay { size }) => write!(f, " and --relay {size}"),
            None => Ok(()),
        }
    }
}

/// An existing, writable directory that holds nothing but results of the same run.
#[derive(Debug)]
pub struct Results {
    directory: PathBuf,
    /// Directories that were created on its path, the deepest first.
    made: Vec<PathBuf>,
}

impl Results {
    /// Checks before a run that its results can go to `directory`. The caller has named it after
    /// scenario, seed and relaying, so results of an earlier run in it are replaced.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be written, or holds anything else.
    pub fn prepare_own(directory: &Path) -> Result<Self, ResultsError> {
        Self::prepare_unless(directory, foreign(directory).map(Result::err))
    }

    /// Checks before a run that its results can go to `directory`, which the user has named. It may
    /// hold results whose scenario has the text `scenario` and whose identity is `of`. The run
    /// replaces them.
    ///
    /// # Errors
    /// Returns an error if the directory cannot be written, or holds anything else.
    pub fn prepare(directory: &Path, scenario: &str, of: Identity) -> Result<Self, ResultsError> {
        Self::prepare_unless(directory, obstacle(directory, scenario, of))
    }

    fn prepare_unless(
        directory: &Path,
        obstacle: io::Result<Option<String>>,
    ) -> Result<Self, ResultsError> {
        let unusable = |source| ResultsError::Unusable {
            directory: directory.to_owned(),
            source,
        };
        if let Some(holds) = obstacle.map_err(unusable)? {
            return Err(ResultsError::Occupied {
                directory: directory.to_owned(),
                holds,
            });
        }
        let made = directory
            .ancestors()
            .take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        let results = Self {
            directory: directory.to_owned(),
            made: made.map(Path::to_owned).collect(),
        };
        // Only a write proves that the directory is writable.
        fs::create_dir_all(directory)
            .and_then(|()| unfinished(directory).map(drop))
            .map_err(unusable)?;
        Ok(results)
    }

    /// Creates a file for the run's recording. It vanishes unless [`Results::write`] takes it.
    ///
    /// # Errors
    /// Returns an error if no file can be created.
    pub fn recording(&self) -> io::Result<NamedTempFile> {
        unfinished(&self.directory)
    }

    /// Writes the files and the recording over those of the same names. Removes incomplete files of
    /// an interrupted run. Removes an earlier run's recording if this run has none.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn write(
        &self,
        files: &[(&str, Vec<u8>)],
        recording: Option<NamedTempFile>,
    ) -> io::Result<()> {
        self.sweep(recording.as_ref().map(NamedTempFile::path))?;
        let stage = |(name, content): &(_, Vec<u8>)| {
            let mut file = unfinished(&self.directory)?;
            file.write_all(content)?;
            Ok((self.directory.join(name), file))
        };
        let staged: Vec<_> = files.iter().map(stage).collect::<io::Result<_>>()?;
        // From here to the last file, old and new files may coexist. A summary would hide that.
        let path = self.directory.join(RECORDING);
        if_there(fs::remove_file(self.directory.join(SUMMARY)))?;
        match recording {
            Some(file) => drop(file.persist(path)?),
            None => drop(if_there(fs::remove_file(path))?),
        }
        for (path, file) in staged {
            file.persist(path)?;
        }
        Ok(())
    }

    fn sweep(&self, but: Option<&Path>) -> io::Result<()> {
        let but = but.and_then(Path::file_name);
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_unfinished(&name.to_string_lossy()) && Some(&*name) != but {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Results {
    /// Removes the directories that were created for a failed run. A directory that holds something
    /// stays.
    fn drop(&mut self) {
        for directory in &self.made {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Creates a file in `directory` that vanishes unless it is moved to another name.
///
/// # Errors
/// Returns an error if no file can be created.
pub fn unfinished(directory: &Path) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new();
    file.prefix(UNFINISHED.0).suffix(UNFINISHED.1);
    // A temporary file is private to its owner. Results get the usual permissions of the user's
    // files.
    #[cfg(unix)]
    file.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    file.tempfile_in(directory)
}

/// Returns `true` if this name is that of an incomplete file.
#[must_use]
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED.0) && name.ends_with(UNFINISHED.1)
}

/// Returns whether `directory` is empty of results, or the name of an entry that no run has
/// written.
fn foreign(directory: &Path) -> io::Result<Result<bool, String>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ok(true)),
        entries => entries?,
    };
    let mut empty = true;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let files = || FILES.iter().chain(&FEDERATED_FILES);
        let ours = files().any(|ours| *ours == name) || name == RECORDING || is_unfinished(&name);
        if !ours || entry.file_type()?.is_dir() {
            return Ok(Err(format!("`{name}`")));
        }
        empty &= is_unfinished(&name);
    }
    Ok(Ok(empty))
}

/// Describes anything in `directory` that this run may not replace; `None` if there is nothing.
///
/// Results without a summary belong to a run that was interrupted while it wrote them. They may be
/// replaced.
fn obstacle(directory: &Path, scenario: &str, of: Identity) -> io::Result<Option<String>> {
    match foreign(directory)? {
        Ok(true) => return Ok(None),
        Ok(false) => {}
        Err(name) => return Ok(Some(name)),
    }
    match if_there(fs::read(directory.join(SCENARIO)))? {
        None => return Ok(Some(format!("files of results, but no {SCENARIO}"))),
        Some(text) if text != scenario.as_bytes() => {
            return Ok(Some("results of another scenario".to_owned()));
        }
        Some(_) => {}
    }
    let Some(summary) = if_there(fs::read(directory.join(SUMMARY)))? else {
        return Ok(None);
    };
    Ok(match serde_json::from_slice::<Identity>(&summary) {
        Ok(there) if there == of => None,
        Ok(there) if there.seed == of.seed && there.relay.is_none() => {
            Some(format!("results with {there} and without --relay"))
        }
        Ok(there) => Some(format!("results with {there}")),
        Err(_) => Some(format!("a {SUMMARY} without a seed")),
    })
}

fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use tempfile::TempDir;

    use super::*;

    const SEED: u64 = 7;
    const OF: Identity = Identity {
        seed: SEED,
        relay: None,
    };
    const TEXT: &str = "description = \"a scenario\"\n";

    #[test]
    fn prepare_own_takes_a_directory_of_any_results_and_nothing_else() {
        let home = TempDir::new().expect("a directory");
        let out = home.path().join("mine-7");
        let results = Results::prepare_own(&out).expect("free");
        results.write(&files("one"), None).expect("written");
        Results::prepare(&out, "another text", OF).expect_err("results of another scenario");
        Results::prepare_own(&out).expect("free");
        fs::write(out.join("notes"), "mine").expect("written");
        Results::prepare_own(&out).expect_err("something else");
    }

    fn files(content: &str) -> Vec<(&'static str, Vec<u8>)> {
        let summary = format!(r#"{{"scenario":"s","seed":{SEED},"digest":"{content}"}}"#);
        vec![
            (SCENARIO, TEXT.into()),
            ("series.csv", content.into()),
            (SUMMARY, summary.into()),
        ]
    }

    const NAMES: [&str; 3] = [SCENARIO, "series.csv", SUMMARY];

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn above() -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn put(directory: &Path, name: &str, content: &str) {
        fs::write(directory.join(name), content).expect("written");
    }

    fn prepared(out: &Path) -> Results {
        Results::prepare(out, TEXT, OF).expect("free")
    }

    fn mistake(out: &Path) -> String {
        let error = Results::prepare(out, TEXT, OF).expect_err("not free");
        let cause = error.source().map(|cause| format!(": {cause}"));
        let said = format!("{error}{}", cause.unwrap_or_default());
        said.replace(&out.display().to_string(), "OUT")
    }

    #[test]
    fn write_replaces_results_of_the_same_run() {
        let above = above();
        let out = above.path().join("deep/er/s-7");
        for content in ["first", "second"] {
            prepared(&out)
                .write(&files(content), None)
                .expect("written");
            assert_eq!(
                fs::read_to_string(out.join("series.csv")).expect("a file"),
                content
            );
            assert_eq!(names(&out), NAMES);
        }
    }

    #[test]
    fn prepare_leaves_alone_what_is_not_ours() {
        let refused = |fill: &dyn Fn(&Path)| {
            let out = above();
            prepared(out.path())
                .write(&files("old"), None)
                .expect("written");
            fill(out.path());
            let before = names(out.path());
            let said = mistake(out.path());
            assert_eq!(names(out.path()), before);
            said
        };
        insta::assert_snapshot!(refused(&|out| put(out, "thesis.tex", "")), @"OUT holds `thesis.tex`; only results of the same scenario, seed and --relay are replaced: name another directory with --out, or empty this one");
        let holds = |fill: &dyn Fn(&Path)| {
            let said = refused(fill);
            said.split(';').next().unwrap_or_default().to_owned()
        };
        insta::assert_snapshot!(holds(&|out| put(out, SUMMARY, r#"{"seed":8}"#)), @"OUT holds results with seed 8");
        insta::assert_snapshot!(holds(&|out| put(out, SUMMARY, r#"{"seed":7,"relay":{"size":20}}"#)), @"OUT holds results with seed 7 and --relay 20");
        insta::assert_snapshot!(holds(&|out| put(out, SUMMARY, "{}")), @"OUT holds a summary.json without a seed");
        insta::assert_snapshot!(holds(&|out| put(out, SCENARIO, "gas_price = 1")), @"OUT holds results of another scenario");
        insta::assert_snapshot!(holds(&|out| fs::remove_file(out.join(SCENARIO)).expect("removed")), @"OUT holds files of results, but no scenario.toml");
        insta::assert_snapshot!(holds(&|out| fs::create_dir(out.join("events.csv")).expect("made")), @"OUT holds `events.csv`");
    }

    #[test]
    fn prepare_refuses_a_directory_that_cannot_be_made_and_leaves_nothing() {
        let above = above();
        put(above.path(), "file", "");
        mistake(&above.path().join("file"));
        mistake(&above.path().join("file/below"));
        // The first directory can be created, but the name of the one inside is too long.
        mistake(&above.path().join("new").join("x".repeat(300)));
        assert_eq!(names(above.path()), ["file"]);
    }

    #[test]
    fn drop_removes_the_directories_of_a_run_that_fails() {
        let above = above();
        let out = above.path().join("runs/s-7");
        drop(prepared(&out));
        assert!(names(above.path()).is_empty());
        fs::create_dir_all(&out).expect("made");
        drop(prepared(&out));
        assert!(out.is_dir(), "the user's own directory stays");
    }

    #[test]
    fn write_leaves_a_summary_beside_complete_results_only() {
        let out = above();
        let results = prepared(out.path());
        results.write(&files("old"), None).expect("written");
        fs::remove_file(out.path().join("series.csv")).expect("removed");
        fs::create_dir(out.path().join("series.csv")).expect("made");
        results
            .write(&files("new"), None)
            .expect_err("a directory is in the way");
        assert_eq!(names(out.path()), NAMES[..2]);
    }

    #[test]
    fn write_removes_what_an_interrupted_run_left() {
        let out = above();
        let (_, left) = unfinished(out.path())
            .and_then(|file| Ok(file.keep()?))
            .expect("a file");
        assert!(is_unfinished(&names(out.path())[0]));
        prepared(out.path())
            .write(&files("new"), None)
            .expect("written");
        assert!(!left.exists());
        // Without a summary the results are incomplete, so their seed does not matter.
        fs::remove_file(out.path().join(SUMMARY)).expect("removed");
        prepared(out.path())
            .write(&files("again"), None)
            .expect("written");
        assert_eq!(names(out.path()), NAMES);
    }

    #[cfg(unix)]
    #[test]
    fn write_keeps_a_link_and_makes_files_as_open_as_others() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let above = above();
        let (real, link) = (above.path().join("real"), above.path().join("link"));
        fs::create_dir(&real).expect("made");
        let before = fs::metadata(&real).expect("a directory").ino();
        symlink("real", &link).expect("linked");
        for content in ["first", "second"] {
            prepared(&link)
                .write(&files(content), None)
                .expect("written");
        }
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&real).expect("a directory").ino(), before);
        assert_eq!(names(&real), NAMES);
        put(above.path(), "other", "");
        let mode = |path: &Path| fs::metadata(path).expect("a file").mode();
        assert_eq!(mode(&real.join(SUMMARY)), mode(&above.path().join("other")));

        symlink("nowhere", above.path().join("dangling")).expect("linked");
        mistake(&above.path().join("dangling"));
    }

    #[cfg(unix)]
    #[test]
    fn prepare_refuses_a_directory_that_cannot_be_written() {
        use std::os::unix::fs::PermissionsExt;
        let above = above();
        let out = above.path().join("locked");
        fs::create_dir(&out).expect("made");
        fs::set_permissions(&out, fs::Permissions::from_mode(0o555)).expect("locked");
        // Root may write everywhere.
        if unfinished(&out).is_err() {
            insta::assert_snapshot!(mistake(&out).split(" at ").next().unwrap_or_default(), @"cannot put results into OUT: Permission denied (os error 13)");
            mistake(&out.join("below"));
        }
    }
}
