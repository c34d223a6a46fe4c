use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Claims in the very second in which a claim becomes possible. It takes the first share of each
/// bad deposit, and every deposit that its owner has not fetched before late claims begin.
#[derive(Debug, Clone, PartialEq)]
pub struct LastMinute {
    /// Pace of its contributions, and deposits that it is willing to pay.
    pub habits: Habits,
    /// Simulated second of its next contribution.
    next: u64,
}

impl LastMinute {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "last-minute",
        stance: Stance::Hostile,
        goal: "what others leave lying for a second: shares of bad deposits, and late claims",
        knowledge: "the true labels; the edges of all waits",
        budget: "its money and its pace; it contributes the truth now and then, for the marks",
    };

    /// Returns an agent that has not contributed yet.
    #[must_use]
    pub fn new(habits: Habits) -> Self {
        Self { habits, next: 0 }
    }
}

impl Agent for LastMinute {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn wait(&mut self, context: &mut AgentContext<'_>) -> u64 {
        self.habits.wait_or_edge(&mut self.next, context)
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        context.claim_all()?;
        if context.now() >= self.next
            && let Some((sample, truth)) = context.next_sample()
            && self.may_contribute(context.funds(0)?)
        {
            self.habits.contribute(context, 0, sample, truth)?;
        }
        Ok(())
    }
}
