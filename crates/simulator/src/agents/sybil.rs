use super::{Habits, habits::flipped};
use crate::{
    SimulateError,
    agent::{Agent, Profile, Stance},
    turn::Turn,
};

/// A liar with many addresses that share their money and report each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Sybil {
    /// How often it acts and how much it deposits.
    pub habits: Habits,
    /// How many addresses it has.
    pub identities: usize,
    /// Whose turn it is to contribute.
    next: usize,
}

impl Sybil {
    /// One with so many addresses, at least 1.
    #[must_use]
    pub fn new(habits: Habits, identities: usize) -> Self {
        Self {
            habits,
            identities: identities.max(1),
            next: 0,
        }
    }

    /// Gives `identity` what it lacks of `wanted` wei, from the others, the richest first.
    fn top_up(
        &self,
        turn: &mut Turn<'_>,
        identity: usize,
        wanted: u128,
    ) -> Result<(), SimulateError> {
        let mut lacking = wanted.saturating_sub(turn.funds(identity)?);
        if lacking == 0 {
            return Ok(());
        }
        let mut others = Vec::with_capacity(self.identities);
        for other in (0..self.identities).filter(|other| *other != identity) {
            others.push((turn.funds(other)?, other));
        }
        others.sort_unstable_by(|one, other| other.cmp(one));
        for (funds, from) in others {
            let wei = funds.min(lacking);
            if wei == 0 || !turn.transfer(from, identity, wei)? {
                break;
            }
            lacking -= wei;
        }
        Ok(())
    }
}

impl Agent for Sybil {
    fn kind(&self) -> &'static str {
        "sybil"
    }

    fn profile(&self) -> Profile {
        Profile {
            goal: "a bad model, and its deposits back through other addresses of its own",
            knowledge: "the true labels; which addresses are its own, which nobody else can tell",
            budget: "its money, shared by all its addresses, and its pace",
        }
    }

    fn stance(&self) -> Stance {
        Stance::Hostile
    }

    fn identities(&self) -> usize {
        self.identities
    }

    fn wait(&mut self, turn: &mut Turn<'_>) -> u64 {
        self.habits.next_wait(turn.chance())
    }

    fn longest_wait(&self) -> u64 {
        self.habits.longest_wait()
    }

    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        if let Some((sample, truth)) = turn.next_sample() {
            let identity = self.next;
            let most = turn.price(1);
            self.next = (self.next + 1) % self.identities;
            // Its habit may ask for more than the price; the price alone is not enough to be willing.
            let mean = self.habits.deposit.map_or(0.0, |deposit| deposit.mean);
            self.top_up(turn, identity, most.max(crate::scenario::units(mean)))?;
            if !self.habits.is_broke(turn.funds(identity)?) {
                let label = flipped(truth, turn);
                self.habits.contribute(turn, identity, sample, label)?;
            }
        }
        turn.claim_all()
    }

    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits.is_broke(funds)
    }
}
