use super::Habits;
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// Sends what the model already says, and so hardly ever loses a deposit or teaches anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Lazy {
    /// How often it acts and how much it deposits.
    pub habits: Habits,
}

impl Agent for Lazy {
    fn kind(&self) -> &'static str {
        "lazy"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "good marks for nothing, and with them shares of bad deposits",
            knowledge: "what the model predicts; no labels",
            budget: "its money and its pace",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Hostile
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.next_wait(turn.chance())
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        if let Some((sample, _)) = turn.next_sample()
            && self.may_contribute(turn.funds(0)?)
        {
            let label = turn.predict(&sample);
            self.habits.contribute(turn, 0, sample, label)?;
        }
        turn.claim_all()
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
