//! Steps of markets that the operator pays for: the draw and the scoring.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, Bytes, U256};
use cotrain_chain::node::Node;
use cotrain_client::{gas, gas_fees, send::SendError};
use cotrain_indexer::{DEEP, HostedMarket};
use cotrain_protocol::market::{Pace, Progress};

use crate::{
    outbox::{Call, Outbox, OutboxError, SCORE},
    store::RelayStore,
    wait::Backoff,
};

/// Pause between two checks of a market.
const PAUSE: Duration = Duration::from_secs(1);

/// Pause between two checks of a market that has used up its maximum cost.
const EXHAUSTED_PAUSE: Duration = Duration::from_mins(1);

/// Options of the scorer, which drives markets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreOptions {
    /// Addresses of the markets to drive; the operator names each one, as each costs gas.
    pub markets: Vec<Address>,
    /// Maximum price of gas, in wei per unit; `None` if unlimited.
    /// If the price is higher, the scorer sends no step, and no sent transaction offers more.
    pub max_gas_price: Option<u128>,
    /// Maximum cost of all steps of one market, in wei.
    /// Each step counts with the highest price that it offered for its gas.
    pub max_cost: u128,
}

/// State of a market that every step changes: its progress, and the index of the drawn part.
type StepState = (Progress, Option<usize>);

/// Progress of the steps of one market, within this process.
#[derive(Debug)]
pub(crate) struct Steps {
    pace: Pace,
    /// Earliest time of the next check of the market.
    next_look: Instant,
    /// State before the last step; if it is unchanged afterwards, the step failed on the chain.
    before: Option<StepState>,
    failures: Backoff,
    /// `true` if the log already says that the market has used up its maximum cost.
    exhausted: bool,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            pace: Pace::new(Pace::ESTIMATE_PER_STEP),
            next_look: Instant::now(),
            before: None,
            failures: Backoff::default(),
            exhausted: false,
        }
    }
}

impl Steps {
    fn wait(&mut self, wait: Duration) {
        self.next_look = Instant::now() + wait;
    }

    /// Returns the wait if the last step has left the market in its earlier state.
    ///
    /// Such a step has failed on the chain.
    /// Only a changed state resets the waits: a failing step can also be sent, so sending does not.
    fn failed_wait(&mut self, now: &StepState) -> Option<Duration> {
        let before = self.before.take()?;
        if before == *now {
            return Some(self.failures.failed());
        }
        self.failures.succeeded();
        None
    }
}

/// Scorer of one market.
#[derive(Debug)]
pub(crate) struct Scorer {
    pub(crate) node: Node,
    pub(crate) store: RelayStore,
    pub(crate) market: Arc<HostedMarket>,
    pub(crate) options: ScoreOptions,
}

impl Scorer {
    /// Sends the next step, if one is due and the last step's block has been read.
    ///
    /// `now` is the time of the chain's next block, in Unix seconds, or 0 if unknown.
    pub(crate) async fn run(
        &self,
        outbox: &mut Outbox,
        steps: &mut Steps,
        now: u64,
    ) -> Result<(), OutboxError> {
        if Instant::now() < steps.next_look {
            return Ok(());
        }
        steps.wait(PAUSE);
        let (cursor, state) = {
            let state = self.market.state();
            let (ledger, block) = (state.ledger(), state.cursor().block);
            // Usually no step is due, and no request to the node is needed.
            if ledger.action(now, block, &steps.pace).is_none() {
                return Ok(());
            }
            let market = ledger.market();
            (block, (market.progress(), market.drawn_part()))
        };
        if self
            .store
            .is_unread(self.market.id(), SCORE, cursor)
            .await?
        {
            return Ok(());
        }
        let market = self.market.info().facts.trainer;
        if let Some(wait) = steps.failed_wait(&state) {
            tracing::warn!(%market, ?wait, "a step failed on the chain, or was undone");
            steps.wait(wait);
            return Ok(());
        }
        let sent = self.send(outbox, steps, cursor).await;
        match &sent {
            Ok(false) => {}
            Ok(true) => {
                steps.exhausted = false;
                steps.before = Some(state);
            }
            Err(OutboxError::Send(SendError::OverBudget(error))) => {
                if !steps.exhausted {
                    tracing::warn!(%market, %error, "the market is not driven any further; set `score.max_cost` higher, or `score.max_gas_price` lower");
                    steps.exhausted = true;
                }
                steps.wait(EXHAUSTED_PAUSE);
                return Ok(());
            }
            Err(_) => {
                let wait = steps.failures.failed();
                steps.wait(wait);
            }
        }
        sent.map(|_| ())
    }

    /// Sends the next step and returns `true`; `false` if none is due, or gas is too dear.
    async fn send(
        &self,
        outbox: &mut Outbox,
        steps: &mut Steps,
        read: u64,
    ) -> Result<bool, OutboxError> {
        let head = self.node.head().await?;
        // A step that was due in an old state may not be due any more.
        if head.number > read.saturating_add(DEEP) {
            return Ok(false);
        }
        let gas_fees = self.node.gas_fees().await?;
        if gas_fees::is_too_dear(&gas_fees, self.options.max_gas_price) {
            return Ok(false);
        }
        let now = self.node.now().await?;
        let (node, sender) = (&self.node, outbox.address());
        let market = self.market.info().facts.trainer;
        let estimate = |data: Bytes| async move {
            let gas = node.estimate(sender, Some(market), U256::ZERO, data.into());
            gas.await.map_err(SendError::Node)
        };
        // The clone lets the follower continue meanwhile.
        let ledger = self.market.state().ledger().clone();
        let ready = ledger.prepare(&head, now, &mut steps.pace, estimate).await;
        let Some(ready) = ready? else {
            return Ok(false);
        };
        let call = Call {
            model: self.market.id(),
            purpose: SCORE,
            to: market,
            data: ready.data.clone(),
            gas_limit: gas::limit(ready.gas),
        };
        outbox.send(call, &[]).await?;
        ledger.note(&mut steps.pace, &ready);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_wait_grows_until_a_step_changes_the_market() {
        let mut steps = Steps::default();
        let begun = (Progress::default(), None);
        let drawn = (Progress::default(), Some(2));
        assert_eq!(steps.failed_wait(&begun), None, "no step was sent");
        let mut failed = || {
            steps.before = Some(begun);
            let wait = steps.failed_wait(&begun).expect("it failed");
            // A check without a step before it returns no wait.
            assert_eq!(steps.failed_wait(&begun), None);
            wait.as_millis()
        };
        assert_eq!([failed(), failed(), failed()], [500, 1_000, 2_000]);
        steps.before = Some(begun);
        assert_eq!(steps.failed_wait(&drawn), None, "it was drawn");
        steps.before = Some(drawn);
        assert_eq!(steps.failed_wait(&drawn), Some(Duration::from_millis(500)));
    }
}
