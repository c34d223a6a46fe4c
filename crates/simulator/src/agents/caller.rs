use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Pays for predictions, and contributes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// Pace of its turns.
    pub habits: Habits,
    /// Number of predictions per payment.
    pub predictions: usize,
}

impl Caller {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "caller",
        stance: Stance::Neutral,
        goal: "predictions, for which it pays as in 0xDeCA10B's simulation",
        knowledge: "nothing; that predictions can be had free, it does not use",
        budget: "its money and its pace",
    };
}

impl Agent for Caller {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        context.ask(0, self.predictions).map(|_| ())
    }

    fn may_contribute(&self, _funds: u128) -> bool {
        false
    }
}
