//! `cotrain market show`: the state of a market.

use std::fmt::Write as _;

use alloy_primitives::Address;
use clap::Args;
use cotrain_learning::text::escaped;
use cotrain_protocol::market::{Participant, Phase};
use serde::Serialize;

use super::view::View;
use crate::{
    error::CommandError,
    live::{
        block_on,
        connection::{Connection, ModelArg},
        show,
        time::when,
        wei::Wei,
    },
};

/// Show phase, terms, participants and scores of a market, and its next step
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    model: ModelArg,
    #[command(flatten)]
    connection: Connection,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    chain_id: u64,
    market: Address,
    name: String,
    owner: Address,
    /// The model that the market began with.
    classifier: Address,
    /// The model of the last pass; once the market is settled, the trained model.
    model: Option<Address>,
    verified: bool,
    block: Option<u64>,
    phase: String,
    next: String,
    /// Stake in wei, as text, like all money here.
    stake: String,
    bounty: String,
    remaining_bounty: String,
    /// Time in Unix seconds, like all times here.
    closes: Option<u64>,
    contributions: u64,
    most_contributions: u64,
    parts: usize,
    drawn_part: Option<usize>,
    revealed_parts: usize,
    pass: u64,
    stage: String,
    /// Number of test samples that the market scores on; the next fields count those predicted
    /// right before and now.
    samples: u64,
    correct_before: u64,
    correct: u64,
    participants: Vec<Row>,
    /// Money that the provider can collect.
    remainder: String,
}

#[derive(Serialize)]
struct Row {
    account: Address,
    contributions: u64,
    balance: String,
    score: i64,
    removed: bool,
    collected: bool,
    collectable: String,
}

/// Shows a market.
pub(crate) fn run(arguments: &Show) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let view = View::find(&session, &arguments.model).await?;
        let shown = shown(&view);
        show(arguments.json, &shown, || text(&view, &shown))
    })
}

fn shown(view: &View) -> Shown {
    let (market, facts) = (view.market(), &view.model.facts);
    let progress = market.progress();
    let rows = market.participants().iter().map(|account| {
        let Participant {
            balance,
            contributions,
            score,
            removed,
            collected,
        } = market.account(*account);
        Row {
            account: *account,
            contributions,
            balance: balance.to_string(),
            score,
            removed,
            collected,
            collectable: market.collectable(*account, view.now).to_string(),
        }
    });
    Shown {
        chain_id: facts.chain_id,
        market: facts.trainer,
        name: view.model.name(),
        owner: facts.owner,
        classifier: facts.classifier,
        model: view.state.ledger().model(),
        verified: view.model.verified(),
        block: view.state.block().map(|block| block.number),
        phase: view.phase().to_string(),
        next: view.next(),
        stake: market.stake().to_string(),
        bounty: market.bounty().to_string(),
        remaining_bounty: market.remaining_bounty().to_string(),
        closes: market.closing_time(),
        contributions: market.contribution_count(),
        most_contributions: market.terms().most_contributions,
        parts: market.commitments().len(),
        drawn_part: market.drawn_part(),
        revealed_parts: market.revealed_count(),
        pass: progress.pass,
        stage: progress.stage.to_string(),
        samples: market.samples(),
        correct_before: market.initial_correct(),
        correct: progress.correct,
        participants: rows.collect(),
        remainder: market.remainder(view.now).to_string(),
    }
}

fn text(view: &View, shown: &Shown) -> String {
    let market = view.market();
    let mut text = format!(
        "{}\n  market         {}{}\n  phase          {}\n  next           {}\n  stake          {}\n  bounty         {}, {} left\n",
        escaped(&shown.name),
        shown.market,
        if shown.verified {
            ""
        } else {
            " (not verified)"
        },
        shown.phase,
        shown.next,
        Wei(market.stake()),
        Wei(market.bounty()),
        Wei(market.remaining_bounty()),
    );
    if let Some(closes) = shown.closes {
        let _ = writeln!(text, "  closing        {}", when(closes));
    }
    let _ = writeln!(
        text,
        "  contributions  {} of at most {}\n  test set       {} parts, {} revealed{}",
        shown.contributions,
        shown.most_contributions,
        shown.parts,
        shown.revealed_parts,
        shown
            .drawn_part
            .map_or_else(String::new, |part| format!(", part {part} to test with"))
    );
    if shown.pass > 0 {
        let stage = match view.phase() {
            Phase::Scoring => format!(", {}", shown.stage),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "  scoring        pass {}{stage}; {} of {} test samples right before, {} in this pass",
            shown.pass, shown.correct_before, shown.samples, shown.correct
        );
    }
    for row in &shown.participants {
        let account = market.account(row.account);
        let state = if row.collected {
            ", collected"
        } else if row.removed {
            ", removed"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  {}  {} contributions, {}, score {:+}{state}",
            row.account,
            row.contributions,
            Wei(account.balance),
            row.score
        );
    }
    text
}
