use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Sends the label that the model predicts. So it hardly ever loses a deposit or teaches anything.
#[derive(Debug, Clone, PartialEq)]
pub struct Lazy {
    /// Pace of its turns, and deposits that it is willing to pay.
    pub habits: Habits,
}

impl Lazy {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "lazy",
        stance: Stance::Hostile,
        goal: "good contributions for nothing, and with them shares of bad deposits",
        knowledge: "what the model predicts; no labels",
        budget: "its money and its pace",
    };
}

impl Agent for Lazy {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        if let Some((sample, _)) = context.next_sample()
            && self.may_contribute(context.funds(0)?)
        {
            let label = context.predict(&sample);
            self.habits.contribute(context, 0, sample, label)?;
        }
        context.claim_all()
    }
}
