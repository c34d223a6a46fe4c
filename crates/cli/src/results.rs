//! The directory of results: all of a run's files at once, or none of them.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{self, Path, PathBuf},
    process,
};

use anyhow::{Context, anyhow};
use serde::Deserialize;

use crate::failure::Failure;

/// The names of all files of a run.
pub(crate) const FILES: [&str; 6] = [
    "report.html",
    SUMMARY,
    "series.csv",
    "series.parquet",
    "events.csv",
    "events.parquet",
];

const SUMMARY: &str = "summary.json";

/// A directory that may be written: not there, empty, or holding results of the same run.
#[derive(Debug)]
pub(crate) struct Results {
    directory: PathBuf,
}

impl Results {
    /// Checks before a run that its results may go to `directory`.
    pub(crate) fn prepare(directory: &Path, scenario: &str, seed: u64) -> Result<Self, Failure> {
        let shown = directory.display();
        let free = absolute(directory).and_then(|directory| {
            Ok(is_free(&directory, scenario, seed)?.then_some(Self { directory }))
        });
        match free.with_context(|| format!("cannot put results into {shown}")) {
            Ok(Some(results)) => Ok(results),
            Ok(None) => Err(Failure::Mistake(anyhow!(
                "{shown} holds something else than results of `{scenario}` with seed {seed}; \
                 name another directory with --out, or empty this one"
            ))),
            Err(error) => Err(Failure::Mistake(error)),
        }
    }

    /// Writes the files into a directory beside, which then takes the place of the results that
    /// were there.
    pub(crate) fn write(&self, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
        if let Some(above) = self.directory.parent() {
            fs::create_dir_all(above)?;
        }
        let staged = self.beside("partial");
        let written = fill(&staged, files).and_then(|()| self.replace_by(&staged));
        if written.is_err() {
            // The first error is the one to tell.
            let _ = fs::remove_dir_all(&staged);
        }
        written
    }

    fn replace_by(&self, staged: &Path) -> io::Result<()> {
        let old = self.beside("old");
        match fs::rename(&self.directory, &old) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return fs::rename(staged, &self.directory);
            }
            Err(error) => return Err(error),
        }
        if let Err(error) = fs::rename(staged, &self.directory) {
            fs::rename(&old, &self.directory)?;
            return Err(error);
        }
        fs::remove_dir_all(old)
    }

    /// A hidden directory on the same file system, of this process alone.
    fn beside(&self, role: &str) -> PathBuf {
        let name = self
            .directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        self.directory
            .with_file_name(format!(".{name}.{role}-{}", process::id()))
    }
}

/// The path that stays the same when the directory is replaced.
fn absolute(directory: &Path) -> io::Result<PathBuf> {
    if directory.exists() {
        directory.canonicalize()
    } else {
        path::absolute(directory)
    }
}

fn is_free(directory: &Path, scenario: &str, seed: u64) -> io::Result<bool> {
    #[derive(Deserialize)]
    struct Identity {
        scenario: String,
        seed: u64,
    }
    if !directory.exists() {
        // What lies above is made later; a file there cannot become a directory.
        return match directory.ancestors().find(|above| above.exists()) {
            Some(above) => above.read_dir().map(|_| true),
            None => Ok(true),
        };
    }
    let mut empty = true;
    for entry in fs::read_dir(directory)? {
        empty = false;
        if !FILES
            .iter()
            .any(|&name| entry.as_ref().is_ok_and(|entry| entry.file_name() == name))
        {
            return Ok(false);
        }
    }
    let identity = || {
        let summary = fs::read(directory.join(SUMMARY)).ok()?;
        serde_json::from_slice::<Identity>(&summary).ok()
    };
    Ok(empty || identity().is_some_and(|it| it.scenario == scenario && it.seed == seed))
}

fn fill(directory: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
    // Left behind by an interrupted process that had the same number.
    let _ = fs::remove_dir_all(directory);
    fs::create_dir(directory)?;
    files
        .iter()
        .try_for_each(|(name, content)| fs::write(directory.join(name), content))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const SEED: u64 = 7;

    fn files(content: &str) -> Vec<(&'static str, Vec<u8>)> {
        let summary = format!(r#"{{"scenario":"s","seed":{SEED},"digest":"{content}"}}"#);
        vec![
            (SUMMARY, summary.into_bytes()),
            ("series.csv", content.as_bytes().to_vec()),
        ]
    }

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

    #[test]
    fn results_of_the_same_run_are_replaced_whole() {
        let above = above();
        let out = above.path().join("deep/er/s-7");
        for content in ["first", "second"] {
            let results = Results::prepare(&out, "s", SEED).expect("free");
            results.write(&files(content)).expect("written");
            assert_eq!(
                fs::read_to_string(out.join("series.csv")).expect("a file"),
                content
            );
        }
        assert_eq!(names(&out), ["series.csv", SUMMARY]);
        assert_eq!(
            names(out.parent().expect("a parent")),
            ["s-7"],
            "nothing is left beside"
        );
    }

    #[test]
    fn an_empty_directory_is_taken() {
        let out = above();
        Results::prepare(out.path(), "s", SEED)
            .expect("free")
            .write(&files("new"))
            .expect("written");
        assert_eq!(names(out.path()), ["series.csv", SUMMARY]);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let refused = |fill: &dyn Fn(&Path)| {
            let out = above();
            fill(out.path());
            let before = names(out.path());
            let failure = Results::prepare(out.path(), "s", SEED).expect_err("not free");
            assert!(matches!(failure, Failure::Mistake(_)));
            assert_eq!(names(out.path()), before);
            failure
                .error()
                .to_string()
                .replace(&out.path().display().to_string(), "OUT")
        };
        let put = |out: &Path, name, content| fs::write(out.join(name), content).expect("written");
        insta::assert_snapshot!(refused(&|out| put(out, "thesis.tex", "")), @"OUT holds something else than results of `s` with seed 7; name another directory with --out, or empty this one");
        // A file of the user's among ours; results of another seed; no summary to tell whose it is.
        refused(&|out| {
            put(out, SUMMARY, r#"{"scenario":"s","seed":7}"#);
            put(out, "notes.txt", "");
        });
        refused(&|out| put(out, SUMMARY, r#"{"scenario":"s","seed":8}"#));
        refused(&|out| put(out, "series.csv", ""));
    }

    #[test]
    fn a_file_in_the_way_is_a_mistake() {
        let above = above();
        let file = above.path().join("file");
        fs::write(&file, "").expect("written");
        for out in [file.clone(), file.join("below")] {
            let failure = Results::prepare(&out, "s", SEED).expect_err("a file");
            assert!(matches!(failure, Failure::Mistake(_)));
        }
    }

    #[test]
    fn a_failure_while_writing_keeps_the_old_results() {
        let above = above();
        let out = above.path().join("s-7");
        let results = Results::prepare(&out, "s", SEED).expect("free");
        results.write(&files("old")).expect("written");
        let mut broken = files("new");
        broken.push(("no/such/directory", Vec::new()));
        results.write(&broken).expect_err("cannot be written");
        assert_eq!(
            fs::read_to_string(out.join("series.csv")).expect("a file"),
            "old"
        );
        assert_eq!(names(above.path()), ["s-7"], "nothing half-written is left");
    }

    #[test]
    fn an_interrupted_run_is_not_in_the_way() {
        let above = above();
        let out = above.path().join("s-7");
        let results = Results::prepare(&out, "s", SEED).expect("free");
        let partial = results.beside("partial");
        fs::create_dir(&partial).expect("made");
        fs::write(partial.join("half"), "").expect("written");
        results.write(&files("new")).expect("written");
        assert_eq!(names(&out), ["series.csv", SUMMARY]);
    }
}
