//! Rules of federated rounds: how updates of many clients become one, and what each is worth.
//!
//! An update is the change of a model's weights that a client proposes, as small integers.
//! [`aggregate`] joins the updates of a round by a [`Rule`].
//! [`Softmax`] predicts and gives each update its leave-one-out value.
//! [`judge`] and [`shares`] turn these values into money.
//!
//! All of it is in integers, so that contracts can give the same numbers to the last bit.

mod aggregation;
mod chunks;
mod encoding;
mod error;
mod krum;
mod loss;
mod network;
mod phase;
mod reward;
mod rule;
mod softmax;

pub use aggregation::{MAX_UPDATES, aggregate};
pub use chunks::{Chunks, root_of_chunk};
pub use encoding::{Width, add_update, decode_update, encode_update, squared_norm};
pub use error::FederatedError;
pub use krum::{krum_scores, select_multi_krum};
pub use loss::{MAX_LOSS, loss};
pub use network::{Exchange, Network};
pub use phase::{CommitProblem, RoundPhase};
pub use reward::{Judgment, judge, shares};
pub use rule::Rule;
pub use softmax::{Sample, Softmax, Values};
