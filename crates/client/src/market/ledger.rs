//! A market as its events make it, and what is due next.

use alloy_primitives::{Address, Bytes, Log, U256};
use cotrain_bindings::{
    Revert,
    market::{self as calls, events},
};
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    node::{Block, NodeError, NodeLog},
};
use cotrain_protocol::{
    Rejection,
    market::{Contributions, Fact, Market, Pace, Phase, Step},
    mechanism::Terms,
    trainer::Contradiction,
};

use super::{counters::Counters, error::MarketError};
use crate::{
    estimate::{Misfit, judge},
    model::ModelFacts,
    send::SendError,
};

/// Blocks after the commitments' own that the draw waits for: it takes the hash of the first of them.
const BLOCKS_BEFORE_DRAW: u64 = 2;
/// Blocks whose hashes a contract can see.
const VISIBLE_BLOCKS: u64 = 256;

/// A market after some of its events, with all contributions in it.
#[derive(Debug, Clone)]
pub struct MarketLedger {
    address: Address,
    market: Market,
    contributions: Vec<Contributions>,
    model: Option<Address>,
}

/// Transaction that anyone may send next, so that a market goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Draw the part that contributors test with.
    Draw,
    /// Do a step of the scoring.
    Score(Step),
}

/// Action that fits a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The action.
    pub action: Action,
    /// Its calldata.
    pub data: Bytes,
    /// Gas that it would use now, or all that a transaction may use if it is due in the next block alone.
    pub gas: u64,
}

impl MarketLedger {
    /// Returns a market of which no event is known.
    ///
    /// # Errors
    /// [`MarketError::OtherMechanism`] or [`MarketError::Terms`].
    pub fn new(facts: &ModelFacts) -> Result<Self, MarketError> {
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
            market,
            contributions: Vec::new(),
            model: None,
        })
    }

    /// Takes a log of the market over, and returns the fact that it tells; `None` if it is no event of markets.
    ///
    /// # Errors
    /// [`Contradiction`] if the fact does not follow from those before; go back to an earlier ledger then.
    pub fn take(&mut self, log: &Log) -> Result<Option<Fact>, Contradiction> {
        let Some(fact) = events::decode(log) else {
            return Ok(None);
        };
        self.market.apply(&fact)?;
        match &fact {
            Fact::Contributed {
                author,
                time,
                items,
                ..
            } => self.contributions.push(Contributions {
                author: *author,
                time: *time,
                items: items.to_vec(),
            }),
            Fact::Restarted { model, .. } => self.model = Some(*model),
            _ => {}
        }
        Ok(Some(fact))
    }

    /// Returns the contract of the market.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Returns the market, without the weights of its models.
    #[must_use]
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Returns what the events make of the contract's counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            progress: self.market.progress(),
            contributions: self.market.contribution_count(),
            money: U256::from(self.market.held()),
        }
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

    /// Returns what anyone may do next so that the market goes on; `None` if it waits for time, the provider or
    /// contributors, or is over.
    ///
    /// `now` is the time of the chain's next block, in Unix seconds; `block` the height of the last block that was read.
    #[must_use]
    pub fn action(&self, now: u64, block: u64, pace: &Pace) -> Option<Action> {
        if self.market.phase(now) == Phase::Committed {
            // Nodes estimate gas as if in the latest block, so that one has to be late enough already.
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
    fn shrink(&self, pace: &mut Pace, action: &Action) -> bool {
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

    /// Finds the action that is due and fits a transaction; `None` if none is due. `estimate` returns the gas that a call
    /// of the market would use after `block`, the latest one; `now` is the time of the next block, in Unix seconds.
    ///
    /// # Errors
    /// The failure of the estimate, if no smaller step may succeed; [`SendError::TooMuchGas`].
    pub async fn prepare<F>(
        &self,
        block: &Block,
        now: u64,
        pace: &mut Pace,
        estimate: impl Fn(Bytes) -> F,
    ) -> Result<Option<Ready>, SendError>
    where
        F: Future<Output = Result<u64, SendError>>,
    {
        loop {
            let Some(action) = self.action(now, block.number, pace) else {
                return Ok(None);
            };
            let data = Bytes::from(self.call(&action));
            let error = match judge(estimate(data.clone()).await, None) {
                Ok(gas) => return Ok(Some(Ready { action, data, gas })),
                Err(Misfit::Refused(error)) if matches!(&*error, SendError::Node(error) if self.is_due_by_time(error, block.time, now)) =>
                {
                    let gas = TRANSACTION_GAS_LIMIT;
                    return Ok(Some(Ready { action, data, gas }));
                }
                Err(Misfit::TooLarge(error) | Misfit::Unclear(error)) => error,
                Err(Misfit::NotYet(error) | Misfit::Refused(error) | Misfit::Failed(error)) => {
                    return Err(*error);
                }
            };
            if !self.shrink(pace, &action) {
                return Err(*error);
            }
        }
    }

    /// Returns `true` if a call was refused for the phase of the latest block, whose time is `latest`, and time alone
    /// brings another one with the next block, whose time is `now`: what is due then is called all the same.
    #[must_use]
    pub fn is_due_by_time(&self, error: &NodeError, latest: u64, now: u64) -> bool {
        let NodeError::Reverted(Revert::Contract(Rejection::WrongPhase { phase, .. })) = error
        else {
            return false;
        };
        self.market.phase(latest) == *phase && self.market.phase(now) != *phase
    }
}
