//! `cotrain federated claim`: the rewards of an author.

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolCall;
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::federated::FederatedTrainer;
use cotrain_client::send::{Call, gas_cost};
use serde::Serialize;

use super::view::{View, send};
use crate::{
    error::CommandError,
    live::{acting::Acting, block_on, errors::unsent, show, wei::Wei},
};

/// Collect your rewards: the trainer mints them
#[derive(Debug, Args)]
pub(crate) struct Claim {
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Claimed {
    chain_id: u64,
    trainer: Address,
    account: Address,
    /// Reward in the smallest units, as text, like all amounts here.
    reward: String,
    balance: String,
    transaction: B256,
    gas_cost: String,
}

/// Collects rewards.
pub(crate) fn run(arguments: &Claim) -> Result<(), CommandError> {
    block_on(async {
        let acting = &arguments.acting;
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let view = View::find(&session, &acting.model).await?;
        let (account, token) = (key.address(), &view.reward_token);
        let (_, reward) = view.account(&session, account).await?;
        if reward == 0 {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: {account} has no rewards to collect; an update earns them when its round is settled"
            )));
        }
        let call = Call {
            to: Some(view.facts.trainer),
            value: 0,
            data: FederatedTrainer::collectCall {}.abi_encode().into(),
        };
        let budget = acting.spending.budget();
        let sender = acting.gas_fees.sender(&session.node, &key, &budget);
        let gas = sender.estimate_next(&call).await.map_err(unsent)?;
        let action = format!("collect {}", token.show(reward));
        let paying = (&acting.gas_fees, &acting.spending);
        let bill = view.bill(&session, account, paying, (action, gas), Vec::new());
        if !acting
            .spending
            .agreed(&session, &bill.await?, acting.json)?
        {
            return Ok(());
        }
        let receipt = send(&sender, call).await?;
        let cost = gas_cost(&receipt);
        let balance = token.balance(&session.node, account).await?;
        let claimed = Claimed {
            chain_id: view.facts.chain_id,
            trainer: view.facts.trainer,
            account,
            reward: reward.to_string(),
            balance: balance.to_string(),
            transaction: receipt.transaction,
            gas_cost: cost.to_string(),
        };
        show(acting.json, &claimed, || {
            format!(
                "collected  {}\nbalance    {}\ngas        {}\n",
                token.show(reward),
                token.show(balance),
                Wei(cost)
            )
        })
    })
}
