use super::{Habits, habits::flipped};
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// What is added to the accuracy to get the probability that it works: 0.85 is good enough for it to work
/// always (0xDeCA10B's simulator).
const OPTIMISM: f64 = 0.15;

/// Tells the truth, but for mistakes, and works the more the better the model is; claims what it can.
#[derive(Debug, Clone, PartialEq)]
pub struct Honest {
    /// How often it acts and how much it deposits.
    pub habits: Habits,
    /// The probability of an honest mistake.
    pub mistakes: f64,
}

impl Agent for Honest {
    fn kind(&self) -> &'static str {
        "honest"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "a good model, and its deposits back",
            knowledge: "the true labels, but for the mistakes it is given (a careless one makes many)",
            budget: "its money and its pace; works with probability accuracy + 0.15",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Honest
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
            let mistaken = self.mistakes > 0.0 && turn.chance().uniform() < self.mistakes;
            let label = if mistaken {
                flipped(truth, turn)
            } else {
                truth
            };
            if turn.chance().uniform() < turn.accuracy() + OPTIMISM {
                self.habits.contribute(turn, 0, sample, label)?;
            }
        }
        turn.claim_all()
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
