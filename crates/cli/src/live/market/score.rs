//! `cotrain market score`: the draw, and the scoring step by step.

use alloy_primitives::{Address, B256, Bytes};
use anyhow::anyhow;
use clap::Args;
use cotrain_client::{
    market::{Action, Ready},
    send::{Call, Sender, gas_cost},
};
use cotrain_protocol::market::{Pace, Phase};
use serde::Serialize;

use super::view::{Costs, View};
use crate::{
    error::CommandError,
    live::{
        acting::Acting, block_on, connection::Session, errors::unsent, key::DEVELOPMENT_CHAIN,
        show, spending::Progress, wei::Wei,
    },
};

/// Move a market on, as anyone may: draw the part to test with, or have the contributions scored
///
/// Each step is a transaction, and the steps go on until the market is settled. The account that
/// runs this pays the gas. You can interrupt it at any time, and anyone can go on.
#[derive(Debug, Args)]
pub(crate) struct Score {
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Scored {
    chain_id: u64,
    market: Address,
    steps: usize,
    transactions: Vec<B256>,
    phase: String,
    next: String,
    pass: u64,
    samples: u64,
    correct: u64,
    /// Cost of the gas in wei, as text.
    gas_cost: String,
    #[serde(flatten)]
    progress: Progress,
}

/// Does all steps that are due.
pub(crate) fn run(arguments: &Score) -> Result<(), CommandError> {
    block_on(async {
        let acting = &arguments.acting;
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let view = View::find(&session, &acting.model).await?;
        let budget = acting.spending.budget();
        let mut driver = Driver {
            session: &session,
            sender: &acting.gas_fees.sender(&session.node, &key, &budget),
            view,
            pace: Pace::new(Pace::ESTIMATE_PER_STEP),
            transactions: Vec::new(),
            cost: 0,
        };
        let Some(first) = driver.prepare().await? else {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: the market {} is {}, and there is nothing to draw or score; next, {}",
                driver.view.address(),
                driver.view.phase(),
                driver.view.next()
            )));
        };
        if let Action::Score(_) = first.action
            && acting.spending.max_total.is_none()
            && session.node.chain_id() != DEVELOPMENT_CHAIN
        {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: how many steps the scoring takes is not known before; say with --max-total what all of \
                 them may cost, such as 0.05ether"
            )));
        }
        let costs = Costs {
            action: match first.action {
                Action::Draw => "draw the part to test with".to_owned(),
                Action::Score(_) => {
                    "score the contributions: the first of several steps".to_owned()
                }
            },
            value: 0,
            gas: first.gas,
            notes: match first.action {
                Action::Draw => Vec::new(),
                Action::Score(_) => vec![(
                    "steps",
                    format!(
                        "gas is that of the first step; further ones follow, of about {} gas each at most, until the \
                         market is settled; --max-total stops them, and anyone can go on",
                        Pace::ESTIMATE_PER_STEP
                    ),
                )],
            },
        };
        let paying = (&acting.gas_fees, &acting.spending);
        let bill = driver
            .view
            .bill(&session, key.address(), paying, costs)
            .await?;
        if !acting.spending.agreed(&session, &bill, acting.json)? {
            return Ok(());
        }
        // Another account may have done the step while the user was asked.
        let next = if driver.view.update(&session).await? {
            driver.prepare().await?
        } else {
            Some(first)
        };
        let stopped = driver.all(next).await.err();
        let steps = driver.transactions.len();
        let progress = match &stopped {
            Some(_) if steps == 0 => Progress::default(),
            Some(failure) => {
                let again =
                    "run the same again, or let somebody else: the scoring goes on".to_owned();
                Progress::stopped(steps as u64, steps as u64 + 1, failure, again)
            }
            None => Progress::whole(steps as u64),
        };
        let (view, market) = (&driver.view, driver.view.market());
        let scored = Scored {
            chain_id: session.node.chain_id(),
            market: view.address(),
            steps,
            transactions: driver.transactions.clone(),
            phase: view.phase().to_string(),
            next: view.next(),
            pass: market.progress().pass,
            samples: market.samples(),
            correct: market.progress().correct,
            gas_cost: driver.cost.to_string(),
            progress,
        };
        match stopped {
            Some(failure) if steps == 0 => return Err(failure),
            _ => show(acting.json, &scored, || text(&scored, driver.cost))?,
        }
        match stopped {
            Some(failure) => Err(scored.progress.explain(failure, "steps are done")),
            None => Ok(()),
        }
    })
}

fn text(scored: &Scored, cost: u128) -> String {
    let right = if scored.samples > 0 {
        format!(
            "right      {} of {} test samples, after pass {}\n",
            scored.correct, scored.samples, scored.pass
        )
    } else {
        String::new()
    };
    format!(
        "steps      {}\nphase      {}\n{right}next       {}\ngas        {}\n",
        scored.steps,
        scored.phase,
        scored.next,
        Wei(cost)
    )
}

/// Account that drives a market.
struct Driver<'a> {
    session: &'a Session,
    sender: &'a Sender<'a>,
    view: View,
    pace: Pace,
    transactions: Vec<B256>,
    cost: u128,
}

impl Driver<'_> {
    /// Finds the next step that fits a transaction; `None` if no step is due.
    async fn prepare(&mut self) -> Result<Option<Ready>, CommandError> {
        let (view, sender, market) = (&self.view, self.sender, self.view.address());
        let Some(block) = view.state.block() else {
            return Ok(None);
        };
        let estimate = |data| async move { sender.estimate_next(&call(market, data)).await };
        let ready = view
            .state
            .ledger()
            .prepare(&block, view.now, &mut self.pace, estimate);
        ready.await.map_err(unsent)
    }

    /// Sends steps until none is due.
    async fn all(&mut self, mut next: Option<Ready>) -> Result<(), CommandError> {
        while let Some(ready) = next {
            let call = call(self.view.address(), ready.data.clone());
            let receipt = self.sender.send_estimated(call, ready.gas).await;
            let receipt = receipt.map_err(unsent)?;
            self.view.state.ledger().note(&mut self.pace, &ready);
            self.transactions.push(receipt.transaction);
            self.cost = self.cost.saturating_add(gas_cost(&receipt));
            self.view.update(self.session).await?;
            let phase = self.view.phase();
            if let Action::Score(_) = ready.action {
                self.session.narrator.say(format_args!(
                    "pass {}, {}: {} gas",
                    self.view.market().progress().pass,
                    if phase == Phase::Scoring {
                        self.view.market().progress().stage.to_string()
                    } else {
                        phase.to_string()
                    },
                    receipt.gas_used
                ));
            }
            next = self.prepare().await?;
        }
        Ok(())
    }
}

/// Returns the call of a market.
fn call(market: Address, data: Bytes) -> Call {
    Call {
        to: Some(market),
        value: 0,
        data,
    }
}
