use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
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

impl Honest {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "honest",
        stance: Stance::Honest,
        goal: "a good model, and its deposits back",
        knowledge: "the true labels, but for the mistakes it is given (a careless one makes many)",
        budget: "its money and its pace; works with probability accuracy + 0.15",
    };
}

impl Agent for Honest {
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
            let mistaken = self.mistakes > 0.0 && context.chance().uniform() < self.mistakes;
            let label = if mistaken {
                context.flipped(truth)
            } else {
                truth
            };
            if context.chance().uniform() < context.accuracy() + OPTIMISM {
                self.habits.contribute(context, 0, sample, label)?;
            }
        }
        context.claim_all()
    }
}
