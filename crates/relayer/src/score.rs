//! Steps that markets need to go on, paid by the operator: the draw, and the scoring.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{Address, Bytes, U256};
use cotrain_chain::node::Node;
use cotrain_client::{fees, gas, send::SendError};
use cotrain_indexer::{DEEP, HostedMarket};
use cotrain_protocol::market::{Pace, Progress};

use crate::{
    outbox::{Call, Outbox, OutboxError, SCORE},
    store::RelayStore,
    wait::Backoff,
};

/// Time between two looks at a market.
const PAUSE: Duration = Duration::from_secs(1);

/// Time between two looks at a market that may not cost more.
const EXHAUSTED_PAUSE: Duration = Duration::from_mins(1);

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

/// State of a market that each step changes: its progress, and the index of the drawn part.
type StepState = (Progress, Option<usize>);

/// Progress of the steps of one market, within this process.
#[derive(Debug)]
pub(crate) struct Steps {
    pace: Pace,
    /// Earliest time of the next look at the market.
    next_look: Instant,
    /// State before the last step: one that leaves it as it was has failed on the chain.
    before: Option<StepState>,
    failures: Backoff,
    /// `true` if it was said that the market may not cost more.
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

    /// Returns how long to wait if the last step left the market in the state `now`, in which it found it: that step failed
    /// on the chain. Only a step that changes the state ends the growth of the waits, since one that fails is sent, too.
    fn failed_wait(&mut self, now: &StepState) -> Option<Duration> {
        let before = self.before.take()?;
        if before == *now {
            return Some(self.failures.failed());
        }
        self.failures.succeeded();
        None
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
    /// Sends the next step, if one is due and the step before was read from the chain. `now` is the time of the chain's next
    /// block, in Unix seconds, as far as it is known.
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
            // Most of the time nothing is due, and nobody need be asked.
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

    /// Sends the next step, and returns `true`; `false` if none is due after all, or gas is too dear.
    async fn send(
        &self,
        outbox: &mut Outbox,
        steps: &mut Steps,
        read: u64,
    ) -> Result<bool, OutboxError> {
        let head = self.node.head().await?;
        // What is due in a state that is long past is not due any more.
        if head.number > read.saturating_add(DEEP) {
            return Ok(false);
        }
        let fees = self.node.fees().await?;
        if fees::is_too_dear(&fees, self.options.max_gas_price) {
            return Ok(false);
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
            // A look without a step before it says nothing.
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
