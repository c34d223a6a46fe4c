//! `cotrain up`: a chain, a model and a coordinator to try it all with.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use alloy_primitives::Address;
use anyhow::{Context, anyhow};
use clap::Args;
use cotrain_chain::{
    anvil::{Anvil, AnvilConfig},
    keys::Key,
    node::{Node, NodeOptions},
};
use cotrain_coordinator::{
    config::{Config, Sources},
    serve,
};
use serde::Serialize;
use tokio::sync::oneshot;
use url::Url;

use super::{
    block_on,
    journal::Journal,
    place::{Place, write_whole},
    plan::{ModelOptions, Plan},
    send::Sender,
    serve::classify,
    show,
    spending::Budget,
    steps::{Given, Steps},
    stop::stopped,
};
use crate::{failure::Failure, output::Narrator};

/// The development account that deploys and owns the model.
const OWNER: u32 = 0;
/// The development account that relays.
const RELAYER: u32 = 9;

const EXAMPLES: &str = "\
Examples:
  cotrain up                                   the film reviews that come with cotrain
  cotrain up --state try                       goes on where it stopped, next time
  cotrain up --data iris.csv --learner dense-nearest-centroid --name iris
  cotrain up --port 0 --api-port 0 --json      any free ports, for a script

It needs anvil, Foundry's development node, and says how to get it where it is missing.";

/// Start a development chain with a model on it and a coordinator, to try everything
///
/// Everybody knows the keys of the chain's ten accounts (--dev 0 to 9): it is for trying things on
/// this machine, and nothing else. Ctrl-C stops all of it.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Up {
    #[command(flatten)]
    model: ModelOptions,
    /// Keep the chain and all else in this directory, and go on from it [default: keep nothing]
    #[arg(long, value_name = "DIR", help_heading = None::<&str>)]
    state: Option<PathBuf>,
    /// The port of the chain's node; 0: any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8_545, help_heading = None::<&str>)]
    port: u16,
    /// The port of the coordinator's API; 0: any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8_080, help_heading = None::<&str>)]
    api_port: u16,
    /// Say on stderr what is used and done
    #[arg(long, help_heading = None::<&str>)]
    verbose: bool,
    /// Print one JSON object to stdout
    #[arg(long, help_heading = None::<&str>)]
    json: bool,
}

#[derive(Serialize)]
struct Ready {
    rpc: Url,
    api: Url,
    registry: Address,
    model: Address,
    name: String,
    accuracy: Option<f64>,
    #[serde(rename = "try")]
    try_: Vec<String>,
}

/// Starts everything, and ends it when told to.
pub(crate) fn run(arguments: &Up) -> Result<(), Failure> {
    let narrator = Narrator::verbose(arguments.verbose)?;
    let kept = match &arguments.state {
        Some(directory) => {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot make {}", directory.display()))
                .map_err(Failure::Mistake)?;
            None
        }
        None => Some(tempfile::tempdir()?),
    };
    let directory = match (&arguments.state, &kept) {
        (Some(directory), _) => directory.clone(),
        (None, Some(kept)) => kept.path().to_owned(),
        (None, None) => return Err(anyhow!("there is no directory").into()),
    };
    // Some of it is started from another directory than this one.
    let directory = directory.canonicalize()?;
    let anvil = Anvil::spawn(&AnvilConfig {
        port: arguments.port,
        state: Some(directory.join("anvil.json")),
        // The model's first state, from which its events are followed, is wanted next time too.
        arguments: vec!["--preserve-historical-states".to_owned()],
        ..AnvilConfig::default()
    })
    .map_err(Failure::mistake)?;
    let done = block_on(work(arguments, &narrator, &directory, anvil.url()));
    // The chain is written down only now, whatever became of the rest.
    anvil.stop()?;
    done
}

async fn work(
    arguments: &Up,
    narrator: &Narrator,
    directory: &Path,
    rpc: &Url,
) -> Result<(), Failure> {
    let stop = stopped()?;
    let node = Node::connect(rpc, NodeOptions::default()).await?;
    let Deployed { place, fresh } = tokio::select! {
        deployed = deployed(arguments, narrator, directory, &node) => deployed?,
        () = stop.cancelled() => return Ok(()),
    };
    let config = configuration(arguments, directory, &place, fresh.is_some())?;
    let (ready, listens) = oneshot::channel();
    let serving = serve(config, stop.clone(), |address| {
        let _ = ready.send(address);
    });
    let telling = async {
        let Ok(address) = listens.await else {
            return Ok(());
        };
        // Only what runs is worth remembering.
        place.save()?;
        tell(arguments, &place, fresh.as_ref(), address)?;
        narrator.say("Ctrl-C stops it");
        Ok::<(), Failure>(())
    };
    let (served, told) = tokio::join!(serving, telling);
    served.map_err(classify)?;
    told
}

/// The model to serve.
struct Deployed {
    place: Place,
    /// What is known of it only if it was made by this command.
    fresh: Option<Fresh>,
}

/// What is known of a new model.
struct Fresh {
    accuracy: f64,
    /// An example as an option of the commands that take one, and its class.
    example: Option<(String, String)>,
}

/// Returns the model that is there from last time, or a new one.
async fn deployed(
    arguments: &Up,
    narrator: &Narrator,
    directory: &Path,
    node: &Node,
) -> Result<Deployed, Failure> {
    let path = directory.join("up.toml");
    if let Ok(text) = fs::read_to_string(&path) {
        let before: Place = toml::from_str(&text)
            .with_context(|| format!("{} is damaged; remove it", path.display()))
            .map_err(Failure::Mistake)?;
        let there = match before.model {
            Some(model) => !node.code(model).await?.is_empty(),
            None => false,
        };
        if there {
            narrator.say(
                "going on with the model that is there; options for a new one are not looked at",
            );
            let place = Place {
                rpc: Some(node.url().clone()),
                ..before
            };
            return Ok(Deployed { place, fresh: None });
        }
    }
    let key = Key::development(OWNER);
    let plan = Plan::make(&arguments.model, key.address())?;
    plan.warn(narrator);
    let genesis = node
        .block(0)
        .await?
        .context("the node has no first block")?;
    let mut identity = plan.identity()?;
    identity.insert("chain".to_owned(), genesis.hash.to_string());
    let journal = directory.join(format!("deploy-{}", genesis.hash));
    let sender = Sender {
        node,
        key: &key,
        max_fee: None,
        budget: Budget::default(),
    };
    let journal = Journal::open(&journal, identity)?;
    let mut steps = Steps::new(sender, journal, narrator);
    let deployed = steps.run(&plan, &Given::default()).await?;
    let place = Place {
        chain_id: Some(node.chain_id()),
        rpc: Some(node.url().clone()),
        registry: Some(deployed.registry),
        model: Some(deployed.trainer),
    };
    write_whole(&path, toml::to_string(&place)?.as_bytes())?;
    let fresh = Some(Fresh {
        accuracy: plan.report.accuracy_quantised,
        example: plan.example.clone(),
    });
    Ok(Deployed { place, fresh })
}

fn configuration(
    arguments: &Up,
    directory: &Path,
    place: &Place,
    fresh: bool,
) -> Result<Config, Failure> {
    let rpc = place.rpc.as_ref().map(Url::to_string).unwrap_or_default();
    let registry = place.registry.unwrap_or_default();
    let database = directory.join("coordinator.sqlite");
    let mut flags = vec![
        ("listen", format!("127.0.0.1:{}", arguments.api_port)),
        ("database", format!("\"{}\"", database.display())),
        ("registry", format!("\"{registry}\"")),
        ("node.url", rpc),
        ("node.poll", "200 ms".to_owned()),
        ("key.development", RELAYER.to_string()),
        ("relay.enabled", "true".to_owned()),
        ("relay.max_age", "1 s".to_owned()),
        // For those who ask: nobody's refunds are pushed without.
        ("keep.enabled", "true".to_owned()),
        ("keep.interval", "2 s".to_owned()),
        ("api.cors", "[\"*\"]".to_owned()),
        // Only this machine reaches it.
        ("api.rate", "0".to_owned()),
    ];
    // Of a model from last time, nobody knows whether it learned from this data.
    if fresh {
        flags.extend(evaluated(&arguments.model)?);
    }
    let sources = flags
        .into_iter()
        .fold(Sources::default(), |sources, (key, value)| {
            sources.with_flag(key, "cotrain up", value)
        });
    Ok(Config::load(&sources)?)
}

/// Returns the settings that have the model measured as `deploy` measured it: on the part of the data that
/// was set aside. The coordinator sets the same part aside for the default seed alone, and takes no test
/// data of its own.
fn evaluated(model: &ModelOptions) -> Result<Vec<(&'static str, String)>, Failure> {
    if model.test.is_some() || model.seed != 1 {
        return Ok(Vec::new());
    }
    let toml = |text: &str| toml::Value::from(text).to_string();
    if model.data == "movie-reviews" {
        return Ok(vec![("evaluate.data", toml(&model.data))]);
    }
    let path = Path::new(&model.data).canonicalize()?;
    let mut flags = vec![
        ("evaluate.data", toml(&path.to_string_lossy())),
        ("evaluate.label", toml(&model.columns.label_column)),
    ];
    let text = model.columns.text_column.iter();
    flags.extend(text.map(|column| ("evaluate.text", toml(column))));
    Ok(flags)
}

/// What is there, and what to try.
fn tell(
    arguments: &Up,
    place: &Place,
    fresh: Option<&Fresh>,
    address: SocketAddr,
) -> Result<(), Failure> {
    let accuracy = fresh.map(|fresh| fresh.accuracy);
    let program = program();
    let api: Url = format!("http://{address}/").parse()?;
    let relay = api.as_str().trim_end_matches('/');
    let text = arguments.model.data == "movie-reviews";
    let found = fresh.and_then(|fresh| fresh.example.clone());
    let (example, class) = match found {
        _ if text => (
            "--text 'a warm and funny film'".to_owned(),
            "positive".to_owned(),
        ),
        Some(found) => found,
        None => ("--row ROW".to_owned(), "CLASS".to_owned()),
    };
    let ready = Ready {
        rpc: place.rpc.clone().context("the node's address")?,
        api: api.clone(),
        registry: place.registry.unwrap_or_default(),
        model: place.model.unwrap_or_default(),
        name: arguments.model.name.clone(),
        accuracy,
        try_: vec![
            format!("{program} predict {example}"),
            format!("{program} contribute {example} --label {class} --dev 1"),
            format!("{program} status --dev 1"),
        ],
    };
    show(arguments.json, &ready, || {
        let accuracy =
            accuracy.map_or_else(String::new, |it| format!(", accuracy {:.1} %", 100.0 * it));
        format!(
            "node      {}\nAPI       {relay}\nregistry  {}\nmodel     {}{accuracy}\n\nTry:\n  {}\n",
            ready.rpc.as_str().trim_end_matches('/'),
            ready.registry,
            ready.model,
            ready.try_.join("\n  ")
        )
    })
}

/// The program as it was called.
fn program() -> String {
    let called = env::args_os().next().map(PathBuf::from);
    match called {
        Some(path) if path.components().count() > 1 => path.display().to_string(),
        _ => "cotrain".to_owned(),
    }
}
