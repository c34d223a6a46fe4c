//! The money and the records: contribute, then refund, report or claim late.

mod claim;
mod incentive;
mod settlement;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, U256};

use self::{claim::unproven, settlement::Settlement};
use crate::{
    Rejection,
    classifier::{Classifier, Hosted},
    record,
    sample::parse_batch,
};

pub use self::{
    claim::{Claim, claims},
    incentive::{Incentive, Waits},
};

/// What a transaction contributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contributed {
    /// The position of the first contribution, which names the batch; the others follow it.
    pub batch: u64,
    /// How many contributions it was.
    pub count: u64,
    /// The deposit of each, in wei.
    pub deposit: u128,
    /// What was sent above the deposits and is sent back, in wei.
    pub surplus: u128,
    /// How many of the contributions changed the model.
    pub changed: usize,
}

/// A trainer with its model. Time is in seconds and never goes back; money is in wei.
///
/// Every payment succeeds here. Where a receiver refuses it on a chain, that is
/// [`Rejection::PaymentFailed`] and nothing has happened there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trainer {
    owner: Address,
    address: Address,
    incentive: Incentive,
    waits: Waits,
    model: Hosted,
    held: u128,
    last_contribution_time: u64,
    contribution_count: u64,
    total_good: u64,
    good: BTreeMap<Address, u64>,
    /// By the position of each batch's first contribution.
    roots: BTreeMap<u64, B256>,
    /// By position, of the contributions that something was claimed of.
    settlements: BTreeMap<u64, Settlement>,
    /// Position and address of the reporters after the first one.
    later_reporters: BTreeSet<(u64, Address)>,
}

impl Trainer {
    /// A trainer, which is the contract at `address`, and a model that it alone may teach.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`]; [`Rejection::InvalidTrainer`] for the zero address.
    pub fn new(
        owner: Address,
        address: Address,
        incentive: Incentive,
        waits: Waits,
        classifier: Classifier,
        now: u64,
    ) -> Result<Self, Rejection> {
        let model = Hosted::new(owner, classifier);
        let mut trainer = Self::with_model(owner, address, incentive, waits, model, now)?;
        trainer.model.close(owner, address)?;
        Ok(trainer)
    }

    /// A trainer and a model at any point of its life: contributions are rejected where it is still
    /// open, or somebody else's.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`].
    pub fn with_model(
        owner: Address,
        address: Address,
        incentive: Incentive,
        waits: Waits,
        model: Hosted,
        now: u64,
    ) -> Result<Self, Rejection> {
        waits.validate()?;
        incentive.validate()?;
        Ok(Self {
            owner,
            address,
            incentive,
            waits,
            model,
            held: 0,
            last_contribution_time: now,
            contribution_count: 0,
            total_good: 0,
            good: BTreeMap::new(),
            roots: BTreeMap::new(),
            settlements: BTreeMap::new(),
            later_reporters: BTreeSet::new(),
        })
    }

    /// The deposit of each of `n` contributions in one transaction; for 0, that of 1.
    #[must_use]
    pub fn price(&self, n: u64, now: u64) -> u128 {
        self.incentive
            .price(n, now.saturating_sub(self.last_contribution_time))
    }

    /// Takes a batch of labelled samples, with `value` wei, and teaches them to the model.
    ///
    /// # Errors
    /// [`Rejection::EmptyBatch`], [`Rejection::MalformedBatch`], [`Rejection::DepositTooLow`],
    /// those of [`Hosted::learn`].
    pub fn contribute(
        &mut self,
        author: Address,
        now: u64,
        value: u128,
        batch: &[u8],
    ) -> Result<Contributed, Rejection> {
        let count = parse_batch(batch)?.len() as u64;
        let deposit = self.price(count, now);
        // A deposit is below 2^92, and no batch has 2^36 items.
        let required = deposit.saturating_mul(count.into());
        let surplus = value
            .checked_sub(required)
            .ok_or(Rejection::DepositTooLow {
                required,
                sent: value,
            })?;
        let changed = self.model.learn(self.address, batch)?;
        let position = self.contribution_count;
        let claims = unproven(position, author, deposit, now, batch)?;
        let leaves: Vec<_> = claims.iter().map(Claim::leaf).collect();
        self.roots.insert(position, record::root(&leaves));
        self.contribution_count += count;
        self.last_contribution_time = now;
        self.held += required;
        Ok(Contributed {
            batch: position,
            count,
            deposit,
            surplus,
            changed,
        })
    }

    /// Gives the author all that is left, where the model now predicts the label; wei paid.
    ///
    /// # Errors
    /// Those of [`check_record`](Self::check_record), then of [`can_refund`](Self::can_refund).
    pub fn refund(&mut self, caller: Address, now: u64, claim: &Claim) -> Result<u128, Rejection> {
        self.check_record(claim)?;
        let left = self.can_refund(caller, now, claim)?;
        *self.good.entry(claim.author).or_default() += 1;
        self.total_good += 1;
        self.close(claim.position, left);
        Ok(left)
    }

    /// Gives a reporter their share, where the model does not predict the label; wei paid.
    ///
    /// # Errors
    /// Those of [`check_record`](Self::check_record), then of [`can_report`](Self::can_report).
    pub fn report(&mut self, caller: Address, now: u64, claim: &Claim) -> Result<u128, Rejection> {
        self.check_record(claim)?;
        let share = self.can_report(caller, now, claim)?;
        let settlement = self.settlements.entry(claim.position).or_default();
        if settlement.first_reporter().is_none() {
            settlement.set_first_reporter(caller);
        } else {
            self.later_reporters.insert((claim.position, caller));
        }
        if settlement.left(claim.deposit) == Some(share) {
            self.close(claim.position, share);
        } else {
            settlement.take(share);
            self.held = self.held.saturating_sub(share);
        }
        Ok(share)
    }

    /// Gives whoever asks all that is left, when nobody else has settled it for long; wei paid.
    ///
    /// # Errors
    /// Those of [`check_record`](Self::check_record), then of
    /// [`can_claim_late`](Self::can_claim_late).
    pub fn claim_late(
        &mut self,
        caller: Address,
        now: u64,
        claim: &Claim,
    ) -> Result<u128, Rejection> {
        self.check_record(claim)?;
        let left = self.can_claim_late(caller, now, claim)?;
        self.close(claim.position, left);
        Ok(left)
    }

    /// Whether a claim is on something that was contributed: its proof leads to its batch's root.
    ///
    /// # Errors
    /// [`Rejection::UnknownContribution`].
    pub fn check_record(&self, claim: &Claim) -> Result<(), Rejection> {
        claim.check(self.roots.get(&claim.batch).copied())
    }

    /// What a refund would pay now, in wei.
    ///
    /// This and its two siblings take the record for true, which needs no hashes: clients know where
    /// they have a claim from. [`check_record`](Self::check_record) finds out where they do not.
    ///
    /// # Errors
    /// [`Rejection::NothingLeft`], [`Rejection::NotAuthor`], [`Rejection::TooEarly`],
    /// [`Rejection::PredictionDiffers`].
    pub fn can_refund(&self, caller: Address, now: u64, claim: &Claim) -> Result<u128, Rejection> {
        let left = self.left(claim)?;
        let (author, label) = (claim.author, claim.label);
        if caller != author {
            return Err(Rejection::NotAuthor { caller, author });
        }
        check_time(now, claim.time, self.waits.refund)?;
        let predicted = self.classifier().predict(&claim.sample)?;
        if predicted != label {
            return Err(Rejection::PredictionDiffers { label, predicted });
        }
        Ok(left)
    }

    /// What a report would pay now, in wei; takes the record for true.
    ///
    /// # Errors
    /// [`Rejection::NothingLeft`], [`Rejection::OwnContribution`], [`Rejection::TooEarly`],
    /// [`Rejection::NoGoodContribution`], [`Rejection::AlreadyReported`],
    /// [`Rejection::PredictionAgrees`].
    pub fn can_report(&self, caller: Address, now: u64, claim: &Claim) -> Result<u128, Rejection> {
        let left = self.left(claim)?;
        let (author, position, label) = (claim.author, claim.position, claim.label);
        if caller == author {
            return Err(Rejection::OwnContribution { author });
        }
        check_time(now, claim.time, self.waits.refund)?;
        let good = self.good(caller);
        if good == 0 {
            return Err(Rejection::NoGoodContribution { caller });
        }
        if self.reported(position, caller) {
            return Err(Rejection::AlreadyReported { position, caller });
        }
        if self.classifier().predict(&claim.sample)? == label {
            return Err(Rejection::PredictionAgrees { label });
        }
        Ok(self
            .incentive
            .share(claim.deposit, left, good, self.total_good))
    }

    /// What a late claim would pay now, in wei; takes the record for true.
    ///
    /// # Errors
    /// [`Rejection::NothingLeft`], [`Rejection::TooEarly`].
    pub fn can_claim_late(
        &self,
        caller: Address,
        now: u64,
        claim: &Claim,
    ) -> Result<u128, Rejection> {
        let left = self.left(claim)?;
        let wait = if caller == self.owner {
            self.waits.owner_claim
        } else {
            self.waits.any_address_claim
        };
        check_time(now, claim.time, wait)?;
        Ok(left)
    }

    /// Who may claim late before others.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.owner
    }

    /// The contract's own address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Who pays whom.
    #[must_use]
    pub fn incentive(&self) -> Incentive {
        self.incentive
    }

    /// How long claims wait.
    #[must_use]
    pub fn waits(&self) -> Waits {
        self.waits
    }

    /// The model.
    #[must_use]
    pub fn classifier(&self) -> &Classifier {
        self.model.classifier()
    }

    /// The model with its owner and trainer.
    #[must_use]
    pub fn model(&self) -> &Hosted {
        &self.model
    }

    /// The model with its owner and trainer, as its owner can change it.
    pub fn model_mut(&mut self) -> &mut Hosted {
        &mut self.model
    }

    /// What the contract holds, in wei: what is left of all deposits.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// When the last contribution was made, or the trainer created, in seconds.
    #[must_use]
    pub fn last_contribution_time(&self) -> u64 {
        self.last_contribution_time
    }

    /// How many contributions have been made.
    #[must_use]
    pub fn contribution_count(&self) -> u64 {
        self.contribution_count
    }

    /// How many contributions have been refunded.
    #[must_use]
    pub fn total_good(&self) -> u64 {
        self.total_good
    }

    /// How many of an author's contributions have been refunded.
    #[must_use]
    pub fn good(&self, author: Address) -> u64 {
        self.good.get(&author).copied().unwrap_or_default()
    }

    /// The root of a batch; zero where no batch begins at this position.
    #[must_use]
    pub fn root(&self, batch: u64) -> B256 {
        self.roots.get(&batch).copied().unwrap_or_default()
    }

    /// `taken (96 bits, low) | first reporter (160 bits)` of a contribution; `taken` in wei, all ones
    /// when closed.
    #[must_use]
    pub fn settlement(&self, position: u64) -> U256 {
        self.settled(position).word()
    }

    /// Whether a contribution is closed: nothing can be claimed of it any more.
    #[must_use]
    pub fn is_settled(&self, position: u64) -> bool {
        self.settled(position).is_closed()
    }

    /// Whether somebody has reported a contribution.
    #[must_use]
    pub fn reported(&self, position: u64, reporter: Address) -> bool {
        self.settled(position).first_reporter() == Some(reporter)
            || self.later_reporters.contains(&(position, reporter))
    }

    fn settled(&self, position: u64) -> Settlement {
        self.settlements.get(&position).copied().unwrap_or_default()
    }

    /// In wei.
    fn left(&self, claim: &Claim) -> Result<u128, Rejection> {
        let position = claim.position;
        self.settled(position)
            .left(claim.deposit)
            .ok_or(Rejection::NothingLeft { position })
    }

    /// Ends a contribution by paying `left` wei.
    fn close(&mut self, position: u64, left: u128) {
        self.settlements.entry(position).or_default().close();
        self.held = self.held.saturating_sub(left);
    }
}

fn check_time(now: u64, contributed: u64, wait: u64) -> Result<(), Rejection> {
    let earliest = contributed.saturating_add(wait);
    if now < earliest {
        Err(Rejection::TooEarly { now, earliest })
    } else {
        Ok(())
    }
}
