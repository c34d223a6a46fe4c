//! End of a pass. Participants who improved the model gain from the bounty, and those who worsened
//! it lose.
//!
//! Gains and losses are proportional to the scores, and as large as all can afford.

use alloy_primitives::{Address, U256};

use super::{Market, Participant, Phase, Stage};
use crate::ContractError;

/// Outcome of one [`Market::settle`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Balances that changed, in order.
    pub changes: Vec<Change>,
    /// The pass that ended; `None` if it goes on.
    pub pass: Option<PassSettled>,
}

/// Change of a balance by a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Participant whose balance changed.
    pub account: Address,
    /// Score in the pass; not 0.
    pub score: i64,
    /// Balance after the change, in wei.
    pub balance: u128,
    /// Whether the participant can pay for no further loss.
    pub removed: bool,
}

/// Outcome of a pass that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassSettled {
    /// Number of the pass, from 1.
    pub pass: u64,
    /// Pot of the pass, in wei.
    pub pot: u128,
    /// Number of test samples that the model of the pass predicts right.
    pub correct: u64,
    /// Whether the market is settled with this pass.
    pub last: bool,
}

impl Market {
    /// Settles a pass by at most `max` visits to participants. Each participant needs two visits.
    ///
    /// Let `S` be the scores, `b` the balances and `T` the number of test samples.
    /// The pot `n` is the minimum of the remaining bounty and, over all with `S < 0`, of `floor(b T
    /// / |S|)`.
    /// Then each balance changes by `floor(n S / T)`. Participants with `S < 0` and `b T < |S|` are
    /// removed.
    ///
    /// # Errors
    /// [`ContractError::WrongPhase`], [`ContractError::WrongStage`]; [`ContractError::NoProgress`] for no
    /// visits.
    pub fn settle(&mut self, now: u64, max: u64) -> Result<Settled, ContractError> {
        self.require_phase(now, Phase::Scoring)?;
        if self.progress.stage != Stage::Paying {
            self.require_stage(now, Stage::Finding)?;
        }
        if max == 0 {
            return Err(ContractError::NoProgress);
        }
        let mut settled = Settled::default();
        for _ in 0..max {
            let index = usize::try_from(self.progress.participant_index).unwrap_or(usize::MAX);
            let Some(account) = self.order.get(index).copied() else {
                break;
            };
            self.progress.participant_index += 1;
            let all_seen = index + 1 == self.order.len();
            if self.progress.stage == Stage::Finding {
                self.find(account);
                if all_seen {
                    self.progress.stage = Stage::Paying;
                    self.progress.participant_index = 0;
                }
            } else {
                settled.changes.extend(self.pay(account));
                if all_seen {
                    settled.pass = Some(self.end_pass());
                    break;
                }
            }
        }
        Ok(settled)
    }

    /// Lowers the pot to the amount that the participant can afford.
    fn find(&mut self, account: Address) {
        let Participant { balance, score, .. } = self.account(account);
        if score < 0 {
            let pot = affordable(balance, score, self.samples);
            self.progress.pot = self.progress.pot.min(pot);
        }
    }

    /// Changes the participant's balance by their score, and removes them if they cannot pay for a
    /// pot of one more wei.
    ///
    /// Returns `None` if the score is 0.
    fn pay(&mut self, account: Address) -> Option<Change> {
        let (pot, samples) = (self.progress.pot, self.samples);
        let participant = self.participants.get_mut(&account)?;
        let score = std::mem::take(&mut participant.score);
        if score == 0 {
            return None;
        }
        // Both factors fit, and the product is below 2^127: a pot has 96 bits and a score fewer
        // than 31.
        let change = (pot.cast_signed() * i128::from(score)).div_euclid(i128::from(samples));
        // Everyone can afford the pot, so no balance gets negative.
        participant.balance = participant.balance.saturating_add_signed(change);
        participant.removed = score < 0 && affordable(participant.balance, score, samples) == 0;
        self.balances = self.balances.saturating_add_signed(change);
        self.active -= usize::from(participant.removed);
        Some(Change {
            account,
            score,
            balance: participant.balance,
            removed: participant.removed,
        })
    }

    /// Ends a pass: settles the market or prepares the next pass.
    fn end_pass(&mut self) -> PassSettled {
        let progress = self.progress;
        let ended = PassSettled {
            pass: progress.pass,
            pot: progress.pot,
            correct: progress.correct,
            // Without losses the pot is the whole remaining bounty.
            last: self.remaining == progress.pot
                || self.active == 0
                || progress.pass == self.terms.most_passes,
        };
        self.close_pass(&ended);
        ended
    }
}

/// Returns the largest pot, in wei, whose share somebody with this balance and this negative score
/// can pay.
fn affordable(balance: u128, score: i64, samples: u64) -> u128 {
    // A balance has 128 bits, so the product needs more.
    let product = U256::from(balance) * U256::from(samples);
    (product / U256::from(score.unsigned_abs())).saturating_to()
}
