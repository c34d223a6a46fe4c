//! `cotrain market reveal`: the provider's test set.

use std::path::PathBuf;

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::market as calls;
use cotrain_client::send::{Call, gas_cost};
use cotrain_results::format::counted;
use serde::Serialize;

use super::view::{Costs, View};
use crate::{
    error::CommandError,
    live::{acting::Acting, block_on, show, spending::Progress, wei::Wei},
};

/// Reveal the test set: first the drawn part, which opens the market, and after the closing the
/// others
///
/// Only the provider, who has the file of the test set, can do it. If a part is not revealed in
/// time, the provider loses the bounty.
#[derive(Debug, Args)]
pub(crate) struct Reveal {
    /// File that `cotrain market create` wrote [default: `market-CHAIN-ADDR.json` in the state
    /// directory]
    #[arg(long, value_name = "FILE")]
    test_set: Option<PathBuf>,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Revealed {
    chain_id: u64,
    market: Address,
    parts: Vec<usize>,
    phase: String,
    transactions: Vec<B256>,
    /// Cost of the gas in wei, as text.
    gas_cost: String,
    #[serde(flatten)]
    progress: Progress,
}

/// Reveals the parts that are due.
pub(crate) fn run(arguments: &Reveal) -> Result<(), CommandError> {
    block_on(async {
        let acting = &arguments.acting;
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let mut view = View::find(&session, &acting.model).await?;
        let due = due(&view)?;
        let set = view.test_set(arguments.test_set.as_deref())?;
        let calls: Vec<Call> = due
            .iter()
            .filter_map(|part| {
                let (salt, items) = set.part(*part)?;
                Some(Call {
                    to: Some(view.address()),
                    value: 0,
                    data: calls::reveal(*part as u64, salt, items).into(),
                })
            })
            .collect();
        let budget = acting.spending.budget();
        let sender = acting.gas_fees.sender(&session.node, &key, &budget);
        let mut gas = 0_u64;
        for call in &calls {
            gas = gas.saturating_add(view.gas_of(&sender, call).await?);
        }
        let costs = Costs {
            action: format!(
                "reveal {} of the test set",
                counted(due.len() as u64, "part")
            ),
            value: 0,
            gas,
            notes: Vec::new(),
        };
        let paying = (&acting.gas_fees, &acting.spending);
        let bill = view.bill(&session, key.address(), paying, costs).await?;
        if !acting.spending.agreed(&session, &bill, acting.json)? {
            return Ok(());
        }
        let of = due.len() as u64;
        let (mut transactions, mut cost, mut stopped) = (Vec::new(), 0_u128, None);
        for call in calls {
            match view.send(&sender, call).await {
                Ok(receipt) => {
                    transactions.push(receipt.transaction);
                    cost = cost.saturating_add(gas_cost(&receipt));
                }
                Err(failure) if transactions.is_empty() => return Err(failure),
                Err(failure) => {
                    stopped = Some(failure);
                    break;
                }
            }
        }
        let done = transactions.len();
        let progress = match &stopped {
            Some(failure) => {
                let again = "run the same again: nothing is revealed twice".to_owned();
                Progress::stopped(done as u64, of, failure, again)
            }
            None => Progress::whole(of),
        };
        if stopped.is_none() {
            view.update(&session).await?;
        }
        let revealed = Revealed {
            chain_id: session.node.chain_id(),
            market: view.address(),
            parts: due[..done].to_vec(),
            phase: view.phase().to_string(),
            transactions,
            gas_cost: cost.to_string(),
            progress,
        };
        show(acting.json, &revealed, || {
            format!(
                "revealed   {}\nphase      {}\nnext       {}\ngas        {}\n",
                counted(done as u64, "part"),
                revealed.phase,
                view.next(),
                Wei(cost)
            )
        })?;
        match stopped {
            Some(failure) => Err(revealed.progress.explain(failure, "parts are revealed")),
            None => Ok(()),
        }
    })
}

/// Returns the parts that the provider must reveal now.
fn due(view: &View) -> Result<Vec<usize>, CommandError> {
    let due = view.state.ledger().parts_to_reveal(view.now);
    if due.is_empty() {
        return Err(CommandError::Mistake(anyhow!(
            "nothing was sent: the market {} is {}, and no part is to be revealed now; next, {}",
            view.address(),
            view.phase(),
            view.next()
        )));
    }
    Ok(due)
}
