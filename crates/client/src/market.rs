//! Prediction markets: their state from their events, and what is due next.

mod test_set;

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_bindings::{
    self as bindings,
    market::{self as calls, events, state},
};
use cotrain_chain::node::{At, Block, Node, NodeError, NodeLog};
use cotrain_protocol::{
    Rejection,
    market::{Contributions, Fact, Market, Pace, Phase, Step},
    mechanism::{Mechanism, Terms},
    trainer::Contradiction,
};

use crate::{model::ModelFacts, source::EventSource};

pub use test_set::{TestSet, TestSetError};

/// Blocks after the commitments' own that the draw waits for: it takes the hash of the first of them.
const BLOCKS_BEFORE_DRAW: u64 = 2;
/// Blocks whose hashes a contract can see.
const VISIBLE_BLOCKS: u64 = 256;
/// Times that the events are read again if the contract contradicts them.
const TRIES: u32 = 4;

/// A market after a block, with all contributions in it.
#[derive(Debug, Clone)]
pub struct MarketState {
    /// Contract of the market.
    address: Address,
    first: Market,
    from_block: u64,
    market: Market,
    contributions: Vec<Contributions>,
    model: Option<Address>,
    block: Option<Block>,
}

/// Transaction that anyone may send next, so that a market goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Draw the part that contributors test with.
    Draw,
    /// Do a step of the scoring.
    Score(Step),
}

/// Failure to follow a market.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// The node failed.
    #[error("cannot read the market {market} from the node")]
    Node {
        /// Contract of the market.
        market: Address,
        /// Failure of the node.
        source: NodeError,
    },
    /// The contract is of another mechanism.
    #[error(
        "{address} is no prediction market but a model with the mechanism {mechanism}; use its own commands"
    )]
    OtherMechanism {
        /// The contract.
        address: Address,
        /// Its mechanism.
        mechanism: Mechanism,
    },
    /// The market's terms are outside their bounds.
    #[error("the market {market} has terms that this version does not take; use another market")]
    Terms {
        /// Contract of the market.
        market: Address,
        /// Term that is outside its bounds.
        source: Rejection,
    },
    /// An event does not follow from those before.
    #[error(
        "an event of the market {market} in block {block} does not follow from those before; try again, or use another node"
    )]
    Contradiction {
        /// Contract of the market.
        market: Address,
        /// Height of the event's block.
        block: u64,
        /// The contradiction.
        source: Contradiction,
    },
    /// The contract says otherwise than its events.
    #[error(
        "the node's events of the market {market} do not make what the contract says after block {block}: {reason}; try again, or use another node"
    )]
    Doubtful {
        /// Contract of the market.
        market: Address,
        /// Height of the block.
        block: u64,
        /// The difference.
        reason: String,
    },
}

impl MarketError {
    /// Returns `true` if the failure may go away by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Node { .. } | Self::Contradiction { .. } | Self::Doubtful { .. }
        )
    }
}

impl MarketState {
    /// Begins to follow a market that was created at `from_block` or later. Nothing is read yet.
    ///
    /// # Errors
    /// [`MarketError::OtherMechanism`] or [`MarketError::Terms`].
    pub fn new(facts: &ModelFacts, from_block: u64) -> Result<Self, MarketError> {
        let address = facts.trainer;
        let Terms::Market(terms) = facts.terms else {
            let mechanism = facts.terms.mechanism();
            return Err(MarketError::OtherMechanism { address, mechanism });
        };
        let market = Market::followed(
            facts.owner,
            address,
            facts.classifier,
            terms,
            facts.parameters,
        );
        let market = market.map_err(|source| MarketError::Terms {
            market: address,
            source,
        })?;
        Ok(Self {
            address,
            first: market.clone(),
            from_block,
            market,
            contributions: Vec::new(),
            model: None,
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

    /// Reads on up to the source's latest block, and returns `true` if there was a new one. A branch that the chain has
    /// left is read anew. What is read is held against the contract.
    ///
    /// # Errors
    /// [`MarketError`]; the state is as it was before.
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
                // A node behind an address may lag behind another one.
                Err(error @ MarketError::Node { .. }) => return Err(error),
                Err(error) if tries >= TRIES => return Err(error),
                Err(_) => {
                    tries += 1;
                    // What was read before may be what is wrong.
                    self.reset();
                }
            }
        }
    }

    /// Returns the state to read on from, and the first block to read.
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
        self.market = self.first.clone();
        self.contributions.clear();
        self.model = None;
        self.block = None;
    }

    async fn read_on<S: EventSource>(
        &mut self,
        source: &S,
        mut from: u64,
        head: &Block,
    ) -> Result<(), MarketError> {
        let contracts = [self.address];
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
        let Some(fact) = events::decode(&log.log) else {
            return Ok(());
        };
        let applied = self.market.apply(&fact);
        applied.map_err(|source| MarketError::Contradiction {
            market: self.address,
            block: log.block,
            source,
        })?;
        match fact {
            Fact::Contributed {
                author,
                time,
                items,
                ..
            } => self.contributions.push(Contributions {
                author,
                time,
                items: items.to_vec(),
            }),
            Fact::Restarted { model, .. } => self.model = Some(model),
            _ => {}
        }
        Ok(())
    }

    /// Holds what is known against the contract, if the source can tell its state after the block.
    async fn check<S: EventSource>(&self, source: &S, head: &Block) -> Result<(), MarketError> {
        let Some(node) = source.contracts() else {
            return Ok(());
        };
        let answer = match self.ask(node, state::progress(), head.hash).await {
            Err(NodeError::StateGone { .. }) => return Ok(()),
            answer => answer.map_err(|error| self.failed(error))?,
        };
        let count = self
            .ask(node, bindings::state::contribution_count(), head.hash)
            .await
            .map_err(|error| self.failed(error))?;
        let contract = calls::read_progress(&answer).map(|(progress, _)| progress);
        let counted = bindings::read_number(&count);
        let ours = (
            Some(self.market.progress()),
            Some(U256::from(self.market.contribution_count())),
        );
        if (contract, counted) == ours {
            return Ok(());
        }
        Err(MarketError::Doubtful {
            market: self.address,
            block: head.number,
            reason: format!(
                "the contract says {contract:?} and {counted:?} contributions, the events {:?} and {}",
                self.market.progress(),
                self.market.contribution_count()
            ),
        })
    }

    async fn ask(&self, node: &Node, call: Vec<u8>, block: B256) -> Result<Bytes, NodeError> {
        node.call(self.address, call, Some(At::Hash(block))).await
    }

    fn failed(&self, source: NodeError) -> MarketError {
        MarketError::Node {
            market: self.address,
            source,
        }
    }

    /// Returns the market, without the weights of its models.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Returns all contributions in order, one record a transaction.
    #[must_use]
    pub fn contributions(&self) -> &[Contributions] {
        &self.contributions
    }

    /// Returns the model of the last pass that has begun; that of a settled market is the trained model.
    #[must_use]
    pub fn model(&self) -> Option<Address> {
        self.model
    }

    /// Returns the last block that was read; `None` before the first one.
    #[must_use]
    pub fn block(&self) -> Option<Block> {
        self.block
    }

    /// Returns what anyone may do next so that the market goes on; `None` if it waits for time, the provider or
    /// contributors, or is over.
    ///
    /// `now` is the time of the chain's next block, in Unix seconds.
    #[must_use]
    pub fn action(&self, now: u64, pace: &Pace) -> Option<Action> {
        if self.market.phase(now) == Phase::Committed {
            // Nodes estimate gas as if in the latest block, so that one has to be late enough already.
            let block = self.block?.number;
            let earliest = self.earliest_draw();
            let latest = self.latest_draw();
            let is_due = self.market.drawn_part().is_none() && (earliest..latest).contains(&block);
            return is_due.then_some(Action::Draw);
        }
        let limits = pace.limits();
        let step = self.market.next_step(now, &self.contributions, limits)?;
        Some(Action::Score(step))
    }

    /// Returns the height of the first block in which the draw succeeds, once there are commitments.
    #[must_use]
    pub fn earliest_draw(&self) -> u64 {
        self.market.committed_block() + BLOCKS_BEFORE_DRAW
    }

    /// Returns the height of the last block in which the draw succeeds, once there are commitments: contracts see the hashes
    /// of 256 blocks.
    #[must_use]
    pub fn latest_draw(&self) -> u64 {
        self.earliest_draw() - 1 + VISIBLE_BLOCKS
    }

    /// Returns the calldata of an action.
    #[must_use]
    pub fn call(&self, action: &Action) -> Vec<u8> {
        match action {
            Action::Draw => calls::draw(),
            Action::Score(Step::Restart { words }) => calls::restart(*words),
            Action::Score(Step::Score { records, samples }) => {
                let records = self.contributions.get(records.clone());
                calls::score(records.unwrap_or_default(), *samples)
            }
            Action::Score(Step::Settle { most }) => calls::settle(*most),
        }
    }

    /// Makes the next step smaller than an action that did not fit a transaction. Returns `false` if there is no smaller
    /// one.
    #[must_use]
    pub fn shrink(&self, pace: &mut Pace, action: &Action) -> bool {
        match action {
            Action::Score(Step::Score { records, samples }) => {
                pace.shrink(&self.market, records.len(), *samples)
            }
            _ => false,
        }
    }

    /// Returns the number of samples that a call of `score` evaluated, from its events; the state is that before it.
    #[must_use]
    pub fn evaluated(&self, logs: &[NodeLog]) -> u64 {
        let mut evaluated = 0;
        for log in logs.iter().filter(|log| log.log.address == self.address) {
            match events::decode(&log.log) {
                Some(Fact::Scored(_)) => evaluated += self.market.samples(),
                Some(Fact::Advanced { evaluated: now, .. }) => {
                    evaluated = (evaluated + now).saturating_sub(self.market.progress().evaluated);
                }
                _ => {}
            }
        }
        evaluated
    }
}
