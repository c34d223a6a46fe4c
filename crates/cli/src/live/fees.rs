//! The price limit of a command's transactions.

use clap::Args;
use cotrain_chain::{keys::Key, node::Node};
use cotrain_client::{budget::Budget, send::Sender};

use super::wei::Wei;

/// Price limit of a transaction.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Chain")]
pub(crate) struct FeeArgs {
    /// The most to pay for a unit of gas, such as 30gwei [default: twice what it costs now, up to
    /// four times that if the transaction waits for long]
    #[arg(long, value_name = "WEI")]
    pub(crate) max_fee: Option<Wei>,
}

impl FeeArgs {
    /// Returns the sender of an account's transactions, within a budget.
    pub(crate) fn sender<'a>(
        &self,
        node: &'a Node,
        key: &'a Key,
        budget: &'a Budget,
    ) -> Sender<'a> {
        Sender {
            node,
            key,
            max_fee: self.max_fee.map(|Wei(maximum)| maximum),
            budget,
            settings: "--max-fee and --max-total",
        }
    }
}
