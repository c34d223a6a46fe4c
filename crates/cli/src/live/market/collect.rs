//! `cotrain market collect`: stakes, winnings and the provider's rest.

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_client::send::{Call, gas_cost};
use serde::Serialize;

use super::view::{Costs, View};
use crate::{
    error::CommandError,
    live::{acting::Acting, block_on, show, wei::Wei},
};

/// Collect your money: a participant's balance or stakes, and the provider's rest
#[derive(Debug, Args)]
pub(crate) struct Collect {
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Collected {
    chain_id: u64,
    market: Address,
    account: Address,
    /// Money that a participant got, in wei, as text.
    amount: String,
    /// Money that the provider got back, in wei, as text.
    remainder: String,
    transactions: Vec<B256>,
    gas_cost: String,
}

/// Runs `cotrain market collect`.
pub(crate) fn run(arguments: &Collect) -> Result<(), CommandError> {
    block_on(async {
        let acting = &arguments.acting;
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let view = View::find(&session, &acting.model).await?;
        let account = key.address();
        let due = view.state.ledger().collectable(account, view.now);
        if due.total() == 0 {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: the market {} is {}, and {account} has nothing to collect; next, {}",
                view.address(),
                view.phase(),
                view.next()
            )));
        }
        let budget = acting.spending.budget();
        let sender = acting.gas_fees.sender(&session.node, &key, &budget);
        let mut gas = 0_u64;
        let mut ready = Vec::new();
        for data in due.calls() {
            let call = Call {
                to: Some(view.address()),
                value: 0,
                data: data.into(),
            };
            gas = gas.saturating_add(view.gas_of(&sender, &call).await?);
            ready.push(call);
        }
        let all = Wei(due.total());
        let costs = Costs {
            action: format!("collect {all}"),
            value: 0,
            gas,
            notes: vec![("brings", all.to_string())],
        };
        let paying = (&acting.gas_fees, &acting.spending);
        let bill = view.bill(&session, account, paying, costs).await?;
        if !acting.spending.agreed(&session, &bill, acting.json)? {
            return Ok(());
        }
        let (mut transactions, mut cost) = (Vec::new(), 0_u128);
        for call in ready {
            let receipt = view.send(&sender, call).await.map_err(|failure| {
                if transactions.is_empty() {
                    failure
                } else {
                    failure
                        .context("your balance is collected, the rest is not; run the same again")
                }
            })?;
            transactions.push(receipt.transaction);
            cost = cost.saturating_add(gas_cost(&receipt));
        }
        let collected = Collected {
            chain_id: session.node.chain_id(),
            market: view.address(),
            account,
            amount: due.balance.to_string(),
            remainder: due.remainder.to_string(),
            transactions,
            gas_cost: cost.to_string(),
        };
        show(acting.json, &collected, || {
            format!("collected  {all}\ngas        {}\n", Wei(cost))
        })
    })
}
