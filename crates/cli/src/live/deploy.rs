//! `cotrain deploy`: deployment of a trained model.

use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256, hex};
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_chain::keys::Key;
use cotrain_client::{
    budget::Budget,
    deploy::{
        DeployEvent, Deployed, Deployer, Done, Given, MeasureError, REGISTRY, done_before, reusable,
    },
    journal::Journal,
};
use cotrain_learning::text::escaped;
use cotrain_protocol::{mechanism::Mechanism, parse_address};
use cotrain_results::{format::counted, measured::Measured};
use serde::Serialize;

use super::{
    block_on,
    bounds::ShownBounds,
    connection::{Connection, Session},
    context::{CommandContext, state_directory},
    deploying::{self, narrate, not_deployed},
    founding::{Founded, FromArgs},
    gas_fees::GasFeeArgs,
    key::KeyArgs,
    options::{Options, typed},
    plan::{ModelOptions, Plan},
    show,
    spending::{Bill, Progress, Range, SpendingArgs, Target, gas_cost_of_all},
    wei::Wei,
};
use crate::{error::CommandError, output::Narrator};

const EXAMPLES: &str = "\
You can interrupt it at any time. The same command goes on where it stopped: the journal holds what
was signed, and nothing is done twice.

Examples:
  cotrain deploy --dev 0                                    film reviews, on a development chain
  cotrain deploy --data mail.csv --text-column body --label-column class --name spam \\
      --keystore key.json                                   a table with texts
  cotrain deploy --data iris.csv --learner dense-nearest-centroid --points --dev 0
                                                            numbers, without money
  cotrain deploy --from films --from-clean --test test.csv --text-column text --name anew --dev 0
                                                            what others contributed, without likely lies
  cotrain deploy --dev 0 --yes --json | jq -r .trainer      for a script

Exit status: 0 deployed, 2 a mistake in arguments or data, 1 anything else.";

/// Train an initial model and put it on the chain
///
/// The model is trained on this machine, rounded to the contract's numbers and measured. Then this
/// command creates a registry (unless you name one), a factory and the contracts of the model. It
/// writes the model's weights and compares them. Then it closes the model: from then on, only
/// contributions change it. At the end it registers the model with a card, which tells how texts or
/// rows become samples.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Deploy {
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    options: DeployOptions,
}

/// Chain, account and money of a deployment.
#[derive(Debug, Clone, Args)]
pub(crate) struct DeployOptions {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    #[command(flatten)]
    pub(crate) gas_fees: GasFeeArgs,
    /// Address of a cotrain factory on the chain [default: this release's, created if the chain
    /// lacks it]
    #[arg(long, value_name = "ADDR", value_parser = parse_address, help_heading = "Chain")]
    factory: Option<Address>,
    /// Address of the implementation of the trainer, which holds the money [default: this
    /// release's, created if the chain lacks it]
    #[arg(long, value_name = "ADDR", value_parser = parse_address, help_heading = "Chain")]
    trainer_code: Option<Address>,
    /// Address of the learner's implementation [default: this release's, created if the chain lacks
    /// it]
    #[arg(long, value_name = "ADDR", value_parser = parse_address, help_heading = "Chain")]
    classifier_code: Option<Address>,
    /// Directory for the journal of the deployment [default: `deploy-CHAIN-NAME` in the state
    /// directory]
    #[arg(long, value_name = "DIR", help_heading = None::<&str>)]
    journal: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) spending: SpendingArgs,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    chain_id: u64,
    #[serde(flatten)]
    deployed: &'a Deployed,
    accuracy: f64,
    accuracy_float: f64,
    /// Figures on the predictions for the test data.
    evaluation: &'a Measured,
    trained_on: usize,
    /// Contributions to another model that it was trained on.
    #[serde(rename = "from", skip_serializing_if = "Option::is_none")]
    founded: Option<Founded>,
    /// Bounds of samples, in the contract's integers.
    #[serde(skip_serializing_if = "Option::is_none")]
    bounds: Option<ShownBounds>,
}

/// Deploys a model.
pub(crate) fn run(arguments: &Deploy) -> Result<(), CommandError> {
    block_on(async {
        let options = &arguments.options;
        let session = options.connection.open().await?;
        let key = options.key.key(session.node.chain_id())?;
        let (mut typed, given) = typed::<Deploy>("deploy");
        let owner = key.address();
        arguments.model.initial.announce(&session.narrator);
        let (plan, founded) = match &arguments.from.from {
            None => (Plan::make(&arguments.model, owner)?, None),
            Some(from) => {
                let options = (&mut typed, &given);
                let founding =
                    arguments
                        .from
                        .found(from, &session, &arguments.model, owner, options);
                let (plan, founded) = founding.await?;
                (plan, Some(founded))
            }
        };
        describe(&plan, &session.narrator);
        let budget = options.spending.budget();
        let further = Further::default();
        let completed = context(&session, &key, &plan, options, &budget, &typed, &further).await?;
        let Some(completed) = completed else {
            return Ok(());
        };
        let result = Shown {
            name: &plan.name,
            chain_id: session.node.chain_id(),
            deployed: &completed.deployed,
            accuracy: plan.quantization.accuracy_quantized,
            accuracy_float: plan.quantization.accuracy_float,
            evaluation: &plan.evaluation,
            trained_on: plan.trained_on,
            founded,
            bounds: plan
                .deployment
                .classifier
                .parameters()
                .bounds()
                .map(Into::into),
        };
        show(options.json, &result, || {
            text(&plan, &completed.deployed, completed.cost)
        })?;
        completed.noted
    })
}

/// Costs of a command besides those of the deployment itself.
#[derive(Debug, Default)]
pub(crate) struct Further {
    /// Money that the command sends, in wei.
    pub(crate) value: u128,
    /// Gas of further transactions.
    pub(crate) gas: u64,
    /// Further lines of the bill.
    pub(crate) notes: Vec<(&'static str, String)>,
}

/// A deployment that is complete.
pub(crate) struct Completed {
    pub(crate) deployed: Deployed,
    /// Cost of all gas, in wei.
    pub(crate) cost: u128,
    /// `true` if the user saw the bill and agreed; `false` if an earlier run deployed everything.
    pub(crate) billed: bool,
    /// Result of writing the journal and the state for later commands.
    pub(crate) noted: Result<(), CommandError>,
}

/// Journal of a deployment, and the contracts that it uses.
struct Site {
    genesis: B256,
    directory: PathBuf,
    given: Given,
}

impl Site {
    /// Finds the journal that the options name, and the existing contracts.
    async fn find(
        session: &Session,
        plan: &Plan,
        options: &DeployOptions,
    ) -> Result<Self, CommandError> {
        CommandContext::check()?;
        let genesis = genesis(session).await?;
        let directory = match &options.journal {
            Some(directory) => directory.clone(),
            // `clean` removes directories named `deploy` once they are done. A market is not done
            // when it is deployed, so its directory has another name.
            None => state_directory()?.join(format!(
                "{}-{}-{}-{}",
                match plan.deployment.terms.mechanism() {
                    Mechanism::PredictionMarket => "market",
                    _ => "deploy",
                },
                session.node.chain_id(),
                hex::encode(&genesis[..4]),
                plain(&plan.name)?
            )),
        };
        let given = Given {
            registry: registry(session, options.connection.registry, &directory).await?,
            factory: options.factory,
            trainer: options.trainer_code,
            classifier: options.classifier_code,
        };
        Ok(Self {
            genesis,
            directory,
            given,
        })
    }

    /// Returns `true` if an earlier run began the deployment.
    fn is_begun(&self) -> bool {
        Journal::peek(&self.directory, "owner").is_some()
    }

    /// Opens the journal of exactly this deployment.
    fn open(
        &self,
        session: &Session,
        plan: &Plan,
        options: &Options,
    ) -> Result<Journal, CommandError> {
        let mut facts = plan.deployment.facts().map_err(CommandError::mistake)?;
        facts.extend(self.given.facts());
        let chain = format!("{}, first block {}", session.node.chain_id(), self.genesis);
        facts.insert("chain".to_owned(), chain);
        deploying::open(&self.directory, &facts, options)
    }
}

/// Returns the contract that holds the money, if an earlier run finished the deployment.
pub(crate) async fn deployed_before(
    session: &Session,
    plan: &Plan,
    options: &DeployOptions,
    typed: &Options,
) -> Result<Option<Address>, CommandError> {
    let site = Site::find(session, plan, options).await?;
    if !site.is_begun() {
        return Ok(None);
    }
    Ok(site.open(session, plan, typed)?.deployed())
}

/// Puts a plan on the chain, without the steps that are done already; `None` after a dry run.
pub(crate) async fn context(
    session: &Session,
    key: &Key,
    plan: &Plan,
    options: &DeployOptions,
    budget: &Budget,
    typed: &Options,
    further: &Further,
) -> Result<Option<Completed>, CommandError> {
    let narrator = &session.narrator;
    let site = Site::find(session, plan, options).await?;
    let resumed = site.is_begun();
    let dry_run = options.spending.consent.dry_run;
    let open = || site.open(session, plan, typed);
    // A journal of another deployment is reported before the user is asked.
    let begun = if resumed { Some(open()?) } else { None };
    let finished_before = begun.as_ref().and_then(Journal::deployed).is_some();
    if dry_run || !finished_before {
        let bill = bill(session, plan, &site.given, begun.as_ref(), options, further).await?;
        if !options.spending.agreed(session, &bill, options.json)? {
            return Ok(None);
        }
    }
    let journal = match begun {
        Some(journal) => journal,
        None => open()?,
    };
    if let Some(trainer) = journal.deployed() {
        narrator.say(format_args!(
            "this model is deployed already, at {trainer}; looking whether all of it is there"
        ));
    } else if resumed {
        narrator.say("going on with the deployment that the journal has");
    }
    let sender = options.gas_fees.sender(&session.node, key, budget);
    let report = |reported: DeployEvent<'_>| narrate(narrator, reported);
    let mut steps = Deployer::new(sender, journal, &report);
    let run = steps
        .run(
            &plan.deployment.blueprint(),
            &site.given,
            &plan.deployment.card,
        )
        .await;
    let deployed = match run {
        Ok(deployed) => deployed,
        Err(error) => {
            let failure = not_deployed(error);
            let told = told(session, &steps, failure, &site.directory, options.json)?;
            return Err(told);
        }
    };
    // The deployment is done and paid for, so the addresses are shown even if they cannot be
    // stored.
    let finished = steps.finish(&deployed).map_err(deploying::unusable);
    let remembered = remember(session, &deployed, site.genesis);
    if let Ok(path) = &remembered {
        narrator.say(format_args!(
            "{} remembers node, registry and model for the commands after this one",
            path.display()
        ));
    }
    Ok(Some(Completed {
        cost: steps.cost(),
        billed: !finished_before,
        deployed,
        noted: finished.and(remembered.map(drop)),
    }))
}

/// Shows the trained model, and warns of anomalies in the data.
pub(crate) fn describe(plan: &Plan, narrator: &Narrator) {
    plan.warn(narrator);
    narrator.say(format_args!(
        "model: {}, {}, trained on {} examples",
        plan.deployment.classifier.kind(),
        plan.describe_features(),
        plan.trained_on,
    ));
    narrator.say(format_args!(
        "accuracy on test data: {}; before rounding: {}",
        plan.evaluation.describe_accuracy(),
        plan.evaluation
            .describe_share(plan.quantization.accuracy_float),
    ));
    if let Some(majority) = plan.evaluation.describe_majority() {
        narrator.say(format_args!("most common class: {majority}"));
    }
    if let Some(bounds) = plan.bounds() {
        narrator.say(format_args!(
            "it learns from {bounds}; numbers of the data that were moved within: {}",
            plan.clamped
        ));
    }
}

fn text(plan: &Plan, deployed: &Deployed, cost: u128) -> String {
    let bounds = plan
        .bounds()
        .map(|bounds| format!("learns from {bounds}\n"));
    format!(
        "model       {} (its trainer: what --model takes)\n\
         classifier  {}\n\
         registry    {}, as `{}`\n\
         {}accuracy    {}\n\
         cost        {}, {} gas in {} transactions\n\
         \n{}",
        deployed.trainer,
        deployed.classifier,
        deployed.registry,
        plan.name,
        bounds.unwrap_or_default(),
        plan.evaluation.describe_accuracy(),
        Wei(cost),
        deployed.gas,
        deployed.transactions,
        plan.evaluation.details(),
    )
}

/// Returns the registry to use; `None` for a new one. If none is named, it is the registry that the
/// journal began with, or the remembered one if it still exists.
pub(crate) async fn registry(
    session: &Session,
    named: Option<Address>,
    journal: &Path,
) -> Result<Option<Address>, CommandError> {
    if named.is_some() {
        return Ok(named);
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

/// Returns the hash of the chain's first block.
pub(crate) async fn genesis(session: &Session) -> Result<B256, CommandError> {
    let first = session.node.block(0).await?;
    Ok(first.context("the node has no first block")?.hash)
}

/// Makes the bill of the steps that are not paid yet.
async fn bill(
    session: &Session,
    plan: &Plan,
    given: &Given,
    begun: Option<&Journal>,
    arguments: &DeployOptions,
    further: &Further,
) -> Result<Bill, CommandError> {
    let done = match begun {
        Some(begun) => done_before(&session.node, begun).await?,
        None => Vec::new(),
    };
    let reused = reusable(&session.node, &plan.deployment.blueprint(), given).await?;
    let reused: Vec<&str> = reused.iter().map(|part| part.name()).collect();
    let mut paid = [done.as_slice(), reused.as_slice()].concat();
    if given.registry.is_some() {
        paid.push(REGISTRY);
    }
    let steps = plan.deployment.gas().map_err(not_measured)?;
    let gas = steps.without(&paid).saturating_add(further.gas);
    let mut notes = further.notes.clone();
    // An earlier run of this deployment created some of the parts.
    let reused: Vec<&str> = reused.into_iter().filter(|it| !done.contains(it)).collect();
    if !reused.is_empty() {
        notes.push((
            "reuses",
            format!(
                "the chain has the code of {} already, which saves about {} gas",
                reused.join(", "),
                steps.of(&reused)
            ),
        ));
    }
    if begun.is_some() {
        notes.push((
            "begun",
            format!(
                "a deployment that was begun goes on: {} of it, done before, cost nothing again",
                counted(done.len() as u64, "transaction")
            ),
        ));
    }
    Ok(Bill {
        action: format!(
            "deploy the {} {}",
            match plan.deployment.terms.mechanism() {
                Mechanism::PredictionMarket => "market",
                _ => "model",
            },
            escaped(&plan.name)
        ),
        target: Target::new(session, None),
        account: plan.deployment.owner,
        count: 1,
        each: None,
        value: Range::exactly(further.value),
        gas: Some(gas),
        gas_cost: gas_cost_of_all(
            gas,
            &session.node.gas_fees().await?,
            &arguments.gas_fees,
            &arguments.spending,
        ),
        notes,
    })
}

/// Returns the failure for steps that cannot be measured, and decides whether the user made a
/// mistake.
fn not_measured(error: MeasureError) -> CommandError {
    match error {
        MeasureError::Card(error) => CommandError::mistake(error),
        MeasureError::Chain(error) => error.into(),
    }
}

/// Finished part of a deployment that stopped early.
#[derive(Serialize)]
struct Part<'a> {
    chain_id: u64,
    steps: &'a [Done],
    cost: String,
    journal: &'a Path,
    #[serde(flatten)]
    progress: Progress,
}

/// Shows the finished steps, and returns the error with the words that say how to resume.
fn told(
    session: &Session,
    steps: &Deployer<'_>,
    failure: CommandError,
    journal: &Path,
    json: bool,
) -> Result<CommandError, CommandError> {
    let done = steps.done().len() as u64;
    if done == 0 {
        return Ok(failure);
    }
    let go_on = format!(
        "run the same again: the journal in {} has what was signed, and nothing is done twice",
        journal.display()
    );
    let progress = Progress::stopped(done, steps.transactions(), &failure, go_on);
    let part = Part {
        chain_id: session.node.chain_id(),
        steps: steps.done(),
        cost: steps.cost().to_string(),
        journal,
        progress,
    };
    show(json, &part, || {
        format!("spent       {}, for gas\n", Wei(steps.cost()))
    })?;
    Ok(part
        .progress
        .explain(failure, "transactions are part of the chain"))
}

/// Stores the node, the registry and the model for later commands.
fn remember(
    session: &Session,
    deployed: &Deployed,
    genesis: B256,
) -> Result<PathBuf, CommandError> {
    CommandContext {
        chain_id: Some(session.node.chain_id()),
        genesis: Some(genesis),
        rpc: Some(session.node.url().clone()),
        registry: Some(deployed.registry),
        model: Some(deployed.trainer),
        federated: session.last_federated,
        coordinator: session.coordinator.clone(),
    }
    .save()
}

/// Returns a name that can be part of a directory's name.
pub(crate) fn plain(name: &str) -> Result<&str, CommandError> {
    let plain = |letter: char| letter.is_alphanumeric() || "-_ .".contains(letter);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(CommandError::Mistake(anyhow!(
            "the name `{name}` cannot name a directory; say with --journal where to note what is done"
        )));
    }
    Ok(name)
}
