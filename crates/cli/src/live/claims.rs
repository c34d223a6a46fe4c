//! `cotrain refund` and `cotrain report`: what is in deposits.

use std::path::Path;

use alloy_primitives::{Address, B256, U256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::{self as bindings, Revert, events};
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    node::{NodeError, NodeReceipt},
};
use cotrain_indexer::{Claimable, rows::ClaimKind};
use cotrain_learning::text::escaped;
use cotrain_protocol::{Rejection, trainer::Announcement};
use cotrain_report::format::counted;
use serde::Serialize;

use super::{
    block_on,
    connection::Session,
    index::{Following, follow},
    model::LiveModel,
    send::{Acting, Sender, gas_cost},
    show,
    spending::{Bill, Progress, Range, Target, gas_cost_of_all},
    status::when,
    wei::Wei,
};
use crate::failure::Failure;

/// Claims looked for at once.
const MOST: u32 = 10_000;
/// Claims in one transaction that could not be tried before.
const PER_UNTRIED: usize = 10;
/// Claims tried first in one transaction.
const PER_TRANSACTION: usize = 100;

const REFUND_EXAMPLES: &str = "\
Examples:
  cotrain refund --dev 1              all that the model agrees with, after its wait
  cotrain refund 17 18 --dev 1        two of them
  cotrain status --dev 1              what can be claimed when";

/// Get deposits back, of your contributions that the model agrees with
///
/// Many refunds go into as few transactions as hold them. Each makes your share of later reports
/// larger.
#[derive(Debug, Args)]
#[command(after_help = REFUND_EXAMPLES)]
pub(crate) struct Refund {
    /// The positions of the contributions [default: all that can be claimed]
    #[arg(value_name = "POSITION")]
    positions: Vec<u64>,
    #[command(flatten)]
    acting: Acting,
}

const REPORT_EXAMPLES: &str = "\
Examples:
  cotrain report --dev 1              all that the model disagrees with, after its wait
  cotrain report 21 --dev 1           one of them
  cotrain status --dev 1              what can be claimed when";

/// Take shares of others' deposits, whose contributions the model disagrees with
///
/// Your share is in proportion to your refunded contributions: have one refunded first. Where the model
/// needs a notice before a report, this announces first what can be reported then: run it again after
/// the date that it says, and before the other one.
#[derive(Debug, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub(crate) struct Report {
    /// The positions of the contributions [default: all that can be claimed]
    #[arg(value_name = "POSITION", value_parser = position)]
    positions: Vec<u64>,
    #[command(flatten)]
    acting: Acting,
}

/// Reads a position. Names the command for pages if the text is a folder, which earlier versions took here.
fn position(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(position) => Ok(position),
        Err(_) if Path::new(text).is_dir() => Err(
            "expected the position of a contribution, and this is a folder; to write the tables and \
             page of a sweep, run `cotrain sweep report DIR`"
                .to_owned(),
        ),
        Err(_) => Err("expected the position of a contribution, a whole number".to_owned()),
    }
}

#[derive(Serialize)]
struct Claimed {
    chain_id: u64,
    model: Address,
    account: Address,
    claims: Vec<Paid>,
    skipped: Vec<Skipped>,
    /// Wei, as text, like all others.
    amount: String,
    gas_cost: String,
    transactions: Vec<B256>,
    /// What was announced, and has to be reported later.
    announced: Vec<Announced>,
    /// When the next can be claimed, in Unix seconds.
    next: Option<u64>,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Serialize)]
struct Announced {
    position: u64,
    /// The first second of the report, in Unix seconds.
    from: u64,
    /// The last one.
    until: u64,
}

#[derive(Serialize)]
struct Paid {
    position: u64,
    amount: String,
}

#[derive(Serialize)]
struct Skipped {
    position: u64,
    reason: String,
}

/// Refunds.
pub(crate) fn refund(arguments: &Refund) -> Result<(), Failure> {
    run(&arguments.positions, &arguments.acting, ClaimKind::Refund)
}

/// Reports.
pub(crate) fn report(arguments: &Report) -> Result<(), Failure> {
    run(&arguments.positions, &arguments.acting, ClaimKind::Report)
}

fn run(positions: &[u64], acting: &Acting, kind: ClaimKind) -> Result<(), Failure> {
    block_on(async {
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let model = LiveModel::find_trainer(&session, &acting.model).await?;
        let index = follow(&session, &model).await?;
        let account = key.address();
        let now = session.node.now().await?;
        let mut claimable = index.claimable(&index.model, account, MOST).await?;
        claimable.retain(|one| one.kind == kind);
        let (positions, to_announce) = choose(&claimable, positions)?;
        let expected = claimable
            .iter()
            .filter(|one| positions.contains(&one.row.contribution.position))
            .fold(0_u128, |sum, one| sum.saturating_add(one.amount));
        let mut claims = Claims {
            sender: Sender {
                node: &session.node,
                key: &key,
                max_fee: acting.fees.max_fee,
                budget: acting.spending.budget(),
            },
            index: &index,
            model: &model,
            kind,
            announcing: false,
            done: Claimed {
                chain_id: session.node.chain_id(),
                model: model.facts.trainer,
                account,
                claims: Vec::new(),
                skipped: Vec::new(),
                amount: String::new(),
                gas_cost: String::new(),
                transactions: Vec::new(),
                announced: Vec::new(),
                next: claimable
                    .iter()
                    .filter(|one| !one.possible && !one.announce)
                    .map(|one| one.from)
                    .filter(|from| *from > now)
                    .min(),
                progress: Progress::default(),
            },
            now,
            amount: 0,
            gas: 0,
        };
        if !positions.is_empty() || !to_announce.is_empty() {
            let parts = (&*positions, &*to_announce);
            let bill = claims.bill(&session, acting, parts, expected).await?;
            if !acting.spending.agreed(&session, &bill, acting.json)? {
                return Ok(());
            }
        }
        claims.announcing = false;
        let (mut count, mut stopped) = claims.all(&positions).await;
        if stopped.is_none() {
            claims.announcing = true;
            let (announced, failure) = claims.all(&to_announce).await;
            (count, stopped) = (count + announced, failure);
        }
        let (amount, gas) = (claims.amount, claims.gas);
        let mut done = claims.done;
        done.amount = amount.to_string();
        done.gas_cost = gas.to_string();
        let of = (positions.len() + to_announce.len()) as u64;
        let stopped = match stopped {
            Some(failure) if count == 0 => return Err(failure),
            Some(failure) => {
                let again = "run the same again: nothing is claimed twice".to_owned();
                done.progress = Progress::stopped(count, of, &failure, again);
                Some(failure)
            }
            None => {
                done.progress = Progress::whole(of);
                None
            }
        };
        show(acting.json, &done, || text(&done, kind, amount, gas))?;
        match stopped {
            Some(failure) => Err(done.progress.explain(failure, "claims are made")),
            None => Ok(()),
        }
    })
}

/// Returns the positions to claim and those to announce: the named ones, for each of which one of both has to be possible,
/// or all that are possible.
fn choose(claimable: &[Claimable], named: &[u64]) -> Result<(Vec<u64>, Vec<u64>), Failure> {
    let position = |one: &Claimable| one.row.contribution.position;
    if named.is_empty() {
        let possible = claimable.iter().filter(|one| one.possible).map(position);
        let announce = claimable.iter().filter(|one| one.announce).map(position);
        return Ok((possible.collect(), announce.collect()));
    }
    let to_announce = |wanted: &u64| {
        let of = |one: &&Claimable| position(one) == *wanted;
        claimable.iter().find(of).is_some_and(|one| one.announce)
    };
    for wanted in named {
        let found = claimable.iter().find(|one| position(one) == *wanted);
        let reason = match found {
            Some(one) if one.possible || one.announce => continue,
            Some(one) => one.reason.clone().unwrap_or_default(),
            None => {
                "it is none of those that you can claim of; `cotrain status` lists them".to_owned()
            }
        };
        return Err(Failure::Mistake(anyhow!(
            "nothing was sent: contribution {wanted}: {reason}"
        )));
    }
    let (announce, possible) = named.iter().copied().partition(to_announce);
    Ok((possible, announce))
}

struct Claims<'a> {
    sender: Sender<'a>,
    index: &'a Following,
    model: &'a LiveModel,
    kind: ClaimKind,
    /// `true` while reports are announced.
    announcing: bool,
    done: Claimed,
    /// Time of the chain's next block, in Unix seconds.
    now: u64,
    amount: u128,
    gas: u128,
}

/// Claims that fit into one transaction.
struct Fitting {
    size: usize,
    call: Vec<u8>,
    /// Gas, if the node could estimate it.
    gas: Option<u64>,
}

impl Claims<'_> {
    /// Makes the bill of all claims and announcements: the costs, and the money that the claims bring.
    async fn bill(
        &mut self,
        session: &Session,
        acting: &Acting,
        (to_claim, to_announce): (&[u64], &[u64]),
        expected: u128,
    ) -> Result<Bill, Failure> {
        let (mut actions, mut count, mut gas) = (Vec::new(), 0, 0_u64);
        for (announcing, positions) in [(false, to_claim), (true, to_announce)] {
            if positions.is_empty() {
                continue;
            }
            self.announcing = announcing;
            let first = self.fit(positions, PER_TRANSACTION).await?;
            let some = positions.len() as u64;
            let per = first.gas.unwrap_or(TRANSACTION_GAS_LIMIT);
            let all = u128::from(per) * u128::from(some) / (first.size.max(1) as u128);
            gas = gas.saturating_add(u64::try_from(all).unwrap_or(u64::MAX));
            count += some;
            let verb = match self.kind {
                ClaimKind::Report if announcing => "announce the report of",
                ClaimKind::Report => "report",
                _ => "refund",
            };
            actions.push(format!("{verb} {}", counted(some, "contribution")));
        }
        Ok(Bill {
            action: actions.join(", and "),
            target: Target::new(session, Some(self.model)),
            account: self.sender.key.address(),
            count,
            each: None,
            value: Range::exactly(0),
            gas: Some(gas),
            gas_cost: gas_cost_of_all(
                gas,
                &session.node.fees().await?,
                &acting.fees,
                &acting.spending,
            ),
            notes: vec![("brings", Wei(expected).to_string())],
        })
    }

    /// Claims all, until something is in the way; how many came to an end, and what was in the way.
    async fn all(&mut self, positions: &[u64]) -> (u64, Option<Failure>) {
        let (mut rest, mut size) = (positions, PER_TRANSACTION);
        while !rest.is_empty() {
            let sent = match self.fit(rest, size).await {
                Ok(next) => {
                    size = next.size;
                    self.send(next).await
                }
                Err(failure) => Err(failure),
            };
            match sent {
                Ok(receipt) => self.note(&receipt),
                Err(failure) => {
                    let count = (positions.len() - rest.len()) as u64;
                    return (count, Some(self.model.named_classes(failure)));
                }
            }
            rest = &rest[size..];
        }
        (positions.len() as u64, None)
    }

    /// As many of the claims as fit into one transaction, `size` at most.
    async fn fit(&self, positions: &[u64], size: usize) -> Result<Fitting, Failure> {
        let mut size = size.min(positions.len());
        loop {
            match self.attempt(&positions[..size]).await? {
                Some(fitting) => return Ok(fitting),
                None => size = size.div_ceil(2),
            }
        }
    }

    /// These claims in one transaction; `None` if they are too many for one and can be fewer.
    async fn attempt(&self, positions: &[u64]) -> Result<Option<Fitting>, Failure> {
        let groups = self.index.claims(&self.index.model, positions).await?;
        let call = match self.kind {
            ClaimKind::Report if self.announcing => bindings::announce(&groups),
            ClaimKind::Report => bindings::report(&groups),
            _ => bindings::refund(&groups),
        };
        let (from, to) = (self.sender.key.address(), Some(self.model.facts.trainer));
        let gas = self
            .sender
            .node
            .estimate(from, to, U256::ZERO, call.clone());
        let size = positions.len();
        let gas = match gas.await {
            Ok(gas) if gas <= TRANSACTION_GAS_LIMIT / 5 * 4 || size == 1 => Some(gas),
            // The node goes by the time of its last block, which may be long ago on a quiet chain.
            Err(NodeError::Reverted(Revert::Contract(Rejection::TooEarly {
                earliest, ..
            }))) if earliest <= self.now => {
                if size > PER_UNTRIED {
                    return Ok(None);
                }
                None
            }
            Err(error @ NodeError::Reverted(Revert::Contract(_))) => return Err(error.into()),
            Err(error @ NodeError::InsufficientFunds { .. }) => {
                return Err(self.sender.unpaid(U256::ZERO, error).await);
            }
            Err(error) if size == 1 || error.is_transient() => return Err(error.into()),
            // Too many at once.
            _ => return Ok(None),
        };
        Ok(Some(Fitting { size, call, gas }))
    }

    async fn send(&self, claims: Fitting) -> Result<NodeReceipt, Failure> {
        let to = Some(self.model.facts.trainer);
        if claims.gas.is_some() {
            return self.sender.send(to, 0, claims.call).await;
        }
        let sender = &self.sender;
        let sent = sender.send_with_gas(to, claims.call, TRANSACTION_GAS_LIMIT);
        sent.await
    }

    fn note(&mut self, receipt: &NodeReceipt) {
        let logs: Vec<_> = receipt.logs.iter().map(|log| log.log.clone()).collect();
        for paid in events::paid(&logs) {
            self.amount = self.amount.saturating_add(paid.amount);
            self.done.claims.push(Paid {
                position: paid.position,
                amount: paid.amount.to_string(),
            });
        }
        let notice = self.model.waits().map_or(0, |waits| waits.report_notice);
        for event in events::announced(&logs) {
            let Announcement { earliest, until } = Announcement::new(event.time, notice);
            self.done.next = Some(self.done.next.map_or(earliest, |next| next.min(earliest)));
            self.done.announced.push(Announced {
                position: event.position,
                from: earliest,
                until,
            });
        }
        for skipped in events::claims_skipped(&logs) {
            self.done.skipped.push(Skipped {
                position: skipped.position,
                reason: self.model.explain(&skipped.reason),
            });
        }
        self.gas = self.gas.saturating_add(gas_cost(receipt));
        self.done.transactions.push(receipt.transaction);
    }
}

fn text(done: &Claimed, kind: ClaimKind, amount: u128, gas: u128) -> String {
    let (verb, noun) = match kind {
        ClaimKind::Report => ("reported", "report"),
        _ => ("refunded", "refund"),
    };
    let mut text = if done.transactions.is_empty() {
        format!("nothing to {noun} now\n")
    } else if done.claims.is_empty() && !done.announced.is_empty() {
        format!("gas       {}\n", Wei(gas))
    } else {
        format!(
            "{verb}  {}, {}\ngas       {}\n",
            counted(done.claims.len() as u64, "contribution"),
            Wei(amount),
            Wei(gas)
        )
    };
    let earliest = done.announced.iter().map(|it| it.from).max();
    let latest = done.announced.iter().map(|it| it.until).min();
    text.extend(earliest.zip(latest).map(|(from, until)| {
        format!(
            "announced {}\n          run `cotrain report` again from {} to {} to report them\n",
            counted(done.announced.len() as u64, "contribution"),
            when(from),
            when(until)
        )
    }));
    let skipped = |it: &Skipped| {
        format!(
            "skipped   {}: {}
",
            it.position,
            escaped(&it.reason)
        )
    };
    text.extend(done.skipped.iter().map(skipped));
    text.extend(done.next.map(|next| format!("next      {}\n", when(next))));
    text
}
