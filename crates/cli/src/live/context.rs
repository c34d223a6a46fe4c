//! State between commands: the node, the registry and the model in use.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256};
use anyhow::{Context, anyhow};
use cotrain_client::files;
use directories::ProjectDirs;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use url::Url;

use crate::error::CommandError;

/// Environment variable for another directory than the platform's.
const STATE: &str = "COTRAIN_STATE";
/// Environment variable for another cache directory.
const CACHE: &str = "COTRAIN_CACHE";

const FILE: &str = "context.toml";
/// Deprecated name of [`FILE`], which is read if there is no other.
const OLD_FILE: &str = "place.toml";

/// State that `cotrain up` and `cotrain deploy` leave for later commands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandContext {
    /// The chain that the addresses are on.
    pub(crate) chain_id: Option<u64>,
    /// Hash of the chain's first block. Development chains that begin again have the same id.
    pub(crate) genesis: Option<B256>,
    pub(crate) rpc: Option<Url>,
    pub(crate) registry: Option<Address>,
    pub(crate) model: Option<Address>,
    /// Trainer of federated rounds that was created or joined last.
    pub(crate) federated: Option<Address>,
    /// Address of the coordinator that `cotrain up` started over the chain.
    pub(crate) coordinator: Option<Url>,
}

impl CommandContext {
    /// Reads the stored state; it is empty at first.
    pub(crate) fn load() -> Result<Self, CommandError> {
        Self::load_from(&state_directory()?)
    }

    fn load_from(directory: &Path) -> Result<Self, CommandError> {
        for path in [FILE, OLD_FILE].map(|file| directory.join(file)) {
            let text = match fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(CommandError::mistake(
                        anyhow!(error).context(format!("cannot read {}", path.display())),
                    ));
                }
            };
            return toml::from_str(&text).map_err(|error| {
                CommandError::Mistake(anyhow!(
                    "{}: {}; remove the file, and name --rpc and --model",
                    path.display(),
                    error.message()
                ))
            });
        }
        Ok(Self::default())
    }

    /// Checks that the state can be stored, before the command does anything that would be lost.
    pub(crate) fn check() -> Result<(), CommandError> {
        let directory = state_directory()?;
        let failed = || {
            format!(
                "cannot write to {}, where commands remember node and model; name another directory with {STATE}",
                directory.display()
            )
        };
        fs::create_dir_all(&directory)
            .and_then(|()| NamedTempFile::new_in(&directory).map(drop))
            .with_context(failed)
            .map_err(CommandError::Mistake)
    }

    /// Stores this state for later commands, and returns its file.
    pub(crate) fn save(&self) -> Result<PathBuf, CommandError> {
        self.save_in(&state_directory()?)
    }

    fn save_in(&self, directory: &Path) -> Result<PathBuf, CommandError> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let path = directory.join(FILE);
        write_whole(&path, toml::to_string(self)?.as_bytes())?;
        // Otherwise a removal of the new file would bring back an old node and model.
        match fs::remove_file(directory.join(OLD_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(anyhow!(error)
                .context(format!(
                    "cannot remove {}",
                    directory.join(OLD_FILE).display()
                ))
                .into()),
            _ => Ok(path),
        }
    }
}

/// Returns the directory of the state.
pub(crate) fn state_directory() -> Result<PathBuf, CommandError> {
    directory(STATE, |all| {
        all.state_dir().unwrap_or(all.data_local_dir()).to_owned()
    })
}

/// Returns the directory of caches, whose content can be computed again.
pub(crate) fn cache_directory() -> Result<PathBuf, CommandError> {
    directory(CACHE, |all| all.cache_dir().to_owned())
}

fn directory(
    variable: &str,
    platform: impl FnOnce(&ProjectDirs) -> PathBuf,
) -> Result<PathBuf, CommandError> {
    if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let all = ProjectDirs::from("", "", "cotrain").ok_or_else(|| {
        CommandError::Mistake(anyhow!(
            "there is no home directory; name a directory with {variable}"
        ))
    })?;
    Ok(platform(&all))
}

/// Writes a file atomically.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), CommandError> {
    files::write_whole(path, content)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_from_prefers_the_new_file_and_reads_that_of_earlier_releases() {
        let folder = tempfile::tempdir().expect("a folder");
        let load = || CommandContext::load_from(folder.path()).expect("a context");
        assert_eq!(load(), CommandContext::default());
        fs::write(folder.path().join(OLD_FILE), "chain_id = 1").expect("written");
        let old = load();
        assert_eq!(old.chain_id, Some(1));
        old.save_in(folder.path()).expect("saved");
        assert!(!folder.path().join(OLD_FILE).exists());
        assert_eq!(load(), old);
        fs::write(folder.path().join(FILE), "chain_id = 2").expect("written");
        assert_eq!(load().chain_id, Some(2));
        fs::write(folder.path().join(FILE), "chain_id = true").expect("written");
        let error = CommandContext::load_from(folder.path()).expect_err("no number");
        assert!(
            error.message().contains("context.toml"),
            "{}",
            error.message()
        );
    }
}
