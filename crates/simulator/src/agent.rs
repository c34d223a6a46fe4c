//! Agents: who takes part in an economy, with what goal, knowledge and budget.

use alloy_primitives::{Address, keccak256};
use cotrain_protocol::signature::Key;

use crate::{SimulateError, turn::Turn};

/// One participant. It acts when it is its turn, through a [`Turn`], and may have more than one address.
///
/// The agents that come with cotrain are in [`crate::agents`]; how to write one: docs/extending.md.
pub trait Agent {
    /// What it is called in scenarios, such as `copycat`.
    fn kind(&self) -> &'static str;

    /// What it wants, knows and can spend.
    fn profile(&self) -> Profile;

    /// Whose success is the mechanism's success, and whose is not.
    fn stance(&self) -> Stance;

    /// How many addresses it has; the money that it starts with is spread evenly over them.
    fn identities(&self) -> usize {
        1
    }

    /// Seconds from now until its next turn; 0 is taken for 1.
    fn wait(&mut self, turn: &mut Turn<'_>) -> u64;

    /// The longest that it waits, for all practical purposes, in seconds: a run in which nothing happens for a
    /// hundred times as long is over.
    fn longest_wait(&self) -> u64;

    /// Its turn.
    ///
    /// # Errors
    /// Those of what it does by `turn`.
    fn act(&mut self, turn: &mut Turn<'_>) -> Result<(), SimulateError>;

    /// Whether it might still contribute if it had this much wei, now or later. A run ends when nobody might
    /// and everything is claimed.
    fn may_contribute(&self, funds: u128) -> bool;

    /// Whether it watches contributions on their way to the chain, to act before they are included.
    fn watches(&self) -> bool {
        false
    }

    /// Somebody else's contribution is on its way; what is done now comes before it. Asked only of those who
    /// watch.
    ///
    /// # Errors
    /// Those of what it does by `turn`.
    fn sees(&mut self, _seen: &Seen<'_>, _turn: &mut Turn<'_>) -> Result<(), SimulateError> {
        Ok(())
    }
}

/// What an agent wants, knows and can spend, a sentence each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// What it is after.
    pub goal: &'static str,
    /// What it knows that others need not.
    pub knowledge: &'static str,
    /// What limits it.
    pub budget: &'static str,
}

/// Whose success is the mechanism's success, and whose is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stance {
    /// Tells the truth as far as it knows.
    Honest,
    /// Takes no side: it only buys.
    Neutral,
    /// Lies, or lives off those who tell the truth.
    Hostile,
}

/// A contribution on its way to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Who sends it.
    pub author: Address,
    /// How many good contributions its author has.
    pub author_good: u64,
    /// Its label.
    pub label: u16,
    /// Its sample.
    pub sample: &'a [u8],
}

/// Returns the key of identity number `number` of the agent `name` at this place in the scenario. The first one has
/// the key that agents with a single one have.
pub(crate) fn identity(place: usize, name: &str, number: usize) -> Key {
    match number {
        0 => key(&format!("cotrain agent {place} {name}")),
        _ => key(&format!("cotrain agent {place} {name} {number}")),
    }
}

/// The key that belongs to a text: its hash. A hash that is no key, of which there are hardly any, is
/// hashed again.
fn key(text: &str) -> Key {
    let mut hash = keccak256(text);
    loop {
        if let Some(key) = Key::new(hash) {
            return key;
        }
        hash = keccak256(hash);
    }
}
