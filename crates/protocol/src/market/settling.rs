//! The end of a pass: those who made the model better are paid out of the bounty, those who made it worse pay, in
//! proportion, as much as all can afford.

use alloy_primitives::{Address, U256};

use super::{Market, Participant, Phase, Stage};
use crate::Rejection;

/// What one [`Market::settle`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// The balances that changed, in order.
    pub changes: Vec<Change>,
    /// The pass that ended, if it did.
    pub pass: Option<PassSettled>,
}

/// A balance that a pass changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub account: Address,
    /// The score; not 0.
    pub score: i64,
    /// The balance after it, in wei.
    pub balance: u128,
    /// Whether that can pay for no further loss.
    pub removed: bool,
}

/// A pass that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassSettled {
    /// Which, from 1.
    pub pass: u64,
    /// What was played for, in wei.
    pub pot: u128,
    /// How many samples of the test set the model of the pass predicts right.
    pub correct: u64,
    /// Whether the market is settled with it.
    pub last: bool,
}

impl Market {
    /// Settles a pass, looking at participants so many times; each is looked at twice.
    ///
    /// With `S` the scores, `b` the balances and `T` the samples of the test set, the pot `n` is the least of what is
    /// left of the bounty and, over all with `S < 0`, `floor(b T / |S|)`. Then each balance changes by
    /// `floor(n S / T)`, and those with `S < 0` and `b T < |S|` are removed.
    ///
    /// # Errors
    /// [`Rejection::WrongPhase`], [`Rejection::WrongStage`]; [`Rejection::NoProgress`] for no looks.
    pub fn settle(&mut self, now: u64, most: u64) -> Result<Settled, Rejection> {
        self.require_phase(now, Phase::Scoring)?;
        if self.progress.stage != Stage::Paying {
            self.require_stage(now, Stage::Finding)?;
        }
        if most == 0 {
            return Err(Rejection::NoProgress);
        }
        let mut settled = Settled::default();
        for _ in 0..most {
            let place = usize::try_from(self.progress.place).unwrap_or(usize::MAX);
            let Some(account) = self.order.get(place).copied() else {
                break;
            };
            self.progress.place += 1;
            let all_seen = place + 1 == self.order.len();
            if self.progress.stage == Stage::Finding {
                self.find(account);
                if all_seen {
                    self.progress.stage = Stage::Paying;
                    self.progress.place = 0;
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

    /// Lowers the pot to what the participant can afford.
    fn find(&mut self, account: Address) {
        let Participant { balance, score, .. } = self.account(account);
        if score < 0 {
            let pot = affordable(balance, score, self.samples);
            self.progress.pot = self.progress.pot.min(pot);
        }
    }

    /// Pays the participant for the score, if there is one, and removes them where they cannot pay for another wei.
    fn pay(&mut self, account: Address) -> Option<Change> {
        let (pot, samples) = (self.progress.pot, self.samples);
        let participant = self.participants.get_mut(&account)?;
        let score = std::mem::take(&mut participant.score);
        if score == 0 {
            return None;
        }
        // Both below 2^127: a pot has 96 bits and a score fewer than 31.
        let change = (pot.cast_signed() * i128::from(score)).div_euclid(i128::from(samples));
        // The pot is what everyone can afford.
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

    /// Settles the market or prepares the next pass.
    fn end_pass(&mut self) -> PassSettled {
        let progress = self.progress;
        let ended = PassSettled {
            pass: progress.pass,
            pot: progress.pot,
            correct: progress.correct,
            // Without losses the pot is all that is left.
            last: self.remaining == progress.pot
                || self.active == 0
                || progress.pass == self.terms.most_passes,
        };
        self.close_pass(&ended);
        ended
    }
}

/// The largest pot of which somebody with this balance in wei and this negative score can pay their part.
fn affordable(balance: u128, score: i64, samples: u64) -> u128 {
    // A balance has 128 bits.
    let product = U256::from(balance) * U256::from(samples);
    (product / U256::from(score.unsigned_abs())).saturating_to()
}
