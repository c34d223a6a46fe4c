//! `cotrain market create`: a model, a hidden test set, and a bounty.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{Address, B256};
use anyhow::anyhow;
use clap::Args;
use cotrain_chain::keys::Key;
use cotrain_client::{
    deploy::{Deployed, ModelConfig},
    market::{Opener, OpeningError, OpeningGas, OpeningStep, RehearsalError, TestSet, rehearse},
};
use cotrain_learning::{data::Source, encode::Samples};
use cotrain_protocol::{
    market::{self, Lost},
    mechanism::{self, Unit},
    sample::Item,
};
use cotrain_results::{format::counted, measured::Measured};
use serde::Serialize;

use super::view::{Costs, View, describe_lost, unusable};
use crate::{
    error::CommandError,
    live::{
        block_on,
        connection::Session,
        deploy::{DeployOptions, Further, context, deployed_before, describe},
        errors::{unfollowed, unsent},
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

/// Minimum time to reveal, on a chain with money.
const SHORTEST_REVEAL_WAIT: Duration = Duration::from_mins(30);
/// Create a market: deploy its model, commit to a test set, lock the bounty, and open it
///
/// The model is trained on this machine, as with `cotrain deploy`. A part of the test data becomes
/// the hidden test set. Keep its file: without it, you lose the bounty. Anyone who knows the test
/// set wins the bounty, so pass data that nobody else has with --test.
///
/// After an interruption, run the same command again soon, and it goes on. Once the bounty is
/// locked, the market must open within 256 blocks and within --reveal-wait, or the bounty is lost.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Bounty for contributions that improve the model, in wei, such as 1ether; unused money comes
    /// back to you
    #[arg(long, value_name = "WEI")]
    bounty: Wei,
    /// Stake of each contribution, in wei
    #[arg(long, value_name = "WEI", default_value = "0.01ether")]
    stake: Wei,
    /// Time during which the market takes contributions, from its opening on
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = whole_seconds)]
    open_for: Duration,
    /// Time in which you must reveal: the drawn part after the commitments, the others after the
    /// closing
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = whole_seconds)]
    reveal_wait: Duration,
    /// Time in which the contributions must be scored, after the last reveal
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = whole_seconds)]
    scoring_wait: Duration,
    /// Number of contributions at which the market closes early
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    max_contributions: u64,
    /// Maximum number of scoring passes before the market is settled
    #[arg(long, value_name = "N", default_value_t = 10)]
    max_passes: u64,
    /// Number of parts of the test set: one is drawn and shown to contributors, and all others
    /// serve for scoring
    #[arg(long, value_name = "N", default_value_t = 5)]
    parts: usize,
    /// Number of samples of the test set, from the first one of the test data on
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
    /// Figures on the predictions of the initial model for the test set.
    evaluation: &'a Measured,
    phase: String,
    next: String,
    /// Bounty in wei, as text.
    bounty: String,
    stake: String,
    drawn_part: Option<usize>,
    closes: Option<u64>,
    test_set: &'a Path,
    opening: Vec<B256>,
}

impl Create {
    fn terms(&self) -> Result<market::Terms, CommandError> {
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
                return Err(CommandError::Mistake(anyhow!(
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
        // The contract has these bounds.
        if self.bounty.0 == 0 || self.bounty.0 >> 96 != 0 {
            return Err(CommandError::Mistake(anyhow!(
                "--bounty is {}; expected 1 wei to 2^96 - 1 wei",
                self.bounty
            )));
        }
        Ok(terms)
    }

    /// Checks for terms that could lose the bounty on a chain with money.
    fn check_for_money(&self) -> Result<(), CommandError> {
        if self.reveal_wait < SHORTEST_REVEAL_WAIT {
            return Err(CommandError::Mistake(anyhow!(
                "--reveal-wait is {}; expected at least {}: the drawn part is revealed some blocks after the bounty is \
                 locked, and later where fees rise",
                humantime::format_duration(self.reveal_wait),
                humantime::format_duration(SHORTEST_REVEAL_WAIT)
            )));
        }
        if self.initial.test.is_none() && Source::embedded(&self.initial.data).is_some() {
            return Err(CommandError::Mistake(anyhow!(
                "the test set would be of data that comes with cotrain, and whoever knows it wins the bounty; name data \
                 with --test that nobody else has"
            )));
        }
        Ok(())
    }

    /// Returns the costs besides those of the deployment: the bounty, and the gas of the opening.
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
pub(crate) fn run(arguments: &Create) -> Result<(), CommandError> {
    block_on(async {
        let options = &arguments.options;
        let session = options.connection.open().await?;
        let key = options.key.key(session.node.chain_id())?;
        let terms = arguments.terms()?;
        if session.node.chain_id() != DEVELOPMENT_CHAIN {
            arguments.check_for_money()?;
        }
        let any = mechanism::Terms::Market(terms);
        arguments.initial.announce(&session.narrator);
        let (plan, test) = Plan::with_terms(&arguments.initial, any, key.address())?;
        describe(&plan, &session.narrator);
        let items = first(&test, arguments.test_samples)?;
        TestSet::check(&items, arguments.parts).map_err(unusable)?;
        let config = ModelConfig {
            owner: plan.deployment.owner,
            terms: any,
        };
        let gas = rehearse(
            &config,
            &plan.deployment.classifier,
            &items,
            arguments.parts,
        );
        let gas = gas.map_err(not_rehearsed)?;
        let named: Options = OPTIONS
            .iter()
            .zip(any.values())
            .map(|(name, value)| ((*name).to_owned(), value.to_string()))
            .collect();
        if options.spending.consent.dry_run
            && let Some(market) = deployed_before(&session, &plan, options, &named).await?
        {
            return tell_rest(&session, &key, market, arguments, &gas).await;
        }
        let further = arguments.further(gas.left(Some(OpeningStep::Commit)));
        let budget = options.spending.budget();
        let completed = context(&session, &key, &plan, options, &budget, &named, &further).await?;
        let Some(completed) = completed else {
            return Ok(());
        };
        let model = read(&session, completed.deployed.trainer).await?;
        let mut view = View::since(&session, model, completed.deployed.block).await?;
        let (chain, market) = (session.node.chain_id(), view.address());
        let set = TestSet::new(&key, chain, market, &items, arguments.parts).map_err(unusable)?;
        let opener = Opener {
            sender: &options.gas_fees.sender(&session.node, &key, &budget),
            bounty: arguments.bounty.0,
            set,
            file: view.test_set_file(arguments.test_set.as_deref())?,
            // A development node makes a block for each transaction, and no others.
            makes_blocks: chain == DEVELOPMENT_CHAIN,
        };
        if !completed.billed && OpeningStep::next(view.market(), view.now).is_some() {
            let bill = bill_of_rest(&session, key.address(), &view, arguments, &gas).await?;
            if !options.spending.agreed(&session, &bill, options.json)? {
                return Ok(());
            }
        }
        let mut opening = Vec::new();
        let done = opener.open(&mut view.state, |done| {
            session.narrator.say(format_args!(
                "{}: block {}, {} gas, {}",
                done.step.name(),
                done.block,
                done.gas,
                Wei(done.cost)
            ));
            opening.push(done.transaction);
        });
        done.await.map_err(not_opened).map_err(|failure| {
            failure.context(format!(
                "the market is at {market}, and not open yet; once the bounty is locked, the part is drawn within 256 \
                 blocks and revealed within --reveal-wait, or the bounty is lost: run the same again soon, and it goes on"
            ))
        })?;
        view.update(&session).await?;
        let created = Created {
            name: &plan.name,
            chain_id: chain,
            market,
            deployed: &completed.deployed,
            accuracy: plan.quantization.accuracy_quantized,
            evaluation: &plan.evaluation,
            phase: view.phase().to_string(),
            next: view.next(),
            bounty: view.market().bounty().to_string(),
            stake: terms.stake.to_string(),
            drawn_part: view.market().drawn_part(),
            closes: view.market().closing_time(),
            test_set: opener.file.as_path(),
            opening,
        };
        show(options.json, &created, || text(&created, &view))?;
        completed.noted
    })
}

fn text(created: &Created<'_>, view: &View) -> String {
    format!(
        "market      {}, in the registry {} as `{}`\n\
         phase       {}\n\
         closing     {}\n\
         bounty      {}\n\
         test set    {}: keep it secret, and do not lose it\n\
         next        {}\n",
        created.market,
        created.deployed.registry,
        created.name,
        created.phase,
        created
            .closes
            .map_or_else(|| "not open yet".to_owned(), when),
        Wei(view.market().bounty()),
        created.test_set.display(),
        created.next,
    )
}

/// Shows, for a dry run, the remaining steps and costs of a market that an earlier run deployed.
async fn tell_rest(
    session: &Session,
    key: &Key,
    market: Address,
    arguments: &Create,
    gas: &OpeningGas,
) -> Result<(), CommandError> {
    let view = View::of(session, read(session, market).await?).await?;
    if let Some(lost) = view.lost() {
        return Err(never_opens(market, lost));
    }
    let options = &arguments.options;
    let bill = bill_of_rest(session, key.address(), &view, arguments, gas).await?;
    options.spending.agreed(session, &bill, options.json)?;
    Ok(())
}

/// Returns the first samples of the test data.
fn first(test: &Samples, count: usize) -> Result<Vec<Item<'_>>, CommandError> {
    if test.len() < count {
        return Err(CommandError::Mistake(anyhow!(
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

/// Makes the bill of the remaining steps of a market that an earlier run deployed.
async fn bill_of_rest(
    session: &Session,
    account: Address,
    view: &View,
    arguments: &Create,
    gas: &OpeningGas,
) -> Result<Bill, CommandError> {
    let (next, market) = (OpeningStep::next(view.market(), view.now), view.address());
    let costs = Costs {
        action: match next {
            Some(OpeningStep::Commit) => format!("lock the bounty of the market {market}"),
            Some(OpeningStep::Draw | OpeningStep::Reveal) => format!("open the market {market}"),
            None => format!("nothing: the market {market} is {}", view.phase()),
        },
        value: match next {
            Some(OpeningStep::Commit) => arguments.bounty.0,
            _ => 0,
        },
        gas: gas.left(next),
        notes: Vec::new(),
    };
    let options = &arguments.options;
    let paying = (&options.gas_fees, &options.spending);
    view.bill(session, account, paying, costs).await
}

/// Reads a market that an earlier run, or this one, deployed.
async fn read(session: &Session, market: Address) -> Result<LiveModel, CommandError> {
    let mut model = LiveModel::read(session, market).await?;
    "deployed before, as the journal says".clone_into(&mut model.origin);
    Ok(model)
}

/// Returns the failure for an opening that cannot be rehearsed, and decides whether the user made a
/// mistake.
fn not_rehearsed(error: RehearsalError) -> CommandError {
    match error {
        RehearsalError::TestSet(error) => unusable(error),
        RehearsalError::TooDear { part, gas, max } => CommandError::Mistake(anyhow!(
            "nothing was sent: part {part} of the test set would need {gas} gas to be revealed, and at most {max} are \
             safe; make more parts with --parts, or take fewer samples with --test-samples"
        )),
        RehearsalError::Part(error) => CommandError::mistake(error),
        error => error.into(),
    }
}

/// Returns the failure for a market that is not open, and decides whether the user made a mistake.
fn not_opened(error: OpeningError) -> CommandError {
    match error {
        OpeningError::Node(error) => error.into(),
        OpeningError::Send(error) => unsent(error),
        OpeningError::Market(error) => unfollowed(error),
        OpeningError::TestSet(error) => unusable(error),
        OpeningError::Lost { market, lost } => never_opens(market, lost),
        error => error.into(),
    }
}

/// Returns the failure for a market that can never open.
fn never_opens(market: Address, lost: Lost) -> CommandError {
    let lost = describe_lost(lost);
    CommandError::Mistake(anyhow!("the market {market} is lost; {lost}"))
}
