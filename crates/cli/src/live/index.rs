//! The events of a model, followed up to now and kept in a file, from which claims are made.

use std::{
    ffi::OsString,
    fs, io,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

use alloy_primitives::{Address, B256, hex};
use anyhow::{Context, anyhow};
use cotrain_client::lock::{Lock, NoLock};
use cotrain_indexer::{
    ChainStore, FollowError, HostedModel, Index, IndexError, ModelError,
    rows::{ContributionFilter, ContributionRow, Page},
};

use super::{connection::Session, model::LiveModel, place::cache_directory};
use crate::failure::Failure;

/// Processes that may follow the same model at a time, each with a file of its own.
const AT_A_TIME: usize = 16;

/// Rows read at once.
const ROWS: u32 = 1_000;

/// A model that is followed. Its file is this process's alone.
pub(crate) struct Following {
    index: Index,
    /// The followed model.
    pub(crate) model: Arc<HostedModel>,
    _lock: Lock,
}

impl Deref for Following {
    type Target = Index;

    fn deref(&self) -> &Index {
        &self.index
    }
}

/// Follows a model up to the chain's head. What is kept of it that does not fit the chain is read anew.
pub(crate) async fn follow(session: &Session, model: &LiveModel) -> Result<Following, Failure> {
    let directory = cache_directory()?.join("index");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))
        .map_err(Failure::Mistake)?;
    let (path, lock) = free(&directory, &name(session, model).await?)?;
    let index = match open(session, model, &path).await {
        Err(error) if is_of_the_file(&error) => {
            tracing::info!(%error, "what is kept does not fit the chain; its events are read anew");
            forget(&path)
                .with_context(|| format!("cannot remove {}", path.display()))
                .map_err(Failure::Mistake)?;
            open(session, model, &path).await?
        }
        opened => opened?,
    };
    let model = index
        .model(model.facts.trainer)
        .ok_or_else(|| missing(model))?;
    Ok(Following {
        index,
        model,
        _lock: lock,
    })
}

/// Returns a name that no other model has, and no other chain: addresses are the same on development chains that are
/// begun anew, the block of the closing is not.
async fn name(session: &Session, model: &LiveModel) -> Result<String, Failure> {
    let closed = model.card.as_ref().map_or(0, |card| card.from_block);
    let block = session.node.block(closed).await?;
    let hash = block.map_or(B256::ZERO, |block| block.hash);
    Ok(format!(
        "{}-{}-{}",
        session.node.chain_id(),
        model.facts.trainer,
        hex::encode(&hash[..8])
    ))
}

/// Returns the lock of a file.
pub(crate) fn lock_of(file: &Path) -> PathBuf {
    file.with_extension("in-use")
}

/// Returns the first file of that name that no other process uses.
fn free(directory: &Path, name: &str) -> Result<(PathBuf, Lock), Failure> {
    let mut taken = None;
    for number in 0..AT_A_TIME {
        let name = match number {
            0 => name.to_owned(),
            _ => format!("{name}-{number}"),
        };
        let file = directory.join(format!("{name}.sqlite"));
        match Lock::take(&lock_of(&file)) {
            Ok(lock) => return Ok((file, lock)),
            Err(held @ NoLock::Taken(_)) => taken = Some(held.words(&file)),
            Err(failed @ NoLock::Failed(_)) => {
                return Err(Failure::Mistake(anyhow!(failed.words(&file))));
            }
        }
    }
    Err(Failure::Mistake(anyhow!(
        "{AT_A_TIME} processes follow this model here: {}; end one of them",
        taken.unwrap_or_default()
    )))
}

/// Returns whether a new file may help: what the node says, or does not, stays the same.
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

/// Removes a file of `SQLite` with those beside it, for whom has its lock.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    let beside = ["-wal", "-shm", ""].map(|ending| {
        let mut file: OsString = path.as_os_str().to_owned();
        file.push(ending);
        PathBuf::from(file)
    });
    // Taken while it is opened, which only the lock allows.
    let opening = path.with_extension("opening");
    for file in beside.into_iter().chain([opening]) {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn open(session: &Session, model: &LiveModel, path: &Path) -> Result<Index, FollowError> {
    tracing::info!(path = %path.display(), "following events");
    let store = ChainStore::open(&path.to_string_lossy()).await?;
    Index::open(
        session.node.clone(),
        store,
        session.registry,
        &[model.facts.trainer],
        None,
    )
    .await
}

/// Returns all contributions of an author.
pub(crate) async fn own(
    index: &Following,
    account: Address,
) -> Result<Vec<ContributionRow>, Failure> {
    let filter = ContributionFilter {
        author: Some(account),
        ..ContributionFilter::default()
    };
    let mut rows: Vec<ContributionRow> = Vec::new();
    let mut page = Page::first(ROWS);
    loop {
        let some = index.contributions(&index.model, filter, page).await?;
        let Some(last) = some.last() else {
            return Ok(rows);
        };
        page.after = i64::try_from(last.contribution.position).ok();
        rows.extend(some);
    }
}

/// Returns the failure that a model is not followed, though it was to be.
fn missing(model: &LiveModel) -> Failure {
    Failure::Fault(anyhow!("the model {} is not followed", model.facts.trainer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_follow_the_same_model_have_a_file_each() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, held) = free(folder.path(), "m").expect("free");
        let (second, _held) = free(folder.path(), "m").expect("another");
        assert_ne!(first, second);
        drop(held);
        assert_eq!(free(folder.path(), "m").expect("free again").0, first);
    }
}
