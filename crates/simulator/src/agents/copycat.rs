use super::Habits;
use crate::{
    SimulateError,
    agent::{Agent, Profile, Seen, Stance},
    turn::{Sample, Turn},
};

/// Sends what others are about to send, just before them: their knowledge for its marks, and for them the higher
/// price of coming second.
#[derive(Debug, Clone, PartialEq)]
pub struct Copycat {
    /// How often it claims and how much it deposits.
    pub habits: Habits,
}

impl Agent for Copycat {
    fn kind(&self) -> &'static str {
        "copycat"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "good marks, and with them shares of bad deposits, without knowing anything",
            knowledge: "contributions on their way to the chain, and whose authors have good marks; no data, no labels",
            budget: "its money; it pays for the first place, which is taken for free here",
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
        turn.claim_all()
    }

    /// Alone it has nothing to contribute.
    fn may_contribute(&self, _funds: u128) -> bool {
        false
    }

    fn watches(&self) -> bool {
        true
    }

    fn sees(&mut self, seen: &Seen<'_>, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        if seen.author_good == 0 || self.habits.is_broke(turn.funds(0)?) {
            return Ok(());
        }
        let sample = Sample::copied(seen.sample);
        self.habits.contribute(turn, 0, sample, seen.label)?;
        Ok(())
    }
}
