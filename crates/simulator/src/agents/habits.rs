use crate::{
    SimulateError,
    chance::Chance,
    scenario::{Normal, UNIT},
    turn::{Piece, Sample, Turn},
};

/// How often an agent acts and how much it deposits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habits {
    /// The deposit it is willing to pay, in units; none where nothing is deposited.
    pub deposit: Option<Normal>,
    /// Seconds between two of its turns.
    pub wait: Normal,
}

impl Habits {
    /// Seconds until the next turn: at least 1.
    pub fn next_wait(&self, chance: &mut Chance) -> u64 {
        whole(chance.at_least_one(self.wait))
    }

    /// Seconds until `next`, the simulated second of the next contribution, which is drawn anew once it has
    /// come; or until other claims become possible, where that is sooner.
    pub(super) fn wait_or_edge(&self, next: &mut u64, turn: &mut Turn<'_>) -> u64 {
        if *next <= turn.now() {
            *next = turn.now() + self.next_wait(turn.chance());
        }
        let wake = turn.next_edge().map_or(*next, |edge| edge.min(*next));
        wake - turn.now()
    }

    /// The longest wait, for all practical purposes, in seconds.
    #[must_use]
    pub fn longest_wait(&self) -> u64 {
        let Normal { mean, sd } = self.wait;
        whole(mean + 6.0 * sd)
    }

    /// The most it is willing to deposit this time, in wei: whole units, at least 1; 0 where nothing is
    /// deposited.
    pub fn next_deposit(&self, chance: &mut Chance) -> u128 {
        let Some(deposit) = self.deposit else {
            return 0;
        };
        u128::from(whole(chance.at_least_one(deposit))) * UNIT
    }

    /// Whether so much wei is too little ever to deposit again: less than four standard deviations below
    /// what it is willing to pay on average.
    #[must_use]
    pub fn is_broke(&self, funds: u128) -> bool {
        let least = |Normal { mean, sd }| u128::from(whole(mean - 4.0 * sd)) * UNIT;
        self.deposit.is_some_and(|deposit| funds < least(deposit))
    }

    /// Contributes one sample by one identity, unless that costs more than it is willing to pay or has.
    ///
    /// # Errors
    /// Those of [`Turn::contribute`].
    pub fn contribute(
        &self,
        turn: &mut Turn<'_>,
        identity: usize,
        sample: Sample,
        label: u16,
    ) -> Result<bool, SimulateError> {
        let most = self.next_deposit(turn.chance());
        if most > turn.funds(identity)? {
            return Ok(false);
        }
        turn.contribute(identity, &[Piece { sample, label }], most)
    }
}

/// The label that a liar sends: the next class.
pub(super) fn flipped(label: u16, turn: &Turn<'_>) -> u16 {
    (label + 1) % turn.classes()
}

/// The whole part, at least 1. Scenarios hold nothing beyond 10^12 and six deviations more are as
/// good as impossible, so the cast cannot lose anything; it would saturate.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value.max(1.0) as u64
}
