//! Arguments of the commands that send transactions.

use clap::Args;

use super::{
    connection::{Connection, ModelArg},
    gas_fees::GasFeeArgs,
    key::KeyArgs,
    spending::SpendingArgs,
};

/// Account, model and chain of a command, and the money that it may spend.
#[derive(Debug, Args)]
pub(crate) struct Acting {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) gas_fees: GasFeeArgs,
    #[command(flatten)]
    pub(crate) spending: SpendingArgs,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    pub(crate) json: bool,
}
