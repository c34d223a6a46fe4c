//! Check of items by the terms of a log.

use std::sync::Arc;

use cotrain_log::{Item, Refusal, Terms};

/// Checker of items. It answers as [`Terms::item`], and may remember answers.
pub trait Check {
    /// Returns the terms.
    fn terms(&self) -> &Arc<Terms>;

    /// Returns the item that these bytes are.
    ///
    /// # Errors
    /// [`Refusal`].
    fn item(&self, bytes: &[u8]) -> Result<Item, Refusal>;
}

impl Check for Arc<Terms> {
    fn terms(&self) -> &Arc<Terms> {
        self
    }

    fn item(&self, bytes: &[u8]) -> Result<Item, Refusal> {
        Terms::item(self, bytes)
    }
}
