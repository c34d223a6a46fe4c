use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::{AgentContext, Piece},
};

/// Buys so much of the data that the model turns, with many lies per transaction. Then it refunds
/// its lies and reports the honest contributions.
#[derive(Debug, Clone, PartialEq)]
pub struct Takeover {
    /// Pace of its turns, and deposits that it is willing to pay for each contribution.
    pub habits: Habits,
    /// Contributions per transaction.
    pub batch: usize,
}

impl Takeover {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "takeover",
        stance: Stance::Hostile,
        goal: "a model that agrees with its lies, and with that the deposits of the honest",
        knowledge: "the true labels; the price of many contributions at once",
        budget: "its money: many deposits before the first one comes back",
    };
}

impl Agent for Takeover {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        let samples = context.next_samples(self.batch);
        let pieces: Vec<_> = samples
            .into_iter()
            .map(|(sample, truth)| Piece {
                sample,
                label: context.flipped(truth),
            })
            .collect();
        let max = self.habits.next_deposit(context.chance());
        // It sends as many as it can pay for. Fewer contributions cost less each.
        let mut n = pieces.len();
        let funds = context.funds(0)?;
        while n > 0
            && (context.price(n) > max || context.price(n).saturating_mul(n as u128) > funds)
        {
            n -= n.div_ceil(10);
        }
        if n > 0 {
            context.contribute(0, &pieces[..n], max)?;
        }
        context.claim_all()
    }
}
