//! The state of a model as its events make it: the twin of the contract, and what is open.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Log as ChainLog};
use cotrain_bindings::{
    Revert,
    events::{Paid, Relayed, RelayedBatch, TrainerEvent},
};
use cotrain_protocol::{
    Rejection,
    classifier::Classifier,
    record::Contribution,
    sample::parse_batch,
    trainer::{Added, Contradiction, Fact, SignedBatch, Trainer},
};

use crate::{
    info::ModelInfo,
    rows::{ClaimKind, ContributionRow, Settled},
    taken::{Beginning, Claim, Cursor, Inclusion, Log, Skip, TakeError, Taken},
};

/// Rest of a contribution's deposit.
#[derive(Debug, Clone, Copy)]
struct Open {
    deposit: u128,
    taken: u128,
}

/// Model after all its logs up to a block.
#[derive(Debug, Clone)]
pub struct State {
    trainer: Trainer,
    /// By position.
    open: BTreeMap<u64, Open>,
    pub(crate) cursor: Cursor,
    /// Block until which the weights know all contributions already; `None` if they know none.
    pub(crate) base: Option<Cursor>,
    /// The id of the last log that was taken over from the store; 0: none was.
    pub(crate) last_log: i64,
    pub(crate) rollbacks: u64,
}

impl State {
    /// Begins a state with nothing in it but weights.
    ///
    /// # Errors
    /// If the weights are not those of such a model.
    pub(crate) fn new(
        info: &ModelInfo,
        beginning: &Beginning,
        cursor: Cursor,
    ) -> Result<Self, Rejection> {
        let classifier = Classifier::from_words(info.facts.parameters, &beginning.words)?;
        let trainer = Trainer::new(
            info.facts.owner,
            info.facts.chain_id,
            info.facts.trainer,
            info.incentive,
            info.waits,
            classifier,
            beginning.time,
        )?;
        Ok(Self {
            trainer,
            open: BTreeMap::new(),
            cursor,
            base: beginning.base,
            last_log: 0,
            rollbacks: 0,
        })
    }

    /// Returns the last block whose logs were taken over.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.cursor
    }

    /// Returns the trainer as the contract has it after that block.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Takes a log over, and adds to `taken` what there is to store of it. Logs of later versions of the trainer
    /// are passed over.
    ///
    /// # Errors
    /// [`TakeError`]; the state is of no use then.
    pub(crate) fn take(&mut self, log: Log, taken: &mut Taken) -> Result<(), TakeError> {
        let trainer = self.trainer.address();
        let chain = ChainLog {
            address: trainer,
            data: log.data.clone(),
        };
        if let Some(event) = TrainerEvent::decode(&chain) {
            self.take_event(event, &log, taken)
                .map_err(|source| TakeError {
                    trainer,
                    block: log.block,
                    index: log.index,
                    source,
                })?;
            taken.logs.push(log);
        }
        Ok(())
    }

    fn take_event(
        &mut self,
        event: TrainerEvent,
        log: &Log,
        taken: &mut Taken,
    ) -> Result<(), Contradiction> {
        match event {
            TrainerEvent::Contributed(e) => {
                let parts = vec![Added {
                    author: e.author,
                    items: &e.items,
                    signed: None,
                }];
                self.add(e.batch, e.deposit, e.time, parts, None, log, &[None], taken)
            }
            TrainerEvent::Relayed(e) => self.relayed(&e, log, taken),
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
        taken: &mut Taken,
    ) -> Result<(), Contradiction> {
        let domain = self.trainer.domain();
        let part = |batch: &'_ RelayedBatch| signed(batch).signing_hash(&domain);
        let ids: Vec<_> = event
            .batches
            .iter()
            .map(|batch| Some(part(batch)))
            .collect();
        let mut position = event.batch;
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
        let (batch, deposit, time) = (event.batch, event.deposit, event.time);
        self.add(
            batch,
            deposit,
            time,
            parts.collect(),
            Some(event.relayer),
            log,
            &ids,
            taken,
        )
    }

    /// `ids` are those of the signed batches, one a part.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the fields of two events"
    )]
    fn add(
        &mut self,
        batch: u64,
        deposit: u128,
        time: u64,
        parts: Vec<Added<'_>>,
        relayer: Option<Address>,
        log: &Log,
        ids: &[Option<B256>],
        taken: &mut Taken,
    ) -> Result<(), Contradiction> {
        let mut position = batch;
        for (part, id) in parts.iter().zip(ids) {
            for item in parse_batch(part.items)? {
                self.open.insert(position, Open { deposit, taken: 0 });
                taken.contributions.push(ContributionRow {
                    contribution: Contribution {
                        author: part.author,
                        label: item.label,
                        deposit,
                        time,
                        position,
                        sample: item.sample.to_vec(),
                    },
                    batch,
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
            batch,
            deposit,
            time,
            parts,
            relayer,
        };
        if self.base.is_some_and(|base| log.block <= base.block) {
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
    ) -> Result<(), Contradiction> {
        let &Paid {
            position,
            to,
            amount,
        } = paid;
        let open = self.open.entry(position).or_insert(Open {
            deposit: amount,
            taken: 0,
        });
        open.taken = open.taken.saturating_add(amount);
        let Open {
            deposit,
            taken: gone,
        } = *open;
        let (fact, settled) = match kind {
            ClaimKind::Refund => (
                Fact::Refunded {
                    position,
                    author: to,
                    amount,
                },
                Settled::Refunded,
            ),
            ClaimKind::Late => (Fact::ClaimedLate { position, amount }, Settled::ClaimedLate),
            ClaimKind::Report => {
                let fact = Fact::Reported {
                    position,
                    deposit,
                    reporter: to,
                    amount,
                };
                let settled = if deposit != 0 && gone >= deposit {
                    Settled::TakenByReports
                } else {
                    Settled::Reported
                };
                (fact, settled)
            }
        };
        if !settled.is_open() {
            self.open.remove(&position);
        }
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

/// Returns what its author signed, but for the signature, which events do not have.
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

/// Returns `true` if a reason to skip a signed batch may pass with time: the price falls, a balance may rise.
fn passes(reason: &Revert) -> bool {
    matches!(
        reason,
        Revert::Contract(Rejection::PriceTooHigh { .. } | Rejection::BalanceTooLow { .. })
    )
}
