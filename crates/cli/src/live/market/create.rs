//! `cotrain market create`: a model, a hidden test set, and a bounty.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{Address, B256, U256};
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_bindings::{self as bindings, market as calls};
use cotrain_chain::{Chain, Config, Embedded, Transaction};
use cotrain_client::{
    budget::Budget,
    deploy::{Deployed, ModelConfig, deploy},
    market::TestSet,
    send::{Call, Sender, gas_cost},
};
use cotrain_learning::encode::Samples;
use cotrain_protocol::{
    market::{self, Phase},
    mechanism::{self, Unit},
    sample::{Item, parse_batch},
};
use cotrain_report::format::counted;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::view::{Costs, View, unusable};
use crate::{
    failure::Failure,
    live::{
        block_on,
        connection::Session,
        deploy::{DeployOptions, Further, describe, place},
        errors::unsent,
        key::DEVELOPMENT_CHAIN,
        model::LiveModel,
        options::Options,
        plan::{InitialOptions, Plan},
        show,
        spending::Bill,
        time::when,
        wei::Wei,
        whole_seconds,
    },
};

/// Gas within which a contract has a part checked, and evaluated: 5,000,000 each, of which a part may use so much.
const GAS_PER_PART: u64 = 4_500_000;
/// Shortest time to reveal on a chain with money.
const SHORTEST_REVEAL_WAIT: Duration = Duration::from_mins(30);
/// Pause between two looks for a new block.
const PAUSE: Duration = Duration::from_millis(500);
/// Time without a block after which one is made, on a development chain whose node makes none by itself.
const PATIENCE: Duration = Duration::from_secs(3);

/// Create a market: deploy its model, commit to a test set, lock the bounty, and open it
///
/// The model is trained here as `cotrain deploy` does it. A part of the test data becomes the hidden test
/// set, whose file you need later: who loses it loses the bounty. Take data for it that nobody else has, with
/// --test: whoever knows the test set wins the bounty. If it is interrupted, call it again soon with the same
/// options, and it goes on: once the bounty is locked, the market has to be opened within 256 blocks, and
/// within --reveal-wait, or the bounty is lost.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Money locked for those who improve the model, such as 1ether; the part that they do not win comes back
    #[arg(long, value_name = "WEI")]
    bounty: Wei,
    /// Stake of each contribution
    #[arg(long, value_name = "WEI", default_value = "0.01ether")]
    stake: Wei,
    /// Time for contributions, from the opening on
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = whole_seconds)]
    open_for: Duration,
    /// Time for you to reveal: the drawn part from the commitments on, the others from the closing on
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = whole_seconds)]
    reveal_wait: Duration,
    /// Time for the scoring, from the last reveal on
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = whole_seconds)]
    scoring_wait: Duration,
    /// Number of contributions with which the market closes early
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    max_contributions: u64,
    /// Number of passes of scoring after which the market is settled at the latest
    #[arg(long, value_name = "N", default_value_t = 10)]
    max_passes: u64,
    /// Parts of the test set: one is drawn and shown to contributors, all others are scored on
    #[arg(long, value_name = "N", default_value_t = 5)]
    parts: usize,
    /// Samples of the test set, from the first one of the test data on
    #[arg(long, value_name = "N", default_value_t = 200)]
    test_samples: usize,
    /// File for the test set [default: `market-CHAIN-ADDR.json` in the state directory]
    #[arg(long, value_name = "FILE")]
    test_set: Option<PathBuf>,
    #[command(flatten)]
    initial: InitialOptions,
    #[command(flatten)]
    options: DeployOptions,
}

#[derive(Serialize)]
struct Created<'a> {
    name: &'a str,
    chain_id: u64,
    market: Address,
    #[serde(flatten)]
    deployed: &'a Deployed,
    accuracy: f64,
    phase: String,
    next: String,
    /// Wei, as text.
    bounty: String,
    stake: String,
    drawn_part: Option<usize>,
    closes: Option<u64>,
    test_set: &'a Path,
    opening: Vec<B256>,
}

impl Create {
    fn terms(&self) -> Result<market::Terms, Failure> {
        let terms = market::Terms {
            stake: self.stake.0,
            participation: self.open_for.as_secs(),
            reveal_wait: self.reveal_wait.as_secs(),
            scoring_wait: self.scoring_wait.as_secs(),
            most_contributions: self.max_contributions,
            most_passes: self.max_passes,
        };
        let description = mechanism::Mechanism::PredictionMarket.description();
        let values = mechanism::Terms::Market(terms).values();
        for ((term, value), option) in description.terms.iter().zip(values).zip(OPTIONS) {
            if term.validate(value).is_err() {
                return Err(Failure::Mistake(anyhow!(
                    "{option} is {value}; expected {} to 2^{} - 1{}: the {}",
                    term.least,
                    term.bits,
                    match term.unit {
                        Unit::Wei => " wei",
                        Unit::Seconds => " s",
                        Unit::Count => "",
                    },
                    term.meaning
                )));
            }
        }
        // The contract's bounds.
        if self.bounty.0 == 0 || self.bounty.0 >> 96 != 0 {
            return Err(Failure::Mistake(anyhow!(
                "--bounty is {}; expected 1 wei to 2^96 - 1 wei",
                self.bounty
            )));
        }
        Ok(terms)
    }

    /// Checks what would lose the bounty on a chain with money.
    fn check_for_money(&self) -> Result<(), Failure> {
        if self.reveal_wait < SHORTEST_REVEAL_WAIT {
            return Err(Failure::Mistake(anyhow!(
                "--reveal-wait is {}; expected at least {}: the drawn part is revealed some blocks after the bounty is \
                 locked, and later where fees rise",
                humantime::format_duration(self.reveal_wait),
                humantime::format_duration(SHORTEST_REVEAL_WAIT)
            )));
        }
        if self.initial.test.is_none() && self.initial.data == "movie-reviews" {
            return Err(Failure::Mistake(anyhow!(
                "the test set would be of data that comes with cotrain, and whoever knows it wins the bounty; name data \
                 with --test that nobody else has"
            )));
        }
        Ok(())
    }

    /// Returns the costs beyond those of the deployment: the bounty, and the gas of the opening.
    fn further(&self, gas: u64) -> Further {
        Further {
            value: self.bounty.0,
            gas,
            notes: vec![
                (
                    "test set",
                    format!(
                        "{} in {} parts, of data that nobody else should have; who does not reveal them in time loses \
                         the bounty",
                        counted(self.test_samples as u64, "sample"),
                        self.parts
                    ),
                ),
                (
                    "open",
                    format!(
                        "for {}, or until {} contributions",
                        humantime::format_duration(self.open_for),
                        self.max_contributions
                    ),
                ),
            ],
        }
    }
}

/// Options of the terms, in the order of the contract.
const OPTIONS: [&str; 6] = [
    "--stake",
    "--open-for",
    "--reveal-wait",
    "--scoring-wait",
    "--max-contributions",
    "--max-passes",
];

/// Creates and opens a market.
pub(crate) fn run(arguments: &Create) -> Result<(), Failure> {
    block_on(async {
        let options = &arguments.options;
        let session = options.connection.open().await?;
        let key = options.key.key(session.node.chain_id())?;
        let terms = arguments.terms()?;
        if session.node.chain_id() != DEVELOPMENT_CHAIN {
            arguments.check_for_money()?;
        }
        let any = mechanism::Terms::Market(terms);
        let (plan, test) = Plan::with_terms(&arguments.initial, any, key.address())?;
        describe(&plan, &session.narrator);
        let items = first(&test, arguments.test_samples)?;
        TestSet::check(&items, arguments.parts).map_err(unusable)?;
        let gas = rehearse(&plan, &items, arguments.parts)?;
        let further = arguments.further(gas);
        let named: Options = OPTIONS
            .iter()
            .zip(any.values())
            .map(|(name, value)| ((*name).to_owned(), value.to_string()))
            .collect();
        let budget = options.spending.budget();
        let placed = place(&session, &key, &plan, options, &budget, &named, &further).await?;
        let Some(placed) = placed else {
            return Ok(());
        };
        let model = LiveModel::read(&session, placed.deployed.trainer).await?;
        let view = View::since(&session, model, placed.deployed.block).await?;
        let (chain, market) = (session.node.chain_id(), view.address());
        let set = TestSet::new(&key, chain, market, &items, arguments.parts).map_err(unusable)?;
        let mut opening = Opening {
            session: &session,
            sender: &options.fees.sender(&session.node, &key, &budget),
            file: view.test_set_file(arguments.test_set.as_deref())?,
            view,
            set,
            transactions: Vec::new(),
        };
        if !placed.billed && opening.is_left() {
            let bill = opening.bill(arguments, gas).await?;
            if !options.spending.agreed(&session, &bill, options.json)? {
                return Ok(());
            }
        }
        let opened = opening.open(&budget, arguments.bounty.0).await;
        opened.map_err(|failure| {
            failure.context(format!(
                "the market is at {market}, and not open yet; once the bounty is locked, the part is drawn within 256 \
                 blocks and revealed within --reveal-wait, or the bounty is lost: run the same again soon, and it goes on"
            ))
        })?;
        let (view, file) = (&opening.view, opening.file.as_path());
        let created = Created {
            name: &plan.name,
            chain_id: chain,
            market,
            deployed: &placed.deployed,
            accuracy: plan.report.accuracy_quantised,
            phase: view.phase().to_string(),
            next: view.next(),
            bounty: view.market().bounty().to_string(),
            stake: terms.stake.to_string(),
            drawn_part: view.market().drawn_part(),
            closes: view.market().closing_time(),
            test_set: file,
            opening: opening.transactions.clone(),
        };
        show(options.json, &created, || {
            format!(
                "market      {market}, in the registry {} as `{}`\n\
                 phase       {}\n\
                 closing     {}\n\
                 bounty      {}\n\
                 test set    {}: keep it secret, and do not lose it\n\
                 next        {}\n",
                placed.deployed.registry,
                plan.name,
                created.phase,
                created
                    .closes
                    .map_or_else(|| "not open yet".to_owned(), when),
                Wei(view.market().bounty()),
                file.display(),
                created.next,
            )
        })?;
        placed.noted
    })
}

/// Returns the first samples of the test data.
fn first(test: &Samples, count: usize) -> Result<Vec<Item<'_>>, Failure> {
    if test.len() < count {
        return Err(Failure::Mistake(anyhow!(
            "--test-samples is {count}, and the test data have {}; take fewer, or give more data",
            counted(test.len() as u64, "sample")
        )));
    }
    let items = (0..count).map(|index| {
        let (sample, label) = test.get(index);
        Item { label, sample }
    });
    Ok(items.collect())
}

/// Commits, draws and reveals on a chain in this process, and returns the gas of it. No part may need more gas than the
/// contract gives it: the bounty would be lost.
fn rehearse(plan: &Plan, items: &[Item<'_>], parts: usize) -> Result<u64, Failure> {
    let mut chain = Embedded::new(Config {
        start: 1,
        gas_price: 0,
    });
    let owner = plan.owner;
    chain.fund(owner, U256::ONE)?;
    let config = ModelConfig {
        owner,
        terms: plan.terms,
    };
    let deployment = deploy(&mut chain, &config, &plan.classifier)?;
    let key = cotrain_chain::keys::Key::development(0);
    let set = TestSet::new(&key, chain.chain_id(), deployment.trainer, items, parts);
    let set = set.map_err(unusable)?;
    for part in 0..set.len() {
        let (_, batch) = set.part(part).context("a part of the test set")?;
        let items = parse_batch(batch).map_err(Failure::mistake)?;
        let (samples, labels): (Vec<_>, Vec<_>) =
            items.iter().map(|item| (item.sample, item.label)).unzip();
        for call in [
            bindings::check(batch),
            bindings::evaluate(&samples, &labels),
        ] {
            let call = Transaction::call(owner, deployment.classifier, call);
            let gas = chain.call(call)?.gas_used;
            if gas > GAS_PER_PART {
                return Err(Failure::Mistake(anyhow!(
                    "nothing was sent: part {part} of the test set would need {gas} gas to be revealed, and at most \
                     {GAS_PER_PART} are safe; make more parts with --parts, or take fewer samples with --test-samples"
                )));
            }
        }
    }
    let mut send = |value: u64, call: Vec<u8>| -> Result<u64, Failure> {
        let call = Transaction::call(owner, deployment.trainer, call);
        Ok(chain.send(call.with_value(U256::from(value)))?.gas_used)
    };
    let mut gas = send(1, calls::commit(&set.commitments()))?;
    // The draw takes the hash of the block after the commitments.
    send(0, bindings::state::owner())?;
    gas += send(0, calls::draw())?;
    let answer = chain.call(Transaction::call(
        owner,
        deployment.trainer,
        calls::state::drawn_part(),
    ))?;
    let drawn = calls::read_drawn_part(&answer.output)
        .flatten()
        .context("no part was drawn")?;
    let (salt, items) = set
        .part(usize::try_from(drawn).unwrap_or(usize::MAX))
        .context("a part of the test set")?;
    let call = Transaction::call(owner, deployment.trainer, calls::reveal(drawn, salt, items));
    Ok(gas + chain.send(call)?.gas_used)
}

/// A market on its way from its deployment to its opening.
struct Opening<'a> {
    session: &'a Session,
    sender: &'a Sender<'a>,
    view: View,
    set: TestSet,
    file: PathBuf,
    transactions: Vec<B256>,
}

impl Opening<'_> {
    /// Returns `true` if the market is not open yet.
    fn is_left(&self) -> bool {
        matches!(self.view.phase(), Phase::Created | Phase::Committed)
    }

    /// Makes the bill of what is left to do of a market that an earlier run has deployed.
    async fn bill(&self, arguments: &Create, gas: u64) -> Result<Bill, Failure> {
        let is_locked = self.view.phase() != Phase::Created;
        let costs = Costs {
            action: format!(
                "{} the market {}",
                if is_locked {
                    "open"
                } else {
                    "lock the bounty of"
                },
                self.view.address()
            ),
            value: if is_locked { 0 } else { arguments.bounty.0 },
            gas,
            notes: Vec::new(),
        };
        let options = &arguments.options;
        let paying = (&options.fees, &options.spending);
        self.view
            .bill(self.session, self.sender.address(), paying, costs)
            .await
    }

    /// Commits, draws and reveals: whatever of it is not done.
    async fn open(&mut self, budget: &Budget, bounty: u128) -> Result<(), Failure> {
        // A file that was lost is made again of the same data, options and key.
        let is_ours =
            |opening: &Self| opening.set.commitments() == opening.view.market().commitments();
        if is_ours(self) {
            self.set.save(&self.file).map_err(unusable)?;
        }
        loop {
            if let Some(lost) = self.view.lost() {
                return Err(Failure::Mistake(anyhow!(
                    "the market {} is lost; {lost}",
                    self.view.address()
                )));
            }
            match (self.view.phase(), self.view.market().drawn_part()) {
                (Phase::Created, _) => {
                    // Before anything depends on it.
                    self.set.save(&self.file).map_err(unusable)?;
                    self.send("commit", bounty, calls::commit(&self.set.commitments()))
                        .await?;
                    budget.spend(bounty);
                }
                (Phase::Committed, None) => {
                    self.wait_for_draw().await?;
                    self.send("draw", 0, calls::draw()).await?;
                }
                (Phase::Committed, Some(part)) => {
                    let set = if is_ours(self) {
                        self.set.clone()
                    } else {
                        self.view.test_set(Some(&self.file))?
                    };
                    let (salt, items) = set.part(part).context("a part of the test set")?;
                    self.send("reveal", 0, calls::reveal(part as u64, salt, items))
                        .await?;
                }
                _ => return Ok(()),
            }
        }
    }

    async fn send(&mut self, step: &str, value: u128, data: Vec<u8>) -> Result<(), Failure> {
        let call = Call {
            to: Some(self.view.address()),
            value,
            data: data.into(),
        };
        let receipt = self.sender.send(call).await.map_err(unsent)?;
        self.session.narrator.say(format_args!(
            "{step}: block {}, {} gas, {}",
            receipt.block,
            receipt.gas_used,
            Wei(gas_cost(&receipt))
        ));
        self.transactions.push(receipt.transaction);
        self.view.update(self.session).await
    }

    /// Waits for the first block in which the draw succeeds: nodes estimate gas as if in their latest one.
    async fn wait_for_draw(&mut self) -> Result<(), Failure> {
        let earliest = self.view.state.ledger().earliest_draw();
        let node = &self.session.node;
        let start = Instant::now();
        while node.head().await?.number < earliest {
            if node.chain_id() == DEVELOPMENT_CHAIN && start.elapsed() > PATIENCE {
                // Such a node makes a block of each transaction, and none without one.
                let nothing = Call {
                    to: Some(self.sender.address()),
                    value: 0,
                    data: Vec::new().into(),
                };
                self.sender.send(nothing).await.map_err(unsent)?;
            } else {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}
