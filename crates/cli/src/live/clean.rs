//! `cotrain clean`: the remains of earlier commands.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use cotrain_chain::anvil;
use cotrain_client::{journal::Journal, lock::Lock};
use cotrain_indexer::local;
use indicatif::HumanBytes;
use serde::Serialize;

use super::{
    context::{cache_directory, state_directory},
    deploying::NOT_DONE,
    following, show, up,
};
use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain clean                  list everything that would be removed
  cotrain clean --yes            remove it
  cotrain clean --journals --yes also journals of finished deployments

Later commands read the events and weights of models from the chain again. The journal of an unfinished deployment is
never removed: it holds signed transactions. Folders that you named (--state, --journal, --out) stay untouched.";

/// Remove caches, finished journals and processes that earlier commands left behind
///
/// Lists them; with --yes, removes them. It leaves alone what another process uses.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Clean {
    /// Remove everything that the list shows
    #[arg(long)]
    yes: bool,
    /// Include journals of finished deployments: without its journal, the same `cotrain deploy`
    /// deploys again
    #[arg(long)]
    journals: bool,
    /// Print one JSON array to stdout
    #[arg(long)]
    json: bool,
}

/// Remains of an earlier command.
#[derive(Debug, Serialize)]
struct Left {
    kind: Kind,
    path: Option<PathBuf>,
    process: Option<u32>,
    bytes: u64,
    /// Whether the command removes it, or would with --yes.
    remove: bool,
    /// Note about it, as text.
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    /// Events of a model.
    Events,
    /// Weights of a model.
    Weights,
    /// The folder of a `cotrain up` that runs or was killed.
    Up,
    /// The journal of a deployment.
    Journal,
    /// A node that lost the program that started it.
    Node,
}

impl Kind {
    fn message(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Weights => "weights",
            Self::Up => "up",
            Self::Journal => "journal",
            Self::Node => "node",
        }
    }
}

impl Left {
    fn at(kind: Kind, path: PathBuf, bytes: u64) -> Self {
        Self {
            kind,
            path: Some(path),
            process: None,
            bytes,
            remove: true,
            note: None,
        }
    }

    fn kept(self, note: impl Into<String>) -> Self {
        Self {
            remove: false,
            note: Some(note.into()),
            ..self
        }
    }
}

/// Lists the remains, and removes them.
pub(crate) fn run(arguments: &Clean) -> Result<(), CommandError> {
    let mut all = Vec::new();
    events(&mut all)?;
    weights(&mut all)?;
    for folder in up::temporary()? {
        let left = Left::at(Kind::Up, folder.path, folder.bytes);
        all.push(match folder.held {
            Some(held) => left.kept(held),
            None => left,
        });
    }
    journals(arguments.journals, &mut all)?;
    for orphan in anvil::orphans() {
        all.push(Left {
            kind: Kind::Node,
            path: None,
            process: Some(orphan.id),
            bytes: 0,
            remove: true,
            note: Some(orphan.command),
        });
    }
    // The list is shown even if a removal fails.
    let mut failed = None;
    if arguments.yes {
        for left in all.iter_mut().filter(|left| left.remove) {
            match remove(left) {
                Ok(None) => {}
                Ok(Some(why)) => {
                    left.remove = false;
                    left.note = Some(why);
                }
                Err(failure) => {
                    left.remove = false;
                    left.note = Some(failure.message());
                    failed.get_or_insert(failure);
                }
            }
        }
    }
    show(arguments.json, &all, || text(&all, arguments.yes))?;
    failed.map_or(Ok(()), Err)
}

fn text(all: &[Left], done: bool) -> String {
    let mut lines = String::new();
    for left in all {
        let what = match (&left.path, left.process) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(process)) => format!("process {process}"),
            (None, None) => String::new(),
        };
        let does = match (left.remove, done) {
            (false, _) => "kept",
            (true, true) => "removed",
            (true, false) => "found",
        };
        let note = left
            .note
            .as_ref()
            .map_or_else(String::new, |it| format!("  ({it})"));
        let bytes = HumanBytes(left.bytes).to_string();
        let kind = left.kind.message();
        let _ = writeln!(lines, "{does:8} {kind:8} {bytes:>10}  {what}{note}");
    }
    let removed = all.iter().filter(|left| left.remove);
    let (count, bytes) = removed.fold((0, 0), |(count, bytes), left| {
        (count + 1, bytes + left.bytes)
    });
    let bytes = HumanBytes(bytes);
    let _ = match (count, done) {
        (0, _) => writeln!(lines, "nothing to remove"),
        (_, true) => writeln!(lines, "{bytes} removed"),
        (_, false) => writeln!(lines, "--yes removes {bytes}"),
    };
    lines
}

/// Returns the entries of a folder; none if the folder does not exist.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read
            .with_context(|| format!("cannot read {}", folder.display()))
            .map_err(CommandError::Mistake)?,
    };
    let mut paths: Vec<_> = read.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

fn events(all: &mut Vec<Left>) -> Result<(), CommandError> {
    for path in entries(&following::directory()?)? {
        if path.extension() != Some(OsStr::new("sqlite")) {
            continue;
        }
        let bytes = local::parts(&path).iter().map(|part| up::size(part)).sum();
        let left = Left::at(Kind::Events, path.clone(), bytes);
        // The lock is released at once: the removal takes it again.
        all.push(match Lock::take(&local::lock_of(&path)) {
            Ok(_) => left,
            Err(held) => left.kept(held.message(&path)),
        });
    }
    Ok(())
}

fn weights(all: &mut Vec<Left>) -> Result<(), CommandError> {
    for path in entries(&cache_directory()?.join("words"))? {
        let bytes = up::size(&path);
        all.push(Left::at(Kind::Weights, path, bytes));
    }
    Ok(())
}

fn journals(too: bool, all: &mut Vec<Left>) -> Result<(), CommandError> {
    for path in entries(&state_directory()?)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with("deploy-") || !path.is_dir() {
            continue;
        }
        let left = Left::at(Kind::Journal, path.clone(), up::size(&path));
        all.push(match Journal::finished(&path) {
            Err(why) => left.kept(why),
            Ok(None) => left.kept(NOT_DONE),
            Ok(Some(trainer)) if too => Left {
                note: Some(format!("of {trainer}")),
                ..left
            },
            Ok(Some(trainer)) => left.kept(format!("of {trainer}; --journals removes it")),
        });
    }
    Ok(())
}

/// Removes remains; returns the reason if they stay because a process uses them since.
fn remove(left: &Left) -> Result<Option<String>, CommandError> {
    let failed = || match (&left.path, left.process) {
        (Some(path), _) => format!("cannot remove {}", path.display()),
        (None, process) => format!("cannot end process {}", process.unwrap_or_default()),
    };
    let done = match (left.kind, &left.path, left.process) {
        (Kind::Events, Some(path), _) => match Lock::take(&local::lock_of(path)) {
            Ok(lock) => local::forget(path).and_then(|()| lock.remove(&local::lock_of(path))),
            Err(held) => return Ok(Some(held.message(path))),
        },
        (Kind::Journal, Some(path), _) => match Journal::remove(path) {
            Ok(Some(removed)) => removed,
            Ok(None) => return Ok(Some(NOT_DONE.to_owned())),
            Err(why) => return Ok(Some(why)),
        },
        (Kind::Weights, Some(path), _) => fs::remove_file(path),
        (Kind::Up, Some(path), _) => fs::remove_dir_all(path),
        (Kind::Node, _, Some(process)) => anvil::end(process),
        _ => Ok(()),
    };
    match done {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CommandError::Mistake(
            anyhow::Error::new(error).context(failed()),
        )),
        _ => Ok(None),
    }
}
