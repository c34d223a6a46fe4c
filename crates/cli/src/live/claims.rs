//! `cotrain refund` and `cotrain report`: what is in deposits.

use std::path::PathBuf;

use alloy_primitives::{Address, B256, U256};
use anyhow::anyhow;
use clap::Args;
use cotrain_bindings::{self as bindings, Revert, events};
use cotrain_chain::{
    TRANSACTION_GAS_LIMIT,
    node::{NodeError, NodeReceipt},
};
use cotrain_coordinator::{Claimable, Coordinator, rows::ClaimKind};
use cotrain_protocol::Rejection;
use serde::Serialize;

use super::{
    block_on,
    index::follow,
    model::LiveModel,
    send::{Acting, Sender, gas_cost},
    show,
    status::when,
    wei::Wei,
};
use crate::{failure::Failure, sweep};

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
  cotrain status --dev 1              what can be claimed when
  cotrain report sweeps/movie-reviews tables and page of a sweep again";

/// Take shares of others' deposits, whose contributions the model disagrees with
///
/// Your share is in proportion to your refunded contributions: have one refunded first. With the
/// folder of a sweep it is `cotrain sweep report` instead: it writes the sweep's tables and page.
#[derive(Debug, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub(crate) struct Report {
    /// The positions of the contributions [default: all that can be claimed], or a sweep's folder
    #[arg(value_name = "POSITION|DIR", value_parser = subject)]
    subjects: Vec<Subject>,
    #[command(flatten)]
    acting: Acting,
}

/// What a report is about.
#[derive(Debug, Clone)]
enum Subject {
    Position(u64),
    Sweep(PathBuf),
}

fn subject(text: &str) -> Result<Subject, String> {
    if let Ok(position) = text.parse() {
        return Ok(Subject::Position(position));
    }
    let path = PathBuf::from(text);
    if path.is_dir() {
        return Ok(Subject::Sweep(path));
    }
    Err("the position of a contribution is wanted, or the folder of a sweep; no such folder is there".to_owned())
}

#[derive(Serialize)]
struct Claimed {
    model: Address,
    account: Address,
    claims: Vec<Paid>,
    skipped: Vec<Skipped>,
    /// Wei, as text, like all others.
    amount: String,
    gas_cost: String,
    transactions: Vec<B256>,
    /// When the next can be claimed, in Unix seconds.
    next: Option<u64>,
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

/// Reports; or the report of a sweep.
pub(crate) fn report(arguments: &Report) -> Result<(), Failure> {
    let mut positions = Vec::new();
    for subject in &arguments.subjects {
        match subject {
            Subject::Position(position) => positions.push(*position),
            Subject::Sweep(folder) if arguments.subjects.len() == 1 => {
                return sweep::report(folder, arguments.acting.json);
            }
            Subject::Sweep(folder) => {
                return Err(Failure::Mistake(anyhow!(
                    "nothing was sent: {} is a folder, and it is reported on alone; name positions of \
                     contributions, or one folder of a sweep",
                    folder.display()
                )));
            }
        }
    }
    run(&positions, &arguments.acting, ClaimKind::Report)
}

fn run(positions: &[u64], acting: &Acting, kind: ClaimKind) -> Result<(), Failure> {
    block_on(async {
        let session = acting.connection.open().await?;
        let key = acting.key.key(session.node.chain_id())?;
        let model = LiveModel::find(&session, &acting.model).await?;
        let index = follow(&session, &model).await?;
        let account = key.address();
        let now = session.node.now().await?;
        let mut claimable = index.claimable(model.trainer, account, MOST).await?;
        claimable.retain(|one| one.kind == kind);
        let positions = choose(&claimable, positions)?;
        let mut claims = Claims {
            sender: Sender {
                node: &session.node,
                key: &key,
                max_fee: acting.fees.max_fee,
            },
            index: &index,
            model: &model,
            kind,
            done: Claimed {
                model: model.trainer,
                account,
                claims: Vec::new(),
                skipped: Vec::new(),
                amount: String::new(),
                gas_cost: String::new(),
                transactions: Vec::new(),
                next: claimable
                    .iter()
                    .filter(|one| !one.possible)
                    .map(|one| one.from)
                    .filter(|from| *from > now)
                    .min(),
            },
            now,
            amount: 0,
            gas: 0,
        };
        claims.all(&positions).await?;
        let (amount, gas) = (claims.amount, claims.gas);
        let mut done = claims.done;
        done.amount = amount.to_string();
        done.gas_cost = gas.to_string();
        show(acting.json, &done, || text(&done, kind, amount, gas))
    })
}

/// The positions to claim: those that are named, which all have to be possible, or all that are.
fn choose(claimable: &[Claimable], named: &[u64]) -> Result<Vec<u64>, Failure> {
    let position = |one: &Claimable| one.row.contribution.position;
    if named.is_empty() {
        let possible = claimable.iter().filter(|one| one.possible);
        return Ok(possible.map(position).collect());
    }
    for wanted in named {
        let found = claimable.iter().find(|one| position(one) == *wanted);
        let reason = match found {
            Some(one) if one.possible => continue,
            Some(one) => one.reason.clone().unwrap_or_default(),
            None => {
                "it is none of those that you can claim of; `cotrain status` lists them".to_owned()
            }
        };
        return Err(Failure::Mistake(anyhow!(
            "nothing was sent: contribution {wanted}: {reason}"
        )));
    }
    Ok(named.to_vec())
}

struct Claims<'a> {
    sender: Sender<'a>,
    index: &'a Coordinator,
    model: &'a LiveModel,
    kind: ClaimKind,
    done: Claimed,
    /// Time of the chain's next block, in Unix seconds.
    now: u64,
    amount: u128,
    gas: u128,
}

impl Claims<'_> {
    async fn all(&mut self, positions: &[u64]) -> Result<(), Failure> {
        let (mut rest, mut size) = (positions, PER_TRANSACTION);
        while !rest.is_empty() {
            size = size.min(rest.len());
            let (some, later) = rest.split_at(size);
            match self.attempt(some).await? {
                Some(receipt) => {
                    self.note(&receipt);
                    rest = later;
                }
                None => size = size.div_ceil(2),
            }
        }
        Ok(())
    }

    /// Sends claims; none where they are too many for a transaction and can be fewer.
    async fn attempt(&self, positions: &[u64]) -> Result<Option<NodeReceipt>, Failure> {
        let groups = self.index.claims(self.model.trainer, positions).await?;
        let call = match self.kind {
            ClaimKind::Report => bindings::report(&groups),
            _ => bindings::refund(&groups),
        };
        let (from, to) = (self.sender.key.address(), Some(self.model.trainer));
        let gas = self
            .sender
            .node
            .estimate(from, to, U256::ZERO, call.clone());
        match gas.await {
            Ok(gas) if gas <= TRANSACTION_GAS_LIMIT / 5 * 4 => {}
            // The node goes by the time of its last block, which may be long ago on a quiet chain.
            Err(NodeError::Reverted(Revert::Contract(Rejection::TooEarly {
                earliest, ..
            }))) if earliest <= self.now => {
                if positions.len() > PER_UNTRIED {
                    return Ok(None);
                }
                let sent = self.sender.send_with_gas(to, call, TRANSACTION_GAS_LIMIT);
                return sent.await.map(Some);
            }
            Err(error @ NodeError::Reverted(Revert::Contract(_))) => return Err(error.into()),
            Err(error) if positions.len() == 1 || error.is_transient() => return Err(error.into()),
            // Too many at once; of one alone, sending tells why not.
            _ if positions.len() > 1 => return Ok(None),
            _ => {}
        }
        let sent = self.sender.send(Some(self.model.trainer), 0, call).await?;
        Ok(Some(sent))
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
        for skipped in events::claims_skipped(&logs) {
            self.done.skipped.push(Skipped {
                position: skipped.position,
                reason: skipped.reason.to_string(),
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
    } else {
        format!(
            "{verb}  {} contributions, {}\ngas       {}\n",
            done.claims.len(),
            Wei(amount),
            Wei(gas)
        )
    };
    let skipped = |it: &Skipped| format!("skipped   {}: {}\n", it.position, it.reason);
    text.extend(done.skipped.iter().map(skipped));
    text.extend(done.next.map(|next| format!("next      {}\n", when(next))));
    text
}
