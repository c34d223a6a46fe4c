use crate::{
    SimulateError,
    agent::{Agent, Habits, Profile, Stance},
    context::AgentContext,
};

/// Liar with many addresses that share their money and report each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Sybil {
    /// Pace of its turns, and deposits that it is willing to pay.
    pub habits: Habits,
    /// Number of its addresses.
    pub identities: usize,
    /// Index of the address that contributes next.
    next: usize,
}

impl Sybil {
    /// Description of this kind of agents.
    pub const PROFILE: Profile = Profile {
        kind: "sybil",
        stance: Stance::Hostile,
        goal: "a bad model, and its deposits back through other addresses of its own",
        knowledge: "the true labels; which addresses are its own, which nobody else can tell",
        budget: "its money, shared by all its addresses, and its pace",
    };

    /// Returns an agent with `identities` addresses, at least 1.
    #[must_use]
    pub fn new(habits: Habits, identities: usize) -> Self {
        Self {
            habits,
            identities: identities.max(1),
            next: 0,
        }
    }

    /// Tops the balance of `identity` up to `wanted` wei from the other addresses, the richest
    /// first.
    fn top_up(
        &self,
        context: &mut AgentContext<'_>,
        identity: usize,
        wanted: u128,
    ) -> Result<(), SimulateError> {
        let mut lacking = wanted.saturating_sub(context.funds(identity)?);
        if lacking == 0 {
            return Ok(());
        }
        let mut others = Vec::with_capacity(self.identities);
        for other in (0..self.identities).filter(|other| *other != identity) {
            others.push((context.funds(other)?, other));
        }
        others.sort_unstable_by(|one, other| other.cmp(one));
        for (funds, from) in others {
            let wei = funds.min(lacking);
            if wei == 0 || !context.transfer(from, identity, wei)? {
                break;
            }
            lacking -= wei;
        }
        Ok(())
    }
}

impl Agent for Sybil {
    fn profile(&self) -> Profile {
        Self::PROFILE
    }

    fn habits(&self) -> &Habits {
        &self.habits
    }

    fn identities(&self) -> usize {
        self.identities
    }

    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError> {
        if let Some((sample, truth)) = context.next_sample() {
            let identity = self.next;
            let max = context.price(1);
            self.next = (self.next + 1) % self.identities;
            // Its habit may demand more than the price: with the price alone, it would count as
            // broke.
            let mean = self.habits.deposit.map_or(0.0, |deposit| deposit.mean);
            self.top_up(context, identity, max.max(crate::money::units(mean)))?;
            if !self.habits.is_broke(context.funds(identity)?) {
                let label = context.flipped(truth);
                self.habits.contribute(context, identity, sample, label)?;
            }
        }
        context.claim_all()
    }
}
