//! Follows a model on a chain: block by block near its head, in ranges far behind it, and back where the chain takes
//! another branch.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use cotrain_bindings::events::TRAINER_TOPICS;
use cotrain_chain::node::{Block, Node, NodeError, NodeLog};
use futures_util::future::try_join_all;

use crate::{
    evaluation::Evaluation,
    model::{HostedModel, ModelError, share},
    rows::AccuracyRow,
    state::TakeError,
    store::{Cursor, Log, Store, StoreError, Taken},
};

/// Blocks this deep are asked for in ranges: a branch that leaves below them is found by the hash of the range's
/// last block only.
pub(crate) const DEEP: u64 = 64;

/// Blocks near the head that are asked for at the same time.
const AT_A_TIME: u64 = 16;

/// The most blocks, and the logs from which on they are fewer, of a range.
const WIDEST: u64 = 20_000;
const MANY_LOGS: usize = 5_000;

/// Why a model cannot be followed any further.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The node failed.
    #[error("the node failed")]
    Node(#[from] NodeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was stored cannot be made a state again.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The chain says what the rules do not allow.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// Not even the first block is the one that is known.
    #[error(
        "block {block} of the node is not the one in which the model {trainer} was closed: it is another chain, or was begun anew; use the database of this chain, or an empty one"
    )]
    OtherChain {
        /// Of the model.
        trainer: Address,
        /// The first block.
        block: u64,
    },
}

impl IndexError {
    /// Whether it may go away by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            // Whatever it is, a node may be mended, or another one put in its place.
            Self::Node(_)
            | Self::Store(StoreError::Database(_))
            | Self::Model(ModelError::Node { .. } | ModelError::Store(StoreError::Database(_))) => {
                true
            }
            _ => false,
        }
    }
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There was nothing new.
    AtHead,
    /// Blocks were taken.
    Advanced,
    /// The chain had left for another branch.
    RolledBack,
}

/// Follows one model.
#[derive(Debug)]
pub(crate) struct Follower {
    node: Node,
    store: Store,
    model: Arc<HostedModel>,
    evaluation: Option<Evaluation>,
    /// Blocks of the next range.
    width: u64,
    /// Whether memory and store may differ: something failed between the two.
    torn: bool,
}

impl Follower {
    pub(crate) fn new(
        node: Node,
        store: Store,
        model: Arc<HostedModel>,
        evaluation: Option<Evaluation>,
    ) -> Self {
        Self {
            node,
            store,
            model,
            evaluation,
            width: 1_000,
            torn: false,
        }
    }

    /// Follows until the head, which it gives.
    pub(crate) async fn catch_up(&mut self) -> Result<Block, IndexError> {
        loop {
            let (step, head) = self.step().await?;
            if step == Step::AtHead {
                return Ok(head);
            }
        }
    }

    /// Takes the next blocks, or goes back to where the chain has left; with the head.
    pub(crate) async fn step(&mut self) -> Result<(Step, Block), IndexError> {
        if self.torn {
            self.model.reload(&self.store).await?;
            self.torn = false;
        }
        let head = self.node.head().await?;
        let cursor = self.model.state().cursor;
        let known = self.node.block(cursor.block).await?;
        match known {
            Some(block) if block.hash == cursor.hash => {}
            // Behind us: a node that lags, unless it says otherwise about a block that we know.
            None if !self.contradicts(&head).await? => return Ok((Step::AtHead, head)),
            _ => {
                self.roll_back().await?;
                return Ok((Step::RolledBack, head));
            }
        }
        let behind = head.number.saturating_sub(cursor.block);
        let advanced = if behind == 0 {
            false
        } else if behind > DEEP {
            self.take_range(cursor, head.number - DEEP).await?
        } else {
            self.take_recent(cursor, head.number).await?
        };
        let step = if advanced {
            Step::Advanced
        } else {
            Step::AtHead
        };
        Ok((step, head))
    }

    /// Whether a block of the node is at a height where another one is known.
    async fn contradicts(&self, head: &Block) -> Result<bool, IndexError> {
        let known = self.store.known_blocks(self.model.id).await?;
        let known = known.iter().find(|known| known.block <= head.number);
        let Some(known) = known else {
            return Ok(true);
        };
        let block = self.node.block(known.block).await?;
        Ok(block.is_some_and(|block| block.hash != known.hash))
    }

    async fn roll_back(&mut self) -> Result<(), IndexError> {
        for known in self.store.known_blocks(self.model.id).await? {
            let block = self.node.block(known.block).await?;
            if block.is_some_and(|block| block.hash == known.hash) {
                let from = self.model.state().cursor.block;
                tracing::warn!(trainer = %self.model.info().trainer, from, to = known.block, "the chain took another branch");
                self.torn = true;
                self.store.roll_back(self.model.id, known).await?;
                self.model.reload(&self.store).await?;
                self.torn = false;
                return Ok(());
            }
        }
        let info = self.model.info();
        if self.node.block(info.from_block).await?.is_none() {
            // A node that has only begun to read its chain.
            return Ok(());
        }
        Err(IndexError::OtherChain {
            trainer: info.trainer,
            block: info.from_block,
        })
    }

    /// Takes some blocks that lie deep, up to `last`.
    async fn take_range(&mut self, cursor: Cursor, last: u64) -> Result<bool, IndexError> {
        let trainer = self.model.info().trainer;
        let from = cursor.block + 1;
        let to = last.min(cursor.block + self.width);
        let logs = match self.node.logs(from, to, &[trainer], &TRAINER_TOPICS).await {
            Err(NodeError::TooMuch { .. }) if self.width > 1 => {
                self.width /= 2;
                return Ok(true);
            }
            logs => logs?,
        };
        let Some(end) = self.node.block(to).await? else {
            return Ok(false);
        };
        self.width = if logs.len() > MANY_LOGS {
            (self.width / 2).max(1)
        } else {
            (self.width * 2).min(WIDEST)
        };
        self.take(vec![(end.number, end.hash)], logs).await?;
        Ok(true)
    }

    /// Takes some blocks near the head, each by its hash.
    async fn take_recent(&mut self, cursor: Cursor, head: u64) -> Result<bool, IndexError> {
        let trainer = self.model.info().trainer;
        let to = head.min(cursor.block + AT_A_TIME);
        let headers = (cursor.block + 1..=to).map(|number| self.node.block(number));
        let headers = try_join_all(headers).await?;
        let mut parent = cursor.hash;
        let mut blocks = Vec::new();
        // Where the chain changes meanwhile, the rest is for the next step.
        for header in headers.into_iter().map_while(|header| header) {
            if header.parent != parent {
                break;
            }
            parent = header.hash;
            blocks.push((header.number, header.hash));
        }
        let addresses = [trainer];
        let logs = blocks
            .iter()
            .map(|(_, hash)| self.node.logs_of(*hash, &addresses, &TRAINER_TOPICS));
        let logs = match try_join_all(logs).await {
            Err(NodeError::UnknownBlock { .. }) => return Ok(true),
            logs => logs?.concat(),
        };
        self.take(blocks, logs).await?;
        Ok(true)
    }

    /// Takes blocks over, in memory and in the store.
    async fn take(
        &mut self,
        blocks: Vec<(u64, B256)>,
        logs: Vec<NodeLog>,
    ) -> Result<(), IndexError> {
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
            if state.cursor.block == self.model.info().from_block && taken.accuracy.is_empty() {
                taken
                    .accuracy
                    .extend(self.measure(state.trainer(), state.cursor.block));
            }
            for log in logs {
                let before = state.trainer().contribution_count();
                let block = log.block;
                state.take(Log::from(log), &mut taken)?;
                let after = state.trainer().contribution_count();
                let every = self.evaluation.as_ref().map_or(u64::MAX, |e| e.every);
                if after / every != before / every {
                    taken.accuracy.extend(self.measure(state.trainer(), block));
                }
            }
            state.cursor = Cursor { block, hash };
        }
        self.store.take(self.model.id, &taken).await?;
        self.torn = false;
        self.tell(&taken);
        Ok(())
    }

    fn measure(
        &self,
        trainer: &cotrain_protocol::trainer::Trainer,
        block: u64,
    ) -> Option<AccuracyRow> {
        let evaluation = self.evaluation.as_ref()?;
        Some(AccuracyRow {
            block,
            time: trainer.last_contribution_time(),
            contributions: trainer.contribution_count(),
            correct: evaluation.samples.correct(trainer.classifier()),
            samples: evaluation.samples.len(),
        })
    }

    /// Lets those who read the memory know.
    fn tell(&self, taken: &Taken) {
        if let Some(last) = taken.accuracy.last() {
            self.model.set_accuracy(Some(share(last)));
        }
        for included in &taken.inclusions {
            self.model.pending.forget(included.author, included.nonce);
        }
        metrics::counter!("cotrain_indexed_logs_total").increment(taken.logs.len() as u64);
        metrics::counter!("cotrain_indexed_contributions_total")
            .increment(taken.contributions.len() as u64);
    }
}
