//! `cotrain federated status`: round, terms, stakes and rewards.

use std::fmt::Write as _;

use alloy_primitives::Address;
use clap::Args;
use cotrain_client::federated::{Due, Ended, Outcome, Round, RoundEvents, Token, due};
use cotrain_protocol::parse_address;
use cotrain_results::format::counted;
use serde::Serialize;

use super::view::{View, bits, next, shown, unread};
use crate::{
    error::CommandError,
    live::{
        block_on,
        connection::{Connection, ModelArg},
        key::KeyArgs,
        show,
        time::when,
    },
};

/// Show the round, the terms, and what an account has
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Account to show [default: that of the key]
    #[arg(long, value_name = "ADDR", value_parser = parse_address)]
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
    trainer: Address,
    name: String,
    owner: Address,
    classifier: Address,
    verified: bool,
    round: u64,
    version: u64,
    phase: String,
    /// Time in Unix seconds; 0 if the phase has no end.
    deadline: u64,
    next: String,
    rule: &'static str,
    f: u8,
    clients: u8,
    parameters: usize,
    stake_token: Address,
    reward_token: Address,
    /// Stake in the smallest units, as text, like all amounts here.
    stake: String,
    slash: String,
    bond: String,
    emission: String,
    margin: u32,
    parts_left: u64,
    entries: Vec<Row>,
    scored: u64,
    /// Sums of losses so far, in 1/256 bit: of the base, with all updates, and without each one.
    losses: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Holding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
}

#[derive(Serialize)]
struct Row {
    author: Address,
    revealed: bool,
    admitted: bool,
}

#[derive(Serialize)]
struct Holding {
    account: Address,
    /// Stake tokens outside of the trainer.
    wallet: String,
    /// Stake tokens with the trainer that no update has locked.
    free: String,
    /// Rewards to collect.
    reward: String,
    /// Reward tokens that were collected.
    collected: String,
    #[serde(skip)]
    amounts: [u128; 4],
}

#[derive(Serialize)]
struct Last {
    round: u64,
    settled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Loss that all updates together took from the model, in 1/256 bit over all samples.
    improvement: i64,
    samples: u64,
    emission: String,
    updates: Vec<Valued>,
}

#[derive(Serialize)]
struct Valued {
    author: Address,
    /// Loss of the others without it, in 1/256 bit over all samples.
    value: i64,
    reward: String,
    slashed: String,
}

/// Shows a trainer.
pub(crate) fn run(arguments: &Status) -> Result<(), CommandError> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let account = if arguments.account.is_some() {
            arguments.account
        } else {
            let key = arguments.key.optional(session.node.chain_id())?;
            key.map(|key| key.address())
        };
        let view = View::find(&session, &arguments.model).await?;
        let mut events = RoundEvents::new(&view.facts, view.first_block());
        events.update(&session.node).await.map_err(unread)?;
        let round = view.round(&session).await?;
        let losses = view.facts.losses(&session.node).await.map_err(unread)?;
        let account = match account {
            Some(account) => {
                let (free, reward) = view.account(&session, account).await?;
                let wallet = view.stake_token.balance(&session.node, account).await?;
                let collected = view.reward_token.balance(&session.node, account).await?;
                Some(Holding {
                    account,
                    wallet: wallet.to_string(),
                    free: free.to_string(),
                    reward: reward.to_string(),
                    collected: collected.to_string(),
                    amounts: [wallet, free, reward, collected],
                })
            }
            None => None,
        };
        let due = due(&round, events.draw(), false);
        let shown = collect(&view, &round, due, losses, account, events.last());
        show(arguments.json, &shown, || {
            text(&view, &shown, &round, events.last())
        })
    })
}

fn collect(
    view: &View,
    round: &Round,
    due: Due,
    losses: Vec<u64>,
    account: Option<Holding>,
    last: Option<&Ended>,
) -> Shown {
    let (facts, terms) = (&view.facts, &view.facts.terms);
    let rows = round.entries.iter().enumerate().map(|(index, entry)| Row {
        author: entry.author,
        revealed: round.is_revealed(index),
        admitted: round.admitted >> index & 1 != 0,
    });
    Shown {
        chain_id: facts.chain_id,
        trainer: facts.trainer,
        name: view.name(),
        owner: facts.owner,
        classifier: facts.classifier,
        verified: facts.verified,
        round: round.number,
        version: round.version,
        phase: round.phase.to_string(),
        deadline: round.deadline,
        next: next(round, due),
        rule: terms.rule.name(),
        f: terms.hostile,
        clients: terms.clients,
        parameters: facts.model.parameters(),
        stake_token: terms.stake_token,
        reward_token: terms.reward_token,
        stake: terms.stake.to_string(),
        slash: terms.slash.to_string(),
        bond: terms.bond.to_string(),
        emission: terms.emission.to_string(),
        margin: terms.margin,
        parts_left: round.parts_left,
        entries: rows.collect(),
        scored: round.scored,
        // Before the scoring of a round, the contract has those of the last one.
        losses: if round.scored > 0 { losses } else { Vec::new() },
        account,
        last: last.map(ended),
    }
}

fn ended(ended: &Ended) -> Last {
    let amount = |amounts: &std::collections::BTreeMap<Address, u128>, author| {
        amounts.get(author).copied().unwrap_or_default().to_string()
    };
    let updates = ended.values.iter().map(|(author, value)| Valued {
        author: *author,
        value: *value,
        reward: amount(&ended.rewards, author),
        slashed: amount(&ended.slashed, author),
    });
    let (reason, improvement, emission) = match ended.outcome {
        Outcome::Settled {
            improvement,
            emission,
            ..
        } => (None, improvement, emission),
        Outcome::Failed(reason) => (Some(reason), 0, 0),
    };
    Last {
        round: ended.round,
        settled: reason.is_none(),
        reason,
        improvement,
        samples: ended.samples,
        emission: emission.to_string(),
        updates: updates.collect(),
    }
}

fn text(view: &View, found: &Shown, round: &Round, last: Option<&Ended>) -> String {
    let (terms, stake, reward) = (&view.facts.terms, &view.stake_token, &view.reward_token);
    let verified = if found.verified {
        ""
    } else {
        " (not verified)"
    };
    let mut text = format!(
        "{}\n  trainer        {}{verified}\n  model          {} parameters, version {}\n  round          {}, phase {}\n",
        shown(&found.name),
        found.trainer,
        found.parameters,
        found.version,
        found.round,
        found.phase,
    );
    if found.deadline > 0 {
        let _ = writeln!(text, "  until          {}", when(found.deadline));
    }
    let _ = write!(
        text,
        "  next           {}\n  rule           {}, f = {}, up to {} clients\n  stake          {}, {} lost by harm\n  \
         rewards        {} a round\n  test set       {} left\n",
        found.next,
        found.rule,
        found.f,
        found.clients,
        stake.show(terms.stake),
        stake.show(terms.slash),
        reward.show(terms.emission),
        counted(found.parts_left, "part"),
    );
    for (index, row) in found.entries.iter().enumerate() {
        let standing = match (row.revealed, row.admitted) {
            (false, _) => "committed",
            (true, false) => "revealed",
            (true, true) => "admitted",
        };
        let _ = writeln!(text, "  update {index:<8}{} {standing}", row.author);
    }
    if let [base, all, ..] = found.losses[..] {
        let improvement = base.cast_signed().saturating_sub(all.cast_signed());
        let _ = writeln!(
            text,
            "  losses         all updates improve it by {}",
            bits(improvement, round.scored)
        );
    }
    if let Some(ended) = last {
        text += &result(ended, reward, stake);
    }
    if let Some(account) = &found.account {
        let [wallet, free, due, collected] = account.amounts;
        let _ = write!(
            text,
            "  account        {}\n    wallet       {}\n    free         {}\n    to claim     {}\n    rewards      {}\n",
            account.account,
            stake.show(wallet),
            stake.show(free),
            reward.show(due),
            reward.show(collected),
        );
    }
    text
}

/// Returns as text how a round ended.
fn result(ended: &Ended, reward: &Token, stake: &Token) -> String {
    let mut text = match ended.outcome {
        Outcome::Settled {
            version,
            improvement,
            ..
        } => format!(
            "  last round     {}, version {version}, improved by {}\n",
            ended.round,
            bits(improvement, ended.samples)
        ),
        Outcome::Failed(reason) => format!("  last round     {}, failed: {reason}\n", ended.round),
    };
    for (author, value) in &ended.values {
        let earned = ended.rewards.get(author).copied().unwrap_or_default();
        let lost = ended.slashed.get(author).copied();
        let lost = lost.map(|lost| format!(", lost {}", stake.show(lost)));
        let _ = writeln!(
            text,
            "    {author} {}, earned {}{}",
            bits(*value, ended.samples),
            reward.show(earned),
            lost.unwrap_or_default()
        );
    }
    text
}
