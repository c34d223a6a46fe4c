use super::{Habits, habits::flipped};
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// The address that lies.
const FRONT: usize = 0;
/// The address that tells the truth, for good marks, and reports the other one's lies.
const BACK: usize = 1;

/// Lies by one address and gets the deposits back by reporting them from another one, before others do.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfReporter {
    /// How often it contributes and how much it deposits.
    pub habits: Habits,
    /// The simulated second of its next contribution; in between it wakes up to claim.
    next: u64,
    /// Whether the truth is next.
    truth: bool,
}

impl SelfReporter {
    /// One that begins with the truth.
    #[must_use]
    pub fn new(habits: Habits) -> Self {
        Self {
            habits,
            next: 0,
            truth: true,
        }
    }
}

impl Agent for SelfReporter {
    fn kind(&self) -> &'static str {
        "self-reporter"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "a bad model, with the deposits of its lies back",
            knowledge: "the true labels; the second at which its own lies can be reported",
            budget: "its money, shared by two addresses; every second contribution is true, for the marks",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Hostile
    }

    fn identities(&self) -> usize {
        2
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.wait_or_edge(&mut self.next, turn)
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        // First its own lies, by whom they can be taken.
        turn.claim(BACK, &mut |_| true)?;
        turn.claim(FRONT, &mut |_| true)?;
        if turn.now() < self.next {
            return Ok(());
        }
        let (front, back) = (turn.funds(FRONT)?, turn.funds(BACK)?);
        // All that there is goes to whose turn it is, if it could not pay otherwise.
        if self.truth && self.habits.is_broke(back) {
            turn.transfer(FRONT, BACK, front)?;
        } else if !self.truth && self.habits.is_broke(front) {
            turn.transfer(BACK, FRONT, back)?;
        }
        if let Some((sample, truth)) = turn.next_sample() {
            let (identity, label) = if self.truth {
                (BACK, truth)
            } else {
                (FRONT, flipped(truth, turn))
            };
            if !self.habits.is_broke(turn.funds(identity)?) {
                self.habits.contribute(turn, identity, sample, label)?;
            }
            self.truth = !self.truth;
        }
        Ok(())
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
