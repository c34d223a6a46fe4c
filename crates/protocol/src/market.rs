//! A prediction market: contributors are paid out of a bounty by how much the model gets better, or worse, on a
//! test set that its provider has committed to and reveals afterwards.
//!
//! After Abernethy and Frongillo, "A Collaborative Mechanism for Crowdsourcing Prediction Problems" (2011), as
//! 0xDeCA10B simulated it.

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
    Rejection,
    classifier::{Classifier, Hosted},
};

pub use self::{
    contributing::{Contributed, Contributions},
    deadlines::Lost,
    driving::{Limits, Pace, Step},
    fact::Fact,
    part::{MOST_BYTES, commitment},
    phase::{Phase, Stage},
    revealing::Revealed,
    scoring::{Run, Scored},
    settling::{Change, PassSettled, Settled},
    terms::Terms,
};

/// What a market keeps of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Participant {
    /// The stakes, and what passes have added or taken, in wei; 0 once collected.
    pub balance: u128,
    /// How many contributions the participant has made.
    pub contributions: u64,
    /// By how many samples of the test set the contributions have improved the model in this pass.
    pub score: i64,
    /// Whether the participant can pay for no further loss: their contributions are skipped from then on.
    pub removed: bool,
    /// Whether the participant has collected.
    pub collected: bool,
}

/// How far the scoring has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// What has to be done next, where the phase is [`Phase::Scoring`].
    pub stage: Stage,
    /// The pass, from 1; 0 before the first one.
    pub pass: u64,
    /// How many words of its model have been copied.
    pub copied: u64,
    /// The position of the next contribution to be taught or skipped.
    pub cursor: u64,
    /// Whose contribution was taught last; none at the beginning of a pass.
    pub run_author: Option<Address>,
    /// Whether something was taught that has not been scored yet.
    pub taught: bool,
    /// How many samples have been evaluated since; 0 where no evaluation has begun.
    pub evaluated: u64,
    /// How many of them the model predicts right.
    pub counted: u64,
    /// How many samples of all parts but the drawn one the model predicted right when all were last evaluated.
    pub correct: u64,
    /// The place of the next participant to be looked at by [`Market::settle`].
    pub place: u64,
    /// What all participants looked at so far can afford to play for, in wei: at most what is left of the bounty.
    pub pot: u128,
}

/// Contributions of one transaction, as they are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    /// The position of the first contribution.
    first: u64,
    root: B256,
}

/// What the owner committed to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Committed {
    /// Of the parts, in order; none before.
    commitments: Vec<B256>,
    /// The number of the block.
    block: u64,
    /// In seconds.
    time: u64,
}

/// A market with its model. Time is in seconds and never goes back; money is in wei.
///
/// Every payment succeeds here. Where a receiver refuses it on a chain, that is [`Rejection::PaymentFailed`] and nothing
/// has happened there. Gas is without bounds: what needs more than the contract gives it fails there alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    owner: Address,
    address: Address,
    classifier: Address,
    terms: Terms,
    /// What the market begins with: nobody ever teaches it.
    initial: Hosted,
    held: u128,
    /// What was locked, in wei.
    bounty: u128,
    /// What of it is left for passes to come, in wei.
    remaining: u128,
    committed: Committed,
    drawn: Option<usize>,
    /// As many as commitments.
    parts: Vec<Option<Part>>,
    /// In seconds; none before the market opens.
    closing_time: Option<u64>,
    /// When the last part was revealed, in seconds.
    scoring_time: Option<u64>,
    forfeited: bool,
    settled: bool,
    remainder_collected: bool,
    samples: u64,
    initial_correct: u64,
    contribution_count: u64,
    batches: Vec<Batch>,
    /// Author of each batch.
    authors: Vec<Address>,
    /// In the order of their first contributions.
    order: Vec<Address>,
    participants: BTreeMap<Address, Participant>,
    /// How many have not been removed.
    active: usize,
    /// All balances at the end of the last pass, or else all stakes, in wei, collected or not.
    balances: u128,
    progress: Progress,
    /// The model of the pass; none before the first one.
    model: Option<Classifier>,
    /// How many batches are before the cursor.
    taken: usize,
    /// Of each part, the model's version when it was last evaluated, and how many samples were predicted right:
    /// that holds as long as the version stays.
    evaluations: Vec<(u64, u64)>,
    /// Author of the run that was scored last since a call of `score` ended: only while facts are followed.
    run_scored: Option<Address>,
}

impl Market {
    /// A market, which is the contract at `address`, and a model, which is the contract at `classifier` and closed for
    /// the market.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`]; [`Rejection::InvalidTrainer`] where the market is the zero address.
    pub fn new(
        owner: Address,
        address: Address,
        classifier: Address,
        terms: Terms,
        model: Classifier,
    ) -> Result<Self, Rejection> {
        let model = Hosted::new(owner, model);
        let mut market = Self::with_model(owner, address, classifier, terms, model)?;
        market.initial.close(owner, address)?;
        Ok(market)
    }

    /// A market and a model at any point of its life: the owner cannot commit while it is still open, or where it is
    /// somebody else's.
    ///
    /// # Errors
    /// [`Rejection::InvalidParameter`].
    pub fn with_model(
        owner: Address,
        address: Address,
        classifier: Address,
        terms: Terms,
        model: Hosted,
    ) -> Result<Self, Rejection> {
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
            batches: Vec::new(),
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

    /// What the market is doing.
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

    /// How far the scoring has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// What a contribution costs, in wei, however many come together.
    #[must_use]
    pub fn stake(&self) -> u128 {
        self.terms.stake
    }

    /// The provider: who commits to the test set and pays the bounty.
    #[must_use]
    pub fn owner(&self) -> Address {
        self.owner
    }

    /// The contract's own address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    /// What the market was created with.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// The model that the market begins with; nobody teaches it.
    #[must_use]
    pub fn initial(&self) -> &Hosted {
        &self.initial
    }

    /// The model that the market begins with, as its owner can change it.
    pub fn initial_mut(&mut self) -> &mut Hosted {
        &mut self.initial
    }

    /// The model of the last pass that has begun: the trained model, once the market is settled. None before.
    #[must_use]
    pub fn model(&self) -> Option<&Classifier> {
        self.model.as_ref()
    }

    /// What the contract holds, in wei.
    #[must_use]
    pub fn held(&self) -> u128 {
        self.held
    }

    /// What was locked for the participants, in wei; 0 before the commitments.
    #[must_use]
    pub fn bounty(&self) -> u128 {
        self.bounty
    }

    /// What is left of it for passes to come, in wei.
    #[must_use]
    pub fn remaining_bounty(&self) -> u128 {
        self.remaining
    }

    /// What the owner committed to, one a part; nothing before.
    #[must_use]
    pub fn commitments(&self) -> &[B256] {
        &self.committed.commitments
    }

    /// The block of the commitments; 0 before them.
    #[must_use]
    pub fn committed_block(&self) -> u64 {
        self.committed.block
    }

    /// When the commitments were made, in seconds; 0 before that.
    #[must_use]
    pub fn committed_time(&self) -> u64 {
        self.committed.time
    }

    /// The part that contributors test with and nothing is scored on; none before it is drawn.
    #[must_use]
    pub fn drawn_part(&self) -> Option<usize> {
        self.drawn
    }

    /// The items of a part; none unless it is revealed.
    #[must_use]
    pub fn part(&self, part: usize) -> Option<&[u8]> {
        self.parts.get(part)?.as_ref().map(Part::bytes)
    }

    /// How many parts have been revealed, the drawn one included.
    #[must_use]
    pub fn revealed_count(&self) -> usize {
        self.parts.iter().flatten().count()
    }

    /// How many samples all revealed parts but the drawn one have.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// How many of them the initial model predicts right.
    #[must_use]
    pub fn initial_correct(&self) -> u64 {
        self.initial_correct
    }

    /// The first second in which nobody can contribute any more, or when the last possible contribution came; none
    /// before the market opens.
    #[must_use]
    pub fn closing_time(&self) -> Option<u64> {
        self.closing_time
    }

    /// When the last part was revealed, in seconds; none before that.
    #[must_use]
    pub fn scoring_time(&self) -> Option<u64> {
        self.scoring_time
    }

    /// Returns the last second in which the drawn part can be revealed or, once the market has opened, the others;
    /// `None` before the commitments.
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

    /// How many contributions have been made.
    #[must_use]
    pub fn contribution_count(&self) -> u64 {
        self.contribution_count
    }

    /// The root of a batch; zero where no batch begins at this position.
    #[must_use]
    pub fn root(&self, batch: u64) -> B256 {
        self.batches
            .binary_search_by_key(&batch, |batch| batch.first)
            .map_or(B256::ZERO, |place| self.batches[place].root)
    }

    /// The participants, in the order of their first contributions, removed ones included.
    #[must_use]
    pub fn participants(&self) -> &[Address] {
        &self.order
    }

    /// What the market keeps of a participant; of others, nothing but zeros.
    #[must_use]
    pub fn account(&self, author: Address) -> Participant {
        self.participants.get(&author).copied().unwrap_or_default()
    }

    fn require_phase(&self, now: u64, required: Phase) -> Result<(), Rejection> {
        let phase = self.phase(now);
        if phase == required {
            Ok(())
        } else {
            Err(Rejection::WrongPhase { phase, required })
        }
    }

    fn require_stage(&self, now: u64, required: Stage) -> Result<(), Rejection> {
        self.require_phase(now, Phase::Scoring)?;
        let stage = self.progress.stage;
        if stage == required {
            Ok(())
        } else {
            Err(Rejection::WrongStage { stage, required })
        }
    }
}
