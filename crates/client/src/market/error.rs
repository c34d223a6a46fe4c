//! Failures to follow a market.

use alloy_primitives::Address;
use cotrain_chain::node::NodeError;
use cotrain_protocol::{ContractError, mechanism::Mechanism, trainer::FactError};

/// Failure to follow a market.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// The node failed.
    #[error("cannot read the market {market} from the node")]
    Node {
        /// Contract of the market.
        market: Address,
        /// Failure of the node.
        source: NodeError,
    },
    /// The contract is of another mechanism.
    #[error(
        "{address} is no prediction market but a model with the mechanism {mechanism}; use its own commands"
    )]
    OtherMechanism {
        /// The contract.
        address: Address,
        /// Its mechanism.
        mechanism: Mechanism,
    },
    /// The market's terms are outside their bounds.
    #[error("the market {market} has terms that this version does not take; use another market")]
    Terms {
        /// Contract of the market.
        market: Address,
        /// Term that is outside its bounds.
        source: ContractError,
    },
    /// An event contradicts the events before it.
    #[error(
        "an event of the market {market} in block {block} does not follow from those before; try again, or use another node"
    )]
    Contradiction {
        /// Contract of the market.
        market: Address,
        /// Height of the event's block.
        block: u64,
        /// The contradiction.
        source: FactError,
    },
    /// The contract's state differs from the result of its events.
    #[error(
        "the node's events of the market {market} do not make what the contract says after block {block}: {reason}; try again, or use another node"
    )]
    Doubtful {
        /// Contract of the market.
        market: Address,
        /// Height of the block.
        block: u64,
        /// The difference.
        reason: String,
    },
}

impl MarketError {
    /// Returns `true` if the failure may go away by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Node { .. } | Self::Contradiction { .. } | Self::Doubtful { .. }
        )
    }
}
