//! `cotrain up`: a chain, a model and a coordinator to try out.

mod chain;
mod folder;
mod ports;

use std::{
    collections::{BTreeSet, VecDeque},
    env,
    io::{self, IsTerminal},
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    process::ExitStatus,
    thread,
    time::{Duration, Instant},
};

use alloy_primitives::Address;
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_chain::{anvil, keys::Key, node::Node};
use cotrain_client::{
    budget::Budget,
    deploy::{DeployEvent, Deployer, Given},
};
use cotrain_indexer::IndexError;
use cotrain_learning::data::Source;
use cotrain_relayer::{Queue, Rewound};
use cotrain_results::measured::Measured;
use cotrain_server::{
    config::{Config, Sources},
    serve,
};
use serde::Serialize;
use tokio::sync::{Mutex, oneshot};
use tokio_util::sync::CancellationToken;
use url::Url;

use self::{
    chain::{Chain, Saver, keep_saving},
    folder::{Folder, Found, Kept},
};
use super::{
    block_on,
    context::CommandContext,
    deploying::{self, narrate, not_deployed},
    encoder,
    gas_fees::GasFeeArgs,
    options::{self, Options},
    plan::{ModelOptions, Plan, placeholder},
    sentence,
    serve::classify,
    show,
    spending::says_yes,
    time::when,
};
use crate::{error::CommandError, output::Narrator, stop::stopped};

pub(crate) use self::folder::{size, temporary};

/// The development account that deploys and owns the model.
const OWNER: u32 = 0;
/// The development account that relays.
const RELAYER: u32 = 9;
/// The command that ends nodes whose cotrain was killed.
const ENDS_ORPHANS: &str = "cotrain clean --yes";
/// Maximum number of restarts of the node within a time. If it ends more often, a restart does not
/// help.
const DEATHS: (usize, Duration) = (5, Duration::from_mins(1));

const EXAMPLES: &str = "\
Examples:
  cotrain up                                   with the film reviews that come with cotrain
  cotrain up --state try                       the next start goes on where this one stopped
  cotrain up --state try --new                 begins anew, and keeps the old chain
  cotrain up --data iris.csv --learner dense-nearest-centroid --name iris
  cotrain up --port 0 --api-port 0 --json      any free ports, for a script

It needs anvil, Foundry's development node, and says how to install it if it is missing.

Exit status: 0 stopped on request, 2 a mistake in arguments or data, or a no to its question (also by Ctrl-C),
1 anything else.";

/// Start a development chain with a model and a coordinator, to try everything
///
/// The keys of the chain's ten accounts (--dev 0 to 9) are public: use the chain only for trials on
/// this machine. Ctrl-C stops everything; a second Ctrl-C does not wait.
///
/// With --state, the chain is saved while it runs. If this program or its node is killed, the next
/// start goes on from the last save and prints what was lost.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    #[command(flatten)]
    model: ModelOptions,
    /// Directory that keeps the chain and all other state, to go on from at the next start
    /// [default: nothing is kept]
    #[arg(long, value_name = "DIR", help_heading = None::<&str>)]
    state: Option<PathBuf>,
    /// Interval between saves of the chain: if this program or its node is killed, at most this
    /// much is lost
    #[arg(
        long,
        value_name = "TIME",
        default_value = "5s",
        value_parser = interval,
        help_heading = None::<&str>
    )]
    state_interval: Duration,
    /// Start a new chain with the options of the one in --state, and move the old one aside
    #[arg(long, requires = "state", help_heading = None::<&str>)]
    new: bool,
    /// Port of the chain's node; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8_545, help_heading = None::<&str>)]
    port: u16,
    /// Port of the coordinator's API; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 8_080, help_heading = None::<&str>)]
    api_port: u16,
    /// Describe the steps and the values used on stderr
    #[arg(long, help_heading = None::<&str>)]
    verbose: bool,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

fn interval(text: &str) -> Result<Duration, String> {
    let read = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if read < Duration::from_millis(100) {
        return Err("expected a time of at least 100ms".to_owned());
    }
    Ok(read)
}

#[derive(Serialize)]
struct Ready<'a> {
    rpc: Url,
    api: Url,
    /// Address of the web page.
    page: Url,
    registry: Address,
    model: Address,
    name: String,
    accuracy: Option<f64>,
    /// Figures on the predictions for the test data; `None` for a model of an earlier start.
    evaluation: Option<&'a Measured>,
    #[serde(rename = "try")]
    try_: Vec<String>,
}

/// Starts everything, and ends it at a signal.
pub(crate) fn run(arguments: &Up) -> Result<(), CommandError> {
    let narrator = Narrator::verbose(arguments.verbose)?;
    // All checks come before anything is written.
    if arguments.port == arguments.api_port && arguments.port != 0 {
        return Err(CommandError::Mistake(anyhow!(
            "--port and --api-port are both {}; node and API need a port each",
            arguments.port
        )));
    }
    ports::check(arguments.port, "the chain's node", "--port")?;
    ports::check(arguments.api_port, "the coordinator's API", "--api-port")?;
    CommandContext::check()?;
    let folder = Folder::open(arguments.state.as_deref())?;
    if folder.killed().is_some() {
        for orphan in anvil::orphans() {
            narrator.say(format_args!(
                "process {} is a node that a killed cotrain left behind; `{ENDS_ORPHANS}` ends it",
                orphan.id
            ));
        }
    }
    block_on(work(arguments, &narrator, &folder))
}

/// Cause of a chain's end.
enum Ending {
    /// A signal asked this program to stop.
    Stopped,
    /// The node ended by itself, or was killed.
    Died(ExitStatus),
}

/// Facts of a new model.
struct Fresh {
    /// Figures on its predictions for the test data.
    evaluation: Measured,
    /// An example as an option of the commands that take one, and its class.
    example: Option<(String, String)>,
}

/// State that survives a restart of the node.
struct Running<'a> {
    arguments: &'a Up,
    narrator: &'a Narrator,
    folder: &'a Folder,
    stop: CancellationToken,
    model: ModelOptions,
    kept: Kept,
    /// Facts of the model; `None` if another process made it.
    fresh: Option<Fresh>,
    /// The port of the API, once it has one.
    api_port: u16,
    /// Whether the examples to try were printed.
    examples_shown: bool,
}

async fn work(arguments: &Up, narrator: &Narrator, folder: &Folder) -> Result<(), CommandError> {
    let stop = stopped()?;
    let (mut chain, model, kept) = begin(arguments, narrator, folder, &stop).await?;
    let mut running = Running {
        arguments,
        narrator,
        folder,
        stop,
        model,
        kept,
        api_port: arguments.api_port,
        fresh: None,
        examples_shown: false,
    };
    let mut died = VecDeque::new();
    loop {
        match Box::pin(running.until_it_ends(&mut chain)).await? {
            Ending::Stopped => {
                chain.anvil.stop()?;
                return Ok(());
            }
            Ending::Died(status) => {
                died.push_back(Instant::now());
                if died.len() > DEATHS.0
                    && let Some(first) = died.pop_front()
                    && first.elapsed() < DEATHS.1
                {
                    return Err(CommandError::Fault(anyhow!(
                        "the node ended {} times within {} s ({status}); the chain is saved, call this again to go on",
                        DEATHS.0 + 1,
                        DEATHS.1.as_secs()
                    )));
                }
                chain = running.restart(chain, status).await?;
            }
        }
    }
}

/// Resumes the chain of the folder, or begins a new one.
async fn begin(
    arguments: &Up,
    narrator: &Narrator,
    folder: &Folder,
    stop: &CancellationToken,
) -> Result<(Chain, ModelOptions, Kept), CommandError> {
    let (now, typed) = options::typed::<Up>("up");
    let mut known = None;
    if !arguments.new {
        let reason = match folder.find()? {
            Found::Nothing => None,
            Found::Broken(reason, kept) => {
                known = kept;
                Some(reason)
            }
            Found::Chain(kept, files) => {
                let changed = typed
                    .iter()
                    .any(|name| kept.options.get(name) != now.get(name));
                if kept.model.is_none() && changed {
                    // The changed options apply, since no model has the old ones yet.
                    None
                } else {
                    let killed = folder.killed().map(|pid| {
                        format!("the last `cotrain up` here (process {pid}) was killed")
                    });
                    match go_on(arguments.port, narrator, folder, &kept, &files, killed).await? {
                        Ok(chain) => {
                            let model = options::read(&kept.options);
                            let model = model.unwrap_or_else(|| arguments.model.clone());
                            tell_differences(narrator, &kept, &now, &typed);
                            return Ok((chain, model, kept));
                        }
                        Err(reason) => {
                            known = Some(kept);
                            Some(reason)
                        }
                    }
                }
            }
        };
        if let Some(reason) = reason {
            ask(narrator, folder, &reason, stop).await?;
        }
    } else if let Found::Chain(kept, _) | Found::Broken(_, Some(kept)) = folder.find()? {
        known = Some(kept);
    }
    if !matches!(folder.find()?, Found::Nothing) {
        let aside = folder.put_aside()?;
        narrator.say(format_args!(
            "starting anew; what was there is in {}",
            aside.display()
        ));
    }
    let (model, options) = again(arguments, narrator, known, now, &typed);
    let chain = Chain::start(arguments.port, None).await?;
    let kept = Kept::begun(chain.node.chain_id(), chain.genesis, options);
    folder.keep(&kept)?;
    Ok((chain, model, kept))
}

/// Returns the options for a new model: typed ones, and otherwise those of the last model in the
/// folder.
fn again(
    arguments: &Up,
    narrator: &Narrator,
    known: Option<Kept>,
    now: Options,
    typed: &BTreeSet<String>,
) -> (ModelOptions, Options) {
    let Some(kept) = known.filter(|kept| !kept.options.is_empty()) else {
        return (arguments.model.clone(), now);
    };
    let mut wanted = kept.options;
    for name in typed {
        if let Some(value) = now.get(name) {
            wanted.insert(name.clone(), value.clone());
        }
    }
    if typed.contains("--cost-weight") {
        wanted.insert("--points".to_owned(), "false".to_owned());
    }
    let Some(model) = options::read(&wanted) else {
        return (arguments.model.clone(), now);
    };
    let before: Vec<_> = wanted
        .iter()
        .filter(|(name, value)| !typed.contains(*name) && now.get(*name) != Some(value))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    if !before.is_empty() {
        narrator.say(format_args!(
            "with the options of before: {}",
            before.join(" ")
        ));
    }
    (model, wanted)
}

/// Starts the chain of a folder, and rewinds its database to that chain. Returns the reason instead
/// if the chain cannot be resumed. `why` says how the last run ended, if it did not end cleanly.
async fn go_on(
    port: u16,
    narrator: &Narrator,
    folder: &Folder,
    kept: &Kept,
    files: &[PathBuf],
    why: Option<String>,
) -> Result<Result<Chain, String>, CommandError> {
    let chain = match Chain::load(port, files, narrator).await? {
        Ok(chain) => chain,
        Err(reason) => return Ok(Err(reason)),
    };
    let here = folder.path().display();
    if kept.genesis.is_some_and(|genesis| genesis != chain.genesis) {
        return Ok(Err(format!("the chain in {here} is not that of its model")));
    }
    if let Some(model) = kept.model
        && chain.node.code(model).await?.is_empty()
    {
        return Ok(Err(format!("the chain in {here} has no model at {model}")));
    }
    let head = chain.node.head().await?;
    if let Some(why) = why {
        narrator.say(format_args!(
            "{why}: the chain goes on from block {} of {}, as it was saved last; what came after that is lost",
            head.number,
            when(head.time)
        ));
    }
    match rewind(narrator, folder, &chain.node).await? {
        Ok(()) => Ok(Ok(chain)),
        Err(reason) => Ok(Err(reason)),
    }
}

/// Removes from the database the blocks that the chain does not have, and reports them. Returns the
/// reason instead if the database is of another chain.
async fn rewind(
    narrator: &Narrator,
    folder: &Folder,
    node: &Node,
) -> Result<Result<(), String>, CommandError> {
    let database = folder.database();
    if !database.exists() {
        return Ok(Ok(()));
    }
    let queue = Queue::open(&database.to_string_lossy()).await?;
    let rewound = queue.rewind(node).await;
    queue.close().await;
    let rewound = match rewound {
        Ok(rewound) => rewound,
        Err(error @ IndexError::OtherChain { .. }) => {
            return Ok(Err(format!("{}: {error}", database.display())));
        }
        Err(error) => return Err(error.into()),
    };
    for model in rewound {
        let Rewound {
            trainer,
            from,
            to,
            waiting_again,
        } = model;
        narrator.say(match to {
            None => {
                format!("the model {trainer} is lost: it was made after the chain was saved last")
            }
            Some(to) => format!(
                "lost of the model {trainer}: {}{}",
                if to + 1 == from {
                    format!("the block {from}")
                } else {
                    format!("the blocks {} to {from}", to + 1)
                },
                match waiting_again {
                    0 => String::new(),
                    1 => "; 1 signed batch is pending again".to_owned(),
                    many => format!("; {many} signed batches are pending again"),
                }
            ),
        });
    }
    Ok(Ok(()))
}

/// Reports typed options that have no effect, because the model exists already.
fn tell_differences(narrator: &Narrator, kept: &Kept, now: &Options, typed: &BTreeSet<String>) {
    if kept.model.is_some() {
        narrator.say("going on with the model that is there");
    }
    // A folder of an earlier version has no options.
    for name in typed.iter().filter(|_| !kept.options.is_empty()) {
        let (was, is) = (kept.options.get(name), now.get(name));
        if was != is {
            narrator.say(format_args!(
                "{name} has no effect: the model that is there has {}, not {}; --new begins another one",
                was.map_or("none", String::as_str),
                is.map_or("none", String::as_str)
            ));
        }
    }
}

/// Asks before a chain that cannot be resumed is moved aside. A signal to stop means no.
async fn ask(
    narrator: &Narrator,
    folder: &Folder,
    reason: &str,
    stop: &CancellationToken,
) -> Result<(), CommandError> {
    let here = folder.path().display();
    if !io::stdin().is_terminal() {
        return Err(CommandError::Mistake(anyhow!(
            "cannot go on from {here}: {reason}; nothing was changed. --new starts anew, with the same options, and moves \
             what is there into {here}/before-TIME"
        )));
    }
    narrator.say(format_args!("cannot go on from {here}: {reason}"));
    narrator.say(format_args!(
        "Start anew, with the same options, and move what is there into {here}/before-TIME? [y/N]"
    ));
    let (sender, answer) = oneshot::channel();
    // The read has its own thread, since nothing can cancel it; the end of the program does not
    // wait for the thread.
    thread::spawn(move || sender.send(says_yes(&mut io::stdin().lock())));
    let yes = tokio::select! {
        () = stop.cancelled() => false,
        answer = answer => answer.context("no answer was read")??,
    };
    if yes {
        return Ok(());
    }
    Err(CommandError::Mistake(anyhow!(
        "nothing was changed, as you wished"
    )))
}

impl Running<'_> {
    /// Deploys and serves until a signal, or until the node ends. It saves the chain meanwhile, and
    /// at the end.
    async fn until_it_ends(&mut self, chain: &mut Chain) -> Result<Ending, CommandError> {
        let (arguments, narrator) = (self.arguments, self.narrator);
        let keeping = Mutex::new(Saver::new(self.folder, chain).await?);
        let term = self.stop.child_token();
        let node = chain.node.clone();
        let (worked, died) = {
            let mut working = pin!(self.deploy_and_serve(&node, &keeping, &term));
            tokio::select! {
                worked = &mut working => (worked, None),
                died = chain.ended() => {
                    term.cancel();
                    let worked = working.await;
                    (worked, Some(died?))
                }
                never = keep_saving(&keeping, arguments.state_interval, narrator) => match never {},
            }
        };
        let mut saver = keeping.into_inner();
        // The node may have ended while the other tasks did.
        let died = match died {
            None => chain.anvil.ended()?,
            died => died,
        };
        if let Some(status) = died {
            saver.close().await;
            if self.stop.is_cancelled() {
                return Err(CommandError::Fault(anyhow!(
                    "the node ended before this was stopped ({status}); what it did since the chain was saved last is lost"
                )));
            }
            return Ok(Ending::Died(status));
        }
        let kept = if self.folder.stays() {
            saver.save().await.map(drop)
        } else {
            Ok(())
        };
        saver.close().await;
        worked?;
        kept?;
        Ok(Ending::Stopped)
    }

    async fn deploy_and_serve(
        &mut self,
        node: &Node,
        saver: &Mutex<Saver<'_>>,
        term: &CancellationToken,
    ) -> Result<(), CommandError> {
        if self.kept.model.is_none() {
            let (kept, fresh) = tokio::select! {
                deployed = self.deploy(node) => deployed?,
                () = term.cancelled() => return Ok(()),
            };
            // The model counts as deployed only once its chain is saved.
            saver.lock().await.save_all().await?;
            self.folder.keep(&kept)?;
            self.kept = kept;
            self.fresh = Some(fresh);
        }
        let mut context = self.kept.context(node.url());
        let config = configuration(self.api_port, self.folder, &context, self.evaluated()?)?;
        let (ready, listens) = oneshot::channel();
        let serving = serve(config, term.clone(), |address| {
            let _ = ready.send(address);
        });
        let telling = async {
            let Ok(address) = listens.await else {
                return Ok(None);
            };
            if self.examples_shown {
                self.narrator.say("all of it runs again");
            } else {
                // Only a running model is worth storing for later commands.
                context.coordinator = Some(format!("http://{address}/").parse()?);
                context.save()?;
                tell(
                    self.arguments,
                    &self.model,
                    &context,
                    self.fresh.as_ref(),
                    address,
                )?;
                self.narrator.say("Ctrl-C stops it");
            }
            Ok::<_, CommandError>(Some(address.port()))
        };
        let (served, port) = tokio::join!(serving, telling);
        served.map_err(classify)?;
        if let Some(port) = port? {
            self.api_port = port;
            self.examples_shown = true;
        }
        Ok(())
    }

    /// Puts the model on the chain.
    async fn deploy(&self, node: &Node) -> Result<(Kept, Fresh), CommandError> {
        let key = Key::development(OWNER);
        self.model.initial.announce(self.narrator);
        let plan = Plan::make(&self.model, key.address())?;
        plan.warn(self.narrator);
        let table = self.model.initial.encoder.as_ref();
        if let Some(name) = table.filter(|name| *name != sentence::NAME) {
            self.folder.keep_table(&encoder::chosen(name)?)?;
        }
        let genesis = self.kept.genesis.unwrap_or_default().to_string();
        let journal = self.folder.path().join(format!("deploy-{genesis}"));
        let mut facts = plan.deployment.facts().map_err(CommandError::mistake)?;
        facts.insert("chain".to_owned(), genesis);
        let budget = Budget::default();
        let sender = GasFeeArgs::default().sender(node, &key, &budget);
        let journal = deploying::open(&journal, &facts, &self.kept.options)?;
        let report = |reported: DeployEvent<'_>| narrate(self.narrator, reported);
        let mut steps = Deployer::new(sender, journal, &report);
        let deployed = steps
            .run(
                &plan.deployment.blueprint(),
                &Given::default(),
                &plan.deployment.card,
            )
            .await
            .map_err(not_deployed)?;
        let kept = self.kept.clone();
        let fresh = Fresh {
            evaluation: plan.evaluation,
            example: plan.example.clone(),
        };
        Ok((kept.deployed(deployed.registry, deployed.trainer), fresh))
    }

    /// Returns the settings that measure a new model as `deploy` did, on the part of the data that
    /// was set aside. The coordinator sets aside the same part only for the default seed, and
    /// accepts no separate test data. For a model from an earlier start, it is unknown whether it
    /// learned from this data.
    fn evaluated(&self) -> Result<Vec<(&'static str, String)>, CommandError> {
        let model = &self.model.initial;
        if self.fresh.is_none() || model.test.is_some() || model.seed != 1 {
            return Ok(Vec::new());
        }
        let toml = |text: &str| toml::Value::from(text).to_string();
        if Source::embedded(&model.data).is_some() {
            return Ok(vec![("evaluate.data", toml(&model.data))]);
        }
        let path = Path::new(&model.data).canonicalize()?;
        let mut flags = vec![
            ("evaluate.data", toml(&path.to_string_lossy())),
            ("evaluate.label", toml(&model.columns.label_column)),
        ];
        let text = model.columns.text_column.iter();
        flags.extend(text.map(|column| ("evaluate.text", toml(column))));
        flags.extend(model.columns.settings(&model.types));
        Ok(flags)
    }

    /// Starts the node again from the saved chain.
    async fn restart(&self, chain: Chain, status: ExitStatus) -> Result<Chain, CommandError> {
        let port = chain.anvil.url().port().unwrap_or(self.arguments.port);
        drop(chain);
        let files = match self.folder.find()? {
            Found::Chain(_, files) => files,
            Found::Nothing => {
                return Err(CommandError::Fault(anyhow!(
                    "the node ended ({status}) before its chain was saved for the first time, so nothing is there to go \
                     on from; call `cotrain up` again"
                )));
            }
            Found::Broken(reason, _) => {
                return Err(CommandError::Fault(anyhow!(
                    "the node ended ({status}), and there is no going on from what was saved: {reason}; call `cotrain up` \
                     again"
                )));
            }
        };
        let why = Some(format!("the node ended ({status}) and is started again"));
        match go_on(port, self.narrator, self.folder, &self.kept, &files, why).await? {
            Ok(chain) => Ok(chain),
            Err(reason) => Err(CommandError::Fault(anyhow!(
                "cannot start the node again: {reason}; call `cotrain up` again"
            ))),
        }
    }
}

fn configuration(
    api_port: u16,
    folder: &Folder,
    context: &CommandContext,
    evaluated: Vec<(&'static str, String)>,
) -> Result<Config, CommandError> {
    let rpc = context.rpc.as_ref().map(Url::to_string).unwrap_or_default();
    let registry = context.registry.unwrap_or_default();
    let database = folder.database();
    let tables = folder.tables()?;
    let tables: Vec<_> = tables
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    let flags = [
        ("listen", format!("127.0.0.1:{api_port}")),
        ("database", format!("\"{}\"", database.display())),
        ("registry", format!("\"{registry}\"")),
        ("node.url", rpc),
        ("node.poll", "200 ms".to_owned()),
        ("encoders.files", toml::Value::from(tables).to_string()),
        // The node belongs to this program: if it does not answer, it has ended.
        ("node.retries", "1".to_owned()),
        ("key.development", RELAYER.to_string()),
        ("relay.enabled", "true".to_owned()),
        ("relay.max_age", "1 s".to_owned()),
        // The keeper claims only for accounts that asked for it; it pushes no refunds of others.
        ("keep.enabled", "true".to_owned()),
        ("keep.interval", "2 s".to_owned()),
        ("labels.enabled", "true".to_owned()),
        ("api.cors", "[\"*\"]".to_owned()),
        // Only this machine can reach the API.
        ("api.rate", "0".to_owned()),
        ("api.shutdown_timeout", "2 s".to_owned()),
    ];
    let sources = flags
        .into_iter()
        .chain(evaluated)
        .fold(Sources::default(), |sources, (key, value)| {
            sources.with_flag(key, "cotrain up", value)
        });
    Ok(Config::load(&sources)?)
}

/// Prints the addresses of everything, and examples to try.
fn tell(
    arguments: &Up,
    model: &ModelOptions,
    context: &CommandContext,
    fresh: Option<&Fresh>,
    address: SocketAddr,
) -> Result<(), CommandError> {
    let evaluation = fresh.map(|fresh| &fresh.evaluation);
    let program = program();
    let api: Url = format!("http://{address}/").parse()?;
    let relay = api.as_str().trim_end_matches('/');
    let text = model.initial.data == "movie-reviews";
    let found = fresh.and_then(|fresh| fresh.example.clone());
    let (example, class) = match found {
        _ if text => (
            "--text 'a warm and funny film'".to_owned(),
            "positive".to_owned(),
        ),
        Some(found) => found,
        None => (
            placeholder(&model.initial.data).to_owned(),
            "CLASS".to_owned(),
        ),
    };
    let ready = Ready {
        rpc: context.rpc.clone().context("the node's address")?,
        api: api.clone(),
        page: api.clone(),
        registry: context.registry.unwrap_or_default(),
        model: context.model.unwrap_or_default(),
        name: model.initial.name.clone(),
        accuracy: evaluation.and_then(Measured::accuracy),
        evaluation,
        try_: vec![
            format!("{program} predict {example}"),
            format!("{program} contribute {example} --label {class} --dev 1"),
            format!("{program} status --dev 1"),
        ],
    };
    show(arguments.json, &ready, || {
        let accuracy = evaluation.map_or_else(String::new, |it| {
            format!("\naccuracy  {}", it.describe_accuracy())
        });
        format!(
            "node      {}\nAPI       {relay}\npage      {api}\nregistry  {}\nmodel     {}{accuracy}\n\nTry:\n  {}\n",
            ready.rpc.as_str().trim_end_matches('/'),
            ready.registry,
            ready.model,
            ready.try_.join("\n  ")
        )
    })
}

/// Returns the program's name as the user called it.
fn program() -> String {
    let called = env::args_os().next().map(PathBuf::from);
    match called {
        Some(path) if path.components().count() > 1 => path.display().to_string(),
        _ => "cotrain".to_owned(),
    }
}
