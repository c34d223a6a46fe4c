//! `cotrain federated run`: the actions that move rounds on.

use std::{path::PathBuf, time::Duration};

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_chain::node::NodeError;
use cotrain_client::{
    federated::{Action, Due, Outcome, Round, Wait, Work, WorkError, Worked},
    send::{SendError, gas_cost},
};
use cotrain_results::format::counted;
use serde::Serialize;
use tokio::time::sleep;

use super::view::{View, bits, is_transient, next, undone, unread};
use crate::{
    error::CommandError,
    live::{acting::Acting, block_on, connection::Session, key::DEVELOPMENT_CHAIN, show, wei::Wei},
    stop::stopped,
};

/// Maximum number of times that an action is prepared again because somebody else was faster, or the
/// node lags.
const TRIES: u32 = 4;

/// Move rounds on, as anyone may: draw a test part, score, aggregate and settle
///
/// The owner also reveals the drawn part, from the file of the test set. A phase whose time is over is
/// ended, so that stakes become free. Each action is a transaction, and the account that runs this
/// pays the gas. You can interrupt it at any time, and anyone can go on.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Go on with further rounds, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// Interval between requests to the node, while a round waits
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2s",
        value_parser = humantime::parse_duration
    )]
    interval: Duration,
    /// File of the owner's test set [default: `federated-CHAIN-ADDR.json` in the state directory]
    #[arg(long, value_name = "FILE")]
    test_set: Option<PathBuf>,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Serialize)]
struct Ran {
    chain_id: u64,
    trainer: Address,
    actions: Vec<Done>,
    round: u64,
    version: u64,
    phase: String,
    next: String,
    /// Cost of the gas in wei, as text.
    gas_cost: String,
}

#[derive(Serialize)]
struct Done {
    round: u64,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<usize>,
    transaction: B256,
    gas: u64,
}

/// Does what is due.
pub(crate) fn run(arguments: &Run) -> Result<(), CommandError> {
    block_on(async {
        let acting = &arguments.acting;
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let view = View::find(&session, &acting.model).await?;
        let test_set = view.test_set(arguments.test_set.as_deref())?;
        let budget = acting.spending.budget();
        let sender = acting.gas_fees.sender(&session.node, &key, &budget);
        let work = Work::new(&sender, &view.facts, view.first_block(), test_set);
        let mut driver = Driver {
            session: &session,
            view: &view,
            work,
            done: Vec::new(),
            cost: 0,
        };
        let (round, due) = driver.look().await?;
        if let (Due::Later(wait), false) = (due, arguments.follow)
            && !matches!(wait, Wait::Block(_))
        {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: the round {} is in the phase {}, and nothing is to be done; next, {}",
                round.number,
                round.phase,
                next(&round, due)
            )));
        }
        if !driver.agreed(arguments, &round, due, key.address()).await? {
            return Ok(());
        }
        let worked = driver.work(arguments).await;
        let (round, due) = match &worked {
            Ok(last) => last.clone(),
            Err(_) => (round, due),
        };
        if worked.is_ok() || !driver.done.is_empty() {
            let ran = Ran {
                chain_id: view.facts.chain_id,
                trainer: view.facts.trainer,
                round: round.number,
                version: round.version,
                phase: round.phase.to_string(),
                next: next(&round, due),
                gas_cost: driver.cost.to_string(),
                actions: driver.done,
            };
            show(acting.json, &ran, || text(&ran, driver.cost))?;
        }
        worked.map(drop)
    })
}

fn text(ran: &Ran, cost: u128) -> String {
    format!(
        "actions    {}\nround      {}, phase {}\nversion    {}\nnext       {}\ngas        {}\n",
        ran.actions.len(),
        ran.round,
        ran.phase,
        ran.version,
        ran.next,
        Wei(cost)
    )
}

/// Account that moves rounds on.
struct Driver<'a> {
    session: &'a Session,
    view: &'a View,
    work: Work<'a>,
    done: Vec<Done>,
    cost: u128,
}

impl Driver<'_> {
    async fn look(&mut self) -> Result<(Round, Due), CommandError> {
        self.work.look().await.map_err(unread)
    }

    /// Shows the bill of the first action. The gas of the others is not known before.
    async fn agreed(
        &self,
        arguments: &Run,
        round: &Round,
        due: Due,
        account: Address,
    ) -> Result<bool, CommandError> {
        let acting = &arguments.acting;
        if acting.spending.max_total.is_none() && self.view.facts.chain_id != DEVELOPMENT_CHAIN {
            return Err(CommandError::Mistake(anyhow!(
                "nothing was sent: how many actions follow is not known before; say with --max-total what all of them may \
                 cost, such as 0.05ether"
            )));
        }
        let (action, gas) = match due {
            Due::Now(action) => {
                let ready = self.work.prepare(round, action).await.map_err(undone)?;
                (
                    format!("{}: the first of several actions", action.name()),
                    ready.gas,
                )
            }
            Due::Later(_) => ("do what becomes due".to_owned(), 0),
        };
        let notes = vec![(
            "actions",
            "gas is that of the first action; further ones follow, each at most that of a transaction; --max-total stops \
             them, and anyone can go on"
                .to_owned(),
        )];
        let paying = (&acting.gas_fees, &acting.spending);
        let bill = self
            .view
            .bill(self.session, account, paying, (action, gas), notes);
        acting
            .spending
            .agreed(self.session, &bill.await?, acting.json)
    }

    /// Does all actions until the round waits for others, or until a signal. Returns the last state.
    async fn work(&mut self, arguments: &Run) -> Result<(Round, Due), CommandError> {
        let stop = stopped()?;
        let mut tries = 0;
        let mut told = None;
        let mut idle = Duration::ZERO;
        loop {
            let (round, due) = match self.work.look().await {
                Ok(found) => found,
                Err(error) if arguments.follow && is_transient(&error) => {
                    tracing::warn!(%error, "looking again");
                    tokio::select! {
                        () = sleep(arguments.interval) => continue,
                        () = stop.cancelled() => return Err(unread(error)),
                    }
                }
                Err(error) => return Err(unread(error)),
            };
            self.tell_end(&mut told);
            if stop.is_cancelled() {
                return Ok((round, due));
            }
            match due {
                Due::Now(action) => match self.act(&round, action).await {
                    Ok(()) => {
                        (tries, idle) = (0, Duration::ZERO);
                        continue;
                    }
                    Err(error) if is_overtaken(&error) && (arguments.follow || tries < TRIES) => {
                        tracing::info!(%error, "looking again");
                        tries += 1;
                    }
                    Err(error) => return Err(undone(error)),
                },
                Due::Later(Wait::Block(_))
                    if self.view.facts.chain_id == DEVELOPMENT_CHAIN
                        && idle >= arguments.interval =>
                {
                    // A development node makes a block for each transaction, and no others.
                    self.work.make_block().await.map_err(undone)?;
                }
                Due::Later(Wait::Block(_)) => {}
                Due::Later(_) if arguments.follow => {}
                Due::Later(_) => return Ok((round, due)),
            }
            tokio::select! {
                () = sleep(arguments.interval) => idle += arguments.interval,
                () = stop.cancelled() => return Ok((round, due)),
            }
        }
    }

    async fn act(&mut self, round: &Round, action: Action) -> Result<(), WorkError> {
        let ready = self.work.prepare(round, action).await?;
        let worked: Worked = self.work.send(ready).await?;
        let samples = (worked.samples > 0).then_some(worked.samples);
        let of = samples.map(|samples| format!(" {}", counted(samples as u64, "sample")));
        self.session.narrator.say(format_args!(
            "round {}, {}{}: {} gas",
            worked.round,
            action.name(),
            of.unwrap_or_default(),
            worked.receipt.gas_used
        ));
        self.cost = self.cost.saturating_add(gas_cost(&worked.receipt));
        self.done.push(Done {
            round: worked.round,
            action: action.name(),
            samples,
            transaction: worked.receipt.transaction,
            gas: worked.receipt.gas_used,
        });
        Ok(())
    }

    /// Tells how a round ended, once.
    fn tell_end(&self, told: &mut Option<u64>) {
        let last = self.work.events().last();
        let ended_here = last.filter(|last| self.done.iter().any(|done| done.round == last.round));
        let Some(ended) = ended_here.filter(|last| *told != Some(last.round)) else {
            return;
        };
        *told = Some(ended.round);
        let outcome = match ended.outcome {
            Outcome::Settled {
                version,
                improvement,
                ..
            } => format!(
                "version {version}, improved by {}",
                bits(improvement, ended.samples)
            ),
            Outcome::Failed(reason) => format!("failed: {reason}"),
        };
        self.session
            .narrator
            .say(format_args!("round {}: {outcome}", ended.round));
    }
}

/// Returns `true` if an action may fail because the round has moved on, or the node lags.
fn is_overtaken(error: &WorkError) -> bool {
    match error {
        WorkError::Rounds(error) => is_transient(error),
        WorkError::Send(SendError::Failed { .. } | SendError::Node(NodeError::Reverted(_))) => true,
        WorkError::Send(SendError::Node(error)) => error.is_transient(),
        _ => false,
    }
}
