//! `cotrain federated leave`: the free balance of a client.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolCall;
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::federated::FederatedTrainer;
use cotrain_client::send::{Call, gas_cost};
use serde::Serialize;

use super::view::{View, no_token, send};
use crate::{
    error::CommandError,
    live::{acting::Acting, block_on, errors::unsent, show, wei::Wei},
};

/// Take your free stake back
///
/// A stake that an update has locked becomes free when its round ends.
#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// Amount to take, in whole tokens [default: all that is free]
    #[arg(long, value_name = "TOKENS")]
    amount: Option<String>,
    /// Release the bond first, as the owner; rounds must have used all parts of the test set
    #[arg(long)]
    bond: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Left {
    chain_id: u64,
    trainer: Address,
    account: Address,
    /// Amount in the smallest units, as text, like all amounts here.
    withdrawn: String,
    free: String,
    transaction: B256,
    gas_cost: String,
}

/// Withdraws a free balance.
pub(crate) fn run(arguments: &Leave) -> Result<(), CommandError> {
    block_on(async {
        let acting = &arguments.acting;
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let view = View::find(&session, &acting.model).await?;
        let (account, token) = (key.address(), &view.stake_token);
        let budget = acting.spending.budget();
        let sender = acting.gas_fees.sender(&session.node, &key, &budget);
        let paying = (&acting.gas_fees, &acting.spending);
        let mut cost = 0_u128;
        if arguments.bond {
            let call = Call {
                to: Some(view.facts.trainer),
                value: 0,
                data: FederatedTrainer::releaseBondCall {}.abi_encode().into(),
            };
            let gas = sender.estimate_next(&call).await.map_err(unsent)?;
            let action = String::from("release the bond to your free balance");
            let bill = view.bill(&session, account, paying, (action, gas), Vec::new());
            if !acting
                .spending
                .agreed(&session, &bill.await?, acting.json)?
            {
                return Ok(());
            }
            cost = gas_cost(&send(&sender, call).await?);
        }
        let (free, _) = view.account(&session, account).await?;
        let amount = match &arguments.amount {
            Some(text) => token.parse(text).map_err(no_token)?,
            None => free,
        };
        if amount == 0 || amount > free {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: {account} has {} free with the trainer, and {} cannot be taken; a locked stake \
                 becomes free when its round ends",
                token.show(free),
                token.show(amount)
            )));
        }
        let withdraw = FederatedTrainer::withdrawCall {
            amount: U256::from(amount),
        };
        let call = Call {
            to: Some(view.facts.trainer),
            value: 0,
            data: withdraw.abi_encode().into(),
        };
        let gas = sender.estimate_next(&call).await.map_err(unsent)?;
        let action = format!("take {} back from the trainer", token.show(amount));
        let bill = view.bill(&session, account, paying, (action, gas), Vec::new());
        if !acting
            .spending
            .agreed(&session, &bill.await?, acting.json)?
        {
            return Ok(());
        }
        let receipt = send(&sender, call).await?;
        cost = cost.saturating_add(gas_cost(&receipt));
        let left = Left {
            chain_id: view.facts.chain_id,
            trainer: view.facts.trainer,
            account,
            withdrawn: amount.to_string(),
            free: (free - amount).to_string(),
            transaction: receipt.transaction,
            gas_cost: cost.to_string(),
        };
        show(acting.json, &left, || {
            format!(
                "withdrawn  {}\nfree       {}\ngas        {}\n",
                token.show(amount),
                token.show(free - amount),
                Wei(cost)
            )
        })
    })
}
