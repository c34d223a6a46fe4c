use super::Habits;
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::{Sample, Turn},
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
    /// Whether it expects a contribution to bring more than it costs.
    fn expects_a_gain(turn: &Turn<'_>, sample: &Sample, truth: u16) -> bool {
        let (_, all) = turn.good(0);
        let mark = turn.taken() / (u128::from(all) + 1);
        let gas = turn.usual_gas(true) + turn.usual_gas(false);
        let gas = turn.gas_price().saturating_mul(gas.into());
        let agrees = turn.predict(sample) == truth;
        let p = if agrees { STAYS } else { 1.0 - STAYS };
        // Money is estimated here, not counted.
        #[allow(clippy::cast_precision_loss)]
        let (mark, price, gas) = (mark as f64, turn.price(1) as f64, gas as f64);
        p * mark > (1.0 - p) * price + gas
    }
}

impl Agent for Rational {
    fn kind(&self) -> &'static str {
        "rational"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "money",
            knowledge: "the true labels; the model, what reports have brought and everybody's marks; what gas costs",
            budget: "its money; it does nothing that it does not expect to gain from",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Honest
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.next_wait(turn.chance())
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        if let Some((sample, truth)) = turn.next_sample()
            && self.may_contribute(turn.funds(0)?)
            && Self::expects_a_gain(turn, &sample, truth)
        {
            self.habits.contribute(turn, 0, sample, truth)?;
        }
        let gas = turn
            .gas_price()
            .saturating_mul(turn.usual_gas(false).into());
        turn.claim(0, &mut |claim| claim.amount > gas)
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
