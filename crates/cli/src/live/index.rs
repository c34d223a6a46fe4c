//! The events of a model, followed up to now and kept in a file, from which claims are made.

use std::{fs, path::Path};

use anyhow::{Context, anyhow};
use cotrain_coordinator::{Coordinator, IndexError, LocalError, Store};

use super::{connection::Session, model::LiveModel, place::cache_directory};
use crate::failure::Failure;

/// Follows a model up to the chain's head.
pub(crate) async fn follow(session: &Session, model: &LiveModel) -> Result<Coordinator, Failure> {
    let directory = cache_directory()?.join("index");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))
        .map_err(Failure::Mistake)?;
    let name = format!("{}-{}.sqlite", session.node.chain_id(), model.trainer);
    let path = directory.join(name);
    match open(session, model, &path).await {
        // A development chain was begun anew: what is kept is of one that is no more.
        Err(LocalError::Index(IndexError::OtherChain { .. })) => {
            tracing::info!("the chain is another one; its events are read anew");
            for ending in ["", "-wal", "-shm"] {
                let mut file = path.clone().into_os_string();
                file.push(ending);
                let _ = fs::remove_file(file);
            }
            Ok(open(session, model, &path).await?)
        }
        opened => Ok(opened?),
    }
}

async fn open(
    session: &Session,
    model: &LiveModel,
    path: &Path,
) -> Result<Coordinator, LocalError> {
    tracing::info!(path = %path.display(), "following events");
    let store = Store::open(&path.to_string_lossy()).await?;
    Coordinator::local(
        session.node.clone(),
        store,
        session.registry,
        &[model.trainer],
        None,
    )
    .await
}

/// A model that is followed.
pub(crate) fn missing(model: &LiveModel) -> Failure {
    Failure::Fault(anyhow!("the model {} is not followed", model.trainer))
}
