//! Evidence that events are complete: a contract's own counters, compared with its events.
//!
//! A node may leave events out, for instance if it lags behind another node of the same address.
//! The contract's counters after the same block reveal such a gap.

use std::fmt;

use alloy_primitives::{Address, Log as ChainLog, U256};
use cotrain_bindings::{self as bindings, events::TrainerEvent, state as getters};
use cotrain_chain::node::{At, Node, NodeError, NodeLog};
use cotrain_client::market::Counters;
use cotrain_protocol::{Amount, sample::parse_batch, trainer::Trainer};
use futures_util::future::try_join3;

use crate::taken::Cursor;

/// Counters that the events determine and that the contract stores itself.
pub trait Evidence: fmt::Debug + Send + Sync + Sized {
    /// Reads the counters of a contract, after a block or now.
    ///
    /// # Errors
    /// If the node fails.
    fn read_at(
        node: &Node,
        contract: Address,
        at: Option<At>,
    ) -> impl Future<Output = Result<Self, NodeError>> + Send;

    /// Compares counters computed from events with the contract's counters after the same block.
    fn against(&self, contract: &Self) -> Verdict;

    /// Reads the counters of a contract after a block; `None` if the node has no state for it.
    ///
    /// # Errors
    /// If the node does not answer, or does not have the block.
    #[must_use]
    fn read(
        node: &Node,
        contract: Address,
        block: Cursor,
    ) -> impl Future<Output = Result<Option<Self>, NodeError>> + Send {
        async move {
            match Self::read_at(node, contract, Some(At::Hash(block.hash))).await {
                Err(error) if error.is_state_gone() => {}
                read => return read.map(Some),
            }
            // A node without old states answers for the latest block, which must still be this one.
            if node.head().await?.hash != block.hash {
                return Ok(None);
            }
            let counters = Self::read_at(node, contract, None).await?;
            Ok((node.head().await?.hash == block.hash).then_some(counters))
        }
    }
}

/// Counters of a trainer after a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Number of contributions.
    pub(crate) contributions: u64,
    /// Number of contributions that were refunded.
    pub(crate) good: u64,
    /// Wei that the events account for, or that the contract holds.
    pub(crate) money: U256,
}

/// Result of a comparison of events with the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The events and the contract agree.
    Fits,
    /// The contract holds this many wei more than its events account for.
    /// Either someone forced money on the contract, or an event is missing.
    Surplus(U256),
    /// Events are missing; the text gives the reason.
    Differs(String),
}

impl Totals {
    /// Returns the totals of a trainer computed from its events.
    pub(crate) fn of(trainer: &Trainer) -> Self {
        Self {
            contributions: trainer.contribution_count(),
            good: trainer.total_good(),
            money: U256::from(trainer.held()),
        }
    }

    /// Returns the totals after some further events.
    pub(crate) fn with(mut self, logs: &[NodeLog]) -> Self {
        for log in logs {
            self.add(&log.log);
        }
        self
    }

    fn add(&mut self, log: &ChainLog) {
        let Some(event) = TrainerEvent::decode(log) else {
            return;
        };
        match event {
            TrainerEvent::Contributed(e) => {
                let added = parse_batch(&e.items).map_or(0, |items| items.len() as u64);
                self.contributions += added;
                self.earn(U256::from(e.deposit) * U256::from(added));
            }
            TrainerEvent::Relayed(e) => {
                self.contributions += e
                    .batches
                    .iter()
                    .map(|batch| parse_batch(&batch.items).map_or(0, |items| items.len() as u64))
                    .sum::<u64>();
            }
            TrainerEvent::Refunded(paid) => {
                self.good += 1;
                self.spend(paid.amount);
            }
            TrainerEvent::Reported(paid) | TrainerEvent::ClaimedLate(paid) => {
                self.spend(paid.amount);
            }
            TrainerEvent::Deposited(e) => self.earn(U256::from(e.amount)),
            TrainerEvent::Withdrawn(e) => self.spend(e.amount),
            TrainerEvent::Skipped(_)
            | TrainerEvent::ClaimSkipped(_)
            | TrainerEvent::NoncesCancelled(_)
            | TrainerEvent::Announced(_) => {}
        }
    }

    fn earn(&mut self, wei: U256) {
        self.money = self.money.saturating_add(wei);
    }

    fn spend(&mut self, wei: u128) {
        self.money = self.money.saturating_sub(U256::from(wei));
    }
}

impl Evidence for Totals {
    async fn read_at(node: &Node, trainer: Address, at: Option<At>) -> Result<Self, NodeError> {
        let number = async |call: Vec<u8>| {
            let answer = node.call(trainer, call, at).await?;
            bindings::read_number(&answer)
                .and_then(|number| number.try_into().ok())
                .ok_or_else(|| NodeError::Contradictory {
                    method: "eth_call",
                    message: format!("the contract {trainer} gives no number"),
                })
        };
        let (contributions, good, money) = try_join3(
            number(getters::contribution_count()),
            number(getters::total_good()),
            node.balance_at(trainer, at),
        )
        .await?;
        Ok(Self {
            contributions,
            good,
            money,
        })
    }

    fn against(&self, contract: &Self) -> Verdict {
        for (what, events, contract) in [
            ("contributions", self.contributions, contract.contributions),
            ("refunded contributions", self.good, contract.good),
        ] {
            if events != contract {
                return Verdict::Differs(format!(
                    "the contract counts {contract} {what}, and the node's events make {events}"
                ));
            }
        }
        match contract.money.checked_sub(self.money) {
            None => Verdict::Differs(format!(
                "the contract has {}, and the node's events account for {}",
                Amount(contract.money.saturating_to()),
                Amount(self.money.saturating_to())
            )),
            Some(U256::ZERO) => Verdict::Fits,
            Some(surplus) => Verdict::Surplus(surplus),
        }
    }
}

impl Evidence for Counters {
    async fn read_at(node: &Node, market: Address, at: Option<At>) -> Result<Self, NodeError> {
        Self::read(node, market, at).await
    }

    fn against(&self, contract: &Self) -> Verdict {
        if let Some(reason) = self.difference(contract) {
            return Verdict::Differs(reason);
        }
        match contract.money.saturating_sub(self.money) {
            U256::ZERO => Verdict::Fits,
            surplus => Verdict::Surplus(surplus),
        }
    }
}
