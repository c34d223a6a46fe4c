//! Ledger of a trainer: the contract's reference model, and the open deposits.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Log as ChainLog};
use cotrain_bindings::{
    Revert,
    events::{Paid, Relayed, RelayedBatch, TRAINER_TOPICS, TrainerEvent},
};
use cotrain_chain::node::{Node, NodeLog};
use cotrain_protocol::{
    ContractError,
    classifier::Classifier,
    mechanism::Terms,
    record::Contribution,
    sample::parse_batch,
    trainer::{Added, Fact, FactError, SignedBatch, Trainer},
};

use super::Ledger;
use crate::{
    evidence::Totals,
    info::{ModelError, ModelInfo},
    rows::{ClaimKind, ContributionRow, Settled, Sums},
    taken::{Beginning, Claim, Cursor, Inclusion, Log, Skip, Taken},
};

/// Deposit of an open contribution and the part already paid out, in wei.
#[derive(Debug, Clone, Copy)]
struct Open {
    deposit: u128,
    taken: u128,
    settled: Settled,
}

impl Open {
    fn new(deposit: u128) -> Self {
        Self {
            deposit,
            taken: 0,
            settled: Settled::Open,
        }
    }
}

/// Reference model of a trainer after some of its events, and the open deposits.
#[derive(Debug, Clone)]
pub struct TrainerLedger {
    trainer: Trainer,
    /// Open deposits by position.
    open: BTreeMap<u64, Open>,
    sums: Sums,
}

impl Ledger for TrainerLedger {
    type Totals = Totals;

    const TOPICS: &'static [B256] = &TRAINER_TOPICS;

    fn at_beginning(info: &ModelInfo, beginning: &Beginning) -> Result<Self, ModelError> {
        let facts = &info.facts;
        let Terms::Trainer { incentive, waits } = facts.terms else {
            return Err(info.no_trainer());
        };
        let trainer =
            Classifier::from_words(facts.parameters, &beginning.words).and_then(|classifier| {
                Trainer::new(
                    facts.owner,
                    facts.chain_id,
                    facts.trainer,
                    incentive,
                    waits,
                    classifier,
                    beginning.time,
                )
            });
        let trainer = trainer.map_err(|source| ModelError::Weights {
            trainer: facts.trainer,
            source,
        })?;
        Ok(Self {
            trainer,
            open: BTreeMap::new(),
            sums: Sums::default(),
        })
    }

    async fn begin(info: &ModelInfo, node: &Node) -> Result<(Cursor, Beginning), ModelError> {
        info.beginning(node).await
    }

    /// Applies a log; logs of later versions of the trainer are passed over.
    fn take_log(
        &mut self,
        log: &Log,
        weights_known: bool,
        taken: &mut Taken,
    ) -> Result<bool, FactError> {
        let chain = ChainLog {
            address: self.trainer.address(),
            data: log.data.clone(),
        };
        let Some(event) = TrainerEvent::decode(&chain) else {
            return Ok(false);
        };
        self.take_event(event, log, weights_known, taken)?;
        Ok(true)
    }

    fn contract(&self) -> Address {
        self.trainer.address()
    }

    fn totals(&self, logs: &[NodeLog]) -> Totals {
        Totals::of(&self.trainer).with(logs)
    }

    /// Sets the times of the last announcements.
    fn complete(&self, rows: &mut [ContributionRow]) {
        for row in rows {
            row.announced = self.trainer.announced(row.contribution.position);
        }
    }

    fn contribution_count(&self) -> u64 {
        self.trainer.contribution_count()
    }

    fn classifier(&self) -> Option<&Classifier> {
        Some(self.trainer.classifier())
    }

    fn last_contribution_time(&self) -> u64 {
        self.trainer.last_contribution_time()
    }
}

impl TrainerLedger {
    /// Returns the reference model of the contract.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Returns the sums over all contributions.
    #[must_use]
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    fn take_event(
        &mut self,
        event: TrainerEvent,
        log: &Log,
        weights_known: bool,
        taken: &mut Taken,
    ) -> Result<(), FactError> {
        match event {
            TrainerEvent::Contributed(e) => {
                let parts = vec![Added {
                    author: e.author,
                    items: &e.items,
                    signed: None,
                }];
                let facts = (e.first_position, e.deposit, e.time);
                self.add(facts, parts, None, log, &[None], weights_known, taken)
            }
            TrainerEvent::Relayed(e) => self.relayed(&e, log, weights_known, taken),
            TrainerEvent::Announced(e) => self.trainer.apply(&Fact::Announced {
                position: e.position,
                time: e.time,
            }),
            TrainerEvent::Refunded(paid) => self.claimed(ClaimKind::Refund, &paid, log, taken),
            TrainerEvent::Reported(paid) => self.claimed(ClaimKind::Report, &paid, log, taken),
            TrainerEvent::ClaimedLate(paid) => self.claimed(ClaimKind::Late, &paid, log, taken),
            TrainerEvent::Skipped(e) => {
                taken.skips.push(Skip {
                    author: e.author,
                    nonce: e.nonce,
                    transaction: log.transaction,
                    passes: passes(&e.reason),
                    reason: e.reason.to_string(),
                });
                Ok(())
            }
            TrainerEvent::ClaimSkipped(_) => Ok(()),
            TrainerEvent::Deposited(e) => self.trainer.apply(&Fact::Deposited {
                account: e.account,
                amount: e.amount,
            }),
            TrainerEvent::Withdrawn(e) => self.trainer.apply(&Fact::Withdrawn {
                account: e.account,
                amount: e.amount,
            }),
            TrainerEvent::NoncesCancelled(e) => self.trainer.apply(&Fact::NoncesCancelled {
                account: e.account,
                last: e.last,
            }),
        }
    }

    fn relayed(
        &mut self,
        event: &Relayed,
        log: &Log,
        weights_known: bool,
        taken: &mut Taken,
    ) -> Result<(), FactError> {
        let domain = self.trainer.domain();
        let part = |batch: &'_ RelayedBatch| signed(batch).signing_hash(&domain);
        let ids: Vec<_> = event
            .batches
            .iter()
            .map(|batch| Some(part(batch)))
            .collect();
        let mut position = event.first_position;
        for (batch, id) in event.batches.iter().zip(&ids) {
            taken.inclusions.push(Inclusion {
                id: id.unwrap_or_default(),
                author: batch.author,
                nonce: batch.nonce,
                transaction: log.transaction,
                block: log.block,
                position,
            });
            position += parse_batch(&batch.items)?.len() as u64;
        }
        let parts = event.batches.iter().map(|batch| Added {
            author: batch.author,
            items: &batch.items,
            signed: Some((batch.nonce, batch.fee)),
        });
        self.add(
            (event.first_position, event.deposit, event.time),
            parts.collect(),
            Some(event.relayer),
            log,
            &ids,
            weights_known,
            taken,
        )
    }

    /// Records the contributions of one transaction.
    /// `ids` has one entry per part: the signed batch's id, or `None` if the part was not relayed.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of two events"
    )]
    fn add(
        &mut self,
        (first_position, deposit, time): (u64, u128, u64),
        parts: Vec<Added<'_>>,
        relayer: Option<Address>,
        log: &Log,
        ids: &[Option<B256>],
        weights_known: bool,
        taken: &mut Taken,
    ) -> Result<(), FactError> {
        let mut position = first_position;
        for (part, id) in parts.iter().zip(ids) {
            for item in parse_batch(part.items)? {
                self.open.insert(position, Open::new(deposit));
                self.sums.add(deposit);
                taken.contributions.push(ContributionRow {
                    contribution: Contribution {
                        author: part.author,
                        label: item.label,
                        deposit,
                        time,
                        position,
                        sample: item.sample.to_vec(),
                    },
                    first_position,
                    block: log.block,
                    transaction: log.transaction,
                    submission: *id,
                    settled: Settled::Open,
                    taken: 0,
                    announced: None,
                });
                position += 1;
            }
        }
        let fact = Fact::Added {
            first_position,
            deposit,
            time,
            parts,
            relayer,
        };
        if weights_known {
            self.trainer.apply_known(&fact)
        } else {
            self.trainer.apply(&fact)
        }
    }

    fn claimed(
        &mut self,
        kind: ClaimKind,
        paid: &Paid,
        log: &Log,
        taken: &mut Taken,
    ) -> Result<(), FactError> {
        let &Paid {
            position,
            to,
            amount,
        } = paid;
        let open = self.open.entry(position).or_insert(Open::new(amount));
        open.taken = open.taken.saturating_add(amount);
        let before = open.settled;
        let settled = Settled::after(kind, open.deposit, open.taken);
        open.settled = settled;
        let (deposit, gone) = (open.deposit, open.taken);
        let fact = match kind {
            ClaimKind::Refund => Fact::Refunded {
                position,
                author: to,
                amount,
            },
            ClaimKind::Late => Fact::ClaimedLate { position, amount },
            ClaimKind::Report => Fact::Reported {
                position,
                deposit,
                reporter: to,
                amount,
            },
        };
        if !settled.is_open() {
            self.open.remove(&position);
        }
        self.sums.pay(kind, amount, before, settled);
        taken.claims.push(Claim {
            block: log.block,
            index: log.index,
            transaction: log.transaction,
            position,
            kind,
            account: to,
            amount,
            settled,
            taken: gone,
        });
        self.trainer.apply(&fact)
    }
}

/// Returns the signed batch of a relayed one; the signature is empty, as events do not contain it.
fn signed(batch: &RelayedBatch) -> SignedBatch {
    SignedBatch {
        author: batch.author,
        relayer: batch.relayer,
        max_deposit: batch.max_deposit,
        fee: batch.fee,
        nonce: batch.nonce,
        deadline: batch.deadline,
        items: batch.items.to_vec(),
        signature: Vec::new(),
    }
}

/// Returns `true` if the skip may be temporary: the price may fall, or a balance rise.
fn passes(reason: &Revert) -> bool {
    matches!(
        reason,
        Revert::Contract(ContractError::PriceTooHigh { .. } | ContractError::BalanceTooLow { .. })
    )
}
