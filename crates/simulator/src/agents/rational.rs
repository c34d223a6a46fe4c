use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::{AgentContext, Sample},
};

/// Guessed probability that the model's prediction stays the same until the first wait is over.
const STAYS: f64 = 0.95;

/// Tells the truth if that pays: contributes, refunds and reports only if it expects a gain after
/// gas.
///
/// It expects this gain from a contribution, in wei. `p` is the probability that the model will
/// agree: 0.95 if it agrees now, else 0.05.
///
/// `p * mark - (1 - p) * price - gas price * (gas of a contribution + gas of a claim)`
///
/// `mark` is the worth of one more good contribution, taken from the average so far: all that reports took
/// of others' deposits, divided by the good contributions of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Rational {
    /// Pace of its turns, and maximum deposits.
    pub habits: Habits,
}

impl Rational {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "rational",
        stance: Stance::Honest,
        goal: "money",
        knowledge: "the true labels; the model, what reports have brought and everybody's marks; what gas costs",
        budget: "its money; it does nothing that it does not expect to gain from",
    };

    /// Returns `true` if it expects a contribution to bring more than it costs.
    fn expects_a_gain(context: &AgentContext<'_>, sample: &Sample, truth: u16) -> bool {
        let (_, all) = context.good(0);
        let mark = context.taken() / (u128::from(all) + 1);
        let gas = context.usual_gas(true) + context.usual_gas(false);
        let gas = context.gas_price().saturating_mul(gas.into());
        let agrees = context.predict(sample) == truth;
        let p = if agrees { STAYS } else { 1.0 - STAYS };
        // An estimate of money may be inexact.
        #[allow(clippy::cast_precision_loss)]
        let (mark, price, gas) = (mark as f64, context.price(1) as f64, gas as f64);
        p * mark > (1.0 - p) * price + gas
    }
}

impl Agent for Rational {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        if let Some((sample, truth)) = context.next_sample()
            && self.may_contribute(context.funds(0)?)
            && Self::expects_a_gain(context, &sample, truth)
        {
            self.habits.contribute(context, 0, sample, truth)?;
        }
        let gas = context
            .gas_price()
            .saturating_mul(context.usual_gas(false).into());
        context.claim(0, &mut |claim| claim.amount > gas)
    }
}
