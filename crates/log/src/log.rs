//! A log as a peer holds it: terms, set, and the model that follows from both.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::Address;
use cotrain_protocol::classifier::Classifier;

use crate::{
    digest::{Digest, Standing, digest, standings},
    fold::Fold,
    item::{Item, Refusal},
    set::{Added, Set},
    terms::Terms,
};

/// A log without a chain: one endless epoch of the mechanism points.
#[derive(Debug, Clone)]
pub struct Log {
    terms: Arc<Terms>,
    set: Set,
    fold: Fold,
}

impl Log {
    /// Creates an empty log.
    #[must_use]
    pub fn new(terms: impl Into<Arc<Terms>>) -> Self {
        let terms = terms.into();
        Self {
            fold: Fold::new(terms.trainer()),
            terms,
            set: Set::default(),
        }
    }

    /// Returns the terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns the items.
    #[must_use]
    pub fn set(&self) -> &Set {
        &self.set
    }

    /// Adds the item that these bytes are.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Added, Refusal> {
        Ok(self.add_item(self.terms.item(bytes)?))
    }

    /// Adds an item that these terms have made.
    pub fn add_item(&mut self, item: Item) -> Added {
        let turn = item.turn();
        let added = self.set.add(item);
        if let Added::New | Added::Replaced(_) = added {
            self.fold.forget(turn);
        }
        added
    }

    /// Adds all items of another log of the same terms.
    pub fn merge(&mut self, other: &Self) {
        for item in other.set.items() {
            self.add_item(item.clone());
        }
    }

    /// Returns the model after all items.
    pub fn model(&mut self) -> &Classifier {
        self.fold.model(&self.set).classifier()
    }

    /// Returns the standing of each author. It asks the model about every contribution.
    pub fn standings(&mut self) -> BTreeMap<Address, Standing> {
        standings(&self.set, self.fold.model(&self.set).classifier())
    }

    /// Returns the digest, which is equal for equal sets.
    pub fn digest(&mut self) -> Digest {
        let model = self.fold.model(&self.set).classifier();
        digest(&self.terms, &self.set, model, &standings(&self.set, model))
    }
}
