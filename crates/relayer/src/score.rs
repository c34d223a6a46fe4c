//! Steps that markets need to go on, paid by the operator: the draw, and the scoring.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, Bytes, U256};
use cotrain_chain::node::Node;
use cotrain_client::{fees, gas, send::SendError};
use cotrain_indexer::{DEEP, HostedMarket};
use cotrain_protocol::market::Pace;

use crate::{
    outbox::{Call, Outbox, OutboxError, SCORE},
    store::RelayStore,
};

/// Shortest time between two looks at a market without a step in between.
const PAUSE: Duration = Duration::from_secs(1);

/// Options of driving markets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreOptions {
    /// Markets that are driven: each costs gas, so that somebody has to name it.
    pub markets: Vec<Address>,
    /// Maximum price of a unit of gas, in wei: above it no step is sent, and nothing sent offers more.
    pub max_gas_price: Option<u128>,
    /// Maximum cost of all steps of one market, in wei. Each counts with the highest price that it offered for its gas.
    pub max_cost: u128,
}

/// Progress of the steps of one market, within this process.
#[derive(Debug)]
pub(crate) struct Steps {
    pace: Pace,
    /// Time of the last look at the market.
    looked: Option<Instant>,
    /// `true` if it was said that the market may not cost more.
    exhausted: bool,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            pace: Pace::new(Pace::ESTIMATE_PER_STEP),
            looked: None,
            exhausted: false,
        }
    }
}

/// Steps for one market.
#[derive(Debug)]
pub(crate) struct Scorer {
    pub(crate) node: Node,
    pub(crate) store: RelayStore,
    pub(crate) market: Arc<HostedMarket>,
    pub(crate) options: ScoreOptions,
}

impl Scorer {
    /// Sends the next step, if one is due and the step before was read from the chain.
    pub(crate) async fn run(
        &self,
        outbox: &mut Outbox,
        steps: &mut Steps,
    ) -> Result<(), OutboxError> {
        if steps.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return Ok(());
        }
        steps.looked = Some(Instant::now());
        let (id, read) = (self.market.id(), self.market.state().cursor());
        if self.store.is_unread(id, SCORE, read.block).await? {
            return Ok(());
        }
        let head = self.node.head().await?;
        // What is due in a state that is long past is not due any more.
        if head.number > read.block.saturating_add(DEEP) {
            return Ok(());
        }
        let fees = self.node.fees().await?;
        if fees::is_too_dear(&fees, self.options.max_gas_price) {
            return Ok(());
        }
        let now = self.node.now().await?;
        let (node, sender) = (&self.node, outbox.address());
        let market = self.market.info().facts.trainer;
        let estimate = |data: Bytes| async move {
            let gas = node.estimate(sender, Some(market), U256::ZERO, data.into());
            gas.await.map_err(SendError::Node)
        };
        // The follower goes on meanwhile.
        let ledger = self.market.state().ledger().clone();
        let ready = ledger.prepare(&head, now, &mut steps.pace, estimate).await;
        let Some(ready) = ready? else {
            return Ok(());
        };
        let call = Call {
            model: id,
            purpose: SCORE,
            to: market,
            data: ready.data.clone(),
            gas_limit: gas::limit(ready.gas),
        };
        match outbox.send(call, &[]).await {
            Err(OutboxError::Send(SendError::OverBudget(error))) => {
                if !steps.exhausted {
                    tracing::warn!(%market, %error, "the market is not driven any further; set `score.max_cost` higher");
                    steps.exhausted = true;
                }
                return Ok(());
            }
            sent => sent?,
        };
        steps.exhausted = false;
        ledger.note(&mut steps.pace, &ready);
        Ok(())
    }
}
