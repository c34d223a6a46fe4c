//! Follows a model on a chain.
//!
//! The follower reads single blocks near the head and ranges of blocks far behind the head.
//! It rolls back if the chain has taken another branch.

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, B256, U256};
use cotrain_chain::node::{Block, NodeError, NodeLog};
use cotrain_client::source::EventSource;
use cotrain_protocol::Amount;
use futures_util::future::try_join_all;

use crate::{
    evaluation::Evaluation,
    evidence::{Evidence as _, Verdict},
    info::ModelError,
    ledger::Ledger,
    model::{Hosted, Standing},
    rows::AccuracyRow,
    store::{ChainStore, StoreError},
    taken::{Cursor, Log, TakeError, Taken},
};

/// Depth below the head, in blocks, from which the follower reads ranges instead of single blocks.
/// A range carries only the hash of its last block, so only that block can reveal another branch.
pub const DEEP: u64 = 64;

/// Maximum number of blocks near the head that the follower requests concurrently.
const AT_A_TIME: u64 = 16;

/// Number of contradictory answers in a row after which the follower reports the model as doubtful.
const DOUBTS_TO_TELL: u32 = 3;

/// Number of contradictory answers in a row after which the follower goes back.
/// It then continues from the last checked block.
/// After twice as many, it reads everything again; the next time after four times as many.
const DOUBTS_TO_GO_BACK: u32 = 4;

/// Maximum number of doublings of that count of answers.
const MAX_DOUBLINGS: u32 = 8;

/// Number of contradictory answers in a row after which a command gives up.
const DOUBTS_TO_GIVE_UP: u32 = 14;

/// First and longest wait between contradictory answers, in a command.
const DOUBT_WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Number of readings in a row with the same surplus of money after which it counts as forced.
/// Someone may force money on a contract without an event.
const SURPLUS_READINGS: u32 = 5;

/// Reason why a model cannot be followed any further.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The node failed.
    #[error("the node failed")]
    Node(#[from] NodeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored logs contradict each other.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The node's answers contradicted each other too many times in a row.
    #[error(
        "the node's answers about the {word} {trainer} contradict each other: {reason}; try again, or use another node"
    )]
    Doubtful {
        /// Word for the contract.
        word: &'static str,
        /// Address of the contract.
        trainer: Address,
        /// The contradiction.
        reason: String,
    },
    /// The first stored block is not on the node's chain: it serves another chain.
    #[error(
        "block {block} of the node is not the one in which the {word} {trainer} was closed: it is another chain, or was begun anew; use the database of this chain, or an empty one"
    )]
    OtherChain {
        /// Word for the contract.
        word: &'static str,
        /// Address of the contract.
        trainer: Address,
        /// The first block.
        block: u64,
    },
}

impl IndexError {
    /// Returns `true` if retrying may help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            // The operator may repair or replace the node, whatever its error.
            Self::Node(_)
            | Self::Doubtful { .. }
            | Self::Store(StoreError::Database(_))
            | Self::Model(
                ModelError::Node { .. }
                | ModelError::History { .. }
                | ModelError::Store(StoreError::Database(_)),
            ) => true,
            _ => false,
        }
    }
}

impl IndexError {
    /// Returns `true` if the node could not be reached, or did not answer in time.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        let (Self::Node(error) | Self::Model(ModelError::Node { source: error, .. })) = self else {
            return false;
        };
        matches!(
            error,
            NodeError::Unreachable { .. }
                | NodeError::TimedOut { .. }
                | NodeError::Unavailable { .. }
        )
    }
}

/// Result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The node has no new blocks.
    AtHead,
    /// The follower took new blocks.
    Advanced,
    /// The chain had taken another branch, and the follower rolled back.
    RolledBack,
    /// The node's answers contradict each other; the follower took nothing.
    Doubted,
}

/// Follower of one model, over a source of events.
#[derive(Debug)]
pub struct Follower<S, L> {
    source: S,
    store: ChainStore,
    model: Arc<Hosted<L>>,
    evaluation: Option<Evaluation>,
    /// Whether memory and store may differ, because a step failed between the two.
    torn: bool,
    /// Last block after which the events agreed with the contract.
    checked: Option<Cursor>,
    /// Number of contradictory answers in a row, and the last contradiction.
    doubts: u32,
    doubt: String,
    /// Number of times that everything was read again since the events last agreed at the head.
    rereads: u32,
    /// Wei that the contract holds and no event accounts for.
    surplus: U256,
    /// A different surplus in wei, and the number of readings in a row that returned it.
    suspected: (U256, u32),
}

impl<S: EventSource, L: Ledger> Follower<S, L> {
    /// Creates a follower, which measures the model by `evaluation`.
    #[must_use]
    pub fn new(
        source: S,
        store: ChainStore,
        model: Arc<Hosted<L>>,
        evaluation: Option<Evaluation>,
    ) -> Self {
        let checked = (model.standing() == Standing::Fits).then(|| model.state().cursor);
        Self {
            source,
            store,
            model,
            evaluation,
            torn: false,
            checked,
            doubts: 0,
            doubt: String::new(),
            rereads: 0,
            surplus: U256::ZERO,
            suspected: (U256::ZERO, 0),
        }
    }

    /// Follows the chain to its head, until the events agree with the contract; returns the head.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn catch_up(&mut self) -> Result<Block, IndexError> {
        let mut wait = DOUBT_WAITS.0;
        loop {
            let (step, head) = self.step().await?;
            match step {
                Step::AtHead => return Ok(head),
                Step::Advanced | Step::RolledBack => wait = DOUBT_WAITS.0,
                Step::Doubted if self.doubts >= DOUBTS_TO_GIVE_UP => {
                    return Err(IndexError::Doubtful {
                        word: self.model.info().word(),
                        trainer: self.model.info().facts.trainer,
                        reason: self.doubt.clone(),
                    });
                }
                Step::Doubted => {
                    tokio::time::sleep(wait).await;
                    wait = (2 * wait).min(DOUBT_WAITS.1);
                }
            }
        }
    }

    /// Takes the next blocks, or rolls back if the chain took another branch; returns the head too.
    ///
    /// # Errors
    /// [`IndexError`].
    pub async fn step(&mut self) -> Result<(Step, Block), IndexError> {
        if self.torn {
            self.reload().await?;
        }
        let head = self.source.head().await?;
        let step = match self.advance(&head).await {
            // Several nodes may share an address; one may not know yet what another one reported.
            Err(IndexError::Node(
                error @ (NodeError::Contradictory { .. } | NodeError::UnknownBlock { .. }),
            )) => self.doubt(error.to_string()).await?,
            step => step?,
        };
        Ok((step, head))
    }

    async fn advance(&mut self, head: &Block) -> Result<Step, IndexError> {
        let (cursor, base) = {
            let state = self.model.state();
            (state.cursor, state.base)
        };
        let mut known = self.source.block(cursor.block).await?;
        if known.is_some_and(|block| block.hash != cursor.hash) {
            // Ask a second time before believing in another branch.
            known = self.source.block(cursor.block).await?;
        }
        match known {
            Some(block) if block.hash == cursor.hash => {}
            // The node is behind us. It only lags, unless it contradicts a block that we know.
            None if !self.contradicts(head).await? => {
                if self.model.standing() == Standing::Fits {
                    return Ok(Step::AtHead);
                }
                let reason = format!(
                    "the node's latest block is {}, and block {} is known",
                    head.number, cursor.block
                );
                return self.doubt(reason).await;
            }
            _ => {
                self.roll_back().await?;
                return Ok(Step::RolledBack);
            }
        }
        // The weights are those after the base block, so a step must end at that block.
        let last = match base {
            Some(base) if cursor.block < base.block => base.block.min(head.number),
            _ => head.number,
        };
        let behind = last.saturating_sub(cursor.block);
        if behind == 0 {
            self.check(cursor).await
        } else if behind > DEEP {
            self.take_range(cursor, last - DEEP).await
        } else {
            self.take_recent(cursor, last).await
        }
    }

    /// Reloads memory from the store; if stored logs contradict each other, reads them again.
    async fn reload(&mut self) -> Result<(), IndexError> {
        self.torn = true;
        match self.model.reload(&self.store).await {
            Err(ModelError::Take(error)) => {
                tracing::warn!(%error, "what is stored contradicts itself; everything is read anew");
                let first = self.store.known_blocks(self.model.id()).await?;
                if let Some(first) = first.last() {
                    self.store.roll_back(self.model.id(), *first).await?;
                }
                self.model.reload(&self.store).await?;
            }
            reloaded => reloaded?,
        }
        self.torn = false;
        Ok(())
    }

    /// Compares the state after `cursor` with the contract, unless that was already done.
    async fn check(&mut self, cursor: Cursor) -> Result<Step, IndexError> {
        let is_known = self.model.standing() == Standing::Fits && self.checked == Some(cursor);
        if !is_known && let Some(doubt) = self.judge(cursor, &[]).await? {
            return Ok(doubt);
        }
        self.rereads = 0;
        Ok(Step::AtHead)
    }

    /// Compares the state after `logs`, which end at `end`, with the contract.
    ///
    /// Returns `None` if both agree, or if the node has no state for that block.
    async fn judge(&mut self, end: Cursor, logs: &[NodeLog]) -> Result<Option<Step>, IndexError> {
        let (trainer, own_code) = (
            self.model.info().facts.trainer,
            self.model.info().facts.own_code,
        );
        let events = self.model.state().ledger().totals(logs);
        let Some(node) = self.source.contracts() else {
            return Ok(self.fits(end));
        };
        let Some(contract) = L::Totals::read(node, trainer, end).await? else {
            self.model.set_standing(Standing::Unchecked);
            return Ok(None);
        };
        let reason = match events.against(&contract) {
            Verdict::Differs(reason) => reason,
            // Code of another release may hold money by its own rules.
            Verdict::Surplus(surplus) if own_code && surplus != self.surplus => {
                let (sum, seen) = self.suspected;
                let seen = if sum == surplus { seen + 1 } else { 1 };
                self.suspected = (surplus, seen);
                if seen < SURPLUS_READINGS {
                    format!(
                        "the contract has {} that no event of the node accounts for",
                        Amount(surplus.saturating_to())
                    )
                } else {
                    tracing::info!(%trainer, %surplus, "the contract has money that nobody contributed");
                    self.surplus = surplus;
                    return Ok(self.fits(end));
                }
            }
            Verdict::Fits if own_code => {
                self.surplus = U256::ZERO;
                return Ok(self.fits(end));
            }
            Verdict::Fits | Verdict::Surplus(_) => return Ok(self.fits(end)),
        };
        let reason = format!("{reason}, after block {}", end.block);
        self.doubt(reason).await.map(Some)
    }

    fn fits(&mut self, end: Cursor) -> Option<Step> {
        if self.doubts >= DOUBTS_TO_TELL {
            tracing::info!(trainer = %self.model.info().facts.trainer, block = end.block, "the node's answers fit each other again");
        }
        self.doubts = 0;
        self.suspected = (U256::ZERO, 0);
        self.checked = Some(end);
        // Otherwise the standing changes once the blocks up to `end` are taken.
        if self.model.state().cursor == end {
            self.model.set_standing(Standing::Fits);
        }
        None
    }

    /// Records a contradiction between the node's answers; after many, goes back.
    async fn doubt(&mut self, reason: String) -> Result<Step, IndexError> {
        let trainer = self.model.info().facts.trainer;
        self.doubts += 1;
        metrics::counter!("cotrain_contradictions_total").increment(1);
        if self.doubts == 1 {
            tracing::warn!(%trainer, reason, "the node's answers contradict each other; asking again");
        } else {
            tracing::debug!(%trainer, reason, doubts = self.doubts, "the node's answers contradict each other");
        }
        let cursor = self.model.state().cursor;
        let is_checked = self.checked == Some(cursor);
        // One answer of a lagging node is no reason to distrust a checked state.
        if self.doubts >= DOUBTS_TO_TELL || !is_checked {
            self.model.set_standing(Standing::Doubtful(reason.clone()));
        }
        self.doubt = reason;
        if self.doubts >= (2 * DOUBTS_TO_GO_BACK) << self.rereads.min(MAX_DOUBLINGS) {
            self.rereads += 1;
            self.doubts = DOUBTS_TO_GO_BACK;
            self.checked = None;
            self.go_back(0).await?;
        } else if self.doubts == DOUBTS_TO_GO_BACK && !is_checked {
            let until = self.checked.map_or(0, |checked| checked.block);
            self.go_back(until).await?;
        }
        Ok(Step::Doubted)
    }

    /// Rolls back to the highest known block up to `until`; if there is none, to the first one.
    async fn go_back(&mut self, until: u64) -> Result<(), IndexError> {
        let known = self.store.known_blocks(self.model.id()).await?;
        let block = known.iter().find(|known| known.block <= until);
        let Some(block) = block.or(known.last()).copied() else {
            return Ok(());
        };
        let (trainer, from) = (
            self.model.info().facts.trainer,
            self.model.state().cursor.block,
        );
        tracing::warn!(%trainer, from, to = block.block, "reading again");
        self.torn = true;
        self.store.roll_back(self.model.id(), block).await?;
        self.reload().await
    }

    /// Returns `true` if the node has another block at a height that we know.
    async fn contradicts(&self, head: &Block) -> Result<bool, IndexError> {
        let known = self.store.known_blocks(self.model.id()).await?;
        let known = known.iter().find(|known| known.block <= head.number);
        let Some(known) = known else {
            return Ok(true);
        };
        let block = self.source.block(known.block).await?;
        Ok(block.is_some_and(|block| block.hash != known.hash))
    }

    async fn roll_back(&mut self) -> Result<(), IndexError> {
        for known in self.store.known_blocks(self.model.id()).await? {
            let block = self.source.block(known.block).await?;
            if block.is_some_and(|block| block.hash == known.hash) {
                let from = self.model.state().cursor.block;
                tracing::warn!(trainer = %self.model.info().facts.trainer, from, to = known.block, "the chain took another branch");
                self.torn = true;
                self.store.roll_back(self.model.id(), known).await?;
                self.reload().await?;
                if self
                    .checked
                    .is_some_and(|checked| checked.block > known.block)
                {
                    // That check holds for the blocks up to the fork too: both branches share them.
                    self.checked = Some(known);
                }
                return Ok(());
            }
        }
        let info = self.model.info();
        let first = self
            .store
            .known_blocks(self.model.id())
            .await?
            .last()
            .copied();
        let mut wait = DOUBT_WAITS.0;
        for _ in 0..DOUBTS_TO_TELL {
            match (self.source.block(info.from_block).await?, first) {
                // The node has only begun to read its chain.
                (None, _) => return Ok(()),
                // The earlier answer came from another node behind the same address.
                (Some(block), Some(first)) if block.hash == first.hash => return Ok(()),
                _ => tokio::time::sleep(wait).await,
            }
            wait *= 2;
        }
        Err(IndexError::OtherChain {
            word: info.word(),
            trainer: info.facts.trainer,
            block: info.from_block,
        })
    }

    /// Takes a range of blocks far behind the head, up to `last`.
    async fn take_range(&mut self, cursor: Cursor, last: u64) -> Result<Step, IndexError> {
        let trainer = self.model.info().facts.trainer;
        let from = cursor.block + 1;
        let logs = self
            .source
            .logs_from(from, last, &[trainer], L::TOPICS)
            .await;
        let (logs, to) = logs.map_err(|source| self.no_history(from, source))?;
        let Some(end) = self.source.block(to).await? else {
            return self
                .doubt(format!("the node does not have block {to}"))
                .await;
        };
        let step = self
            .take_if_it_fits(vec![(end.number, end.hash)], logs)
            .await?;
        if step == Step::Doubted {
            self.source.narrow_logs(to - cursor.block);
        }
        Ok(step)
    }

    /// Takes some blocks near the head, identifying each by its hash.
    async fn take_recent(&mut self, cursor: Cursor, head: u64) -> Result<Step, IndexError> {
        let trainer = self.model.info().facts.trainer;
        let to = head.min(cursor.block + AT_A_TIME);
        let headers = (cursor.block + 1..=to).map(|number| self.source.block(number));
        let headers = try_join_all(headers).await?;
        let mut parent = cursor.hash;
        let mut blocks = Vec::new();
        // If the chain changes meanwhile, the next step takes the rest.
        for header in headers.into_iter().map_while(|header| header) {
            if header.parent != parent {
                break;
            }
            parent = header.hash;
            blocks.push((header.number, header.hash));
        }
        if blocks.is_empty() {
            let reason = format!("no block follows block {} by its hash", cursor.block);
            return self.doubt(reason).await;
        }
        let addresses = [trainer];
        let logs = blocks
            .iter()
            .map(|(_, hash)| self.source.logs_of(*hash, &addresses, L::TOPICS));
        let logs = match try_join_all(logs).await {
            Err(source) => return Err(self.no_history(cursor.block + 1, source)),
            Ok(logs) => logs.concat(),
        };
        self.take_if_it_fits(blocks, logs).await
    }

    /// Returns the error of a node that did not return events from `block` on.
    fn no_history(&self, block: u64, source: NodeError) -> IndexError {
        match source {
            NodeError::HistoryGone { .. } => self.model.info().no_history(block, source).into(),
            source => source.into(),
        }
    }

    /// Takes blocks over if the contract agrees after the last of them.
    async fn take_if_it_fits(
        &mut self,
        blocks: Vec<(u64, B256)>,
        logs: Vec<NodeLog>,
    ) -> Result<Step, IndexError> {
        let Some(&(block, hash)) = blocks.last() else {
            return Ok(Step::Advanced);
        };
        let end = Cursor { block, hash };
        let elsewhere = |log: &&NodeLog| {
            blocks
                .iter()
                .any(|(number, hash)| log.block == *number && log.block_hash != *hash)
        };
        if let Some(log) = logs.iter().find(elsewhere) {
            let reason = format!("its events of block {} are of another branch", log.block);
            return self.doubt(reason).await;
        }
        let base = self.model.state().base;
        if let Some(base) = base
            && base.block == block
            && base.hash != hash
            && let Some(node) = self.source.contracts()
        {
            // The weights belong to a branch that the chain has left.
            self.torn = true;
            self.model.rebase(node, &self.store).await?;
            self.reload().await?;
            return Ok(Step::RolledBack);
        }
        let before = self.checked;
        if let Some(doubt) = self.judge(end, &logs).await? {
            return Ok(doubt);
        }
        match self.take(blocks, logs).await {
            Err(StepError::Contradiction(error)) => {
                let reason = format!("{error}: {}", error.source);
                self.checked = before;
                self.reload().await?;
                self.doubt(reason).await
            }
            Err(StepError::Store(error)) => Err(error.into()),
            Ok(()) => {
                if self.checked == Some(end) {
                    self.model.set_standing(Standing::Fits);
                }
                Ok(Step::Advanced)
            }
        }
    }

    /// Adds blocks to memory and to the store.
    async fn take(
        &mut self,
        blocks: Vec<(u64, B256)>,
        logs: Vec<NodeLog>,
    ) -> Result<(), StepError> {
        let Some(&(block, hash)) = blocks.last() else {
            return Ok(());
        };
        let mut taken = Taken {
            blocks,
            ..Taken::default()
        };
        self.torn = true;
        {
            let mut state = self.model.state_mut();
            // Before the base block, the weights are not those after the block at the cursor.
            let measures = state
                .base
                .is_none_or(|base| state.cursor.block >= base.block);
            if measures
                && state.cursor.block == self.model.info().from_block
                && taken.accuracy.is_empty()
            {
                taken
                    .accuracy
                    .extend(self.measure(state.ledger(), state.cursor.block));
            }
            for log in logs {
                let before = state.ledger().contribution_count();
                let block = log.block;
                if let Err(error) = state.take(Log::from(log), &mut taken) {
                    // Set before anyone can read the half-applied state.
                    self.model
                        .set_standing(Standing::Doubtful(error.to_string()));
                    return Err(StepError::Contradiction(error));
                }
                let after = state.ledger().contribution_count();
                let every = self.evaluation.as_ref().map_or(u64::MAX, |e| e.every);
                if measures && after / every != before / every {
                    taken.accuracy.extend(self.measure(state.ledger(), block));
                }
            }
            state.cursor = Cursor { block, hash };
        }
        self.store.take(self.model.id(), &taken).await?;
        self.torn = false;
        self.tell(&taken);
        Ok(())
    }

    fn measure(&self, ledger: &L, block: u64) -> Option<AccuracyRow> {
        let (evaluation, classifier) = (self.evaluation.as_ref()?, ledger.classifier()?);
        Some(AccuracyRow {
            block,
            time: ledger.last_contribution_time(),
            contributions: ledger.contribution_count(),
            correct: evaluation.samples.correct(classifier),
            samples: evaluation.samples.count(),
        })
    }

    /// Publishes the new accuracy and updates the metrics.
    fn tell(&self, taken: &Taken) {
        if let Some(last) = taken.accuracy.last() {
            self.model.set_measured(Some(*last));
        }
        metrics::counter!("cotrain_indexed_logs_total").increment(taken.logs.len() as u64);
        metrics::counter!("cotrain_indexed_contributions_total")
            .increment(taken.contributions.len() as u64);
    }
}

/// Failure to take blocks over.
#[derive(Debug)]
enum StepError {
    /// The logs contradict the known state: some are missing, or the node returned them twice.
    Contradiction(TakeError),
    /// The database failed.
    Store(StoreError),
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
