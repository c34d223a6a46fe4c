//! State of each agent, as the engine keeps it.

use alloy_primitives::{Address, keccak256};
use cotrain_protocol::signature::Key;

use crate::{agent::Agent, chance::Chance, run::AgentOutcome};

/// The engine's record of one agent.
pub(super) struct AgentState {
    /// Keys of its addresses, at least one.
    pub(super) identities: Vec<Key>,
    pub(super) outcome: AgentOutcome,
    /// Simulated second from which it registers its good contributions again.
    pub(super) next_registration: u64,
    /// The agent and its random numbers; `None` while it acts.
    pub(super) actor: Option<Actor>,
}

/// An agent and its stream of random numbers.
pub(super) struct Actor {
    pub(super) agent: Box<dyn Agent>,
    pub(super) chance: Chance,
}

impl AgentState {
    /// Returns the state of the agent `name` before a run. `index` is its index in the scenario.
    pub(super) fn new(index: usize, name: String, start_balance: u128, actor: Actor) -> Self {
        let identities = (0..actor.agent.identities().max(1))
            .map(|number| identity(index, &name, number))
            .collect();
        let profile = actor.agent.profile();
        Self {
            identities,
            outcome: AgentOutcome {
                name,
                kind: profile.kind,
                stance: profile.stance,
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
            actor: Some(actor),
        }
    }

    /// Returns the shares of the start balance, one for each identity. They are equal, and the
    /// first one gets the remainder.
    pub(super) fn shares(&self) -> impl Iterator<Item = u128> {
        let (all, of) = (self.outcome.start_balance, self.identities.len() as u128);
        let (share, rest) = (all / of, all % of);
        (0..of).map(move |number| if number == 0 { share + rest } else { share })
    }

    /// Returns `true` if `account` is one of the agent's identities.
    pub(super) fn has(&self, account: Address) -> bool {
        let mut all = self.identities.iter();
        all.any(|identity| identity.address() == account)
    }

    /// Returns identity `number`, or the last one if there are fewer.
    pub(super) fn identity(&self, number: usize) -> &Key {
        &self.identities[number.min(self.identities.len() - 1)]
    }

    /// Returns the agent; `None` while it acts.
    pub(super) fn agent(&self) -> Option<&dyn Agent> {
        self.actor.as_ref().map(|actor| actor.agent.as_ref())
    }
}

/// Returns the key of identity `number` of the agent `name` at `index` in the scenario. The first
/// identity has the same key as an agent with only one.
fn identity(index: usize, name: &str, number: usize) -> Key {
    match number {
        0 => key(&format!("cotrain agent {index} {name}")),
        _ => key(&format!("cotrain agent {index} {name} {number}")),
    }
}

/// Derives a key from a text by hashing it. A hash that is no valid key is hashed again; hardly any
/// is.
fn key(text: &str) -> Key {
    let mut hash = keccak256(text);
    loop {
        if let Some(key) = Key::new(hash) {
            return key;
        }
        hash = keccak256(hash);
    }
}
