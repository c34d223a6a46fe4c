use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::{AgentContext, Sample},
};

/// The probability that the model still predicts the same when the first wait is over: a guess.
const STAYS: f64 = 0.95;

/// Tells the truth where that pays: contributes, refunds and reports only when it expects a gain after gas.
///
/// What it expects of a contribution, in wei, where `p` is the probability that the model will agree, 0.95 if it
/// agrees now and 0.05 if not:
///
/// `p * mark - (1 - p) * price - gas price * (gas of a contribution + gas of a claim)`
///
/// `mark`, the worth of one more good mark, is what a mark has brought on average so far: all that was taken
/// of others' deposits, by the good marks of all.
#[derive(Debug, Clone, PartialEq)]
pub struct Rational {
    /// How often it looks and how much it deposits at most.
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

    /// Whether it expects a contribution to bring more than it costs.
    fn expects_a_gain(context: &AgentContext<'_>, sample: &Sample, truth: u16) -> bool {
        let (_, all) = context.good(0);
        let mark = context.taken() / (u128::from(all) + 1);
        let gas = context.usual_gas(true) + context.usual_gas(false);
        let gas = context.gas_price().saturating_mul(gas.into());
        let agrees = context.predict(sample) == truth;
        let p = if agrees { STAYS } else { 1.0 - STAYS };
        // Money is estimated here, not counted.
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
