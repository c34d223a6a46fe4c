use alloy_primitives::Address;
use cotrain_protocol::signature::Key;

use crate::{
    agent::{self, Agent},
    run::AgentOutcome,
};

/// What the engine keeps of an agent: its addresses and what it has done so far.
pub(crate) struct Seat {
    /// At least one.
    pub(crate) identities: Vec<Key>,
    pub(crate) outcome: AgentOutcome,
    /// The simulated second from which it registers its good contributions again.
    pub(crate) next_registration: u64,
}

impl Seat {
    /// The seat of the agent `name` at this place in the scenario.
    pub(crate) fn new(place: usize, name: String, start_balance: u128, agent: &dyn Agent) -> Self {
        let identities = (0..agent.identities().max(1))
            .map(|number| agent::identity(place, &name, number))
            .collect();
        Self {
            identities,
            outcome: AgentOutcome {
                name,
                kind: agent.kind(),
                stance: agent.stance(),
                start_balance,
                end_balance: start_balance,
                contributions: 0,
                refunds: 0,
                reports: 0,
                late_claims: 0,
                outbid: 0,
                predictions: 0,
                paid: 0,
                collected: 0,
                gas: 0,
            },
            next_registration: 0,
        }
    }

    /// The start balance, spread evenly over the identities; what does not divide is the first one's.
    pub(crate) fn shares(&self) -> impl Iterator<Item = u128> {
        let (all, of) = (self.outcome.start_balance, self.identities.len() as u128);
        let (share, rest) = (all / of, all % of);
        (0..of).map(move |number| if number == 0 { share + rest } else { share })
    }

    /// Whether an account is one of its identities.
    pub(crate) fn has(&self, account: Address) -> bool {
        let mut all = self.identities.iter();
        all.any(|identity| identity.address() == account)
    }

    /// An identity; the last one where there are not so many.
    pub(crate) fn identity(&self, number: usize) -> &Key {
        &self.identities[number.min(self.identities.len() - 1)]
    }
}
