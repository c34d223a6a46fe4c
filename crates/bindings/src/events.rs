//! What logs say. Whoever emitted them: look at the log's address first.

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_sol_types::SolEvent;

use crate::{
    Revert,
    contracts::{DepositRefundTake as trainer, ModelFactory as factory, ModelRegistry as registry},
};

/// The first topics of all that a trainer emits, as a filter wants them: those of [`TrainerEvent`], in its
/// order.
pub const TRAINER_TOPICS: [B256; 11] = [
    trainer::Contributed::SIGNATURE_HASH,
    trainer::Relayed::SIGNATURE_HASH,
    trainer::Skipped::SIGNATURE_HASH,
    trainer::ClaimSkipped::SIGNATURE_HASH,
    trainer::Refunded::SIGNATURE_HASH,
    trainer::Announced::SIGNATURE_HASH,
    trainer::Reported::SIGNATURE_HASH,
    trainer::ClaimedLate::SIGNATURE_HASH,
    trainer::Deposited::SIGNATURE_HASH,
    trainer::Withdrawn::SIGNATURE_HASH,
    trainer::NoncesCancelled::SIGNATURE_HASH,
];

/// The first topic of a [`ModelCreated`].
pub const MODEL_CREATED_TOPIC: B256 = factory::ModelCreated::SIGNATURE_HASH;

/// The first topic of a [`Registered`].
pub const REGISTERED_TOPIC: B256 = registry::ModelRegistered::SIGNATURE_HASH;

/// All that a trainer emits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrainerEvent {
    /// A batch sent by its author.
    Contributed(Contributed),
    /// Batches that their authors had signed.
    Relayed(Relayed),
    /// A signed batch that nothing was done with.
    Skipped(Skipped),
    /// A claim that nothing was done about.
    ClaimSkipped(ClaimSkipped),
    /// The author of a contribution got all that was left of its deposit.
    Refunded(Paid),
    /// Somebody announced that a contribution may be reported.
    Announced(Announced),
    /// A reporter took a share of a deposit.
    Reported(Paid),
    /// Somebody took all that was left of a deposit after long.
    ClaimedLate(Paid),
    /// An account got money.
    Deposited(Deposited),
    /// An account took money out.
    Withdrawn(Withdrawn),
    /// An account made nonces useless.
    NoncesCancelled(NoncesCancelled),
}

/// `Contributed`: everything that the leaves of a batch sent by its author are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    /// The position of the first contribution.
    pub batch: u64,
    /// Who contributed.
    pub author: Address,
    /// Wei deposited for each.
    pub deposit: u128,
    /// When, in Unix seconds.
    pub time: u64,
    /// Labels and samples, as they were sent.
    pub items: Bytes,
}

/// `Relayed`: everything that the leaves of batches are made of that their authors had signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// The position of the first contribution.
    pub batch: u64,
    /// Who sent them and got the fees.
    pub relayer: Address,
    /// Wei deposited for each contribution.
    pub deposit: u128,
    /// When, in Unix seconds.
    pub time: u64,
    /// The accepted ones, in order.
    pub batches: Vec<RelayedBatch>,
}

/// One accepted signed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedBatch {
    /// Who contributed.
    pub author: Address,
    /// The only account that could send it, which did; the zero address if anyone could.
    pub relayer: Address,
    /// The most that the author would have deposited for each contribution, in wei.
    pub max_deposit: u128,
    /// What the relayer got, in wei.
    pub fee: u128,
    /// The nonce that is used now.
    pub nonce: u64,
    /// The last second in which it could be relayed.
    pub deadline: u64,
    /// Labels and samples, as they were sent.
    pub items: Bytes,
}

/// `Skipped`: a signed batch that nothing was done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Who is said to have signed it.
    pub author: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Why.
    pub reason: Revert,
}

/// `ClaimSkipped`: a claim that nothing was done about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSkipped {
    /// The contribution.
    pub position: u64,
    /// Why.
    pub reason: Revert,
}

/// `Announced`: a contribution that may be reported after the notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// The contribution.
    pub position: u64,
    /// The sender of the announcement.
    pub announcer: Address,
    /// The time of the announcement, in Unix seconds.
    pub time: u64,
}

/// A payment out of a deposit: `Refunded`, `Reported` or `ClaimedLate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// The contribution.
    pub position: u64,
    /// Who was paid.
    pub to: Address,
    /// Wei.
    pub amount: u128,
}

/// `Deposited`: money that was added to a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposited {
    /// Whose balance.
    pub account: Address,
    /// Wei.
    pub amount: u128,
}

/// `Withdrawn`: money that an account took out of its balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawn {
    /// Whose balance.
    pub account: Address,
    /// Who was paid.
    pub to: Address,
    /// Wei.
    pub amount: u128,
}

/// `NoncesCancelled`: nonces that an account made useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoncesCancelled {
    /// Whose nonces.
    pub account: Address,
    /// This one and all below it.
    pub last: u64,
}

/// `ModelCreated`: a model that a factory made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelCreated {
    /// Who created it.
    pub owner: Address,
    /// A clone of `trainer_implementation`.
    pub trainer: Address,
    /// A clone of `classifier_implementation`.
    pub classifier: Address,
    /// The code that holds the money.
    pub trainer_implementation: Address,
    /// The code that holds the model.
    pub classifier_implementation: Address,
}

/// `ModelRegistered`: a model that its owner made known, or whose card the owner replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The model's trainer.
    pub trainer: Address,
    /// Who made it known.
    pub owner: Address,
    /// What it is and how its samples are encoded; any bytes.
    pub card: Bytes,
}

impl TrainerEvent {
    /// What a log says; none where it is none of these, or of values that no trainer of ours emits.
    #[must_use]
    pub fn decode(log: &Log) -> Option<Self> {
        Some(match *log.topics().first()? {
            trainer::Contributed::SIGNATURE_HASH => {
                let event = trainer::Contributed::decode_log(log).ok()?.data;
                Self::Contributed(Contributed {
                    batch: event.batch.try_into().ok()?,
                    author: event.author,
                    deposit: event.deposit.try_into().ok()?,
                    time: event.time.try_into().ok()?,
                    items: event.items,
                })
            }
            trainer::Relayed::SIGNATURE_HASH => {
                let event = trainer::Relayed::decode_log(log).ok()?.data;
                Self::Relayed(Relayed {
                    batch: event.batch.try_into().ok()?,
                    relayer: event.relayer,
                    deposit: event.deposit.try_into().ok()?,
                    time: event.time.try_into().ok()?,
                    batches: relayed_batches(&event.batches, event.relayer)?,
                })
            }
            trainer::Skipped::SIGNATURE_HASH => {
                let event = trainer::Skipped::decode_log(log).ok()?.data;
                Self::Skipped(Skipped {
                    author: event.author,
                    nonce: event.nonce.try_into().ok()?,
                    reason: Revert::decode(&event.reason),
                })
            }
            trainer::ClaimSkipped::SIGNATURE_HASH => {
                let event = trainer::ClaimSkipped::decode_log(log).ok()?.data;
                Self::ClaimSkipped(ClaimSkipped {
                    position: event.position.try_into().ok()?,
                    reason: Revert::decode(&event.reason),
                })
            }
            trainer::Refunded::SIGNATURE_HASH => {
                let event = trainer::Refunded::decode_log(log).ok()?.data;
                Self::Refunded(payment(event.position, event.author, event.amount)?)
            }
            trainer::Announced::SIGNATURE_HASH => {
                let event = trainer::Announced::decode_log(log).ok()?.data;
                Self::Announced(Announced {
                    position: event.position.try_into().ok()?,
                    announcer: event.announcer,
                    time: event.time.try_into().ok()?,
                })
            }
            trainer::Reported::SIGNATURE_HASH => {
                let event = trainer::Reported::decode_log(log).ok()?.data;
                Self::Reported(payment(event.position, event.reporter, event.amount)?)
            }
            trainer::ClaimedLate::SIGNATURE_HASH => {
                let event = trainer::ClaimedLate::decode_log(log).ok()?.data;
                Self::ClaimedLate(payment(event.position, event.claimer, event.amount)?)
            }
            trainer::Deposited::SIGNATURE_HASH => {
                let event = trainer::Deposited::decode_log(log).ok()?.data;
                Self::Deposited(Deposited {
                    account: event.account,
                    amount: event.amount.try_into().ok()?,
                })
            }
            trainer::Withdrawn::SIGNATURE_HASH => {
                let event = trainer::Withdrawn::decode_log(log).ok()?.data;
                Self::Withdrawn(Withdrawn {
                    account: event.account,
                    to: event.to,
                    amount: event.amount.try_into().ok()?,
                })
            }
            trainer::NoncesCancelled::SIGNATURE_HASH => {
                let event = trainer::NoncesCancelled::decode_log(log).ok()?.data;
                Self::NoncesCancelled(NoncesCancelled {
                    account: event.account,
                    last: event.last.try_into().ok()?,
                })
            }
            _ => return None,
        })
    }
}

/// The first `Contributed` among `logs`.
#[must_use]
pub fn contributed(logs: &[Log]) -> Option<Contributed> {
    logs.iter().find_map(|log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::Contributed(event)) => Some(event),
        _ => None,
    })
}

/// The first `Relayed` among `logs`.
#[must_use]
pub fn relayed(logs: &[Log]) -> Option<Relayed> {
    logs.iter().find_map(|log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::Relayed(event)) => Some(event),
        _ => None,
    })
}

/// All `Skipped` among `logs`, in order.
#[must_use]
pub fn skipped(logs: &[Log]) -> Vec<Skipped> {
    let skipped = |log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::Skipped(event)) => Some(event),
        _ => None,
    };
    logs.iter().filter_map(skipped).collect()
}

/// All `ClaimSkipped` among `logs`, in order.
#[must_use]
pub fn claims_skipped(logs: &[Log]) -> Vec<ClaimSkipped> {
    let skipped = |log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::ClaimSkipped(event)) => Some(event),
        _ => None,
    };
    logs.iter().filter_map(skipped).collect()
}

/// Returns all `Announced` among `logs`, in order.
#[must_use]
pub fn announced(logs: &[Log]) -> Vec<Announced> {
    let announced = |log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::Announced(event)) => Some(event),
        _ => None,
    };
    logs.iter().filter_map(announced).collect()
}

/// All payments among `logs`, in order.
#[must_use]
pub fn paid(logs: &[Log]) -> Vec<Paid> {
    let paid = |log| match TrainerEvent::decode(log) {
        Some(
            TrainerEvent::Refunded(event)
            | TrainerEvent::Reported(event)
            | TrainerEvent::ClaimedLate(event),
        ) => Some(event),
        _ => None,
    };
    logs.iter().filter_map(paid).collect()
}

/// A `Deposited`.
#[must_use]
pub fn deposited(log: &Log) -> Option<Deposited> {
    match TrainerEvent::decode(log) {
        Some(TrainerEvent::Deposited(event)) => Some(event),
        _ => None,
    }
}

/// A `Withdrawn`.
#[must_use]
pub fn withdrawn(log: &Log) -> Option<Withdrawn> {
    match TrainerEvent::decode(log) {
        Some(TrainerEvent::Withdrawn(event)) => Some(event),
        _ => None,
    }
}

/// A `ModelCreated`.
#[must_use]
pub fn model_created(log: &Log) -> Option<ModelCreated> {
    let event = factory::ModelCreated::decode_log(log).ok()?.data;
    Some(ModelCreated {
        owner: event.owner,
        trainer: event.trainer,
        classifier: event.classifier,
        trainer_implementation: event.trainerImplementation,
        classifier_implementation: event.classifierImplementation,
    })
}

/// A `ModelRegistered`.
#[must_use]
pub fn registered(log: &Log) -> Option<Registered> {
    let event = registry::ModelRegistered::decode_log(log).ok()?.data;
    Some(Registered {
        trainer: event.trainer,
        owner: event.owner,
        card: event.card,
    })
}

fn payment(position: U256, to: Address, amount: U256) -> Option<Paid> {
    Some(Paid {
        position: position.try_into().ok()?,
        to,
        amount: amount.try_into().ok()?,
    })
}

fn relayed_batches(mut rest: &[u8], relayer: Address) -> Option<Vec<RelayedBatch>> {
    let mut batches = Vec::new();
    while !rest.is_empty() {
        batches.push(relayed_batch(&mut rest, relayer)?);
    }
    Some(batches)
}

/// `author (20 bytes) | maxDeposit (12) | fee (12) | nonce (6) | deadline (5) | bound (1) | length of items (4) |
/// items`, taken off the front. What is bound was signed for the relayer who sent it.
fn relayed_batch(rest: &mut &[u8], relayer: Address) -> Option<RelayedBatch> {
    Some(RelayedBatch {
        author: Address::from_slice(rest.split_off(..20)?),
        max_deposit: U256::from_be_slice(rest.split_off(..12)?).try_into().ok()?,
        fee: U256::from_be_slice(rest.split_off(..12)?).try_into().ok()?,
        nonce: U256::from_be_slice(rest.split_off(..6)?).try_into().ok()?,
        deadline: U256::from_be_slice(rest.split_off(..5)?).try_into().ok()?,
        relayer: match rest.split_off(..1)? {
            [0] => Address::ZERO,
            _ => relayer,
        },
        items: {
            let length: usize = U256::from_be_slice(rest.split_off(..4)?).try_into().ok()?;
            Bytes::copy_from_slice(rest.split_off(..length)?)
        },
    })
}
