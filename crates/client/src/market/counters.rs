//! Counters of a market's contract, for a comparison with its events.

use alloy_primitives::{Address, U256};
use cotrain_bindings::{
    self as bindings,
    market::{self as calls, state},
};
use cotrain_chain::node::{At, Node, NodeError};
use cotrain_protocol::{Amount, market::Progress};
use futures_util::future::try_join3;

/// Counters of a market after a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Progress of the scoring.
    pub progress: Progress,
    /// Contributions.
    pub contributions: u64,
    /// Money that its events account for, or that the contract has, in wei.
    pub money: U256,
}

impl Counters {
    /// Reads the counters of a market's contract, after a block or now.
    ///
    /// # Errors
    /// If the node fails, or gives no answer of a market.
    pub async fn read(node: &Node, market: Address, at: Option<At>) -> Result<Self, NodeError> {
        let (progress, contributions, money) = try_join3(
            node.call(market, state::progress(), at),
            node.call(market, bindings::state::contribution_count(), at),
            node.balance_at(market, at),
        )
        .await?;
        let progress = calls::read_progress(&progress).map(|(progress, _)| progress);
        let contributions =
            bindings::read_number(&contributions).and_then(|number| number.try_into().ok());
        match (progress, contributions) {
            (Some(progress), Some(contributions)) => Ok(Self {
                progress,
                contributions,
                money,
            }),
            _ => Err(NodeError::Contradictory {
                method: "eth_call",
                message: format!("the contract {market} does not answer like a market"),
            }),
        }
    }

    /// Returns how a contract differs from the result of its events; `None` if it does not differ.
    /// More money than the events account for is no difference: anyone can force money upon a
    /// contract.
    #[must_use]
    pub fn difference(&self, contract: &Self) -> Option<String> {
        if (&self.progress, self.contributions) != (&contract.progress, contract.contributions) {
            return Some(format!(
                "the contract says {:?} and {} contributions, the events {:?} and {}",
                contract.progress, contract.contributions, self.progress, self.contributions
            ));
        }
        (contract.money < self.money).then(|| {
            format!(
                "the contract has {}, and the node's events account for {}",
                Amount(contract.money.saturating_to()),
                Amount(self.money.saturating_to())
            )
        })
    }
}
