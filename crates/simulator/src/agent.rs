//! Agents: participants of an economy, each with a goal, knowledge and a budget.

mod habits;

use alloy_primitives::Address;

pub use self::habits::Habits;
pub use crate::vocabulary::Stance;
use crate::{SimulateError, context::AgentContext};

/// Participant of an economy: a profile, habits, and the actions of its turns. It may have several
/// addresses.
///
/// [`crate::agents`] has the agents of cotrain; docs/extending.md explains how to write one.
pub trait Agent {
    /// Returns the description of the agent's kind.
    fn profile(&self) -> Profile;

    /// Returns the agent's pace and the deposits that it is willing to pay.
    fn habits(&self) -> &Habits;

    /// Performs the agent's turn.
    ///
    /// # Errors
    /// Returns the errors of its actions on `context`.
    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError>;

    /// Returns the number of addresses. The engine spreads the start balance evenly over them.
    fn identities(&self) -> usize {
        1
    }

    /// Draws the number of seconds from now until the next turn; the engine turns 0 into 1.
    fn wait(&mut self, context: &mut AgentContext<'_>) -> u64 {
        self.habits().next_wait(context.chance())
    }

    /// Returns `true` if the agent might still contribute with `funds` wei, now or later. A run
    /// ends if no agent might and everything is claimed.
    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits().is_broke(funds)
    }

    /// Returns `true` if the agent watches pending contributions, to act before they are included.
    fn watches(&self) -> bool {
        false
    }

    /// Reacts to somebody else's contribution before it is included. The engine calls only agents
    /// that watch.
    ///
    /// # Errors
    /// Returns the errors of its actions on `context`.
    fn sees(
        &mut self,
        _seen: &Seen<'_>,
        _context: &mut AgentContext<'_>,
    ) -> Result<(), SimulateError> {
        Ok(())
    }
}

/// Description of a kind of agents: its name, its side, and a sentence each on goal, knowledge and
/// budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Name in scenarios, such as `copycat`.
    pub kind: &'static str,
    /// Side of the agents.
    pub stance: Stance,
    /// Aim of their actions.
    pub goal: &'static str,
    /// Knowledge that others need not have.
    pub knowledge: &'static str,
    /// Limits of their actions.
    pub budget: &'static str,
}

/// Contribution on its way to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Address that sends it.
    pub author: Address,
    /// Number of the author's good contributions.
    pub author_good: u64,
    /// Label of the contribution.
    pub label: u16,
    /// Bytes of the sample.
    pub sample: &'a [u8],
}
