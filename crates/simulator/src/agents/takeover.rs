use super::{Habits, habits::flipped};
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::{Piece, Turn},
};

/// Buys so much of the data, many lies in a transaction, that the model turns; then the lies are refunded and
/// the honest are reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Takeover {
    /// How often it acts and how much it deposits for each contribution.
    pub habits: Habits,
    /// Contributions in one transaction.
    pub batch: usize,
}

impl Agent for Takeover {
    fn kind(&self) -> &'static str {
        "takeover"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "a model that agrees with its lies, and with that the deposits of the honest",
            knowledge: "the true labels; the price of many contributions at once",
            budget: "its money: many deposits before the first one comes back",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Hostile
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.next_wait(turn.chance())
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        let samples = turn.next_samples(self.batch);
        let pieces: Vec<_> = samples
            .into_iter()
            .map(|(sample, truth)| Piece {
                sample,
                label: flipped(truth, turn),
            })
            .collect();
        let most = self.habits.next_deposit(turn.chance());
        // As many as it can pay for: the fewer, the cheaper each.
        let mut n = pieces.len();
        let funds = turn.funds(0)?;
        while n > 0 && (turn.price(n) > most || turn.price(n).saturating_mul(n as u128) > funds) {
            n -= n.div_ceil(10);
        }
        if n > 0 {
            turn.contribute(0, &pieces[..n], most)?;
        }
        turn.claim_all()
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
