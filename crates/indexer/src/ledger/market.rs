//! Ledger of a prediction market.

use alloy_primitives::{Address, B256, Log as ChainLog};
use cotrain_bindings::market::events;
use cotrain_chain::node::{At, Node, NodeLog};
use cotrain_client::market::{Counters, MarketLedger};
use cotrain_protocol::{
    classifier::Classifier, market::Fact, record::Contribution, sample::parse_batch,
    trainer::FactError,
};

use super::Ledger;
use crate::{
    evidence::Evidence,
    info::{ModelError, ModelInfo},
    rows::{ContributionRow, Settled},
    taken::{Beginning, Cursor, Log, Taken},
};

impl Ledger for MarketLedger {
    type Totals = Counters;

    const TOPICS: &'static [B256] = events::TOPICS;

    fn at_beginning(info: &ModelInfo, _beginning: &Beginning) -> Result<Self, ModelError> {
        Ok(Self::new(&info.facts)?)
    }

    async fn begin(info: &ModelInfo, node: &Node) -> Result<(Cursor, Beginning), ModelError> {
        let first = info.first_block(node).await?;
        let is_closed = match info.is_closed(node, Some(At::Hash(first.hash))).await {
            Err(ModelError::Node { source, .. }) if source.is_state_gone() => {
                info.is_closed(node, None).await?
            }
            is_closed => is_closed?,
        };
        if !is_closed {
            return Err(ModelError::Open {
                trainer: info.facts.trainer,
                block: first.block,
            });
        }
        // The owner who registers a market names this block.
        // If the true one is earlier, contributions before the named block would be missing.
        let market = info.facts.trainer;
        let counters = <Counters as Evidence>::read(node, market, first).await;
        let counters = counters.map_err(|source| ModelError::Node {
            trainer: market,
            source,
        })?;
        if let Some(Counters { contributions, .. }) = counters.filter(|it| it.contributions > 0) {
            return Err(ModelError::Late {
                trainer: market,
                block: first.block,
                contributions,
            });
        }
        let beginning = Beginning {
            base: None,
            words: Vec::new(),
            time: 0,
        };
        Ok((first, beginning))
    }

    fn take_log(
        &mut self,
        log: &Log,
        _weights_known: bool,
        taken: &mut Taken,
    ) -> Result<bool, FactError> {
        let chain = ChainLog {
            address: self.address(),
            data: log.data.clone(),
        };
        let fact = self.take(&chain)?;
        if let Some(Fact::Contributed {
            first_position,
            author,
            deposit,
            time,
            items,
        }) = &fact
        {
            for (position, item) in (*first_position..).zip(parse_batch(items)?) {
                taken.contributions.push(ContributionRow {
                    contribution: Contribution {
                        author: *author,
                        label: item.label,
                        deposit: *deposit,
                        time: *time,
                        position,
                        sample: item.sample.to_vec(),
                    },
                    first_position: *first_position,
                    block: log.block,
                    transaction: log.transaction,
                    submission: None,
                    // A market's scores settle all contributions of a participant together.
                    settled: Settled::Open,
                    taken: 0,
                    announced: None,
                });
            }
        }
        Ok(fact.is_some())
    }

    fn contract(&self) -> Address {
        self.address()
    }

    fn totals(&self, logs: &[NodeLog]) -> Counters {
        if logs.is_empty() {
            return self.counters();
        }
        let mut after = self.clone();
        for log in logs {
            // Taking the log later finds and reports the contradiction again.
            if after.take(&log.log).is_err() {
                break;
            }
        }
        after.counters()
    }

    fn contribution_count(&self) -> u64 {
        self.market().contribution_count()
    }

    fn classifier(&self) -> Option<&Classifier> {
        None
    }

    fn last_contribution_time(&self) -> u64 {
        self.contributions().last().map_or(0, |last| last.time)
    }
}
