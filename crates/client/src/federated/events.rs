//! Events of a trainer: the bytes of updates and samples, of which the contract keeps only roots.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, I256, U256};
use alloy_sol_types::{SolEvent, SolEventInterface};
use cotrain_bindings::federated::FederatedTrainer::{self, FederatedTrainerEvents as Event};
use cotrain_chain::node::{Block, NodeError};
use cotrain_protocol::federated::Chunks;

use super::{
    facts::{RoundFacts, RoundsError},
    round::Round,
};
use crate::source::EventSource;

/// Events that the state is made of.
const TOPICS: [B256; 9] = [
    FederatedTrainer::TestCommitted::SIGNATURE_HASH,
    FederatedTrainer::UpdateRevealed::SIGNATURE_HASH,
    FederatedTrainer::DrawScheduled::SIGNATURE_HASH,
    FederatedTrainer::TestRevealed::SIGNATURE_HASH,
    FederatedTrainer::Scored::SIGNATURE_HASH,
    FederatedTrainer::Rewarded::SIGNATURE_HASH,
    FederatedTrainer::Slashed::SIGNATURE_HASH,
    FederatedTrainer::Settled::SIGNATURE_HASH,
    FederatedTrainer::Failed::SIGNATURE_HASH,
];

/// Result of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The model has a new version.
    Settled {
        /// The new version.
        version: u64,
        /// Loss that all updates together take from the model, in 1/256 bit over all samples.
        improvement: i64,
        /// Tokens that the round mints, in the smallest units.
        emission: u128,
    },
    /// The round ended without a new model, for this reason.
    Failed(&'static str),
}

/// A round that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Number of the round.
    pub round: u64,
    /// Its result.
    pub outcome: Outcome,
    /// Number of samples that it was scored on.
    pub samples: u64,
    /// Value of each author's update, in 1/256 bit over all samples.
    pub values: BTreeMap<Address, i64>,
    /// Reward of each author, in the smallest units.
    pub rewards: BTreeMap<Address, u128>,
    /// Stake that each author lost by its update, in the smallest units.
    pub slashed: BTreeMap<Address, u128>,
}

/// State of a round that the contract does not keep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    commitments: Vec<B256>,
    updates: BTreeMap<usize, Bytes>,
    draw: Option<u64>,
    items: Option<Bytes>,
    values: BTreeMap<Address, i64>,
    rewards: BTreeMap<Address, u128>,
    slashed: BTreeMap<Address, u128>,
    last: Option<Ended>,
}

/// Events of a trainer up to a block.
#[derive(Debug, Clone)]
pub struct RoundEvents {
    trainer: Address,
    /// Size of a sample, in bytes.
    sample: usize,
    chunk: usize,
    from_block: u64,
    known: Known,
    block: Option<Block>,
}

impl RoundEvents {
    /// Begins to follow a trainer that was created in block `from_block` or later. It reads nothing
    /// yet.
    #[must_use]
    pub fn new(facts: &RoundFacts, from_block: u64) -> Self {
        Self {
            trainer: facts.trainer,
            sample: facts.model.features() + 1,
            chunk: facts.terms.chunk as usize,
            from_block,
            known: Known::default(),
            block: None,
        }
    }

    /// Reads up to the source's latest block. If the chain has left a branch, its blocks are read
    /// again.
    ///
    /// # Errors
    /// [`RoundsError::Node`]. The state is unchanged then.
    pub async fn update<S: EventSource>(&mut self, source: &S) -> Result<(), RoundsError> {
        let trainer = self.trainer;
        let next = self.read_on(source).await;
        *self = next.map_err(|source| RoundsError::Node { trainer, source })?;
        Ok(())
    }

    async fn read_on<S: EventSource>(&self, source: &S) -> Result<Self, NodeError> {
        let head = source.head().await?;
        let mut next = self.clone();
        if self.block.is_some_and(|known| known.hash == head.hash) {
            return Ok(next);
        }
        let known = match self.block {
            Some(known) if known.number < head.number => source.block(known.number).await?,
            _ => None,
        };
        let mut from = match (self.block, known) {
            (Some(block), Some(there)) if block.hash == there.hash => block.number + 1,
            _ => {
                next.known = Known::default();
                self.from_block
            }
        };
        let contracts = [self.trainer];
        while from <= head.number {
            let read = source.logs_from(from, head.number, &contracts, &TOPICS);
            let (logs, to) = read.await?;
            for log in &logs {
                next.take(&log.log);
            }
            from = to + 1;
        }
        next.block = Some(head);
        Ok(next)
    }

    fn take(&mut self, log: &alloy_primitives::Log) {
        // Topics were asked for by name. What does not decode is no event of a trainer.
        let Ok(event) = Event::decode_log(log) else {
            return;
        };
        let known = &mut self.known;
        match event.data {
            Event::TestCommitted(event) => known.commitments = event.commitments,
            Event::UpdateRevealed(event) => {
                known
                    .updates
                    .insert(event.index.saturating_to(), event.update);
            }
            Event::DrawScheduled(event) => known.draw = Some(event.blockNumber.saturating_to()),
            Event::TestRevealed(event) => known.items = Some(event.items),
            Event::Scored(event) => {
                known.values.insert(event.author, number(event.value));
            }
            Event::Rewarded(event) => {
                known.rewards.insert(event.author, amount(event.amount));
            }
            Event::Slashed(event) => {
                known.slashed.insert(event.author, amount(event.amount));
            }
            Event::Settled(event) => {
                let outcome = Outcome::Settled {
                    version: event.version.saturating_to(),
                    improvement: number(event.improvement),
                    emission: amount(event.emission),
                };
                self.end(event.round.saturating_to(), outcome);
            }
            Event::Failed(event) => {
                let outcome = Outcome::Failed(reason(event.reason));
                self.end(event.round.saturating_to(), outcome);
            }
            _ => {}
        }
    }

    fn end(&mut self, round: u64, outcome: Outcome) {
        let ended = std::mem::take(&mut self.known);
        let bytes = ended.items.as_ref().map_or(0, |items| items.len());
        self.known = Known {
            commitments: ended.commitments,
            last: Some(Ended {
                round,
                outcome,
                samples: (bytes / self.sample) as u64,
                values: ended.values,
                rewards: ended.rewards,
                slashed: ended.slashed,
            }),
            ..Known::default()
        };
    }

    /// Returns the commitments to the parts of the test set.
    #[must_use]
    pub fn commitments(&self) -> &[B256] {
        &self.known.commitments
    }

    /// Returns the block whose hash draws; `None` before the first call of the draw.
    #[must_use]
    pub fn draw(&self) -> Option<u64> {
        self.known.draw
    }

    /// Returns the samples of the revealed part.
    #[must_use]
    pub fn items(&self) -> Option<&Bytes> {
        self.known.items.as_ref()
    }

    /// Returns the number of samples of the revealed part.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.items().map_or(0, |items| items.len() / self.sample)
    }

    /// Returns the round that ended last.
    #[must_use]
    pub fn last(&self) -> Option<&Ended> {
        self.known.last.as_ref()
    }

    /// Joins the updates of a mask, as the contract takes them, and checks them by their roots.
    ///
    /// # Errors
    /// [`RoundsError::Contradictory`] if the events lack one, or have other bytes.
    pub fn joined(&self, round: &Round, mask: u32) -> Result<Bytes, RoundsError> {
        let contradiction = |index: usize, reason| RoundsError::Contradictory {
            trainer: self.trainer,
            reason: format!("update {index} {reason}"),
        };
        let mut all = Vec::new();
        for (index, entry) in round.entries.iter().enumerate() {
            if mask >> index & 1 == 0 {
                continue;
            }
            let update = self.known.updates.get(&index);
            let update = update.ok_or_else(|| contradiction(index, "has no event"))?;
            if Chunks::new(update, self.chunk).root() != entry.hash {
                return Err(contradiction(index, "has other bytes than its root says"));
            }
            all.extend_from_slice(update);
        }
        Ok(all.into())
    }
}

fn number(value: I256) -> i64 {
    // Sums of losses have 32 bits.
    i64::try_from(value).unwrap_or_default()
}

fn amount(value: U256) -> u128 {
    value.saturating_to()
}

/// Returns as text why a round failed.
fn reason(number: u8) -> &'static str {
    match number {
        0 => "fewer updates were revealed or admitted than the rule needs",
        1 => "nobody drew a part of the test set while the block's hash was known",
        2 => "the owner did not reveal the drawn part in time, and lost its bond",
        3 => "nobody scored all samples in time",
        4 => "nobody aggregated in time",
        _ => "the contract names a reason that this version does not know",
    }
}
