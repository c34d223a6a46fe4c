//! The database with the relayer's tables.

use cotrain_indexer::ChainStore;

/// Tables of the relayer, in the database of an index; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RelayStore {
    /// The database, without the relayer's projection.
    pub(super) chain: ChainStore,
}

impl RelayStore {
    /// Creates a store over the database of an index.
    pub(crate) fn new(chain: ChainStore) -> Self {
        Self { chain }
    }

    /// Returns the tables of the index.
    pub(crate) fn chain(&self) -> &ChainStore {
        &self.chain
    }
}
