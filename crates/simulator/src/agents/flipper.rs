use super::{Habits, habits::flipped};
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// Sends every sample with a wrong label, always; claims what it can.
#[derive(Debug, Clone, PartialEq)]
pub struct Flipper {
    /// How often it acts and how much it deposits.
    pub habits: Habits,
    /// The probability that it flips a label twice.
    pub mistakes: f64,
}

impl Agent for Flipper {
    fn kind(&self) -> &'static str {
        "flipper"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "a bad model, whatever it costs",
            knowledge: "the true labels",
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
        if let Some((sample, truth)) = turn.next_sample()
            && self.may_contribute(turn.funds(0)?)
        {
            let mut label = flipped(truth, turn);
            if self.mistakes > 0.0 && turn.chance().uniform() < self.mistakes {
                label = flipped(label, turn);
            }
            self.habits.contribute(turn, 0, sample, label)?;
        }
        turn.claim_all()
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
