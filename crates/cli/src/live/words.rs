//! A model's words, read once and kept, and proved where that is wanted.

use std::fs;

use alloy_primitives::{B256, U256};
use anyhow::anyhow;

use super::{
    connection::Session,
    model::LiveModel,
    place::{cache_directory, write_whole},
};
use crate::failure::Failure;

/// The storage slot of word 0 (docs/spec.md).
const MODEL_SLOT: u128 = 1 << 64;
/// Slots proved in one request.
const SLOTS_PER_PROOF: usize = 256;

/// The words after the block with this hash: from the cache, or else from the node and then kept.
pub(crate) async fn cached(
    session: &Session,
    model: &LiveModel,
    block: B256,
) -> Result<Vec<U256>, Failure> {
    let directory = cache_directory()?.join("words");
    let of = format!("{}-{}-", session.node.chain_id(), model.facts.classifier);
    let path = directory.join(format!("{of}{block}"));
    if let Some(words) = fs::read(&path)
        .ok()
        .and_then(|bytes| parse(&bytes, model.facts.parameters.word_count()))
    {
        tracing::info!(path = %path.display(), "words from the cache");
        return Ok(words);
    }
    let words = model.words(&session.node, block).await?;
    let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
    // Without a cache they are read again next time.
    let kept = fs::create_dir_all(&directory).map_err(Failure::from);
    match kept.and_then(|()| write_whole(&path, &bytes)) {
        Ok(()) => forget_older(&directory, &of, &path),
        Err(failure) => tracing::warn!(error = %failure.error(), "the words are not kept"),
    }
    Ok(words)
}

/// The words after the block with this hash, each proved by it.
pub(crate) async fn proved(
    session: &Session,
    model: &LiveModel,
    block: B256,
) -> Result<Vec<U256>, Failure> {
    let slots: Vec<U256> = (MODEL_SLOT..)
        .take(model.facts.parameters.word_count())
        .map(U256::from)
        .collect();
    let mut words = Vec::with_capacity(slots.len());
    for slots in slots.chunks(SLOTS_PER_PROOF) {
        let some = session
            .node
            .proved_storage(model.facts.classifier, slots, block);
        words.extend(some.await?);
    }
    Ok(words)
}

/// Reads kept words; none where the file is not whole.
fn parse(bytes: &[u8], count: usize) -> Option<Vec<U256>> {
    (bytes.len() == 32 * count).then(|| bytes.chunks(32).map(U256::from_be_slice).collect())
}

fn forget_older(directory: &std::path::Path, of: &str, newest: &std::path::Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let older = entry.file_name().to_string_lossy().starts_with(of);
        if older && entry.path() != newest {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A block's hash from an argument.
pub(crate) fn block_hash(text: &str) -> Result<B256, String> {
    text.parse().map_err(|_| {
        anyhow!("`{text}` is no hash of a block; 0x and 64 hexadecimal digits are wanted")
            .to_string()
    })
}
