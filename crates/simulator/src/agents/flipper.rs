use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Sends every sample with a wrong label, and claims everything that it can.
#[derive(Debug, Clone, PartialEq)]
pub struct Flipper {
    /// Pace of its turns, and deposits that it is willing to pay.
    pub habits: Habits,
    /// Probability of a mistake: a label flipped twice.
    pub mistakes: f64,
}

impl Flipper {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "flipper",
        stance: Stance::Hostile,
        goal: "a bad model, whatever it costs",
        knowledge: "the true labels",
        budget: "its money and its pace",
    };
}

impl Agent for Flipper {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        if let Some((sample, truth)) = context.next_sample()
            && self.may_contribute(context.funds(0)?)
        {
            let mut label = context.flipped(truth);
            if self.mistakes > 0.0 && context.chance().uniform() < self.mistakes {
                label = context.flipped(label);
            }
            self.habits.contribute(context, 0, sample, label)?;
        }
        context.claim_all()
    }
}
