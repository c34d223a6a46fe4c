use super::Habits;
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// Pays for predictions, and contributes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// How often it asks.
    pub habits: Habits,
    /// Predictions that it pays for at a time.
    pub predictions: usize,
}

impl Agent for Caller {
    fn kind(&self) -> &'static str {
        "caller"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "predictions, for which it pays as the ancestor's simulation had it",
            knowledge: "nothing; that predictions can be had free, it does not use",
            budget: "its money and its pace",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Neutral
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.next_wait(turn.chance())
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        turn.ask(0, self.predictions).map(|_| ())
    }

    fn may_contribute(&self, _funds: u128) -> bool {
        false
    }
}
