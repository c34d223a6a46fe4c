use super::Habits;
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// Tells the truth where that pays: contributes, refunds and reports only when it expects a gain after gas.
///
/// What it expects of a contribution, in wei, with the accuracy `a` as the probability that the model will
/// agree:
///
/// `a * mark - (1 - a) * price - gas price * (gas of a contribution + gas of a claim)`
///
/// where `mark`, the worth of one more good mark, is what the mark would bring of the money in dispute now:
/// `disputed / (good marks of all + 1)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rational {
    /// How often it looks and how much it deposits at most.
    pub habits: Habits,
}

impl Rational {
    /// Whether it expects a contribution to bring more than it costs.
    fn expects_a_gain(turn: &mut Turn<'_>) -> bool {
        let (_, all) = turn.good(0);
        let mark = turn.disputed() / (u128::from(all) + 1);
        let gas = turn.usual_gas(true) + turn.usual_gas(false);
        let gas = turn.gas_price().saturating_mul(gas.into());
        let agrees = turn.accuracy();
        // Money is estimated here, not counted.
        #[allow(clippy::cast_precision_loss)]
        let (mark, price, gas) = (mark as f64, turn.price(1) as f64, gas as f64);
        agrees * mark > (1.0 - agrees) * price + gas
    }
}

impl Agent for Rational {
    fn kind(&self) -> &'static str {
        "rational"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "money",
            knowledge: "the true labels; the accuracy, the money in dispute and everybody's marks; what gas costs",
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
            && Self::expects_a_gain(turn)
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
