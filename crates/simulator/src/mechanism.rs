//! Incentive mechanisms: what a contribution costs, what can be got out of it, and by which transactions.

mod contract;
mod fees;
mod market;
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
    fees::PredictionFees,
    market::MarketMechanism,
    trainer::{LARGEST_BALANCE, RELAYER, TrainerMechanism, encode},
};
use crate::{SimulateError, vocabulary::Action};

pub use crate::vocabulary::{Fact, Words};

/// A deployed model and the money around it. Whatever changes it is a transaction on its chain; what it
/// says is computed free by the same rules beside the chain ([`cotrain_protocol`]).
///
/// A mechanism of one's own implements this, or goes around another one: docs/extending.md.
pub trait Mechanism {
    /// Returns the name for people, such as `deposit, refund, take`.
    fn title(&self) -> &'static str;

    /// The chain that it is on.
    fn chain(&self) -> &dyn Chain;

    /// The same, to be changed.
    fn chain_mut(&mut self) -> &mut dyn Chain;

    /// The model, as contributions have made it.
    fn classifier(&self) -> &Classifier;

    /// Returns the cost of the deployment.
    fn deployment_cost(&self) -> DeploymentCost;

    /// Wei that each of `n` contributions in one transaction deposits now.
    fn price(&self, n: usize) -> u128;

    /// Whether it takes contributions now.
    fn is_open(&self) -> bool {
        true
    }

    /// Wei that it keeps for an account and that the account can get at any time.
    fn balance(&self, _account: Address) -> u128 {
        0
    }

    /// Good contributions of an account.
    fn good(&self, account: Address) -> u64;

    /// Good contributions of all accounts.
    fn total_good(&self) -> u64;

    /// Sends contributions in one transaction, with exactly the deposits they need. None where the author
    /// cannot pay for the gas.
    ///
    /// # Errors
    /// Where the chain refuses what the rules allow, or computes something else than they do.
    fn contribute(
        &mut self,
        author: Address,
        items: &[Item<'_>],
    ) -> Result<Option<Sent>, SimulateError>;

    /// The moments, in Unix seconds and in order, at which other claims on a contribution become possible.
    fn edges(&self, contribution: &Contribution) -> Vec<u64>;

    /// Whether nothing is left to claim.
    fn is_settled(&self, pending: &Pending) -> bool;

    /// Returns the next step towards a report of a contribution, whatever the model says of it.
    fn report_stage(&self, _contribution: &Contribution) -> ReportStage {
        ReportStage::Report
    }

    /// The claim on a contribution that would succeed for `claimer` now, if there is one. Free: nothing is
    /// sent.
    fn opportunity(&self, claimer: Address, pending: &mut Pending) -> Option<Opportunity>;

    /// Sends claims of a kind, found by [`Mechanism::opportunity`], in order of position. None where the
    /// claimer cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn claim(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &[&Pending],
    ) -> Result<Option<Claimed>, SimulateError>;

    /// Gas that a claim would use now in a transaction of its own. Free: nothing is sent.
    ///
    /// # Errors
    /// Where the claim would fail.
    fn claim_gas(
        &mut self,
        claimer: Address,
        kind: ClaimKind,
        pending: &Pending,
    ) -> Result<u64, SimulateError>;

    /// Wei that an account can collect, apart from claims on contributions.
    fn dues(&self, _account: Address) -> u128 {
        0
    }

    /// Collects what is due, if anything is. None where nothing is, or the account cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn collect(&mut self, _account: Address) -> Result<Option<Collected>, SimulateError> {
        Ok(None)
    }

    /// Wei that asking for one prediction in a transaction costs; none where nobody is paid for that.
    fn prediction_price(&self) -> Option<u128> {
        None
    }

    /// Pays for the predictions of some samples. None where the caller cannot pay, or nobody is paid for
    /// that.
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

    /// Makes good contributions count for an account's share of what is paid for predictions, where they do not
    /// yet: gas used. None where there is nothing to do, or the account cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn register(&mut self, _account: Address) -> Result<Option<u64>, SimulateError> {
        Ok(None)
    }

    /// The next moment, in Unix seconds, at which something happens that is nobody's turn; none where nothing
    /// does.
    fn next_event(&self) -> Option<u64> {
        None
    }

    /// Does what is due now and nobody's turn.
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

    /// The words in which its runs are told.
    fn words(&self) -> Words;

    /// Says how it ended and why, in sentences; nothing if there is nothing to say.
    fn outcome(&self) -> String {
        String::new()
    }

    /// Holds all of the chain's state that matters against the rules.
    ///
    /// # Errors
    /// [`SimulateError::Diverged`] where they differ.
    fn compare(&mut self, accounts: &[Address]) -> Result<(), SimulateError>;

    /// Returns the way of relaying signed contributions; `None` if the mechanism takes none.
    fn relaying(&mut self) -> Option<&mut dyn Relaying> {
        None
    }
}

/// Relaying of signed contributions.
pub trait Relaying {
    /// Wei that each of `n` contributions in one relay deposits now.
    fn price(&self, n: usize) -> u128;

    /// Wei that an account has prepaid and not spent.
    fn prepaid(&self, account: Address) -> u128;

    /// Returns the hash that the author of a batch signs for this model.
    fn signing_hash(&self, batch: &SignedBatch) -> B256;

    /// Returns the account that relays, for which all is signed.
    fn relayer(&self) -> Address;

    /// Adds to what `account` has prepaid: gas used. None where it cannot pay for the gas.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn prepay(&mut self, account: Address, amount: u128) -> Result<Option<u64>, SimulateError>;

    /// Gas that a contribution would use now in a transaction of its own. Free: nothing is sent.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn contribution_alone(&mut self, items: &[u8]) -> Result<u64, SimulateError>;

    /// Relays signed batches, all of which the rules accept now: as many, from the first on, as the gas of one
    /// transaction is enough for, if each lesson may use `gas_per_batch`. Returns how many, at least one.
    ///
    /// # Errors
    /// As [`Mechanism::contribute`].
    fn relay(
        &mut self,
        batches: &[SignedBatch],
        gas_per_batch: u64,
    ) -> Result<(usize, Sent), SimulateError>;
}

/// A contribution of which something may still be claimed.
#[derive(Debug)]
pub struct Pending {
    /// All that came in the same transaction.
    record: Rc<Record>,
    /// Its place among them.
    place: usize,
    /// The version of the model that the prediction for the sample is by, and the prediction.
    prediction: Option<(u64, u16)>,
}

impl Pending {
    /// All contributions of one transaction.
    #[must_use]
    pub fn all_of(record: Record) -> Vec<Self> {
        let record = Rc::new(record);
        let pending = |place| Self {
            record: Rc::clone(&record),
            place,
            prediction: None,
        };
        (0..record.contributions().len()).map(pending).collect()
    }

    /// The contribution.
    #[must_use]
    pub fn contribution(&self) -> &Contribution {
        &self.record.contributions()[self.place]
    }

    /// Returns the label that the model predicts for its sample now. Predictions are kept until the model changes.
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

/// Claims on these contributions, which are in order of position: a group for each batch.
pub(crate) fn claims_on(pending: &[&Pending]) -> Vec<Claims> {
    pending
        .chunk_by(|one, next| Rc::ptr_eq(&one.record, &next.record))
        .map(|group| {
            let positions = group.iter().map(|one| one.contribution().position);
            group[0].record.claims(&positions.collect::<Vec<_>>())
        })
        .collect()
}

/// The ways to get money out of a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    /// The author's, where the model agrees.
    Refund,
    /// Somebody else's, where the model disagrees.
    Report,
    /// Anyone's, long after.
    Late,
    /// Anyone's, long enough before a report: it brings nothing itself.
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
    /// To announce it.
    Announce,
    /// To wait until its notice is over.
    Wait,
    /// To report it.
    Report,
}

/// A claim that would succeed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opportunity {
    /// Position of the contribution.
    pub position: u64,
    /// Kind of the claim.
    pub kind: ClaimKind,
    /// Wei that it would bring; of an announcement, that the report after it would bring as things are.
    pub amount: u128,
}

/// Contributions that were accepted, in one transaction.
pub struct Sent {
    /// Each of them.
    pub pending: Vec<Pending>,
    /// Gas used.
    pub gas: u64,
    /// Number of contributions that taught the model something.
    pub changed: usize,
}

/// Claims that were paid, in one transaction.
pub struct Claimed {
    /// Wei, of each.
    pub amounts: Vec<u128>,
    /// Gas used.
    pub gas: u64,
}

/// Money that was collected, in one transaction or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    /// Wei.
    pub amount: u128,
    /// Gas used.
    pub gas: u64,
}

/// Predictions that were paid for, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// A label a sample.
    pub labels: Vec<u16>,
    /// Wei paid.
    pub paid: u128,
    /// Gas used.
    pub gas: u64,
}

/// Transactions that nobody's turn brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upkeep {
    /// Number of transactions.
    pub transactions: u64,
    /// Gas of all of them.
    pub gas: u64,
}
