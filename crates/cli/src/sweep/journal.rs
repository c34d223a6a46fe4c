//! Journals of a sweep, with a line of JSON for each finished run. Each journal has one writer, and
//! any number of readers.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use cotrain_simulator::sweep::{Plan, Record};
use serde::Deserialize;

use crate::error::CommandError;

/// A journal that is open for writing, and locked meanwhile.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens a journal to append to, or begins one. If a kill or a crash cut off the last line, the
    /// line is removed, and its run counts as not done.
    pub(super) fn open(path: PathBuf) -> Result<Self, CommandError> {
        let failed = || format!("cannot write {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(failed)
            .map_err(CommandError::Mistake)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CommandError::Mistake(anyhow!(
                    "another process is at work on {}; wait for it, or name another folder with --out",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => {
                return Err(anyhow!(error)
                    .context(format!("cannot lock {}", path.display()))
                    .into());
            }
        }
        let whole = whole_lines(&file).with_context(failed)?;
        file.set_len(whole).with_context(failed)?;
        file.seek(SeekFrom::End(0)).with_context(failed)?;
        Ok(Self { path, file })
    }

    /// Appends a run. It is on the disk when this returns.
    pub(super) fn keep(&mut self, record: &Record) -> Result<(), CommandError> {
        self.append(&serde_json::to_vec(record)?)?;
        self.sync()
    }

    /// Appends a line of another journal. It is on the disk after [`Journal::sync`].
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), CommandError> {
        let mut line = line.to_owned();
        line.push(b'\n');
        let written = self.file.write_all(&line);
        Ok(written.with_context(|| format!("cannot write {}", self.path.display()))?)
    }

    pub(super) fn sync(&self) -> Result<(), CommandError> {
        let synced = self.file.sync_data();
        Ok(synced.with_context(|| format!("cannot write {}", self.path.display()))?)
    }
}

/// Returns the length of all complete lines, in bytes. The last line counts only if it is a run.
fn whole_lines(file: &File) -> io::Result<u64> {
    let (mut whole, mut end) = (0, 0);
    let mut last = true;
    for_each_line(file, |start, line| {
        whole = start;
        end = start + line.len() as u64 + 1;
        last = serde_json::from_slice::<Head>(line).is_ok();
    })?;
    Ok(if last { end } else { whole })
}

/// Calls `each` for every complete line, with the line's offset.
fn for_each_line(file: &File, mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let (mut start, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)? as u64;
        if line.pop() != Some(b'\n') {
            return Ok(());
        }
        each(start, &line);
        start += read;
    }
}

/// Part of a run that finds it and names the columns of tables.
#[derive(Debug, Deserialize)]
struct Head {
    run: u64,
    seed: u64,
    seconds: u64,
    digest: String,
    agents: Vec<Name>,
}

#[derive(Debug, Deserialize)]
struct Name {
    name: String,
}

/// Positions of the runs in some journals, sorted by number, each once.
#[derive(Debug)]
pub(super) struct Index {
    files: Vec<PathBuf>,
    entries: Vec<Entry>,
    /// Names of all agents, in the order of the runs' results.
    pub(super) agents: Vec<String>,
    /// Duration of the longest run, in seconds.
    pub(super) longest: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    run: u64,
    file: usize,
    start: u64,
    length: usize,
}

impl Index {
    /// Returns the runs in all journals of some directories. An incomplete line does not count: a
    /// process may be about to finish it.
    pub(super) fn of(plan: &Plan, directories: &[PathBuf]) -> Result<Self, CommandError> {
        let mut files = Vec::new();
        for directory in directories {
            files.extend(journals(directory)?);
        }
        let mut longest = 0;
        let mut entries = Vec::new();
        let mut names: Vec<(u64, Vec<String>)> = Vec::new();
        for (index, path) in files.iter().enumerate() {
            let mut damaged = None;
            let file =
                File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            for_each_line(&file, |start, line| {
                let head = match serde_json::from_slice::<Head>(line) {
                    Ok(head) if belongs(plan, &head) => head,
                    _ => {
                        damaged.get_or_insert(start);
                        return;
                    }
                };
                longest = head.seconds.max(longest);
                let agents = head.agents.into_iter().map(|agent| agent.name).collect();
                note(&mut names, head.run, agents);
                entries.push(Entry {
                    run: head.run,
                    file: index,
                    start,
                    length: line.len(),
                });
            })
            .with_context(|| format!("cannot read {}", path.display()))?;
            if let Some(start) = damaged {
                return Err(CommandError::Mistake(anyhow!(
                    "{} holds something else than runs of this sweep, at byte {start}; remove that line, \
                     and the same command does its run again",
                    path.display()
                )));
            }
        }
        entries.sort_by_key(|entry| (entry.run, entry.file, entry.start));
        names.sort();
        let mut agents: Vec<String> = Vec::new();
        for name in names.into_iter().flat_map(|(_, names)| names) {
            if !agents.contains(&name) {
                agents.push(name);
            }
        }
        let mut index = Self {
            files,
            entries,
            agents,
            longest,
        };
        index.drop_doubles()?;
        Ok(index)
    }

    /// Keeps the first of several records of a run, and checks that the others are equal.
    fn drop_doubles(&mut self) -> Result<(), CommandError> {
        for pair in self
            .entries
            .windows(2)
            .filter(|pair| pair[0].run == pair[1].run)
        {
            let digest = |entry: &Entry| -> Result<String, CommandError> {
                let line = self.line(entry)?;
                Ok(serde_json::from_slice::<Head>(&line)?.digest)
            };
            if digest(&pair[0])? != digest(&pair[1])? {
                return Err(CommandError::Mistake(anyhow!(
                    "run {} is in {} and in {}, and they differ: were the data files the same?",
                    pair[0].run,
                    self.files[pair[0].file].display(),
                    self.files[pair[1].file].display()
                )));
            }
        }
        self.entries.dedup_by_key(|entry| entry.run);
        Ok(())
    }

    /// Returns the number of runs.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns `true` if the run is in a journal.
    pub(super) fn has(&self, run: u64) -> bool {
        let found = self.entries.binary_search_by_key(&run, |entry| entry.run);
        found.is_ok()
    }

    /// Returns the lines of all runs, sorted by number.
    pub(super) fn lines(&self) -> impl Iterator<Item = Result<(u64, Vec<u8>), CommandError>> {
        self.entries
            .iter()
            .map(|entry| Ok((entry.run, self.line(entry)?)))
    }

    /// Returns all runs, sorted by number.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<Record, CommandError>> {
        self.lines()
            .map(|line| Ok(serde_json::from_slice(&line?.1)?))
    }

    fn line(&self, entry: &Entry) -> Result<Vec<u8>, CommandError> {
        let path = &self.files[entry.file];
        let read = || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(entry.start))?;
            let mut line = vec![0; entry.length];
            file.read_exact(&mut line)?;
            Ok::<_, io::Error>(line)
        };
        Ok(read().with_context(|| format!("cannot read {}", path.display()))?)
    }
}

fn belongs(plan: &Plan, head: &Head) -> bool {
    head.run < plan.runs() && head.seed == plan.seed_of(head.run)
}

/// Records the names of a run's agents, unless an earlier run has the same.
fn note(names: &mut Vec<(u64, Vec<String>)>, run: u64, agents: Vec<String>) {
    match names.iter_mut().find(|(_, known)| *known == agents) {
        Some((first, _)) => *first = run.min(*first),
        None => names.push((run, agents)),
    }
}

/// Returns the journals in a directory, in the order of their names.
pub(super) fn journals(directory: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let failed = || format!("cannot read {}", directory.display());
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries
            .with_context(failed)
            .map_err(CommandError::Mistake)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
