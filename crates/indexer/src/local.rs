//! Database files of followed models on one machine, shared by the programs of one user.

use std::{
    ffi::OsString,
    fs, io,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{Address, B256, hex};
use cotrain_chain::node::{Node, NodeError};
use cotrain_client::{
    contribute::Samples,
    lock::{Lock, NoLock},
};

use crate::{
    follower::IndexError,
    index::{FollowError, Index},
    info::ModelError,
    model::HostedModel,
    rows::{ContributionFilter, ContributionRow, Page},
    store::{ChainStore, StoreError},
};

/// Maximum number of processes that follow one model at a time, each with its own file.
const MAX_PROCESSES: usize = 16;

/// Number of rows read at once.
const ROWS: u32 = 1_000;

/// Index of one model, followed to the chain's head, in a file that only this process uses.
pub struct LocalIndex {
    index: Index,
    model: Arc<HostedModel>,
    _lock: Lock,
}

impl Deref for LocalIndex {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.index
    }
}

/// Failure to follow a model in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalIndexError {
    /// The directory of the files cannot be created.
    #[error("cannot make {}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// The file cannot be locked.
    #[error("{reason}")]
    NoLock {
        /// Reason, which names the file.
        reason: String,
    },
    /// The maximum number of processes already follow the model.
    #[error("{MAX_PROCESSES} processes follow this model here: {last}; end one of them")]
    InUse {
        /// One of the files, with the process that uses it.
        last: String,
    },
    /// A file that does not fit the chain cannot be removed.
    #[error("cannot remove {}", file.display())]
    Remove {
        /// The file.
        file: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// The node does not return the block whose hash is part of the file's name.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The model cannot be followed.
    #[error(transparent)]
    Follow(#[from] Box<FollowError>),
    /// The index does not contain the model that it was opened for.
    #[error("the model {trainer} is not followed")]
    Missing {
        /// Trainer of the model.
        trainer: Address,
    },
}

impl LocalIndex {
    /// Follows a model to the chain's head, in a file of `directory`.
    ///
    /// A file that does not fit the chain is created again.
    /// `closed_in` is the block of the model's closing, or 0 if unknown.
    ///
    /// # Errors
    /// [`LocalIndexError`].
    pub async fn open(
        node: &Node,
        registry: Option<Address>,
        trainer: Address,
        closed_in: u64,
        directory: &Path,
    ) -> Result<Self, LocalIndexError> {
        fs::create_dir_all(directory).map_err(|source| LocalIndexError::Directory {
            directory: directory.to_owned(),
            source,
        })?;
        let (file, lock) = free(directory, &name(node, trainer, closed_in).await?)?;
        let index = match open(node, registry, trainer, &file).await {
            Err(error) if is_of_the_file(&error) => {
                tracing::info!(%error, "what is kept does not fit the chain; its events are read anew");
                forget(&file).map_err(|source| LocalIndexError::Remove {
                    file: file.clone(),
                    source,
                })?;
                open(node, registry, trainer, &file)
                    .await
                    .map_err(Box::new)?
            }
            opened => opened.map_err(Box::new)?,
        };
        let model = index.model(trainer);
        let model = model.ok_or(LocalIndexError::Missing { trainer })?;
        Ok(Self {
            index,
            model,
            _lock: lock,
        })
    }

    /// Returns the followed model.
    #[must_use]
    pub fn followed(&self) -> &HostedModel {
        &self.model
    }

    /// Returns all contributions of an author.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn contributions_of(
        &self,
        author: Address,
    ) -> Result<Vec<ContributionRow>, StoreError> {
        let filter = ContributionFilter {
            author: Some(author),
            ..ContributionFilter::default()
        };
        let mut rows: Vec<ContributionRow> = Vec::new();
        let mut page = Page::first(ROWS);
        loop {
            let some = self.contributions(&self.model, filter, page).await?;
            let Some(last) = some.last() else {
                return Ok(rows);
            };
            page.after = i64::try_from(last.contribution.position).ok();
            rows.extend(some);
        }
    }

    /// Counts the samples that an author has contributed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn samples_of(&self, author: Address) -> Result<Samples, StoreError> {
        let mut samples = Samples::default();
        for row in self.contributions_of(author).await? {
            samples.add(row.contribution.label, row.contribution.sample);
        }
        Ok(samples)
    }
}

/// Returns a name that is unique to a model and its chain.
///
/// Addresses repeat on development chains that are started again.
/// The hash of the closing block does not.
async fn name(node: &Node, trainer: Address, closed_in: u64) -> Result<String, NodeError> {
    let block = node.block(closed_in).await?;
    let hash = block.map_or(B256::ZERO, |block| block.hash);
    Ok(format!(
        "{}-{trainer}-{}",
        node.chain_id(),
        hex::encode(&hash[..8])
    ))
}

/// Returns the path of a file's lock.
#[must_use]
pub fn lock_of(file: &Path) -> PathBuf {
    file.with_extension("in-use")
}

/// Returns the first file of that name that no other process uses, with its lock.
fn free(directory: &Path, name: &str) -> Result<(PathBuf, Lock), LocalIndexError> {
    let mut last = String::new();
    for number in 0..MAX_PROCESSES {
        let name = match number {
            0 => name.to_owned(),
            _ => format!("{name}-{number}"),
        };
        let file = directory.join(format!("{name}.sqlite"));
        match Lock::take(&lock_of(&file)) {
            Ok(lock) => return Ok((file, lock)),
            Err(held @ NoLock::Taken(_)) => last = held.message(&file),
            Err(failed @ NoLock::Failed(_)) => {
                let reason = failed.message(&file);
                return Err(LocalIndexError::NoLock { reason });
            }
        }
    }
    Err(LocalIndexError::InUse { last })
}

/// Returns `true` if a new file may help: the node's own errors would stay the same.
fn is_of_the_file(error: &FollowError) -> bool {
    let model = |error: &ModelError| {
        matches!(
            error,
            ModelError::Store(_) | ModelError::Weights { .. } | ModelError::Take(_)
        )
    };
    match error {
        FollowError::Registry(_) | FollowError::Index(IndexError::Node(_)) => false,
        FollowError::Model(error) | FollowError::Index(IndexError::Model(error)) => model(error),
        FollowError::Index(_) | FollowError::Store(_) => true,
    }
}

/// Removes a followed model's file and the files beside it; the caller must hold its lock.
///
/// # Errors
/// If a file cannot be removed; a missing file is no error.
pub fn forget(file: &Path) -> io::Result<()> {
    // The lock file of `ChainStore::open`; the main lock keeps others from opening the database.
    let opening = file.with_extension("opening");
    for file in parts(file).into_iter().chain([opening]) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Returns the files of a followed model whose database is `file`.
/// The files that `SQLite` keeps beside it come first, the database itself last.
#[must_use]
pub fn parts(file: &Path) -> [PathBuf; 3] {
    ["-wal", "-shm", ""].map(|ending| {
        let mut part: OsString = file.as_os_str().to_owned();
        part.push(ending);
        PathBuf::from(part)
    })
}

async fn open(
    node: &Node,
    registry: Option<Address>,
    trainer: Address,
    file: &Path,
) -> Result<Index, FollowError> {
    tracing::info!(path = %file.display(), "following events");
    let store = ChainStore::open(&file.to_string_lossy()).await?;
    Index::open(node.clone(), store, registry, &[trainer], None).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_gives_each_process_a_file_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, held) = free(folder.path(), "m").expect("free");
        let (second, _held) = free(folder.path(), "m").expect("another");
        assert_ne!(first, second);
        drop(held);
        assert_eq!(free(folder.path(), "m").expect("free again").0, first);
    }

    #[test]
    fn free_names_a_process_if_all_files_are_in_use() {
        let folder = tempfile::tempdir().expect("a folder");
        let take = || free(folder.path(), "m").map(|(_, lock)| lock);
        let held: Result<Vec<_>, _> = (0..MAX_PROCESSES).map(|_| take()).collect();
        let held = held.expect("free");
        let message = take().expect_err("none is free").to_string();
        let expected = format!("in use by process {}; end one of them", std::process::id());
        assert!(
            message.starts_with("16 processes follow this model here: ")
                && message.ends_with(&expected),
            "{message}"
        );
        drop(held);
        take().expect("free again");
    }

    #[test]
    fn forget_removes_a_file_with_those_beside_it_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let names = ["m.sqlite", "m.sqlite-wal", "m.sqlite-shm", "m.opening"];
        let others = ["m.in-use", "m-1.sqlite"];
        for name in names.into_iter().chain(others) {
            fs::write(path(name), "text").expect("written");
        }
        forget(&path("m.sqlite")).expect("removed");
        assert!(names.iter().all(|name| !path(name).exists()));
        assert!(others.iter().all(|name| path(name).exists()));
        forget(&path("m.sqlite")).expect("nothing to remove");
    }

    #[test]
    fn is_of_the_file_is_false_for_what_a_new_file_cannot_mend() {
        let node = || NodeError::NonceTooLow;
        assert!(!is_of_the_file(&IndexError::Node(node()).into()));
        let store = || StoreError::Malformed { what: "a block" };
        assert!(is_of_the_file(&store().into()));
        assert!(is_of_the_file(&ModelError::Store(store()).into()));
    }
}
