//! The price limit of a command's transactions.

use clap::Args;
use cotrain_chain::{keys::Key, node::Node};
use cotrain_client::{budget::Budget, send::Sender};

use super::wei::Wei;

/// Price limit of a transaction.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Chain")]
pub(crate) struct GasFeeArgs {
    /// Maximum price of a unit of gas, in wei, such as 30gwei [default: twice the base fee plus the
    /// tip, and up to four times that if the transaction stays pending]
    #[arg(long, value_name = "WEI")]
    pub(crate) max_fee: Option<Wei>,
}

impl GasFeeArgs {
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
