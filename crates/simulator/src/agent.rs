//! Agents: participants of an economy, each with a goal, knowledge and a budget.

mod habits;

use alloy_primitives::Address;

pub use self::habits::Habits;
pub use crate::vocabulary::Stance;
use crate::{SimulateError, context::AgentContext};

/// One participant: a profile, habits, and what it does when it is its turn. It may have more than one
/// address.
///
/// The agents that come with cotrain are in [`crate::agents`]; how to write one: docs/extending.md.
pub trait Agent {
    /// Returns the description of its kind.
    fn profile(&self) -> Profile;

    /// Returns its pace and the deposits that it is willing to pay.
    fn habits(&self) -> &Habits;

    /// Acts: it is its turn.
    ///
    /// # Errors
    /// Returns the errors of what it does by `context`.
    fn act(&mut self, context: &mut AgentContext<'_>) -> Result<(), SimulateError>;

    /// Returns the number of its addresses. The money that it starts with is spread evenly over them.
    fn identities(&self) -> usize {
        1
    }

    /// Draws the seconds from now until its next turn; 0 is taken for 1.
    fn wait(&mut self, context: &mut AgentContext<'_>) -> u64 {
        self.habits().next_wait(context.chance())
    }

    /// Returns `true` if it might still contribute with so much wei, now or later. A run ends if nobody might
    /// and everything is claimed.
    fn may_contribute(&self, funds: u128) -> bool {
        !self.habits().is_broke(funds)
    }

    /// Returns `true` if it watches contributions on their way to the chain, to act before they are included.
    fn watches(&self) -> bool {
        false
    }

    /// Reacts to somebody else's contribution on its way, before it is included. Only agents that watch are
    /// called.
    ///
    /// # Errors
    /// Returns the errors of what it does by `context`.
    fn sees(
        &mut self,
        _seen: &Seen<'_>,
        _context: &mut AgentContext<'_>,
    ) -> Result<(), SimulateError> {
        Ok(())
    }
}

/// Description of a kind of agents: its name, its side, and a sentence each for goal, knowledge and budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    /// Name in scenarios, such as `copycat`.
    pub kind: &'static str,
    /// Side that it is on.
    pub stance: Stance,
    /// Aim of its actions.
    pub goal: &'static str,
    /// Knowledge that others need not have.
    pub knowledge: &'static str,
    /// Limits of its actions.
    pub budget: &'static str,
}

/// A contribution on its way to the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Sender.
    pub author: Address,
    /// Number of the sender's good contributions.
    pub author_good: u64,
    /// Label.
    pub label: u16,
    /// Bytes of the sample.
    pub sample: &'a [u8],
}
