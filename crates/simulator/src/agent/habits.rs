//! Pace and willingness to pay, drawn from normal distributions.

use crate::{
    SimulateError,
    chance::{Chance, Normal},
    context::{AgentContext, Piece, Sample},
    money::UNIT,
};

/// Pace of an agent and the deposits that it is willing to pay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habits {
    /// Deposit that it is willing to pay, in units; `None` if nothing is deposited.
    pub deposit: Option<Normal>,
    /// Seconds between two of its turns.
    pub wait: Normal,
}

impl Habits {
    /// Draws the number of seconds until the next turn, at least 1.
    pub fn next_wait(&self, chance: &mut Chance) -> u64 {
        whole(chance.at_least_one(self.wait))
    }

    /// Returns the number of seconds until `next`, the simulated second of the next contribution.
    /// Returns fewer if other claims become possible sooner. Draws `next` anew once it has come.
    pub(crate) fn wait_or_edge(&self, next: &mut u64, context: &mut AgentContext<'_>) -> u64 {
        if *next <= context.now() {
            *next = context.now() + self.next_wait(context.chance());
        }
        let wake = context.next_edge().map_or(*next, |edge| edge.min(*next));
        wake - context.now()
    }

    /// Returns the longest wait in seconds, for all practical purposes.
    #[must_use]
    pub fn longest_wait(&self) -> u64 {
        let Normal { mean, sd } = self.wait;
        whole(mean + 6.0 * sd)
    }

    /// Draws the maximum deposit of this turn, in wei: whole units, at least 1. Returns 0 if
    /// nothing is deposited.
    pub fn next_deposit(&self, chance: &mut Chance) -> u128 {
        let Some(deposit) = self.deposit else {
            return 0;
        };
        u128::from(whole(chance.at_least_one(deposit))) * UNIT
    }

    /// Returns `true` if `funds` wei are too little ever to deposit again: less than the average
    /// deposit minus four standard deviations.
    #[must_use]
    pub fn is_broke(&self, funds: u128) -> bool {
        let least = |Normal { mean, sd }| u128::from(whole(mean - 4.0 * sd)) * UNIT;
        self.deposit.is_some_and(|deposit| funds < least(deposit))
    }

    /// Contributes one sample from one identity, unless the price exceeds its money or its limit.
    ///
    /// # Errors
    /// Returns the errors of [`AgentContext::contribute`].
    pub fn contribute(
        &self,
        context: &mut AgentContext<'_>,
        identity: usize,
        sample: Sample,
        label: u16,
    ) -> Result<bool, SimulateError> {
        let max = self.next_deposit(context.chance());
        if max > context.funds(identity)? {
            return Ok(false);
        }
        context.contribute(identity, &[Piece { sample, label }], max)
    }
}

/// Returns the whole part, at least 1. The cast loses nothing: scenarios allow at most 10^12, and
/// more than six deviations beyond are as good as impossible. It would saturate.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value.max(1.0) as u64
}
