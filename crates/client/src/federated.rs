//! Federated rounds on a chain: founding of a trainer, its state from its events, and what anyone may
//! do next.
//!
//! [`Founding`] puts a trainer on the chain. [`RoundFacts`] has what never changes of it, [`Round`]
//! the current round, and [`RoundEvents`] the bytes that the contract keeps only roots of.
//! [`due()`] tells the next action of the round, [`Commitment`] is an author's update in it.

mod ask;
mod commitment;
mod due;
mod events;
mod facts;
mod founding;
mod local;
mod round;
mod token;
mod work;

pub use commitment::{COMMIT, Commitment, Entering, REVEAL, reveal_gas};
pub use due::{Action, Due, Wait, due};
pub use events::{Ended, Outcome, RoundEvents};
pub use facts::{RoundFacts, RoundsError};
pub use founding::{FoundError, Founded, Founding, measure};
pub use local::{LocalData, LocalError, Measure, Trained, UpdateFile, train};
pub use round::{Entry, Round};
pub use token::{Token, TokenError};
pub use work::{Ready, Work, WorkError, Worked};
