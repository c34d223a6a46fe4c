//! Events of a model, followed up to the chain's head and stored in the cache directory.

use std::path::PathBuf;

use cotrain_indexer::local::{LocalIndex, LocalIndexError};

use super::{connection::Session, context::cache_directory, model::LiveModel};
use crate::error::CommandError;

/// Returns the directory of followed models.
pub(crate) fn directory() -> Result<PathBuf, CommandError> {
    Ok(cache_directory()?.join("index"))
}

/// Returns the block in which a model was closed, according to its card. Without a card, returns
/// the first block, which is never too late.
pub(crate) fn closed_in(model: &LiveModel) -> u64 {
    model.card.as_ref().map_or(0, |card| card.from_block)
}

/// Follows a model up to the chain's head.
pub(crate) async fn follow(
    session: &Session,
    model: &LiveModel,
) -> Result<LocalIndex, CommandError> {
    let directory = directory()?;
    let opened = LocalIndex::open(
        &session.node,
        session.registry,
        model.facts.trainer,
        closed_in(model),
        &directory,
    );
    opened.await.map_err(|error| match error {
        LocalIndexError::Node(error) => error.into(),
        LocalIndexError::Follow(error) => (*error).into(),
        LocalIndexError::Directory { .. }
        | LocalIndexError::NoLock { .. }
        | LocalIndexError::InUse { .. }
        | LocalIndexError::Remove { .. } => CommandError::mistake(error),
        error => error.into(),
    })
}
