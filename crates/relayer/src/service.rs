//! The sending service: relays batches, makes claims and drives markets, with one key.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cotrain_chain::keys::Key;
use cotrain_indexer::{HostedMarket, HostedModel, with_sources};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    keep::{KeepOptions, Keeper},
    outbox::{Limits, Outbox, OutboxError},
    relay::{Relay, RelayOptions},
    relayer::Relayer,
    score::{ScoreOptions, Scorer, Steps},
    wait::{Backoff, pause},
};

/// Polling interval of the queues of relay and keeper.
const TICK: Duration = Duration::from_millis(200);

/// Interval between two reloads of the pending batches from the database.
const RECONCILE: Duration = Duration::from_secs(5);

/// Time without a failure after which the waits start again from the shortest.
const LONG_ENOUGH: Duration = Duration::from_mins(1);

/// Options of all transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendOptions {
    /// Time after which a transaction is sent again at a higher gas price.
    pub bump_after: Duration,
    /// Number of further blocks after which an included transaction is final.
    pub confirmations: u64,
}

/// Sender of transactions for all models of a relayer.
#[derive(Debug)]
pub struct Sending {
    /// Relayer whose models the service serves.
    pub relayer: Relayer,
    /// Key that signs the transactions.
    pub key: Key,
    /// Options of all transactions.
    pub send: SendOptions,
    /// Options of relaying; `None` if the service does not relay.
    pub relay: Option<RelayOptions>,
    /// Options of claiming; `None` if the service does not claim.
    pub keep: Option<KeepOptions>,
    /// Options of driving markets; `None` if the service drives none.
    pub score: Option<ScoreOptions>,
}

impl Sending {
    /// Sends transactions until `stop`; logs failures and retries.
    pub async fn run(&self, stop: &CancellationToken) {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let begun = time::Instant::now();
            if let Err(error) = self.run_while_it_works(stop).await {
                if begun.elapsed() > LONG_ENOUGH {
                    backoff.succeeded();
                }
                let wait = backoff.failed();
                tracing::warn!(error = %with_sources(&error), ?wait, "cannot send now");
                pause(wait, stop).await;
            }
        }
    }

    async fn run_while_it_works(&self, stop: &CancellationToken) -> Result<(), OutboxError> {
        let (index, store) = (self.relayer.index(), self.relayer.store());
        let limits = Limits {
            relay: self.relay.as_ref().and_then(|relay| relay.max_gas_price),
            keep: self.keep.as_ref().and_then(|keep| keep.max_gas_price),
            score: self.score.as_ref().and_then(|score| score.max_gas_price),
            score_cost: self.score.as_ref().map(|score| score.max_cost),
        };
        let outbox = Outbox::open(
            index.node().clone(),
            store.clone(),
            self.key.clone(),
            self.send.bump_after,
            self.send.confirmations,
            limits,
        );
        let mut outbox = outbox.await?;
        let mut steps = BTreeMap::new();
        let mut kept = time::Instant::now();
        let mut reconciled = kept;
        while !stop.is_cancelled() {
            let models = index.models();
            let markets = index.markets();
            outbox
                .poll(|id| {
                    let model = models.iter().find(|model| model.id() == id);
                    let market = markets.iter().find(|market| market.id() == id);
                    let model = model.map(|model| model.state().cursor());
                    let cursor = model.or_else(|| market.map(|market| market.state().cursor()));
                    cursor.map_or(0, |cursor| cursor.block)
                })
                .await?;
            // A failure of one model must not stop the others.
            for model in &models {
                if index.is_stopped(model) {
                    continue;
                }
                if let Err(error) = self.relay(model, &mut outbox).await {
                    tracing::warn!(trainer = %model.info().facts.trainer, error = %with_sources(&error), "cannot relay now");
                }
            }
            if let Some(options) = &self.keep
                && kept.elapsed() >= options.interval
            {
                kept = time::Instant::now();
                for model in &models {
                    if index.is_stopped(model) {
                        continue;
                    }
                    let keeper = Keeper {
                        node: index.node().clone(),
                        store: store.clone(),
                        model: model.clone(),
                        options: options.clone(),
                    };
                    if let Err(error) = keeper.run(&mut outbox).await {
                        tracing::warn!(trainer = %model.info().facts.trainer, error = %with_sources(&error), "cannot claim now");
                    }
                }
            }
            for market in &markets {
                let steps: &mut Steps = steps.entry(market.id()).or_default();
                if let Err(error) = self.score(market, &mut outbox, steps).await {
                    tracing::warn!(market = %market.info().facts.trainer, error = %with_sources(&error), "cannot drive the market now");
                }
            }
            if reconciled.elapsed() >= RECONCILE {
                reconciled = time::Instant::now();
                self.relayer.reconcile().await;
            }
            let pending = models.iter().map(|model| self.relayer.pending(model).len());
            let waiting: usize = pending.sum();
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            metrics::gauge!("cotrain_waiting").set(waiting as f64);
            pause(TICK, stop).await;
        }
        Ok(())
    }

    async fn relay(
        &self,
        model: &Arc<HostedModel>,
        outbox: &mut Outbox,
    ) -> Result<(), OutboxError> {
        let Some(options) = self.relay.clone() else {
            return Ok(());
        };
        let relay = Relay {
            node: self.relayer.index().node().clone(),
            queue: self.relayer.queue().clone(),
            model: model.clone(),
            options,
        };
        relay.run(outbox).await
    }

    async fn score(
        &self,
        market: &Arc<HostedMarket>,
        outbox: &mut Outbox,
        steps: &mut Steps,
    ) -> Result<(), OutboxError> {
        let Some(options) = self.score.clone() else {
            return Ok(());
        };
        let index = self.relayer.index();
        let facts = &market.info().facts;
        // Code of another release could emit any events and waste the gas.
        let is_driven = facts.own_code && options.markets.contains(&facts.trainer);
        if !is_driven || index.is_stopped(market) {
            return Ok(());
        }
        let scorer = Scorer {
            node: index.node().clone(),
            store: self.relayer.store().clone(),
            market: market.clone(),
            options,
        };
        scorer.run(outbox, steps, index.now()).await
    }
}
