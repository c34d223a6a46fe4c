//! Incentive mechanisms: the price of a contribution, the possible claims, and their transactions.

pub(crate) mod contract;
mod market;
mod prediction_fees;
mod trainer;
mod wrapper;

use std::rc::Rc;

use alloy_primitives::{Address, B256};
use cotrain_chain::Chain;
use cotrain_client::deploy::DeploymentCost;
use cotrain_protocol::{
    classifier::Classifier,
    record::{Claims, Contribution, Record},
    sample::Item,
    trainer::SignedBatch,
};

pub use self::{contract::OWNER, wrapper::MechanismLayer};
pub(crate) use self::{
    contract::send,
    market::MarketMechanism,
    prediction_fees::PredictionFees,
    trainer::{LARGEST_BALANCE, RELAYER, TrainerMechanism, encode},
};
use crate::{SimulateError, vocabulary::Action};

pub use crate::vocabulary::{Fact, Vocabulary};

/// A deployed model with the money around it.
///
/// Each change is a transaction on the mechanism's chain.
/// Answers are free: the reference model ([`cotrain_protocol`]) computes them by the same rules.
///
/// A new mechanism implements this trait, or wraps another mechanism: see docs/extending.md.
pub trait Mechanism {
    /// Returns the title for readers, such as `deposit, refund, take`.
    fn title(&self) -> &'static str;

    /// Returns the chain that the mechanism runs on.
    fn chain(&self) -> &dyn Chain;

    /// Returns the chain that the mechanism runs on, mutably.
    fn chain_mut(&mut self) -> &mut dyn Chain;

    /// Returns the model after all contributions so far.
    fn classifier(&self) -> &Classifier;

    /// Returns the cost of the deployment.
    fn deployment_cost(&self) -> DeploymentCost;

    /// Returns the deposit of each of `n` contributions in one transaction now, in wei.
    fn price(&self, n: usize) -> u128;

    /// Returns `true` if the mechanism takes contributions now.
    fn is_open(&self) -> bool {
        true
    }

    /// Returns the money that an account can withdraw at any time, in wei.
    fn balance(&self, _account: Address) -> u128 {
        0
    }

    /// Returns the number of an account's good contributions.
    fn good(&self, account: Address) -> u64;

    /// Returns the number of good contributions of all accounts.
    fn total_good(&self) -> u64;

    /// Sends contributions in one transaction, with exactly the deposits that they need.
    /// Returns `None` if the author cannot pay for the gas.
    ///
    /// # Errors
    /// If the chain rejects a transaction that the rules allow, or computes a different result.
    fn contribute(
        &mut self,
        author: Address,
        items: &[Item<'_>],
    ) -> Result<Option<Sent>, SimulateError>;

    /// Returns the times at which the possible claims on a contribution change.
    /// They are in Unix seconds, in ascending order.
    fn edges(&self, contribution: &Contribution) -> Vec<u64>;

    /// Returns `true` if nothing of a contribution is left to claim.
    fn is_settled(&self, pending: &Pending) -> bool;

    /// Returns the next step towards a report of a contribution, whatever the model predicts.
    fn report_stage(&self, _contribution: &Contribution) -> ReportStage {
        ReportStage::Report
    }

    /// Returns the claim on a contribution that would succeed for `claimer` now.
    /// `None` if there is none. This sends no transaction, so it is free.
    fn opportunity(&self, claimer: Address, pending: &mut Pending) -> Option<Opportunity>;

    /// Sends claims of one kind that [`Mechanism::opportunity`] has found, ordered by position.
    /// Returns `None` if the claimer cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn claim(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &[&Pending],
    ) -> Result<Option<Claimed>, SimulateError>;

    /// Returns the gas that a claim would use now in its own transaction.
    /// This sends no transaction, so it is free.
    ///
    /// # Errors
    /// If the claim would fail.
    fn claim_gas(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &Pending,
    ) -> Result<u64, SimulateError>;

    /// Returns the money that an account can collect apart from claims, in wei.
    fn dues(&self, _account: Address) -> u128 {
        0
    }

    /// Collects the money that is due to an account.
    /// Returns `None` if nothing is due, or if the account cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn collect(&mut self, _account: Address) -> Result<Option<Collected>, SimulateError> {
        Ok(None)
    }

    /// Returns the price of one prediction in a transaction, in wei; `None` if none are sold.
    fn prediction_price(&self) -> Option<u128> {
        None
    }

    /// Pays for the predictions of some samples.
    /// Returns `None` if the caller cannot pay, or if the mechanism sells no predictions.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn ask(
        &mut self,
        _caller: Address,
        _samples: &[&[u8]],
    ) -> Result<Option<Asked>, SimulateError> {
        Ok(None)
    }

    /// Registers an account's good contributions for its share of the payments for predictions.
    /// Returns the gas used.
    /// `None` if there is nothing to register, or if the account cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn register(&mut self, _account: Address) -> Result<Option<u64>, SimulateError> {
        Ok(None)
    }

    /// Returns the time of the next event that no agent causes, in Unix seconds.
    /// `None` if there is none.
    fn next_event(&self) -> Option<u64> {
        None
    }

    /// Performs the events that are due now and that no agent causes.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn advance(&mut self) -> Result<Upkeep, SimulateError> {
        Ok(Upkeep::default())
    }

    /// Returns further facts about the end of the run.
    fn facts(&self) -> Vec<Fact> {
        Vec::new()
    }

    /// Returns the vocabulary for pages of runs.
    fn words(&self) -> Vocabulary;

    /// Returns sentences that say how the run ended and why; empty if there is nothing to say.
    fn outcome(&self) -> String {
        String::new()
    }

    /// Compares the on-chain state with the reference model.
    ///
    /// # Errors
    /// [`SimulateError::Diverged`] if they differ.
    fn compare(&mut self, accounts: &[Address]) -> Result<(), SimulateError>;

    /// Returns the interface for relaying; `None` if the mechanism takes no signed contributions.
    fn relaying(&mut self) -> Option<&mut dyn Relaying> {
        None
    }
}

/// Relaying of signed contributions.
pub trait Relaying {
    /// Returns the deposit of each of `n` contributions in one relay now, in wei.
    fn price(&self, n: usize) -> u128;

    /// Returns the money that an account has prepaid and not yet spent, in wei.
    fn prepaid(&self, account: Address) -> u128;

    /// Returns the hash that the author of a batch signs for this model.
    fn signing_hash(&self, batch: &SignedBatch) -> B256;

    /// Returns the account that relays; authors name it in their signed batches.
    fn relayer(&self) -> Address;

    /// Adds to the prepaid money of `account`.
    /// Returns the gas used; `None` if the account cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn prepay(&mut self, account: Address, amount: u128) -> Result<Option<u64>, SimulateError>;

    /// Returns the gas that a contribution would use now in its own transaction.
    /// This sends no transaction, so it is free.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn contribution_alone(&mut self, items: &[u8]) -> Result<u64, SimulateError>;

    /// Relays as many signed batches, from the first one on, as the gas of one transaction allows.
    ///
    /// The rules accept all of them now, and each lesson may use `gas_per_batch`.
    /// Returns the number of relayed batches, at least one.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn relay(
        &mut self,
        batches: &[SignedBatch],
        gas_per_batch: u64,
    ) -> Result<(usize, Sent), SimulateError>;
}

/// A contribution that may still be claimed.
#[derive(Debug)]
pub struct Pending {
    /// All contributions of the same transaction.
    record: Rc<Record>,
    /// Index among these contributions.
    index: usize,
    /// Version of the model that predicted the sample's label, and the label; `None` before that.
    prediction: Option<(u64, u16)>,
}

impl Pending {
    /// Returns all contributions of one transaction.
    #[must_use]
    pub fn all_of(record: Record) -> Vec<Self> {
        let record = Rc::new(record);
        let pending = |index| Self {
            record: Rc::clone(&record),
            index,
            prediction: None,
        };
        (0..record.contributions().len()).map(pending).collect()
    }

    /// Returns the contribution itself.
    #[must_use]
    pub fn contribution(&self) -> &Contribution {
        &self.record.contributions()[self.index]
    }

    /// Returns the label that the model predicts for the sample now.
    /// The prediction is cached until the model changes.
    pub fn predict(&mut self, classifier: &Classifier) -> u16 {
        if let Some((version, label)) = self.prediction
            && version == classifier.version()
        {
            return label;
        }
        // The sample was accepted, so it is well formed and the fallback is never taken.
        let label = classifier
            .predict(&self.contribution().sample)
            .unwrap_or_default();
        self.prediction = Some((classifier.version(), label));
        label
    }
}

/// Returns claims on contributions that are ordered by position, with one group per transaction.
pub(crate) fn claims_on(pending: &[&Pending]) -> Vec<Claims> {
    pending
        .chunk_by(|one, next| Rc::ptr_eq(&one.record, &next.record))
        .map(|group| {
            let positions = group.iter().map(|one| one.contribution().position);
            group[0].record.claims(&positions.collect::<Vec<_>>())
        })
        .collect()
}

/// Kind of a claim on a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    /// The author takes the deposit back, because the model agrees.
    Refund,
    /// Another account takes a share, because the model disagrees.
    Report,
    /// Any account takes the rest, long afterwards.
    Late,
    /// Any account announces a report in advance; the announcement itself pays nothing.
    Announcement,
}

impl From<ClaimKind> for Action {
    fn from(kind: ClaimKind) -> Self {
        match kind {
            ClaimKind::Refund => Self::Refund,
            ClaimKind::Report => Self::Report,
            ClaimKind::Late => Self::LateClaim,
            ClaimKind::Announcement => Self::Announcement,
        }
    }
}

/// The next step towards a report of a contribution that the model disagrees with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportStage {
    /// Announce the report.
    Announce,
    /// Wait until the notice is over.
    Wait,
    /// Report the contribution.
    Report,
}

/// A claim that would succeed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opportunity {
    /// Position of the contribution.
    pub position: u64,
    /// Kind of the claim.
    pub kind: ClaimKind,
    /// Sum that the claim would pay, in wei.
    /// For an announcement, it is the sum that its report would pay in the present state.
    pub amount: u128,
}

/// Contributions that the chain accepted in one transaction.
pub struct Sent {
    /// The contributions, in order.
    pub pending: Vec<Pending>,
    /// Gas used.
    pub gas: u64,
    /// Number of contributions that taught the model something.
    pub changed: usize,
}

/// Claims that the chain paid in one transaction.
pub struct Claimed {
    /// Sum of each claim, in wei.
    pub amounts: Vec<u128>,
    /// Gas used.
    pub gas: u64,
}

/// Money that an account collected, in one or more transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Collected sum, in wei.
    pub amount: u128,
    /// Gas used.
    pub gas: u64,
}

/// Predictions that a caller paid for in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Predicted label of each sample.
    pub labels: Vec<u16>,
    /// Paid sum, in wei.
    pub paid: u128,
    /// Gas used.
    pub gas: u64,
}

/// Transactions that no agent sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upkeep {
    /// Number of transactions.
    pub transactions: u64,
    /// Total gas of these transactions.
    pub gas: u64,
}
