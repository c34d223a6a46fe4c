//! Weights of a model: cached after the first read, or proved.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use alloy_primitives::{B256, U256};
use cotrain_chain::node::{At, Node, NodeError};

use crate::{
    files::write_whole,
    model::{ModelFacts, ReadError},
};

/// Storage slot of word 0 (docs/spec.md).
const MODEL_SLOT: u128 = 1 << 64;
/// Number of slots proved in one request.
const SLOTS_PER_PROOF: usize = 256;

/// Directory that caches the words of models, each after the last requested block.
#[derive(Debug, Clone)]
pub struct Cache {
    directory: PathBuf,
}

impl Cache {
    /// Creates a cache in a directory, which is made at the first write.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Returns a model's words after a block, from the cache if it has them. Otherwise the node
    /// gives them, and the cache stores them.
    ///
    /// # Errors
    /// [`ReadError`]. A failure to write the cache is only logged: the next call reads the words
    /// again.
    pub async fn words(
        &self,
        node: &Node,
        facts: &ModelFacts,
        block: B256,
    ) -> Result<Vec<U256>, ReadError> {
        let of = format!("{}-{}-", node.chain_id(), facts.classifier);
        let path = self.directory.join(format!("{of}{block}"));
        let count = facts.parameters.word_count();
        if let Some(words) = fs::read(&path).ok().and_then(|bytes| parse(&bytes, count)) {
            tracing::info!(path = %path.display(), "storage words from the cache");
            return Ok(words);
        }
        let words = facts.words(node, Some(At::Hash(block))).await?;
        match self.keep(&path, &of, &words) {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "the storage words are not kept"),
        }
        Ok(words)
    }

    /// Stores words, and removes those of earlier blocks of the same model.
    fn keep(&self, path: &Path, of: &str, words: &[U256]) -> io::Result<()> {
        let bytes: Vec<u8> = words.iter().flat_map(U256::to_be_bytes::<32>).collect();
        fs::create_dir_all(&self.directory)?;
        write_whole(path, &bytes)?;
        for entry in fs::read_dir(&self.directory)?.flatten() {
            let earlier = entry.file_name().to_string_lossy().starts_with(of);
            if earlier && entry.path() != path {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}

/// Returns a model's words after a block, each proved by the block's hash.
///
/// # Errors
/// If the node fails, or its proof is wrong.
pub async fn proved(node: &Node, facts: &ModelFacts, block: B256) -> Result<Vec<U256>, NodeError> {
    let slots: Vec<U256> = (MODEL_SLOT..)
        .take(facts.parameters.word_count())
        .map(U256::from)
        .collect();
    let mut words = Vec::with_capacity(slots.len());
    for slots in slots.chunks(SLOTS_PER_PROOF) {
        let some = node.proved_storage(facts.classifier, slots, block);
        words.extend(some.await?);
    }
    Ok(words)
}

/// Parses cached words; `None` if the file is incomplete.
fn parse(bytes: &[u8], count: usize) -> Option<Vec<U256>> {
    (bytes.len() == 32 * count).then(|| bytes.chunks(32).map(U256::from_be_slice).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_leaves_the_words_of_the_last_block_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path().join("words"));
        let path = |name: &str| cache.directory.join(name);
        let words = [U256::from(7), U256::MAX];
        for name in ["1-a-old", "1-b-old", "1-a-new"] {
            cache.keep(&path(name), &name[..4], &words).expect("kept");
        }
        assert!(!path("1-a-old").exists() && path("1-b-old").exists());
        let bytes = fs::read(path("1-a-new")).expect("a file");
        assert_eq!(parse(&bytes, 2).as_deref(), Some(&words[..]));
        // The file is cut short, or is of another model.
        assert_eq!(parse(&bytes[..63], 2), None);
        assert_eq!(parse(&bytes, 3), None);
    }
}
