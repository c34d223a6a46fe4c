//! A prediction market: a mechanism that pays contributors out of a bounty.
//!
//! Each contributor gains or loses by how much the contributions make the model better or worse on
//! a test set.
//! The provider commits to the test set before and reveals it afterwards.
//!
//! After Abernethy and Frongillo, "A Collaborative Mechanism for Crowdsourcing Prediction Problems"
//! (2011), as 0xDeCA10B simulated it.

mod collecting;
mod contributing;
mod deadlines;
mod driving;
mod fact;
mod part;
mod phase;
mod revealing;
mod scoring;
mod settling;
mod terms;

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};

use self::part::Part;
use crate::{
    ContractError,
    classifier::{Classifier, Hosted},
};

pub use self::{
    contributing::{Contributed, Contributions},
    deadlines::Lost,
    driving::{Limits, Pace, Step},
    fact::Fact,
    part::{MAX_BYTES, commitment},
    phase::{Phase, Stage},
    revealing::Revealed,
    scoring::{Run, Scored},
    settling::{Change, PassSettled, Settled},
    terms::Terms,
};

/// State of a participant in a market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Participant {
    /// Stakes plus the gains and losses of passes, in wei; 0 once collected.
    pub balance: u128,
    /// Number of the participant's contributions.
    pub contributions: u64,
    /// Gain of the contributions in this pass: how many more test samples the model predicts right.
    /// Negative for a loss.
    pub score: i64,
    /// Whether the participant can pay for no further loss. The scoring skips their contributions
    /// from then on.
    pub removed: bool,
    /// Whether the participant has collected their balance.
    pub collected: bool,
}

/// Progress of the scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Next step if the phase is [`Phase::Scoring`].
    pub stage: Stage,
    /// Number of the pass, from 1; 0 before the first one.
    pub pass: u64,
    /// Number of words that have been copied to the model of the pass.
    pub copied: u64,
    /// Position of the next contribution to teach or skip.
    pub cursor: u64,
    /// Author of the contribution that was taught last; `None` at the beginning of a pass.
    pub run_author: Option<Address>,
    /// Whether a contribution was taught that has not been scored yet.
    pub taught: bool,
    /// Number of samples evaluated since the last lesson; 0 if no evaluation has begun.
    pub evaluated: u64,
    /// Number of these samples that the model predicts right.
    pub counted: u64,
    /// Number of samples that the model predicted right at the last full evaluation, over all parts
    /// except the drawn one.
    pub correct: u64,
    /// Index of the next participant for [`Market::settle`].
    pub participant_index: u64,
    /// Pot that all participants checked so far can afford, in wei: at most the remaining bounty.
    pub pot: u128,
}

/// Root over the contributions of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RecordRoot {
    /// Position of the first contribution.
    first_position: u64,
    root: B256,
}

/// Commitments of the owner to a test set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Committed {
    /// Commitments to the parts, in order; empty before the owner commits.
    commitments: Vec<B256>,
    /// Number of the block.
    block: u64,
    /// Time of the block, in Unix seconds.
    time: u64,
}

/// Reference model of a market, with its classifier.
///
/// Time is in seconds and never goes back; money is in wei.
/// Every payment succeeds here.
/// If a receiver refuses it on a chain, that is [`ContractError::PaymentFailed`], and nothing has
/// happened there.
/// Gas is unlimited here: a call that needs more than the contract gives it fails only there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    owner: Address,
    address: Address,
    classifier: Address,
    terms: Terms,
    /// Model that the market begins with. Nobody ever teaches it.
    initial: Hosted,
    held: u128,
    /// Locked bounty, in wei.
    bounty: u128,
    /// Part of the bounty that later passes can still use, in wei.
    remaining: u128,
    committed: Committed,
    drawn: Option<usize>,
    /// Revealed parts, one entry a commitment.
    parts: Vec<Option<Part>>,
    /// Closing time in Unix seconds; `None` before the market opens.
    closing_time: Option<u64>,
    /// Time of the last reveal, in Unix seconds.
    scoring_time: Option<u64>,
    forfeited: bool,
    settled: bool,
    remainder_collected: bool,
    samples: u64,
    initial_correct: u64,
    contribution_count: u64,
    roots: Vec<RecordRoot>,
    /// Author of each transaction.
    authors: Vec<Address>,
    /// Participants in the order of their first contributions.
    order: Vec<Address>,
    participants: BTreeMap<Address, Participant>,
    /// Number of participants that have not been removed.
    active: usize,
    /// Sum of all balances at the end of the last pass, or of all stakes before, in wei. Collecting
    /// does not change it.
    balances: u128,
    progress: Progress,
    /// Model of the pass; `None` before the first one.
    model: Option<Classifier>,
    /// Number of transactions before the cursor.
    taken: usize,
    /// Last evaluation of each part: the model's version, and the number of samples predicted
    /// right.
    ///
    /// It stays valid while the model keeps that version.
    evaluations: Vec<(u64, u64)>,
    /// Author of the run that was scored last since a call of `score` ended. Used only while the
    /// market follows facts.
    run_scored: Option<Address>,
}

impl Market {
    /// Creates a market at the contract address `address`.
    ///
    /// Its model is the contract at `classifier`, closed for the market.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`]; [`ContractError::InvalidTrainer`] if the market is the zero
    /// address.
    pub fn new(
        owner: Address,
        address: Address,
        classifier: Address,
        terms: Terms,
        model: Classifier,
    ) -> Result<Self, ContractError> {
        let model = Hosted::new(owner, model);
        let mut market = Self::with_model(owner, address, classifier, terms, model)?;
        market.initial.close(owner, address)?;
        Ok(market)
    }

    /// Creates a market with a model at any point of its life.
    ///
    /// The owner cannot commit while the model is open, or if another contract is its trainer.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`].
    pub fn with_model(
        owner: Address,
        address: Address,
        classifier: Address,
        terms: Terms,
        model: Hosted,
    ) -> Result<Self, ContractError> {
        terms.validate()?;
        Ok(Self {
            owner,
            address,
            classifier,
            terms,
            initial: model,
            held: 0,
            bounty: 0,
            remaining: 0,
            committed: Committed::default(),
            drawn: None,
            parts: Vec::new(),
            closing_time: None,
            scoring_time: None,
            forfeited: false,
            settled: false,
            remainder_collected: false,
            samples: 0,
            initial_correct: 0,
            contribution_count: 0,
            roots: Vec::new(),
            authors: Vec::new(),
            order: Vec::new(),
            participants: BTreeMap::new(),
            active: 0,
            balances: 0,
            progress: Progress::default(),
            model: None,
            taken: 0,
            evaluations: Vec::new(),
            run_scored: None,
        })
    }

    /// Returns the phase at `now`.
    #[must_use]
    pub fn phase(&self, now: u64) -> Phase {
        if self.forfeited {
            return Phase::Forfeited;
        }
        let Some(closing) = self.closing_time else {
            return if self.committed.commitments.is_empty() {
                Phase::Created
            } else {
                Phase::Committed
            };
        };
        if now < closing {
            return Phase::Open;
        }
        if self.settled || self.contribution_count == 0 {
            return Phase::Settled;
        }
        let (latest, phase) = match self.scoring_deadline() {
            None => (self.reveal_deadline(), Phase::Revealing),
            latest => (latest, Phase::Scoring),
        };
        if latest.is_some_and(|latest| now > latest) {
            Phase::Failed
        } else {
            phase
        }
    }

    /// Returns the progress of the scoring.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns the stake of one contribution, in wei. It does not depend on the size of the batch.
    #[must_use]
    pub fn stake(&self) -> u128 {
        self.terms.stake
    }

    /// Returns the provider, who commits to the test set and pays the bounty.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.owner
    }

    /// Returns the contract's own address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// Returns the terms that the market was created with.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Returns the model that the market begins with. Nobody teaches it.
    #[must_use]
    pub fn initial(&self) -> &Hosted {
        &self.initial
    }

    /// Returns the model that the market begins with, for its owner to change.
    pub fn initial_mut(&mut self) -> &mut Hosted {
        &mut self.initial
    }

    /// Returns the model of the last pass that has begun, or `None` before the first pass.
    ///
    /// Once the market is settled, this is the trained model.
    #[must_use]
    pub fn model(&self) -> Option<&Classifier> {
        self.model.as_ref()
    }

    /// Returns the contract's money, in wei.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// Returns the money locked for the participants, in wei; 0 before the commitments.
    #[must_use]
    pub fn bounty(&self) -> u128 {
        self.bounty
    }

    /// Returns the part of the bounty that later passes can still use, in wei.
    #[must_use]
    pub fn remaining_bounty(&self) -> u128 {
        self.remaining
    }

    /// Returns the owner's commitments, one a part; none before the owner commits.
    #[must_use]
    pub fn commitments(&self) -> &[B256] {
        &self.committed.commitments
    }

    /// Returns the number of the block of the commitments; 0 before them.
    #[must_use]
    pub fn committed_block(&self) -> u64 {
        self.committed.block
    }

    /// Returns the time of the commitments, in Unix seconds; 0 before them.
    #[must_use]
    pub fn committed_time(&self) -> u64 {
        self.committed.time
    }

    /// Returns the index of the part that contributors test with, or `None` before the draw.
    ///
    /// The market scores nothing on this part.
    #[must_use]
    pub fn drawn_part(&self) -> Option<usize> {
        self.drawn
    }

    /// Returns the items of a part, or `None` unless it is revealed.
    #[must_use]
    pub fn part(&self, part: usize) -> Option<&[u8]> {
        self.parts.get(part)?.as_ref().map(Part::bytes)
    }

    /// Returns the number of revealed parts, including the drawn one.
    #[must_use]
    pub fn revealed_count(&self) -> usize {
        self.parts.iter().flatten().count()
    }

    /// Returns the number of samples of all revealed parts except the drawn one.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Returns how many of these samples the initial model predicts right.
    #[must_use]
    pub fn initial_correct(&self) -> u64 {
        self.initial_correct
    }

    /// Returns the closing time, in Unix seconds; `None` before the market opens.
    ///
    /// It is the first second in which nobody can contribute, or the time of the last possible
    /// contribution.
    #[must_use]
    pub fn closing_time(&self) -> Option<u64> {
        self.closing_time
    }

    /// Returns the time of the last reveal, in Unix seconds; `None` before it.
    #[must_use]
    pub fn scoring_time(&self) -> Option<u64> {
        self.scoring_time
    }

    /// Returns the last second in which the provider can reveal; `None` before the commitments.
    ///
    /// Before the market opens this is for the drawn part, later for the others.
    #[must_use]
    pub fn reveal_deadline(&self) -> Option<u64> {
        let from = match self.closing_time {
            None if self.committed.commitments.is_empty() => return None,
            None => self.committed.time,
            Some(closing) => closing,
        };
        Some(from + self.terms.reveal_wait)
    }

    /// Returns the last second of the scoring; `None` before the last part is revealed.
    #[must_use]
    pub fn scoring_deadline(&self) -> Option<u64> {
        Some(self.scoring_time? + self.terms.scoring_wait)
    }

    /// Returns the number of contributions.
    #[must_use]
    pub fn contribution_count(&self) -> u64 {
        self.contribution_count
    }

    /// Returns the root of a transaction; zero if none begins at this position.
    #[must_use]
    pub fn root(&self, first_position: u64) -> B256 {
        self.roots
            .binary_search_by_key(&first_position, |entry| entry.first_position)
            .map_or(B256::ZERO, |index| self.roots[index].root)
    }

    /// Returns the participants in the order of their first contributions, including removed ones.
    #[must_use]
    pub fn participants(&self) -> &[Address] {
        &self.order
    }

    /// Returns the state of a participant; all zeros for other accounts.
    #[must_use]
    pub fn account(&self, author: Address) -> Participant {
        self.participants.get(&author).copied().unwrap_or_default()
    }

    fn require_phase(&self, now: u64, required: Phase) -> Result<(), ContractError> {
        let phase = self.phase(now);
        if phase == required {
            Ok(())
        } else {
            Err(ContractError::WrongPhase { phase, required })
        }
    }

    fn require_stage(&self, now: u64, required: Stage) -> Result<(), ContractError> {
        self.require_phase(now, Phase::Scoring)?;
        let stage = self.progress.stage;
        if stage == required {
            Ok(())
        } else {
            Err(ContractError::WrongStage { stage, required })
        }
    }
}
