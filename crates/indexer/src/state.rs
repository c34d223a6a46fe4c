//! State of a model after a block.

use crate::{
    info::{ModelError, ModelInfo},
    ledger::{Ledger, TrainerLedger},
    taken::{Beginning, Cursor, Log, TakeError, Taken},
};
use cotrain_protocol::trainer::Trainer;

/// Ledger of a model after all its logs up to a block.
#[derive(Debug, Clone)]
pub struct State<L> {
    ledger: L,
    pub(crate) cursor: Cursor,
    /// Last block that the first weights already contain; `None` if they contain no contribution.
    pub(crate) base: Option<Cursor>,
    /// Id of the last log read from the store; 0 if none was read.
    pub(crate) last_log: i64,
    pub(crate) rollbacks: u64,
}

impl<L: Ledger> State<L> {
    /// Creates a state without events.
    ///
    /// # Errors
    /// If the ledger cannot begin with these weights.
    pub(crate) fn new(
        info: &ModelInfo,
        beginning: &Beginning,
        cursor: Cursor,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            ledger: L::at_beginning(info, beginning)?,
            cursor,
            base: beginning.base,
            last_log: 0,
            rollbacks: 0,
        })
    }

    /// Returns the last block whose logs the state contains.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Returns the ledger after that block.
    #[must_use]
    pub fn ledger(&self) -> &L {
        &self.ledger
    }

    /// Applies a log, and adds the rows to store to `taken`.
    ///
    /// # Errors
    /// [`TakeError`]; the state is unusable afterwards.
    pub(crate) fn take(&mut self, log: Log, taken: &mut Taken) -> Result<(), TakeError> {
        let known = self.base.is_some_and(|base| log.block <= base.block);
        let is_event = self.ledger.take_log(&log, known, taken);
        let is_event = is_event.map_err(|source| TakeError {
            trainer: self.ledger.contract(),
            block: log.block,
            index: log.index,
            source,
        })?;
        if is_event {
            taken.logs.push(log);
        }
        Ok(())
    }
}

impl State<TrainerLedger> {
    /// Returns the reference model of the trainer after the last block.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        self.ledger.trainer()
    }
}
