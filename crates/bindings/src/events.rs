//! Decoders of logs. Any contract can emit such logs, so check the log's address first.

use alloy_primitives::{Address, B256, Bytes, Log, U256};
use alloy_sol_types::SolEvent;

use crate::{
    Revert,
    contracts::{DepositRefundTake as trainer, ModelFactory as factory, ModelRegistry as registry},
};

/// First topics of all events of a trainer, as a filter takes them, in the order of
/// [`TrainerEvent`].
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

/// First topic of a [`ModelCreated`].
pub const MODEL_CREATED_TOPIC: B256 = factory::ModelCreated::SIGNATURE_HASH;

/// First topic of a [`Registered`].
pub const REGISTERED_TOPIC: B256 = registry::ModelRegistered::SIGNATURE_HASH;

/// Event of a trainer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrainerEvent {
    /// An author sent a batch.
    Contributed(Contributed),
    /// A relayer sent batches that their authors had signed.
    Relayed(Relayed),
    /// A signed batch was skipped.
    Skipped(Skipped),
    /// A claim was skipped.
    ClaimSkipped(ClaimSkipped),
    /// The author of a contribution got the rest of its deposit.
    Refunded(Paid),
    /// Somebody announced that a contribution may be reported.
    Announced(Announced),
    /// A reporter took a share of a deposit.
    Reported(Paid),
    /// Somebody took the rest of a deposit by a late claim.
    ClaimedLate(Paid),
    /// An account got money.
    Deposited(Deposited),
    /// An account withdrew money.
    Withdrawn(Withdrawn),
    /// An account canceled nonces.
    NoncesCancelled(NoncesCancelled),
}

/// `Contributed`: a batch sent by its author. It has everything that the batch's leaves are
/// computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contributed {
    /// Position of the first contribution.
    pub first_position: u64,
    /// Address that contributed.
    pub author: Address,
    /// Deposit for each contribution, in wei.
    pub deposit: u128,
    /// Time of the block, in Unix seconds.
    pub time: u64,
    /// Labels and samples, as they were sent.
    pub items: Bytes,
}

/// `Relayed`: signed batches sent by a relayer. It has everything that the batches' leaves are
/// computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Position of the first contribution.
    pub first_position: u64,
    /// Account that sent them and got the fees.
    pub relayer: Address,
    /// Deposit for each contribution, in wei.
    pub deposit: u128,
    /// Time of the block, in Unix seconds.
    pub time: u64,
    /// Accepted batches, in order.
    pub batches: Vec<RelayedBatch>,
}

/// Signed batch that the trainer accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayedBatch {
    /// Address that contributed.
    pub author: Address,
    /// The only account that could send it, which did; the zero address if anyone could.
    pub relayer: Address,
    /// Maximum deposit that the author allowed for each contribution, in wei.
    pub max_deposit: u128,
    /// Fee that the relayer got, in wei.
    pub fee: u128,
    /// Nonce that the batch used.
    pub nonce: u64,
    /// Last second in which it could be relayed, in Unix seconds.
    pub deadline: u64,
    /// Labels and samples, as they were sent.
    pub items: Bytes,
}

/// `Skipped`: a signed batch that the trainer skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Author that the batch names. The trainer may not have checked the signature.
    pub author: Address,
    /// Nonce of the batch.
    pub nonce: u64,
    /// Reason for the skip.
    pub reason: Revert,
}

/// `ClaimSkipped`: a claim that the trainer skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimSkipped {
    /// Position of the contribution.
    pub position: u64,
    /// Reason for the skip.
    pub reason: Revert,
}

/// `Announced`: a contribution that may be reported after the notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// Position of the contribution.
    pub position: u64,
    /// Sender of the announcement.
    pub announcer: Address,
    /// Time of the announcement, in Unix seconds.
    pub time: u64,
}

/// A payment out of a deposit: `Refunded`, `Reported` or `ClaimedLate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Position of the contribution.
    pub position: u64,
    /// Account that was paid.
    pub to: Address,
    /// Amount in wei.
    pub amount: u128,
}

/// `Deposited`: money added to a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deposited {
    /// Account with the balance.
    pub account: Address,
    /// Amount in wei.
    pub amount: u128,
}

/// `Withdrawn`: money that an account took out of its balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawn {
    /// Account with the balance.
    pub account: Address,
    /// Address that was paid.
    pub to: Address,
    /// Amount in wei.
    pub amount: u128,
}

/// `NoncesCancelled`: nonces that an account made useless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoncesCancelled {
    /// Account with the nonces.
    pub account: Address,
    /// Highest canceled nonce; all below it are canceled too.
    pub last: u64,
}

/// `ModelCreated`: a model that a factory created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelCreated {
    /// Account that created the model.
    pub owner: Address,
    /// Address of the clone of `trainer_implementation`.
    pub trainer: Address,
    /// Address of the clone of `classifier_implementation`.
    pub classifier: Address,
    /// Implementation of the trainer, which holds the money.
    pub trainer_implementation: Address,
    /// Implementation of the classifier, which holds the weights.
    pub classifier_implementation: Address,
}

/// `ModelRegistered`: a model whose owner registered it or replaced its card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Trainer of the model.
    pub trainer: Address,
    /// Account that registered the model.
    pub owner: Address,
    /// Card of the model: names of classes and encoding of samples. It may be any bytes.
    pub card: Bytes,
}

impl TrainerEvent {
    /// Decodes a log. Returns `None` if it is another event, or has values that no trainer of this
    /// release emits.
    #[must_use]
    pub fn decode(log: &Log) -> Option<Self> {
        Some(match *log.topics().first()? {
            trainer::Contributed::SIGNATURE_HASH => {
                let event = trainer::Contributed::decode_log(log).ok()?.data;
                Self::Contributed(Contributed {
                    first_position: event.firstPosition.try_into().ok()?,
                    author: event.author,
                    deposit: event.deposit.try_into().ok()?,
                    time: event.time.try_into().ok()?,
                    items: event.items,
                })
            }
            trainer::Relayed::SIGNATURE_HASH => {
                let event = trainer::Relayed::decode_log(log).ok()?.data;
                Self::Relayed(Relayed {
                    first_position: event.firstPosition.try_into().ok()?,
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

/// Returns the first `Contributed` among `logs`.
#[must_use]
pub fn contributed(logs: &[Log]) -> Option<Contributed> {
    logs.iter().find_map(|log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::Contributed(event)) => Some(event),
        _ => None,
    })
}

/// Returns the first `Relayed` among `logs`.
#[must_use]
pub fn relayed(logs: &[Log]) -> Option<Relayed> {
    logs.iter().find_map(|log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::Relayed(event)) => Some(event),
        _ => None,
    })
}

/// Returns all `Skipped` among `logs`, in order.
#[must_use]
pub fn skipped(logs: &[Log]) -> Vec<Skipped> {
    let skipped = |log| match TrainerEvent::decode(log) {
        Some(TrainerEvent::Skipped(event)) => Some(event),
        _ => None,
    };
    logs.iter().filter_map(skipped).collect()
}

/// Returns all `ClaimSkipped` among `logs`, in order.
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

/// Returns all payments among `logs`, in order.
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

/// Decodes a `Deposited`.
#[must_use]
pub fn deposited(log: &Log) -> Option<Deposited> {
    match TrainerEvent::decode(log) {
        Some(TrainerEvent::Deposited(event)) => Some(event),
        _ => None,
    }
}

/// Decodes a `Withdrawn`.
#[must_use]
pub fn withdrawn(log: &Log) -> Option<Withdrawn> {
    match TrainerEvent::decode(log) {
        Some(TrainerEvent::Withdrawn(event)) => Some(event),
        _ => None,
    }
}

/// Decodes a `ModelCreated`.
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

/// Decodes a `ModelRegistered`.
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

/// Takes one batch off the front of `rest`.
///
/// The format is `author (20 bytes) | maxDeposit (12) | fee (12) | nonce (6) | deadline (5) | bound
/// (1) | length of items (4) | items`.
/// A bound batch was signed for the relayer who sent it.
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
