//! Ledgers: what the events of one contract make, by the rules of its mechanism.

mod market;
mod trainer;

use std::fmt;

use alloy_primitives::{Address, B256};
use cotrain_chain::node::{Node, NodeLog};
use cotrain_protocol::{classifier::Classifier, trainer::Contradiction};

use crate::{
    evidence::Evidence,
    info::{ModelError, ModelInfo},
    rows::ContributionRow,
    taken::{Beginning, Cursor, Log, Taken},
};

pub use self::trainer::TrainerLedger;

/// Everything that the events of one contract make. Each mechanism with rules of its own has one; the follower and the
/// loading of models know nothing else of mechanisms.
pub trait Ledger: Clone + fmt::Debug + Send + Sync + Sized + 'static {
    /// Counters that the contract has, too.
    type Totals: Evidence;

    /// First topics of the events.
    const TOPICS: &'static [B256];

    /// Returns the ledger before the first event.
    ///
    /// # Errors
    /// If the contract is of another mechanism, or the weights are not of the model's form.
    fn at_beginning(info: &ModelInfo, beginning: &Beginning) -> Result<Self, ModelError>;

    /// Reads from a node the block to begin with, and the ledger's beginning after it.
    ///
    /// # Errors
    /// If the model is not finished in that block, or the node fails.
    fn begin(
        info: &ModelInfo,
        node: &Node,
    ) -> impl Future<Output = Result<(Cursor, Beginning), ModelError>> + Send;

    /// Takes a log over, adds what there is to store of it to `taken`, and returns `true`; `false` if it is no event of
    /// the mechanism. With `weights_known`, the weights are already those after it.
    ///
    /// # Errors
    /// [`Contradiction`]; the ledger is of no use then.
    fn take_log(
        &mut self,
        log: &Log,
        weights_known: bool,
        taken: &mut Taken,
    ) -> Result<bool, Contradiction>;

    /// Returns the contract whose events it takes.
    fn contract(&self) -> Address;

    /// Returns the counters after these logs, too.
    fn totals(&self, logs: &[NodeLog]) -> Self::Totals;

    /// Adds to rows of the database what the ledger alone knows of them; by default nothing.
    fn complete(&self, rows: &mut [ContributionRow]) {
        let _ = rows;
    }

    /// Returns the number of contributions.
    fn contribution_count(&self) -> u64;

    /// Returns the weights; `None` if the events do not make them.
    fn classifier(&self) -> Option<&Classifier>;

    /// Returns the time of the last contribution or, before the first one, of the beginning, in Unix seconds.
    fn last_contribution_time(&self) -> u64;
}
