//! `cotrain delegate`: permission for a coordinator to claim for an account.

use std::time::Duration;

use alloy_primitives::Address;
use clap::Args;
use cotrain_client::{api::Client, relay::Signer};
use serde::Serialize;
use url::Url;

use super::{
    block_on,
    connection::{Connection, ModelArg},
    errors::{not_relayed, unanswered},
    key::KeyArgs,
    model::LiveModel,
    show,
    spending::{Bill, ConsentArgs, Range, Target},
};
use crate::error::CommandError;

const EXAMPLES: &str = "\
Examples:
  cotrain delegate --relay http://127.0.0.1:8080 --dev 1
  cotrain delegate --relay https://coordinator.example --valid 7days --keystore key.json

All claimed money is added to your balance in the model's contract (see `cotrain withdraw`). You cannot
revoke a delegation before it expires. It allows the coordinator nothing but these claims.";

/// Let a coordinator claim for you: push your refunds and make reports
///
/// You sign that its keeper may report for you until a date. The keeper claims whenever a claim
/// brings more than its gas costs.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Delegate {
    /// Address of the coordinator
    #[arg(long, value_name = "URL")]
    relay: Url,
    /// Time for which the delegation is valid, from now on
    #[arg(
        long,
        value_name = "TIME",
        default_value = "30days",
        value_parser = super::whole_seconds
    )]
    valid: Duration,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    consent: ConsentArgs,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Delegated {
    chain_id: u64,
    model: Address,
    account: Address,
    keeper: Address,
    until: u64,
}

/// Signs a delegation and submits it.
pub(crate) fn run(arguments: &Delegate) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let key = arguments.key.key(session.node.chain_id())?;
        let model = LiveModel::find_trainer(&session, &arguments.model).await?;
        let client = Client::new(&arguments.relay).map_err(unanswered)?;
        let signer = Signer {
            node: &session.node,
            key: &key,
            facts: &model.facts,
            client: &client,
        };
        let keeper = signer.keeper().await.map_err(not_relayed)?;
        let valid = humantime::format_duration(arguments.valid);
        let bill = Bill {
            action: format!("sign that {keeper} may report for you for {valid}"),
            target: Target::new(&session, Some(&model)),
            account: key.address(),
            count: 1,
            each: None,
            value: Range::exactly(0),
            gas: None,
            gas_cost: Range::exactly(0),
            notes: vec![("relay", client.shown())],
        };
        if !arguments.consent.agreed(&session, &bill, arguments.json)? {
            return Ok(());
        }
        let delegation = signer.delegate(keeper, arguments.valid).await;
        let delegation = delegation.map_err(not_relayed)?;
        let done = Delegated {
            chain_id: session.node.chain_id(),
            model: model.facts.trainer,
            account: delegation.reporter,
            keeper,
            until: delegation.until,
        };
        show(arguments.json, &done, || {
            format!("{keeper} claims for {} for {valid}\n", done.account)
        })
    })
}
