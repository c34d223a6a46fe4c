//! `cotrain refund`, `cotrain report` and `cotrain claim-late`: claims of deposits.

use std::path::Path;

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_client::{
    claims::{self, Act, Claimant, ClaimsTransaction},
    send::gas_cost,
};
use cotrain_indexer::{Claimable, local::LocalIndex, rows::ClaimKind};
use cotrain_learning::text::escaped;
use cotrain_protocol::trainer::Announcement;
use cotrain_results::format::counted;
use serde::Serialize;

use super::{
    acting::Acting,
    block_on,
    connection::Session,
    errors::not_claimed,
    following::follow,
    model::LiveModel,
    show,
    spending::{Bill, Progress, Range, Target, gas_cost_of_all},
    time::when,
    wei::Wei,
};
use crate::error::CommandError;

/// Maximum number of claims that one search finds.
const MAX: u32 = 10_000;
const REFUND_EXAMPLES: &str = "\
Examples:
  cotrain refund --dev 1              all that the model agrees with, after their wait
  cotrain refund 17 18 --dev 1        two of them
  cotrain status --dev 1              possible claims and their times";

/// Get back the deposits of your contributions that the model agrees with
///
/// Many refunds share a transaction, up to its gas limit. Each refund increases your share of later
/// reports.
#[derive(Debug, Args)]
#[command(after_help = REFUND_EXAMPLES)]
pub(crate) struct Refund {
    /// Positions of the contributions [default: all that can be claimed]
    #[arg(value_name = "POSITION")]
    positions: Vec<u64>,
    #[command(flatten)]
    acting: Acting,
}

const REPORT_EXAMPLES: &str = "\
Examples:
  cotrain report --dev 1              all that the model disagrees with, after their wait
  cotrain report 21 --dev 1           one of them
  cotrain status --dev 1              possible claims and their times";

/// Take shares of the deposits of others whose contributions the model disagrees with
///
/// Your share is in proportion to your refunded contributions, so have one refunded first. Some
/// models need a notice before a report. There, this command first announces the contributions that
/// can be reported after the notice. Run it again between the two dates that it prints.
#[derive(Debug, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub(crate) struct Report {
    /// Positions of the contributions [default: all that can be claimed]
    #[arg(value_name = "POSITION", value_parser = position)]
    positions: Vec<u64>,
    #[command(flatten)]
    acting: Acting,
}

const CLAIM_LATE_EXAMPLES: &str = "\
Examples:
  cotrain claim-late --dev 0          all that is left after the wait
  cotrain claim-late 17 18 --dev 0    two of them";

/// Take what is left of deposits that nobody has claimed in time
///
/// The owner of a model may take it after the owner's wait, and anyone after a wait that is as long or
/// longer. Until then, authors can get back what the model agrees with, and reporters can take shares
/// of the rest.
#[derive(Debug, Args)]
#[command(after_help = CLAIM_LATE_EXAMPLES)]
pub(crate) struct ClaimLate {
    /// Positions of the contributions [default: all that can be claimed]
    #[arg(value_name = "POSITION")]
    positions: Vec<u64>,
    #[command(flatten)]
    acting: Acting,
}

/// Parses a position. Earlier versions took a folder here, so the error for a folder names the
/// command that writes pages.
fn position(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(position) => Ok(position),
        Err(_) if Path::new(text).is_dir() => Err(
            "expected the position of a contribution, and this is a folder; to write the tables and \
             page of a sweep, run `cotrain sweep page DIR`"
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
    /// Amount in wei, as text, like all others.
    amount: String,
    gas_cost: String,
    transactions: Vec<B256>,
    /// Announced contributions, for later reports.
    announced: Vec<Announced>,
    /// Time of the next possible claim, in Unix seconds.
    next: Option<u64>,
    #[serde(flatten)]
    progress: Progress,
}

#[derive(Serialize)]
struct Announced {
    position: u64,
    /// First second of the report, in Unix seconds.
    from: u64,
    /// Last second of the report, in Unix seconds.
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

/// Runs `cotrain refund`.
pub(crate) fn refund(arguments: &Refund) -> Result<(), CommandError> {
    run(&arguments.positions, &arguments.acting, ClaimKind::Refund)
}

/// Runs `cotrain report`.
pub(crate) fn report(arguments: &Report) -> Result<(), CommandError> {
    run(&arguments.positions, &arguments.acting, ClaimKind::Report)
}

/// Runs `cotrain claim-late`.
pub(crate) fn claim_late(arguments: &ClaimLate) -> Result<(), CommandError> {
    run(&arguments.positions, &arguments.acting, ClaimKind::Late)
}

fn run(positions: &[u64], acting: &Acting, kind: ClaimKind) -> Result<(), CommandError> {
    block_on(async {
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let model = LiveModel::find_trainer(&session, &acting.model).await?;
        let index = follow(&session, &model).await?;
        let account = key.address();
        let now = session.node.now().await?;
        let mut claimable = match kind {
            ClaimKind::Late => index.late(index.followed(), account, MAX).await?,
            _ => index.claimable(index.followed(), account, MAX).await?,
        };
        claimable.retain(|one| one.kind == kind);
        let (positions, to_announce) = choose(&claimable, positions)?;
        let expected = claimable
            .iter()
            .filter(|one| positions.contains(&one.row.contribution.position))
            .fold(0_u128, |sum, one| sum.saturating_add(one.amount));
        let budget = acting.spending.budget();
        let sender = acting.gas_fees.sender(&session.node, &key, &budget);
        let mut claims = Claims {
            claimant: Claimant {
                sender: &sender,
                facts: &model.facts,
                now,
            },
            index: &index,
            model: &model,
            kind,
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
        let (mut count, mut stopped) = claims.all(false, &positions).await;
        if stopped.is_none() {
            let (announced, failure) = claims.all(true, &to_announce).await;
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

/// Returns the positions to claim and those to announce. Each named position must allow one of the
/// two. Without names, it returns all that are possible.
fn choose(claimable: &[Claimable], named: &[u64]) -> Result<(Vec<u64>, Vec<u64>), CommandError> {
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
                "it is none of those that you can claim of; `cotrain status` lists refunds and reports, and `cotrain claim-late --dry-run` the rest".to_owned()
            }
        };
        return Err(CommandError::Mistake(anyhow!(
            "nothing was sent: contribution {wanted}: {reason}"
        )));
    }
    let (announce, possible) = named.iter().copied().partition(to_announce);
    Ok((possible, announce))
}

struct Claims<'a> {
    claimant: Claimant<'a>,
    index: &'a LocalIndex,
    model: &'a LiveModel,
    kind: ClaimKind,
    done: Claimed,
    amount: u128,
    gas: u128,
}

impl Claims<'_> {
    /// Returns the act of the claims, or of their announcement.
    fn act(&self, announcing: bool) -> Act<'static> {
        match self.kind {
            ClaimKind::Report if announcing => Act::Announce,
            ClaimKind::Report => Act::Report,
            ClaimKind::Late => Act::ClaimLate,
            ClaimKind::Refund => Act::Refund,
        }
    }

    /// Makes the bill of all claims and announcements: their costs, and the money that the claims
    /// pay.
    async fn bill(
        &self,
        session: &Session,
        acting: &Acting,
        (to_claim, to_announce): (&[u64], &[u64]),
        expected: u128,
    ) -> Result<Bill, CommandError> {
        let (mut actions, mut count, mut gas) = (Vec::new(), 0, 0_u64);
        for (announcing, positions) in [(false, to_claim), (true, to_announce)] {
            let act = self.act(announcing);
            let Some(first) = self.fit(act, positions).await? else {
                continue;
            };
            let some = positions.len() as u64;
            gas = gas.saturating_add(first.gas_of_all(some));
            count += some;
            let verb = match act {
                Act::Announce => "announce the report of",
                Act::Report | Act::ReportFor(_) => "report",
                Act::Refund => "refund",
                Act::ClaimLate => "take what is left of",
            };
            actions.push(format!("{verb} {}", counted(some, "contribution")));
        }
        Ok(Bill {
            action: actions.join(", and "),
            target: Target::new(session, Some(self.model)),
            account: self.claimant.sender.address(),
            count,
            each: None,
            value: Range::exactly(0),
            gas: Some(gas),
            gas_cost: gas_cost_of_all(
                gas,
                &session.node.gas_fees().await?,
                &acting.gas_fees,
                &acting.spending,
            ),
            notes: vec![("brings", Wei(expected).to_string())],
        })
    }

    /// Makes all claims until an error; returns the number of finished claims, and the error.
    async fn all(&mut self, announcing: bool, positions: &[u64]) -> (u64, Option<CommandError>) {
        let (act, claimant, index) = (self.act(announcing), self.claimant, self.index);
        let prove = async |some: &[u64]| index.claims(index.followed(), some).await;
        let mut count = 0;
        let sent = claimant.send_all(act, positions, prove, |claimed, size| {
            self.note(&claimed);
            count += size as u64;
        });
        let sent = sent.await.map_err(not_claimed);
        let stopped = sent.err().map(|failure| self.model.named_classes(failure));
        (count, stopped)
    }

    /// Finds how many of the claims fit into one transaction; `None` if there are no claims.
    async fn fit(
        &self,
        act: Act<'_>,
        positions: &[u64],
    ) -> Result<Option<ClaimsTransaction>, CommandError> {
        let index = self.index;
        let prove = async |some: &[u64]| index.claims(index.followed(), some).await;
        let fitting = self
            .claimant
            .fit(act, positions, positions.len(), prove)
            .await;
        fitting.map_err(not_claimed)
    }

    fn note(&mut self, claimed: &claims::Claimed) {
        for paid in &claimed.paid {
            self.amount = self.amount.saturating_add(paid.amount);
            self.done.claims.push(Paid {
                position: paid.position,
                amount: paid.amount.to_string(),
            });
        }
        for (position, Announcement { earliest, until }) in &claimed.announced {
            let next = self.done.next.map_or(*earliest, |next| next.min(*earliest));
            self.done.next = Some(next);
            self.done.announced.push(Announced {
                position: *position,
                from: *earliest,
                until: *until,
            });
        }
        for skipped in &claimed.skipped {
            self.done.skipped.push(Skipped {
                position: skipped.position,
                reason: self.model.explain(&skipped.reason),
            });
        }
        self.gas = self.gas.saturating_add(gas_cost(&claimed.receipt));
        self.done.transactions.push(claimed.receipt.transaction);
    }
}

fn text(done: &Claimed, kind: ClaimKind, amount: u128, gas: u128) -> String {
    let (verb, noun) = match kind {
        ClaimKind::Report => ("reported", "report"),
        ClaimKind::Late => ("taken   ", "take"),
        ClaimKind::Refund => ("refunded", "refund"),
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
