use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Index of the address that lies.
const FRONT: usize = 0;
/// Index of the address that tells the truth for good contributions, and reports the other one's lies.
const BACK: usize = 1;

/// Lies from one address and reports the lies from another one before others do, to recover the
/// deposits.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfReporter {
    /// Pace of its contributions, and deposits that it is willing to pay.
    pub habits: Habits,
    /// Simulated second of its next contribution. It wakes up earlier to claim.
    next: u64,
    /// `true` if its next contribution is true.
    truth: bool,
}

impl SelfReporter {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "self-reporter",
        stance: Stance::Hostile,
        goal: "a bad model, with the deposits of its lies back",
        knowledge: "the true labels; the second at which its own lies can be reported",
        budget: "its money, shared by two addresses; every second contribution is true, for the marks",
    };

    /// Returns an agent whose first contribution is true.
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
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn identities(&self) -> usize {
        2
    }

    fn wait(&mut self, context: &mut AgentContext<'_>) -> u64 {
        self.habits.wait_or_edge(&mut self.next, context)
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        // It claims its own lies first, from either address.
        context.claim(BACK, &mut |_| true)?;
        context.claim(FRONT, &mut |_| true)?;
        if context.now() < self.next {
            return Ok(());
        }
        let (front, back) = (context.funds(FRONT)?, context.funds(BACK)?);
        // If the address whose turn it is could not pay, it gets all the money of the other one.
        if self.truth && self.habits.is_broke(back) {
            context.transfer(FRONT, BACK, front)?;
        } else if !self.truth && self.habits.is_broke(front) {
            context.transfer(BACK, FRONT, back)?;
        }
        if let Some((sample, truth)) = context.next_sample() {
            let (identity, label) = if self.truth {
                (BACK, truth)
            } else {
                (FRONT, context.flipped(truth))
            };
            if !self.habits.is_broke(context.funds(identity)?) {
                self.habits.contribute(context, identity, sample, label)?;
            }
            self.truth = !self.truth;
        }
        Ok(())
    }
}
