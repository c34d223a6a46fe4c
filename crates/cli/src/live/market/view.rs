//! A market, followed by its events, for the commands about it.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use cotrain_chain::node::NodeReceipt;
use cotrain_client::{
    market::{MarketState, TestSet, TestSetError},
    send::{Call, Sender},
};
use cotrain_protocol::market::{Lost, Market, Phase};

use crate::{
    error::CommandError,
    live::{
        connection::{ModelArg, Session},
        context::state_directory,
        errors::{unfollowed, unsent},
        following::closed_in,
        gas_fees::GasFeeArgs,
        model::LiveModel,
        spending::{Bill, Range, SpendingArgs, Target, gas_cost_of_all},
        time::when,
        wei::Wei,
    },
};

/// A market at the latest block.
pub(super) struct View {
    pub(super) model: LiveModel,
    pub(super) state: MarketState,
    /// Time of the chain's next block, in Unix seconds.
    pub(super) now: u64,
}

impl View {
    /// Finds a market and reads it.
    pub(super) async fn find(session: &Session, argument: &ModelArg) -> Result<Self, CommandError> {
        let model = LiveModel::find(session, argument).await?;
        Self::of(session, model).await
    }

    /// Reads a market.
    pub(super) async fn of(session: &Session, model: LiveModel) -> Result<Self, CommandError> {
        let from = closed_in(&model);
        Self::since(session, model, from).await
    }

    /// Reads a market that was closed in a block.
    pub(super) async fn since(
        session: &Session,
        model: LiveModel,
        from: u64,
    ) -> Result<Self, CommandError> {
        let state = MarketState::read(&session.node, &model.facts, from).await;
        Ok(Self {
            state: state.map_err(unfollowed)?,
            now: session.node.now().await?,
            model,
        })
    }

    /// Estimates the gas of a call, even if it is due only in the next block.
    pub(super) async fn gas_of(
        &self,
        sender: &Sender<'_>,
        call: &Call,
    ) -> Result<u64, CommandError> {
        let gas = self.state.estimate(sender, call, self.now).await;
        gas.map_err(unsent)
    }

    /// Estimates and sends a call, even if it is due only in the next block.
    pub(super) async fn send(
        &self,
        sender: &Sender<'_>,
        call: Call,
    ) -> Result<NodeReceipt, CommandError> {
        let receipt = self.state.send(sender, call, self.now).await;
        receipt.map_err(unsent)
    }

    /// Reads up to the latest block, and returns `true` if there was a new block.
    pub(super) async fn update(&mut self, session: &Session) -> Result<bool, CommandError> {
        let is_new = self.state.update(&session.node).await.map_err(unfollowed)?;
        self.now = session.node.now().await?;
        Ok(is_new)
    }

    pub(super) fn market(&self) -> &Market {
        self.state.market()
    }

    pub(super) fn address(&self) -> Address {
        self.model.facts.trainer
    }

    pub(super) fn phase(&self) -> Phase {
        self.market().phase(self.now)
    }

    /// Makes the bill of transactions about the market.
    pub(super) async fn bill(
        &self,
        session: &Session,
        account: Address,
        (gas_fees, spending): (&GasFeeArgs, &SpendingArgs),
        costs: Costs,
    ) -> Result<Bill, CommandError> {
        let now = session.node.gas_fees().await?;
        Ok(Bill {
            action: costs.action,
            target: Target::new(session, Some(&self.model)),
            account,
            count: 1,
            each: None,
            value: Range::exactly(costs.value),
            gas: Some(costs.gas),
            gas_cost: gas_cost_of_all(costs.gas, &now, gas_fees, spending),
            notes: costs.notes,
        })
    }

    /// Returns the reason if the market can never open.
    pub(super) fn lost(&self) -> Option<Lost> {
        let block = self.state.block().map_or(0, |block| block.number);
        self.market().lost(self.now, block + 1)
    }

    /// Returns as text the next event, and its deadline.
    pub(super) fn next(&self) -> String {
        let market = self.market();
        // Each of these phases has a deadline.
        let until = when(market.deadline(self.now).unwrap_or_default());
        match self.phase() {
            Phase::Created => {
                "the provider commits to a test set and locks the bounty (`cotrain market create` again)"
                    .to_owned()
            }
            Phase::Committed => {
                if let Some(lost) = self.lost() {
                    return describe_lost(lost);
                }
                let part = match market.drawn_part() {
                    None => format!(
                        "anyone draws the part to test with, until block {} (`cotrain market score`), and the provider \
                         reveals it",
                        market.latest_draw().unwrap_or_default()
                    ),
                    Some(part) => format!("the provider reveals part {part}"),
                };
                format!("{part}, until {until} (`cotrain market reveal`)")
            }
            Phase::Open => format!(
                "anyone contributes, for {} each, until {} or {} contributions (`cotrain market contribute`)",
                Wei(market.stake()),
                when(market.closing_time().unwrap_or_default()),
                market.terms().most_contributions
            ),
            Phase::Revealing => format!(
                "the provider reveals the other parts, until {until} (`cotrain market reveal`)"
            ),
            Phase::Scoring => format!(
                "anyone drives the scoring, until {until} (`cotrain market score`)"
            ),
            Phase::Settled => {
                "participants collect their balances, the provider the rest (`cotrain market collect`)".to_owned()
            }
            Phase::Failed | Phase::Forfeited => {
                "participants get their stakes back (`cotrain market collect`)".to_owned()
            }
        }
    }

    /// Returns the file of the provider's test set.
    pub(super) fn test_set_file(&self, named: Option<&Path>) -> Result<PathBuf, CommandError> {
        if let Some(path) = named {
            return Ok(path.to_owned());
        }
        let (chain, market) = (self.model.facts.chain_id, self.address());
        Ok(state_directory()?.join(format!("market-{chain}-{market}.json")))
    }

    /// Reads the provider's test set, which must be this market's.
    pub(super) fn test_set(&self, named: Option<&Path>) -> Result<TestSet, CommandError> {
        let path = self.test_set_file(named)?;
        TestSet::load_of(&path, self.market()).map_err(unusable)
    }
}

/// Costs of a command.
pub(super) struct Costs {
    /// Action as text, such as `draw the part to test with`.
    pub(super) action: String,
    /// Money that the command sends, in wei.
    pub(super) value: u128,
    pub(super) gas: u64,
    /// Further lines of the bill.
    pub(super) notes: Vec<(&'static str, String)>,
}

/// Returns as text why a market can never open.
pub(super) fn describe_lost(lost: Lost) -> String {
    match lost {
        Lost::NotDrawn { latest } => format!(
            "nothing: the part had to be drawn until block {latest}, so the market never opens, and its bounty can only be \
             burned"
        ),
        Lost::NotRevealed { latest } => format!(
            "nothing: the drawn part had to be revealed until {}, so the market never opens, and its bounty can only be \
             burned",
            when(latest)
        ),
    }
}

/// Returns the failure for an unusable test set, which is always the user's mistake.
pub(super) fn unusable(error: TestSetError) -> CommandError {
    CommandError::mistake(error)
}
