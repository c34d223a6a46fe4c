//! Folder of `cotrain up`: the saved chain, the model on it, and the coordinator's database.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{Address, B256};
use anyhow::{Context, anyhow};
use cotrain_client::lock::{Lock, Use};
use cotrain_learning::vectors::Table;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use url::Url;

use crate::{
    error::CommandError,
    live::{
        context::{CommandContext, cache_directory, write_whole},
        encoder,
        options::Options,
    },
};

const KEPT: &str = "up.toml";
const CHAIN: &str = "anvil.json";
/// The save before the last one.
const EARLIER: &str = "anvil.earlier.json";
const DATABASE: &str = "coordinator.sqlite";
const LOCK: &str = "lock";
/// Directory of the tables of word vectors that the models read texts by.
const ENCODERS: &str = "encoders";
/// Name of folders without `--state`, in the cache directory.
const TEMPORARY: &str = "up";

/// A folder that only this process uses.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    lock: Lock,
    /// Directory that is removed at the end; `None` with `--state`.
    temporary: Option<TempDir>,
}

/// Contents of the chain, and the options of the command that made them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) chain_id: Option<u64>,
    /// The hash of the chain's first block.
    pub(super) genesis: Option<B256>,
    rpc: Option<Url>,
    registry: Option<Address>,
    /// Trainer of the model; `None` until it is deployed.
    pub(super) model: Option<Address>,
    /// The options of the model.
    #[serde(default)]
    pub(super) options: Options,
}

impl Kept {
    /// Returns a chain on which nothing is deployed yet.
    pub(super) fn begun(chain_id: u64, genesis: B256, options: Options) -> Self {
        Self {
            chain_id: Some(chain_id),
            genesis: Some(genesis),
            options,
            ..Self::default()
        }
    }

    /// Returns the state for later commands, without the coordinator, which has no address yet.
    pub(super) fn context(&self, rpc: &Url) -> CommandContext {
        CommandContext {
            chain_id: self.chain_id,
            genesis: self.genesis,
            rpc: Some(rpc.clone()),
            registry: self.registry,
            model: self.model,
            federated: None,
            coordinator: None,
        }
    }

    pub(super) fn deployed(self, registry: Address, model: Address) -> Self {
        Self {
            registry: Some(registry),
            model: Some(model),
            ..self
        }
    }
}

/// State of a folder, for the next start.
#[derive(Debug)]
pub(super) enum Found {
    /// No chain.
    Nothing,
    /// A chain, in one of these files, newest first.
    Chain(Kept, Vec<PathBuf>),
    /// Remains without a chain to resume, for this reason.
    Broken(String, Option<Kept>),
}

impl Folder {
    /// Opens the folder at `state`, or a new one that is removed at the end.
    pub(super) fn open(state: Option<&Path>) -> Result<Self, CommandError> {
        let Some(path) = state else {
            return Self::temporary();
        };
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make {}; name another --state", path.display()))
            .map_err(CommandError::Mistake)?;
        // Some programs start in another directory, so the path must be absolute.
        let path = path.canonicalize()?;
        Self::locked(path, None)
    }

    fn temporary() -> Result<Self, CommandError> {
        let all = cache_directory()?.join(TEMPORARY);
        fs::create_dir_all(&all)
            .with_context(|| format!("cannot make {}", all.display()))
            .map_err(CommandError::Mistake)?;
        for folder in used(&all) {
            if folder.held.is_none() {
                let _ = fs::remove_dir_all(folder.path);
            }
        }
        let temporary = TempDir::new_in(&all)
            .with_context(|| format!("cannot write to {}", all.display()))
            .map_err(CommandError::Mistake)?;
        let path = temporary.path().canonicalize()?;
        Self::locked(path, Some(temporary))
    }

    fn locked(path: PathBuf, temporary: Option<TempDir>) -> Result<Self, CommandError> {
        let lock = Lock::take(&path.join(LOCK)).map_err(|held| {
            CommandError::Mistake(anyhow!(
                "{}; stop it, or name another directory with --state",
                held.message(&path)
            ))
        })?;
        Ok(Self {
            path,
            lock,
            temporary,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Keeps a table of word vectors for the coordinator.
    pub(super) fn keep_table(&self, table: &Table) -> Result<(), CommandError> {
        encoder::store_in(&self.path.join(ENCODERS), table).map(drop)
    }

    /// Returns the files of the kept tables of word vectors.
    pub(super) fn tables(&self) -> Result<Vec<PathBuf>, CommandError> {
        let directory = self.path.join(ENCODERS);
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(CommandError::Mistake(
                    anyhow!(error).context(format!("cannot read {}", directory.display())),
                ));
            }
        };
        let paths = entries.map(|entry| Ok(entry?.path()));
        let mut tables = paths.collect::<Result<Vec<_>, io::Error>>()?;
        // A file that was being written when the program was killed has another name.
        tables.retain(|path| path.extension().is_some_and(|it| it == encoder::EXTENSION));
        tables.sort();
        Ok(tables)
    }

    /// Returns the process that used the folder last, if it was killed.
    pub(super) fn killed(&self) -> Option<u32> {
        self.lock.killed()
    }

    /// Returns `true` if the folder stays after the end.
    pub(super) fn stays(&self) -> bool {
        self.temporary.is_none()
    }

    /// Finds the chain to resume from.
    pub(super) fn find(&self) -> Result<Found, CommandError> {
        let chains: Vec<_> = [CHAIN, EARLIER]
            .map(|name| self.path.join(name))
            .into_iter()
            .filter(|path| path.is_file())
            .collect();
        let path = self.path.join(KEPT);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if chains.is_empty() && !self.database().exists() {
                    return Ok(Found::Nothing);
                }
                let reason = format!("{}, which names the model, is gone", path.display());
                return Ok(Found::Broken(reason, None));
            }
            Err(error) => {
                return Err(CommandError::Mistake(
                    anyhow!(error).context(format!("cannot read {}", path.display())),
                ));
            }
        };
        let kept: Kept = match toml::from_str(&text) {
            Ok(kept) => kept,
            Err(error) => {
                let reason = format!("{} is damaged ({})", path.display(), error.message());
                return Ok(Found::Broken(reason, None));
            }
        };
        Ok(match (kept.model, chains.is_empty()) {
            // The program was killed before there was a model.
            (None, true) => Found::Nothing,
            (Some(_), true) => {
                let path = self.path.join(CHAIN);
                let reason = format!("the chain of {} is gone", path.display());
                Found::Broken(reason, Some(kept))
            }
            (_, false) => Found::Chain(kept, chains),
        })
    }

    /// Stores the facts of the chain. They are on the disk when this returns.
    pub(super) fn keep(&self, kept: &Kept) -> Result<(), CommandError> {
        write_whole(&self.path.join(KEPT), toml::to_string(kept)?.as_bytes())
    }

    /// Saves the chain. It is on the disk when this returns, and a whole file exists at every
    /// moment.
    pub(super) fn save(&self, chain: &[u8]) -> Result<(), CommandError> {
        let (last, earlier) = (self.path.join(CHAIN), self.path.join(EARLIER));
        if last.is_file() {
            let _ = fs::remove_file(&earlier);
            // A file system without links has no earlier file.
            let _ = fs::hard_link(&last, &earlier);
        }
        write_whole(&last, chain)
    }

    /// Moves all files of the chain into a new folder, which it returns.
    pub(super) fn put_aside(&self) -> Result<PathBuf, CommandError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let mut aside = self.path.join(format!("before-{now}"));
        for number in 2.. {
            match fs::create_dir(&aside) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    aside = self.path.join(format!("before-{now}-{number}"));
                }
                Err(error) => {
                    return Err(CommandError::Mistake(
                        anyhow!(error).context(format!("cannot make {}", aside.display())),
                    ));
                }
            }
        }
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let ours = [KEPT, CHAIN, EARLIER, ENCODERS].contains(&&*text)
                || text.starts_with("coordinator.")
                || text.starts_with("deploy-");
            if ours {
                fs::rename(entry.path(), aside.join(&name))
                    .with_context(|| format!("cannot move {}", entry.path().display()))?;
            }
        }
        Ok(aside)
    }
}

/// The folder of a `cotrain up` without `--state` that runs or was killed.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    /// Its user, as text; `None` if the process was killed.
    pub(crate) held: Option<String>,
}

/// Returns the folders of `cotrain up` without `--state`, of running processes and of killed ones.
pub(crate) fn temporary() -> Result<Vec<Temporary>, CommandError> {
    Ok(used(&cache_directory()?.join(TEMPORARY)))
}

/// Returns the folders within a folder that have a process. A folder that was just made has none in
/// its lock yet.
fn used(all: &Path) -> Vec<Temporary> {
    let folders = fs::read_dir(all).into_iter().flatten().flatten();
    folders
        .filter_map(|entry| {
            let path = entry.path();
            let held = match Lock::look(&path.join(LOCK)) {
                Use::Free => return None,
                Use::Killed => None,
                Use::Taken(held) => Some(held.message(&path)),
            };
            let bytes = size(&path);
            Some(Temporary { path, bytes, held })
        })
        .collect()
}

/// Returns the size of a file, or of all files in a folder, in bytes.
pub(crate) fn size(path: &Path) -> u64 {
    let Ok(kind) = fs::symlink_metadata(path) else {
        return 0;
    };
    if !kind.is_dir() {
        return kind.len();
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| size(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &Path) -> Folder {
        Folder::open(Some(path)).expect("a folder")
    }

    #[test]
    fn open_refuses_a_folder_that_a_process_uses() {
        let directory = tempfile::tempdir().expect("a folder");
        let first = folder(directory.path());
        let error = Folder::open(Some(directory.path())).expect_err("taken");
        let text = error.error().to_string();
        let pid = std::process::id();
        assert!(text.contains(&format!("in use by process {pid}")), "{text}");
        drop(first);
        assert_eq!(folder(directory.path()).killed(), None);
    }

    #[test]
    fn find_distinguishes_a_chain_from_nothing_and_from_a_broken_folder() {
        let directory = tempfile::tempdir().expect("a folder");
        let folder = folder(directory.path());
        assert!(matches!(folder.find(), Ok(Found::Nothing)));
        fs::write(folder.database(), "").expect("written");
        let found = folder.find().expect("found");
        assert!(matches!(found, Found::Broken(reason, None) if reason.contains("up.toml")));

        let options = Options::from([("--refund-wait".to_owned(), "5s".to_owned())]);
        let kept = Kept::begun(31_337, B256::ZERO, options);
        folder.keep(&kept).expect("kept");
        // The program was killed during the deployment of the model.
        assert!(matches!(folder.find(), Ok(Found::Nothing)));
        let kept = kept.deployed(Address::ZERO, Address::ZERO);
        folder.keep(&kept).expect("kept");
        let found = folder.find().expect("found");
        assert!(matches!(found, Found::Broken(_, Some(found)) if found == kept));

        folder.save(b"one").expect("saved");
        folder.save(b"two").expect("saved");
        let Found::Chain(found, chains) = folder.find().expect("found") else {
            panic!("there is a chain");
        };
        assert_eq!(found, kept);
        let texts: Vec<_> = chains
            .iter()
            .map(|path| fs::read(path).expect("read"))
            .collect();
        assert_eq!(texts, [b"two".to_vec(), b"one".to_vec()]);

        let aside = folder.put_aside().expect("moved");
        assert!(matches!(folder.find(), Ok(Found::Nothing)));
        assert_eq!(fs::read(aside.join(CHAIN)).expect("kept"), b"two");
        assert!(aside.join(DATABASE).exists());

        fs::write(folder.path().join(KEPT), "= no toml").expect("written");
        assert!(matches!(folder.find(), Ok(Found::Broken(..))));
    }
}
