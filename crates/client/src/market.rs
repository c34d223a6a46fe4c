//! Prediction markets: their state from their events, and the next due action.

mod counters;
mod error;
mod ledger;
mod opening;
mod test_set;

use cotrain_bindings::market::events;
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    node::{At, Block, NodeError, NodeLog, NodeReceipt},
};
use cotrain_protocol::market::Market;

use crate::{
    model::ModelFacts,
    send::{Call, SendError, Sender},
    source::EventSource,
};

pub use self::{
    counters::Counters,
    error::MarketError,
    ledger::{Action, Collectable, MarketLedger, Ready},
    opening::{Opened, Opener, OpeningError, OpeningGas, OpeningStep, RehearsalError, rehearse},
    test_set::{TestSet, TestSetError},
};

/// Maximum number of attempts to read the events, if the contract contradicts them.
const TRIES: u32 = 4;

/// A market after a block.
#[derive(Debug, Clone)]
pub struct MarketState {
    first: MarketLedger,
    from_block: u64,
    ledger: MarketLedger,
    block: Option<Block>,
}

impl MarketState {
    /// Begins to follow a market that was created in block `from_block` or later. It reads nothing
    /// yet.
    ///
    /// # Errors
    /// [`MarketError::OtherMechanism`] or [`MarketError::Terms`].
    pub fn new(facts: &ModelFacts, from_block: u64) -> Result<Self, MarketError> {
        let first = MarketLedger::new(facts)?;
        Ok(Self {
            ledger: first.clone(),
            first,
            from_block,
            block: None,
        })
    }

    /// Reads a market up to the source's latest block.
    ///
    /// # Errors
    /// [`MarketError`].
    pub async fn read<S: EventSource>(
        source: &S,
        facts: &ModelFacts,
        from_block: u64,
    ) -> Result<Self, MarketError> {
        let mut state = Self::new(facts, from_block)?;
        state.update(source).await?;
        Ok(state)
    }

    /// Reads up to the source's latest block, and returns `true` if there was a new block. If the
    /// chain has left a branch, its blocks are read again. The result is checked against the
    /// contract.
    ///
    /// # Errors
    /// [`MarketError`]. The state is unchanged then.
    pub async fn update<S: EventSource>(&mut self, source: &S) -> Result<bool, MarketError> {
        let head = source.head().await.map_err(|error| self.failed(error))?;
        if self.block.is_some_and(|known| known.hash == head.hash) {
            return Ok(false);
        }
        let mut tries = 1;
        loop {
            let (mut next, from) = self.start(source, &head).await?;
            let read = next.read_on(source, from, &head).await;
            let checked = match read {
                Ok(()) => next.check(source, &head).await,
                failed => failed,
            };
            match checked {
                Ok(()) => {
                    *self = next;
                    return Ok(true);
                }
                // Of the nodes that share one address, one may lag behind another.
                Err(error @ MarketError::Node { .. }) => return Err(error),
                Err(error) if tries >= TRIES => return Err(error),
                Err(_) => {
                    tries += 1;
                    // The error may be in what was read before.
                    self.reset();
                }
            }
        }
    }

    /// Returns the state to continue from, and the first block to read.
    async fn start<S: EventSource>(
        &self,
        source: &S,
        head: &Block,
    ) -> Result<(Self, u64), MarketError> {
        if let Some(known) = self.block.filter(|known| known.number <= head.number) {
            let there = source.block(known.number).await;
            let there = there.map_err(|error| self.failed(error))?;
            if there.is_some_and(|there| there.hash == known.hash) {
                return Ok((self.clone(), known.number + 1));
            }
        }
        let mut anew = self.clone();
        anew.reset();
        Ok((anew, self.from_block))
    }

    fn reset(&mut self) {
        self.ledger = self.first.clone();
        self.block = None;
    }

    async fn read_on<S: EventSource>(
        &mut self,
        source: &S,
        mut from: u64,
        head: &Block,
    ) -> Result<(), MarketError> {
        let contracts = [self.ledger.address()];
        while from <= head.number {
            let read = source.logs_from(from, head.number, &contracts, events::TOPICS);
            let (logs, to) = read.await.map_err(|error| self.failed(error))?;
            for log in &logs {
                self.take(log)?;
            }
            from = to + 1;
        }
        self.block = Some(*head);
        Ok(())
    }

    fn take(&mut self, log: &NodeLog) -> Result<(), MarketError> {
        let taken = self.ledger.take(&log.log);
        taken.map_err(|source| MarketError::Contradiction {
            market: self.ledger.address(),
            block: log.block,
            source,
        })?;
        Ok(())
    }

    /// Checks the known state against the contract, if the source can read the contract's state
    /// after the block.
    async fn check<S: EventSource>(&self, source: &S, head: &Block) -> Result<(), MarketError> {
        let Some(node) = source.contracts() else {
            return Ok(());
        };
        let market = self.ledger.address();
        let contract = match Counters::read(node, market, Some(At::Hash(head.hash))).await {
            Err(NodeError::StateGone { .. }) => return Ok(()),
            contract => contract.map_err(|error| self.failed(error))?,
        };
        match self.ledger.counters().difference(&contract) {
            None => Ok(()),
            Some(reason) => Err(MarketError::Doubtful {
                market,
                block: head.number,
                reason,
            }),
        }
    }

    fn failed(&self, source: NodeError) -> MarketError {
        MarketError::Node {
            market: self.ledger.address(),
            source,
        }
    }

    /// Returns the market, without the weights of its models.
    #[must_use]
    pub fn market(&self) -> &Market {
        self.ledger.market()
    }

    /// Returns the market with all contributions in it.
    #[must_use]
    pub fn ledger(&self) -> &MarketLedger {
        &self.ledger
    }

    /// Returns the last block that was read; `None` before the first one.
    #[must_use]
    pub fn block(&self) -> Option<Block> {
        self.block
    }

    /// Estimates the gas of a call of the market. `now` is the time of the next block, in Unix
    /// seconds.
    ///
    /// Nodes estimate as if in their latest block. On a quiet chain that block may be in an earlier
    /// phase than the next one. If the call is due only in the next block, the estimate is the
    /// maximum gas of a transaction.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn estimate(
        &self,
        sender: &Sender<'_>,
        call: &Call,
        now: u64,
    ) -> Result<u64, SendError> {
        let latest = self.block.map_or(0, |block| block.time);
        match sender.estimate(call).await {
            Err(SendError::Node(error)) if self.ledger.is_due_by_time(&error, latest, now) => {
                Ok(TRANSACTION_GAS_LIMIT)
            }
            estimated => estimated,
        }
    }

    /// Estimates and sends a call of the market, and waits until it is included. The call may be
    /// due only in the next block. `now` is the time of that block, in Unix seconds.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(
        &self,
        sender: &Sender<'_>,
        call: Call,
        now: u64,
    ) -> Result<NodeReceipt, SendError> {
        let gas = self.estimate(sender, &call, now).await?;
        sender.send_estimated(call, gas).await
    }
}
