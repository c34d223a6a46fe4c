use super::Habits;
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// Claims in the very second in which a claim becomes possible: the first share of each bad deposit, and all of
/// what its owner has not fetched when the wait for anyone is over.
#[derive(Debug, Clone, PartialEq)]
pub struct LastMinute {
    /// How often it contributes and how much it deposits.
    pub habits: Habits,
    /// The simulated second of its next contribution.
    next: u64,
}

impl LastMinute {
    /// One that has not contributed yet.
    #[must_use]
    pub fn new(habits: Habits) -> Self {
        Self { habits, next: 0 }
    }
}

impl Agent for LastMinute {
    fn kind(&self) -> &'static str {
        "last-minute"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "what others leave lying for a second: shares of bad deposits, and late claims",
            knowledge: "the true labels; the edges of all waits",
            budget: "its money and its pace; it contributes the truth now and then, for the marks",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Hostile
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.wait_or_edge(&mut self.next, turn)
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        turn.claim_all()?;
        if turn.now() >= self.next
            && let Some((sample, truth)) = turn.next_sample()
            && self.may_contribute(turn.funds(0)?)
        {
            self.habits.contribute(turn, 0, sample, truth)?;
        }
        Ok(())
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
