//! Ledgers: the state that the events of one contract determine, by its mechanism's rules.

mod market;
mod trainer;

use std::fmt;

use alloy_primitives::{Address, B256};
use cotrain_chain::node::{Node, NodeLog};
use cotrain_protocol::{classifier::Classifier, trainer::FactError};

use crate::{
    evidence::Evidence,
    info::{ModelError, ModelInfo},
    rows::ContributionRow,
    taken::{Beginning, Cursor, Log, Taken},
};

pub use self::trainer::TrainerLedger;

/// State that the events of one contract determine.
///
/// Each mechanism with rules of its own implements this trait.
/// The follower and the loader know mechanisms only by this trait.
pub trait Ledger: Clone + fmt::Debug + Send + Sync + Sized + 'static {
    /// Counters that the contract also stores.
    type Totals: Evidence;

    /// First topics of the events that this ledger reads.
    const TOPICS: &'static [B256];

    /// Returns the ledger before the first event.
    ///
    /// # Errors
    /// If the contract has another mechanism, or the weights do not fit the model's parameters.
    fn at_beginning(info: &ModelInfo, beginning: &Beginning) -> Result<Self, ModelError>;

    /// Reads from a node the first block, and the beginning of the ledger after that block.
    ///
    /// # Errors
    /// If the model is not closed in that block, or if the node fails.
    fn begin(
        info: &ModelInfo,
        node: &Node,
    ) -> impl Future<Output = Result<(Cursor, Beginning), ModelError>> + Send;

    /// Applies a log, and adds the rows to store to `taken`.
    ///
    /// Returns `false` if the log is no event of the mechanism.
    /// With `weights_known`, the weights already contain the log.
    ///
    /// # Errors
    /// [`FactError`]; the ledger is unusable afterwards.
    fn take_log(
        &mut self,
        log: &Log,
        weights_known: bool,
        taken: &mut Taken,
    ) -> Result<bool, FactError>;

    /// Returns the address of the contract whose events the ledger reads.
    fn contract(&self) -> Address;

    /// Returns the counters after some further logs.
    fn totals(&self, logs: &[NodeLog]) -> Self::Totals;

    /// Adds the facts that only the ledger knows to rows of the database; by default nothing.
    fn complete(&self, rows: &mut [ContributionRow]) {
        let _ = rows;
    }

    /// Returns the number of contributions.
    fn contribution_count(&self) -> u64;

    /// Returns the classifier; `None` if the events do not determine the weights.
    fn classifier(&self) -> Option<&Classifier>;

    /// Returns the time of the last contribution, in Unix seconds.
    /// Before the first contribution, it is the time of the beginning.
    fn last_contribution_time(&self) -> u64;
}
