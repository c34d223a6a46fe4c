//! Facts of a market, as its events report them, and a market that follows them.

use alloy_primitives::{Address, B256, Bytes};

use super::{Market, PassSettled, Progress, Run, Stage, Terms};
use crate::{
    ContractError,
    classifier::{Classifier, Parameters},
    sample::parse_batch,
    trainer::FactError,
};

/// One event of a market. Money is in wei, time in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The owner committed to a test set and locked the bounty.
    Committed {
        /// The locked money.
        bounty: u128,
        /// Number of the block.
        number: u64,
        /// Time of the block.
        time: u64,
        /// Commitments, one a part.
        commitments: Vec<B256>,
    },
    /// A part was drawn for contributors to test with.
    Drawn {
        /// Index of the part.
        part: u64,
        /// Hash of the block that decides the draw.
        block_hash: B256,
    },
    /// A part was revealed.
    Revealed {
        /// Index of the part.
        part: u64,
        /// Time of the block.
        time: u64,
        /// Number of its samples that the initial model predicts right.
        correct: u64,
        /// Salt of its commitment.
        salt: B256,
        /// Labels and samples.
        items: Bytes,
    },
    /// Labeled samples were contributed.
    Contributed {
        /// Position of the first of them, which names the transaction.
        first_position: u64,
        /// Account that contributed.
        author: Address,
        /// Stake of each contribution.
        deposit: u128,
        /// Time of the block.
        time: u64,
        /// Labels and samples.
        items: Bytes,
    },
    /// A pass began with a new model.
    Restarted {
        /// Number of the pass, from 1.
        pass: u64,
        /// Address of the model.
        model: Address,
    },
    /// Words were copied to the model of a pass.
    Copied {
        /// Number of the pass, from 1.
        pass: u64,
        /// Words copied so far.
        copied: u64,
        /// Words that the model has.
        size: u64,
    },
    /// The contributions of a transaction could not be taught.
    LessonFailed {
        /// Position of the first of them.
        first_position: u64,
    },
    /// Consecutive contributions of an author were scored.
    Scored(Run),
    /// A call of `score` ended.
    Advanced {
        /// The next stage.
        stage: Stage,
        /// Position of the next contribution.
        cursor: u64,
        /// Author of the contributions that were taught last; `None` at the beginning of a pass.
        run_author: Option<Address>,
        /// Number of samples evaluated since the last lesson.
        evaluated: u64,
        /// Number of these samples that the model predicts right.
        counted: u64,
    },
    /// A pass changed a participant's balance.
    BalanceChanged {
        /// The participant.
        account: Address,
        /// Score in the pass; not 0.
        score: i64,
        /// Balance after the change.
        balance: u128,
    },
    /// A participant cannot pay for any further loss.
    Removed {
        /// The participant.
        account: Address,
        /// Number of the pass, from 1.
        pass: u64,
    },
    /// A call of `settle` ended within a pass.
    SettlementAdvanced {
        /// The next stage.
        stage: Stage,
        /// Index of the next participant.
        participant_index: u64,
        /// Pot that all participants visited so far can afford.
        pot: u128,
    },
    /// A pass ended.
    PassSettled(PassSettled),
    /// A participant was paid out.
    Collected {
        /// The participant.
        account: Address,
        /// The payment.
        amount: u128,
    },
    /// The owner was paid the money that the balances do not need.
    RemainderCollected {
        /// The owner.
        owner: Address,
        /// The payment.
        amount: u128,
    },
    /// The bounty was burned.
    Forfeited {
        /// The burned money.
        bounty: u128,
    },
}

impl Fact {
    /// Returns the name of the event, in the words of the API.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Committed { .. } => "committed",
            Self::Drawn { .. } => "drawn",
            Self::Revealed { .. } => "revealed",
            Self::Contributed { .. } => "contributed",
            Self::Restarted { .. } => "restarted",
            Self::Copied { .. } => "copied",
            Self::LessonFailed { .. } => "lesson-failed",
            Self::Scored(_) => "scored",
            Self::Advanced { .. } => "advanced",
            Self::BalanceChanged { .. } => "balance-changed",
            Self::Removed { .. } => "removed",
            Self::SettlementAdvanced { .. } => "settlement-advanced",
            Self::PassSettled(_) => "pass-settled",
            Self::Collected { .. } => "collected",
            Self::RemainderCollected { .. } => "remainder-collected",
            Self::Forfeited { .. } => "forfeited",
        }
    }
}

impl Market {
    /// Creates a market as its contract was created, to follow its facts ([`apply`](Self::apply)).
    ///
    /// It knows no weights: scores and counts come from the facts. [`model`](Self::model) stays
    /// `None`.
    ///
    /// # Errors
    /// [`ContractError::InvalidParameter`]; [`ContractError::InvalidTrainer`] if the market is the zero
    /// address.
    pub fn followed(
        owner: Address,
        address: Address,
        classifier: Address,
        terms: Terms,
        parameters: Parameters,
    ) -> Result<Self, ContractError> {
        Self::new(
            owner,
            address,
            classifier,
            terms,
            Classifier::new(parameters)?,
        )
    }

    /// Applies a fact of the chain.
    ///
    /// It accepts times, payments, and the results of teaching and evaluating as the contract found
    /// them.
    ///
    /// # Errors
    /// [`FactError`] if the fact does not follow from those before; go back to an earlier state
    /// then.
    pub fn apply(&mut self, fact: &Fact) -> Result<(), FactError> {
        match fact {
            Fact::Committed {
                bounty,
                number,
                time,
                commitments,
            } => self.commit(self.owner, *time, *number, *bounty, commitments)?,
            Fact::Drawn { part, block_hash } => self.apply_drawn(*part, *block_hash)?,
            Fact::Revealed {
                part,
                time,
                correct,
                salt,
                items,
            } => self.apply_revealed(*part, *time, *correct, *salt, items)?,
            Fact::Contributed {
                first_position,
                author,
                time,
                items,
                ..
            } => self.apply_contributed(*first_position, *author, *time, items)?,
            Fact::Restarted { pass, .. } => {
                self.progress.pass = *pass;
                self.progress.copied = 0;
            }
            Fact::Copied { copied, size, .. } => {
                self.progress.copied = *copied;
                if copied == size {
                    self.progress.stage = Stage::Teaching;
                    self.progress.correct = self.initial_correct;
                }
            }
            // `Advanced` tells that the cursor has passed these contributions.
            Fact::LessonFailed { .. } => {}
            Fact::Scored(run) => self.apply_scored(run),
            Fact::Advanced {
                stage,
                cursor,
                run_author,
                evaluated,
                counted,
            } => self.apply_advanced(*stage, *cursor, *run_author, *evaluated, *counted),
            Fact::BalanceChanged {
                account, balance, ..
            } => {
                let participant = self.participants.entry(*account).or_default();
                let before = std::mem::replace(&mut participant.balance, *balance);
                participant.score = 0;
                self.balances = self
                    .balances
                    .saturating_sub(before)
                    .saturating_add(*balance);
            }
            Fact::Removed { account, .. } => {
                let participant = self.participants.entry(*account).or_default();
                if !std::mem::replace(&mut participant.removed, true) {
                    self.active = self.active.saturating_sub(1);
                }
            }
            Fact::SettlementAdvanced {
                stage,
                participant_index,
                pot,
            } => {
                self.progress.stage = *stage;
                self.progress.participant_index = *participant_index;
                self.progress.pot = *pot;
            }
            Fact::PassSettled(pass) => {
                self.progress.stage = Stage::Paying;
                self.progress.participant_index = self.order.len() as u64;
                self.progress.pot = pass.pot;
                self.close_pass(pass);
            }
            Fact::Collected { account, amount } => {
                let participant = self.participants.entry(*account).or_default();
                participant.balance = 0;
                participant.collected = true;
                self.held = self.held.saturating_sub(*amount);
            }
            Fact::RemainderCollected { amount, .. } => {
                self.remainder_collected = true;
                self.held = self.held.saturating_sub(*amount);
            }
            Fact::Forfeited { bounty } => {
                self.forfeited = true;
                self.held = self.held.saturating_sub(*bounty);
            }
        }
        Ok(())
    }

    fn apply_drawn(&mut self, part: u64, block_hash: B256) -> Result<(), FactError> {
        let drawn = self.lot(block_hash);
        if drawn.map(|drawn| drawn as u64) != Some(part) {
            return Err(ContractError::UnknownPart {
                part,
                parts: self.parts.len() as u64,
            }
            .into());
        }
        self.drawn = drawn;
        Ok(())
    }

    fn apply_revealed(
        &mut self,
        part: u64,
        time: u64,
        correct: u64,
        salt: B256,
        items: &[u8],
    ) -> Result<(), FactError> {
        let counted = self.initial_correct;
        self.reveal(time, part, salt, items)?;
        let index = usize::try_from(part).unwrap_or(usize::MAX);
        if let Some(Some(revealed)) = self.parts.get_mut(index) {
            revealed.correct = correct;
        }
        // The first reveal opens the market. The market scores nothing on that part.
        if self.drawn != Some(index) {
            self.initial_correct = counted + correct;
        }
        Ok(())
    }

    fn apply_contributed(
        &mut self,
        first_position: u64,
        author: Address,
        time: u64,
        items: &[u8],
    ) -> Result<(), FactError> {
        let wanted = self.contribution_count;
        if first_position != wanted {
            return Err(FactError::Position {
                found: first_position,
                wanted,
            });
        }
        let count = parse_batch(items)?.len() as u128;
        self.contribute(author, time, self.terms.stake * count, items)?;
        Ok(())
    }

    fn apply_scored(&mut self, run: &Run) {
        self.participants.entry(run.author).or_default().score += run.change;
        self.progress.correct = run.correct;
        self.progress.run_author = Some(run.author);
        self.progress.taught = false;
        self.run_scored = Some(run.author);
    }

    fn apply_advanced(
        &mut self,
        stage: Stage,
        cursor: u64,
        run_author: Option<Address>,
        evaluated: u64,
        counted: u64,
    ) {
        let taken = self
            .roots
            .partition_point(|entry| entry.first_position < cursor);
        let passed = self
            .authors
            .get(self.taken..taken)
            .unwrap_or_default()
            .iter();
        let taught_some = passed
            .map(|author| self.account(*author))
            .any(|one| !one.removed);
        // A run ends if the author changes, or with the last contribution. So after the last score
        // of a call, only another author's contribution can have been taught.
        let taught = match self.run_scored.take() {
            Some(scored) => run_author != Some(scored),
            None => self.progress.taught || taught_some,
        };
        self.taken = taken;
        let progress = &mut self.progress;
        progress.taught = taught || evaluated > 0;
        progress.stage = stage;
        progress.cursor = cursor;
        progress.run_author = run_author;
        progress.evaluated = evaluated;
        progress.counted = counted;
        if stage == Stage::Finding {
            progress.pot = self.remaining;
        }
    }

    /// Ends a pass. It settles the market after the last pass, and prepares the next pass
    /// otherwise.
    pub(super) fn close_pass(&mut self, ended: &PassSettled) {
        self.remaining = self.remaining.saturating_sub(ended.pot);
        self.settled = ended.last;
        if !ended.last {
            self.progress = Progress {
                pass: ended.pass,
                correct: ended.correct,
                pot: ended.pot,
                ..Progress::default()
            };
            self.taken = 0;
        }
    }
}
