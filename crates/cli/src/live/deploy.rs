//! `cotrain deploy`: a trained model onto a chain.

use std::{
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use anyhow::{Context, anyhow};
use clap::Args;
use serde::Serialize;

use super::{
    block_on,
    connection::{Connection, Session},
    journal::Journal,
    key::KeyArgs,
    place::{Place, state_directory},
    plan::{ModelOptions, Plan},
    send::{FeeArgs, Sender},
    show,
    steps::{Deployed, Given, Steps},
    wei::Wei,
};
use crate::failure::Failure;

const EXAMPLES: &str = "\
It can be interrupted at any moment, and goes on where it was when it is called again with the same
options: the journal has what was signed, and nothing is done twice.

Examples:
  cotrain deploy --dev 0                                    film reviews, on a development chain
  cotrain deploy --data mail.csv --text-column body --label-column class --name spam \\
      --keystore key.json                                   a table with texts
  cotrain deploy --data iris.csv --learner dense-nearest-centroid --points --dev 0
                                                            numbers, without money
  cotrain deploy --dev 0 --yes --json | jq -r .trainer      for a script

Exit status: 0 deployed, 2 a mistake in arguments or data, 1 anything else.";

/// Train an initial model and put it on the chain
///
/// The model is trained here, rounded to the contract's numbers and measured; then a registry (or
/// the one you name), a factory and the model's code are created, the model's words written and
/// compared, and the model closed: from then on only contributions change it. At last it is made
/// known in the registry, with a card that says how text or rows become samples.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Deploy {
    #[command(flatten)]
    pub(crate) model: ModelOptions,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    fees: FeeArgs,
    /// A factory of cotrain's that is on the chain [default: a new one]
    #[arg(long, value_name = "ADDR", help_heading = "Chain")]
    factory: Option<Address>,
    /// The implementation of the incentive's trainer that is on the chain [default: a new one]
    #[arg(long, value_name = "ADDR", help_heading = "Chain")]
    trainer_code: Option<Address>,
    /// The implementation of the learner that is on the chain [default: a new one]
    #[arg(long, value_name = "ADDR", help_heading = "Chain")]
    classifier_code: Option<Address>,
    /// Where to note what is done [default: `deploy-NAME` in the state directory]
    #[arg(long, value_name = "DIR", help_heading = None::<&str>)]
    journal: Option<PathBuf>,
    /// Do not ask before it costs something
    #[arg(long, help_heading = None::<&str>)]
    yes: bool,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    chain_id: u64,
    #[serde(flatten)]
    deployed: &'a Deployed,
    accuracy: f64,
    accuracy_float: f64,
    trained_on: usize,
}

/// Deploys a model.
pub(crate) fn run(arguments: &Deploy) -> Result<(), Failure> {
    block_on(async {
        let session = arguments.connection.open().await?;
        let key = arguments.key.key(session.node.chain_id())?;
        let plan = Plan::make(&arguments.model, key.address())?;
        let narrator = &session.narrator;
        plan.warn(narrator);
        narrator.say(format_args!(
            "model: {}, {} features, trained on {} examples; accuracy {:.1} % ({:.1} % before rounding)",
            plan.classifier.kind(),
            plan.classifier.features(),
            plan.trained_on,
            100.0 * plan.report.accuracy_quantised,
            100.0 * plan.report.accuracy_float,
        ));
        let directory = match &arguments.journal {
            Some(directory) => directory.clone(),
            None => state_directory()?.join(format!("deploy-{}", plain(&plan.name)?)),
        };
        let given = Given {
            registry: registry(&session, arguments, &directory).await?,
            factory: arguments.factory,
            trainer: arguments.trainer_code,
            classifier: arguments.classifier_code,
        };
        let journal = journal(&session, &plan, &given, directory).await?;
        if journal.steps() > 0 {
            narrator.say("going on with the deployment that the journal has");
        } else if !arguments.yes {
            ask(&session, &plan, arguments).await?;
        }
        let mut steps = Steps {
            sender: Sender {
                node: &session.node,
                key: &key,
                max_fee: arguments.fees.max_fee,
            },
            journal,
            narrator,
            transactions: 0,
            gas: 0,
            cost: 0,
        };
        let deployed = steps.run(&plan, &given).await?;
        let path = remember(&session, &deployed)?;
        narrator.say(format_args!(
            "{} remembers node, registry and model for the commands after this one",
            path.display()
        ));
        let result = Shown {
            name: &plan.name,
            chain_id: session.node.chain_id(),
            deployed: &deployed,
            accuracy: plan.report.accuracy_quantised,
            accuracy_float: plan.report.accuracy_float,
            trained_on: plan.trained_on,
        };
        show(arguments.json, &result, || {
            text(&plan, &deployed, steps.cost)
        })
    })
}

fn text(plan: &Plan, deployed: &Deployed, cost: u128) -> String {
    format!(
        "model       {} (its trainer: what --model takes)\n\
         classifier  {}\n\
         registry    {}, as `{}`\n\
         accuracy    {:.1} %\n\
         cost        {}, {} gas in {} transactions\n",
        deployed.trainer,
        deployed.classifier,
        deployed.registry,
        plan.name,
        100.0 * plan.report.accuracy_quantised,
        Wei(cost),
        deployed.gas,
        deployed.transactions,
    )
}

/// The registry to use; none: a new one. Where it is not named, it is the one that the journal was begun
/// with, or the remembered one where it still is there.
async fn registry(
    session: &Session,
    arguments: &Deploy,
    journal: &Path,
) -> Result<Option<Address>, Failure> {
    if arguments.connection.registry.is_some() {
        return Ok(arguments.connection.registry);
    }
    if let Some(begun) = Journal::peek(journal, "registry") {
        return Ok(begun.parse().ok());
    }
    let Some(remembered) = session.registry else {
        return Ok(None);
    };
    let code = session.node.code(remembered).await?;
    Ok((!code.is_empty()).then_some(remembered))
}

/// The journal of exactly this deployment.
async fn journal(
    session: &Session,
    plan: &Plan,
    given: &Given,
    directory: PathBuf,
) -> Result<Journal, Failure> {
    let genesis = session
        .node
        .block(0)
        .await?
        .context("the node has no first block")?;
    let mut identity = plan.identity()?;
    let address =
        |address: Option<Address>| address.map_or_else(|| "new".to_owned(), |it| it.to_string());
    let chain = format!("{}, first block {}", session.node.chain_id(), genesis.hash);
    for (name, value) in [
        ("chain", chain),
        ("registry", address(given.registry)),
        ("factory", address(given.factory)),
        ("trainer code", address(given.trainer)),
        ("classifier code", address(given.classifier)),
    ] {
        identity.insert(name.to_owned(), value);
    }
    Journal::open(&directory, identity)
}

/// Says what it will cost, and wants a yes.
async fn ask(session: &Session, plan: &Plan, arguments: &Deploy) -> Result<(), Failure> {
    let gas = plan.gas()?;
    let fees = session.node.fees().await?;
    let now = u128::from(gas) * (fees.base + fees.priority);
    let price = arguments
        .fees
        .max_fee
        .map_or(fees.max(), |Wei(most)| most.min(fees.max()));
    session.narrator.say(format_args!(
        "cost: about {gas} gas, {} at the price of now, at most {}",
        Wei(now),
        Wei(u128::from(gas) * price)
    ));
    if !io::stdin().is_terminal() {
        return Err(Failure::Mistake(anyhow!(
            "nothing was sent: there is no terminal to ask; say --yes to deploy"
        )));
    }
    session.narrator.say("Deploy it? [y/N]");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::Mistake(anyhow!("nothing was sent, as you wished")))
}

/// What the next commands use.
fn remember(session: &Session, deployed: &Deployed) -> Result<PathBuf, Failure> {
    Place {
        chain_id: Some(session.node.chain_id()),
        rpc: Some(session.node.url().clone()),
        registry: Some(deployed.registry),
        model: Some(deployed.trainer),
    }
    .save()
}

/// A name that can be part of a directory's.
fn plain(name: &str) -> Result<&str, Failure> {
    let plain = |letter: char| letter.is_alphanumeric() || "-_ .".contains(letter);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Failure::Mistake(anyhow!(
            "the name `{name}` cannot name a directory; say with --journal where to note what is done"
        )));
    }
    Ok(name)
}
