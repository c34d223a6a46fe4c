//! `cotrain status`: the money that an account has at stake, and the times of its claims.

use alloy_primitives::Address;
use anyhow::anyhow;
use clap::Args;
use cotrain_indexer::{
    Claimable,
    local::LocalIndex,
    rows::{ClaimKind, ContributionRow, Settled},
};
use cotrain_learning::text::escaped;
use cotrain_protocol::parse_address;
use cotrain_results::format::counted;
use serde::Serialize;

use super::{
    block_on,
    connection::{Connection, ModelArg},
    following::follow,
    key::KeyArgs,
    model::LiveModel,
    show,
    spending::Target,
    time::when,
    wei::format_wei,
};
use crate::error::CommandError;

/// Maximum number of claims that one search finds.
const LOOKED_AT: u32 = 10_000;
/// Maximum number of contributions in the list.
const LISTED: usize = 20;

const EXAMPLES: &str = "\
Examples:
  cotrain status --dev 1
  cotrain status --account 0x7099… --model spam     anyone's
  cotrain status --dev 1 --json | jq '.contributions[] | select(.possible)'";

/// Show an account's contributions: possible claims, their times, gains and losses
///
/// Reads all events of the model up to now, and keeps them in the cache directory.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {
    /// Address of the account [default: the key's]
    #[arg(long, value_name = "ADDR", value_parser = parse_address, conflicts_with_all = ["keystore", "dev"])]
    account: Option<Address>,
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    key: KeyArgs,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    chain_id: u64,
    model: Address,
    account: Address,
    /// Balance in wei, as text, like all other amounts.
    balance: String,
    good: u64,
    /// Sum of the remaining deposits of contributions that are not settled.
    at_stake: String,
    refundable: String,
    reportable: String,
    contributions: Vec<Line>,
    reports: Vec<Line>,
    /// Time of the chain's next block, in Unix seconds.
    now: u64,
}

#[derive(Serialize)]
struct Line {
    position: u64,
    class: String,
    deposit: String,
    settled: &'static str,
    /// Whether the contribution can be claimed now.
    possible: bool,
    /// Money that the claim pays.
    amount: String,
    /// First second in which the claim is possible, in Unix seconds.
    from: Option<u64>,
    /// Reason that the claim would fail now.
    reason: Option<String>,
    /// Time of the last announcement of a report, in Unix seconds.
    announced: Option<u64>,
    /// `true` if its report needs an announcement first, which is possible now.
    announce: bool,
    /// Last second of an announced report, in Unix seconds.
    until: Option<u64>,
}

/// Shows an account.
pub(crate) fn run(arguments: &Status) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let account = match arguments.account {
            Some(account) => account,
            None => arguments
                .key
                .optional(session.node.chain_id())?
                .ok_or_else(|| {
                    CommandError::Mistake(anyhow!(
                        "whose? Name the account with --account, or its key with --keystore or --dev"
                    ))
                })?
                .address(),
        };
        let model = LiveModel::find_trainer(&session, &arguments.model).await?;
        Target::new(&session, Some(&model)).tell(&session);
        let index = follow(&session, &model).await?;
        let shown = look(&index, &model, account).await?;
        show(arguments.json, &shown, || text(&shown))
    })
}

async fn look(
    index: &LocalIndex,
    model: &LiveModel,
    account: Address,
) -> Result<Shown, CommandError> {
    let view = index.followed().account(account);
    let claimable = index
        .claimable(index.followed(), account, LOOKED_AT)
        .await?;
    let rows = index.contributions_of(account).await?;
    let claim_of = |row: &ContributionRow| {
        claimable.iter().find(|one| {
            one.kind == ClaimKind::Refund
                && one.row.contribution.position == row.contribution.position
        })
    };
    let sum = |kind: ClaimKind| -> u128 {
        let possible = claimable
            .iter()
            .filter(|one| one.kind == kind && one.possible);
        possible.map(|one| one.amount).sum()
    };
    let at_stake: u128 = rows
        .iter()
        .filter(|row| row.settled.is_open())
        .map(|row| row.contribution.deposit - row.taken)
        .sum();
    let now = index.now();
    Ok(Shown {
        now,
        chain_id: index.chain_id(),
        model: model.facts.trainer,
        account,
        balance: view.balance.to_string(),
        good: view.good,
        at_stake: at_stake.to_string(),
        refundable: sum(ClaimKind::Refund).to_string(),
        reportable: sum(ClaimKind::Report).to_string(),
        contributions: rows
            .iter()
            .map(|row| line(model, row, claim_of(row)))
            .collect(),
        reports: claimable
            .iter()
            .filter(|one| one.kind == ClaimKind::Report)
            .map(|one| line(model, &one.row, Some(one)))
            .collect(),
    })
}

fn line(model: &LiveModel, row: &ContributionRow, claim: Option<&Claimable>) -> Line {
    Line {
        position: row.contribution.position,
        class: model.class(row.contribution.label),
        deposit: row.contribution.deposit.to_string(),
        settled: match row.settled {
            Settled::Open => "open",
            Settled::Reported => "partly taken",
            Settled::Refunded => "refunded",
            Settled::TakenByReports => "taken by reports",
            Settled::ClaimedLate => "claimed late",
        },
        possible: claim.is_some_and(|claim| claim.possible),
        amount: claim.map_or(0, |claim| claim.amount).to_string(),
        from: claim.map(|claim| claim.from),
        reason: claim.and_then(|claim| claim.reason.clone()),
        announced: row.announced,
        announce: claim.is_some_and(|claim| claim.announce),
        until: claim.and_then(|claim| claim.until),
    }
}

fn text(shown: &Shown) -> String {
    let mut text = format!(
        "account        {}\nbalance        {}\ngood           {}\nat stake       {}, of {}\n\
         to refund now  {}\nto report now  {}\n",
        shown.account,
        format_wei(&shown.balance),
        shown.good,
        format_wei(&shown.at_stake),
        counted(shown.contributions.len() as u64, "contribution"),
        format_wei(&shown.refundable),
        format_wei(&shown.reportable),
    );
    for (name, lines) in [
        ("contribution", &shown.contributions),
        ("report of", &shown.reports),
    ] {
        let hidden = lines.len().saturating_sub(LISTED);
        if hidden > 0 {
            text.extend([
                hidden.to_string().as_str(),
                " more before these; --json has all\n",
            ]);
        }
        text.extend(lines[hidden..].iter().map(|line| {
            format!(
                "{name} {} ({}), {}: {}\n",
                line.position,
                escaped(&line.class),
                format_wei(&line.deposit),
                state(line, shown.now)
            )
        }));
    }
    text
}

fn state(line: &Line, now: u64) -> String {
    match (line.possible, &line.reason, line.from) {
        (true, ..) => match line.until {
            Some(until) => format!(
                "{} can be claimed until {}",
                format_wei(&line.amount),
                when(until)
            ),
            None => format!("{} can be claimed now", format_wei(&line.amount)),
        },
        _ if line.announce => format!(
            "{}; announce it now to get {} after the notice: `cotrain report` does",
            line.settled,
            format_wei(&line.amount)
        ),
        (false, _, Some(from)) if from > now && line.until.is_some() => {
            format!("{}, announced, from {} on", line.settled, when(from))
        }
        (false, _, Some(from)) if from > now => {
            format!("{}, from {} on", line.settled, when(from))
        }
        (false, Some(reason), _) => format!("{}; {}", line.settled, escaped(reason)),
        (false, None, _) => line.settled.to_owned(),
    }
}
