use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Bonus that turns the accuracy into the probability that it works. At an accuracy of 0.85 it
/// always works, as in 0xDeCA10B's simulator.
const OPTIMISM: f64 = 0.15;

/// Tells the truth except for mistakes, and claims everything that it can. It works the more, the
/// better the model is.
#[derive(Debug, Clone, PartialEq)]
pub struct Honest {
    /// Pace of its turns, and deposits that it is willing to pay.
    pub habits: Habits,
    /// Probability of an honest mistake.
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
