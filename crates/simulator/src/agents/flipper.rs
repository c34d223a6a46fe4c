use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Sends every sample with a wrong label, always; claims what it can.
#[derive(Debug, Clone, PartialEq)]
pub struct Flipper {
    /// How often it acts and how much it deposits.
    pub habits: Habits,
    /// The probability that it flips a label twice.
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
