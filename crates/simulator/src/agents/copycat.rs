use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Seen, Stance},
    context::{AgentContext, Sample},
};

/// Sends copies of others' contributions just before they are included. It earns good contributions with
/// their knowledge, and they pay the higher price of coming second.
#[derive(Debug, Clone, PartialEq)]
pub struct Copycat {
    /// Pace of its claims, and deposits that it is willing to pay.
    pub habits: Habits,
}

impl Copycat {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "copycat",
        stance: Stance::Hostile,
        goal: "good contributions, and with them shares of bad deposits, without knowing anything",
        knowledge: "contributions on their way to the chain, and whose authors have good contributions; no data, no labels",
        budget: "its money; it pays for the first place, which is taken for free here",
    };
}

impl Agent for Copycat {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        context.claim_all()
    }

    /// It contributes only copies.
    fn may_contribute(&self, _funds: u128) -> bool {
        false
    }

    fn watches(&self) -> bool {
        true
    }

    fn sees(
        &mut self,
        seen: &Seen<'_>,
        context: &mut AgentContext<'_>,
    ) -> Result<(), SimulateError> {
        if seen.author_good == 0 || self.habits.is_broke(context.funds(0)?) {
            return Ok(());
        }
        let sample = Sample::copied(seen.sample);
        self.habits.contribute(context, 0, sample, seen.label)?;
        Ok(())
    }
}
