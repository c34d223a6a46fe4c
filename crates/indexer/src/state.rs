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
    /// Block until which the weights know all contributions already; `None` if they know none.
    pub(crate) base: Option<Cursor>,
    /// The id of the last log that was taken over from the store; 0: none was.
    pub(crate) last_log: i64,
    pub(crate) rollbacks: u64,
}

impl<L: Ledger> State<L> {
    /// Begins a state with no event in it.
    ///
    /// # Errors
    /// If the ledger does not begin so.
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

    /// Returns the last block whose logs were taken over.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Returns the ledger after that block.
    #[must_use]
    pub fn ledger(&self) -> &L {
        &self.ledger
    }

    /// Takes a log over, and adds to `taken` what there is to store of it.
    ///
    /// # Errors
    /// [`TakeError`]; the state is of no use then.
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
    /// Returns the trainer as the contract has it after the last block.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        self.ledger.trainer()
    }
}
