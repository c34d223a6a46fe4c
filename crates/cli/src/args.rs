//! The arguments of the command line.

use std::{ffi::OsStr, num::NonZeroUsize, path::PathBuf};

use clap::{
    Arg, Args, Parser, Subcommand,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};
use cotrain_simulator::scenario::Scenario;
use url::Url;

use crate::{live, replay, sweep};

const EXAMPLES: &str = "\
Examples:
  cotrain simulate                                    an economy of contributors, in this process
  cotrain sweep --seeds 1..200                        many of them, and where it breaks
  cotrain up                                          a chain with a model on it, to try the rest
  cotrain predict --text 'a warm and funny film'      ask the model
  cotrain contribute --text dull --label negative --dev 1
                                                      teach it, with a deposit
  cotrain status --dev 1                              what can be claimed when
  cotrain deploy --help                               a model of your own, on any chain";

const SIMULATE_EXAMPLES: &str = "\
What it writes into the directory of results:
  report.html                        charts and figures, to open in a browser
  summary.json                       the figures, for programs; written last
  scenario.toml                      the scenario, to run it again
  series.csv, series.parquet         accuracy and balances over time
  events.csv, events.parquet         every contribution and every claim
  transactions.jsonl.gz              every transaction and what came of it, with --record

Examples:
  cotrain simulate                                      the default scenario
  cotrain simulate movie-reviews --seed 7               the same with other chances
  cotrain simulate imdb-drt --data ~/imdb               a scenario that needs data of yours
  cotrain simulate my/own.toml --out results            a scenario of your own
  cotrain simulate --relay 20                           20 signed contributions a transaction
  cotrain simulate --backend anvil                      the same results, by a node
  cotrain simulate --json --quiet | jq .accuracy.final  one figure, for a script

In summary.json and with --json, `reports` counts late claims too: all that was taken of the
deposits of others. `details` in summary.json has `reports_alone` and `late_claims`.

The same scenario, data and seed give the same results on every machine, but for the wall time;
the digest tells whether they are.

Exit status: 0 success, 2 a mistake in arguments, scenario or data, 1 anything else.

RUST_LOG=debug shows on stderr what goes on inside.";

/// Train machine-learning models on an EVM chain, with money at stake.
///
/// Anyone trains a model by sending data to its contract, with money at stake that bad data loses. By
/// the mechanism `deposit-refund-take`, those whose data the model comes to agree with get their
/// deposit back, and a share of the deposits of the others.
/// `cotrain simulate` runs whole economies of honest and hostile contributors, by real transactions
/// against the contracts in an EVM inside this process: no chain, no node, no money is needed. The
/// other commands are for a chain: to host a model, ask it, teach it, and claim what is yours.
#[derive(Debug, Parser)]
#[command(name = "cotrain", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Simulate(Simulate),
    Sweep(Box<sweep::Sweep>),
    Replay(replay::Replay),
    Scenarios(Scenarios),
    Up(Box<live::up::Up>),
    Deploy(Box<live::deploy::Deploy>),
    Models(live::models::Models),
    Predict(live::predict::Predict),
    Evaluate(live::evaluate::Evaluate),
    Contribute(Box<live::contribute::Contribute>),
    Deposit(live::money::Deposit),
    Withdraw(live::money::Withdraw),
    Refund(live::claims::Refund),
    Report(live::claims::Report),
    Delegate(live::delegate::Delegate),
    Submission(live::submission::SubmissionCommand),
    Status(live::status::Status),
    Watch(live::watch::Watch),
    Serve(live::serve::Serve),
    Config(live::serve::ConfigCommand),
    Key(live::key::KeyCommand),
    Clean(live::clean::Clean),
    Completions(live::shell::Completions),
    Man(live::shell::Man),
}

/// Simulate contributors who train a model on the chain
///
/// Agents with money of their own send samples to a deployed model, each with the deposit or stake
/// that its mechanism asks for. Honest ones tell the truth, hostile ones lie; all of them claim what
/// they can. A summary goes to stdout, tables and a report into a directory.
#[derive(Debug, Args)]
#[command(after_long_help = SIMULATE_EXAMPLES)]
pub(crate) struct Simulate {
    /// The name of a scenario (see `cotrain scenarios`) or the path of a .toml file
    #[arg(
        default_value = "movie-reviews",
        value_parser = ScenarioParser,
        hide_possible_values = true
    )]
    pub(crate) scenario: String,
    /// The seed of everything random
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Where the scenario's data files are [default: where the scenario says]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Relay N signed contributions in one transaction, and show the gas saved
    ///
    /// Agents prepay and sign; a relayer collects N contributions before it sends them, as many of
    /// them as fit into a transaction. Each agent makes all claims of its turn together. Without
    /// this, each contribution and each claim is a transaction of its own.
    #[arg(
        long,
        value_name = "N",
        value_parser = relay,
        allow_negative_numbers = true
    )]
    pub(crate) relay: Option<NonZeroUsize>,
    /// The chain: embedded, anvil, or the address of an anvil that runs
    ///
    /// embedded is an EVM inside this process. anvil is Foundry's node: it is started, and stopped at
    /// the end. One of your own has to be empty and to begin early enough: start it with
    /// `anvil --timestamp 1767225600`. The results are the same on all of them; on anvil they take
    /// longer. Only a prediction market's draw, by the hash of a block, is another one there.
    #[arg(long, value_name = "CHAIN", value_parser = backend, default_value = "embedded")]
    pub(crate) backend: Backend,
    /// Where to put the results [default: runs/SCENARIO-SEED, with --relay runs/SCENARIO-SEED-relay-N]
    ///
    /// Results of the same scenario, seed and --relay are replaced there; a directory with anything
    /// else in it is left alone, which is an error.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Record every transaction among the results, to replay the run (see `cotrain replay`)
    ///
    /// About 100 bytes a transaction: 2 MB for the default scenario. Results of a run without this leave no
    /// recording of an earlier one.
    #[arg(long)]
    pub(crate) record: bool,
    /// Print one JSON object to stdout instead of the summary for people
    #[arg(long)]
    pub(crate) json: bool,
    /// Write nothing to stderr but an error
    #[arg(long)]
    pub(crate) quiet: bool,
}

/// What runs the contracts of a simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Backend {
    /// The EVM inside this process.
    Embedded,
    /// A node of ours, for that time.
    Anvil,
    /// A node of the user's.
    Node(Url),
}

/// Takes the name of a scenario or the path of a file, and tells shells the names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScenarioParser;

impl TypedValueParser for ScenarioParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = Scenario::embedded().iter();
        Some(Box::new(names.map(|(name, _)| PossibleValue::new(*name))))
    }
}

/// The kind of chain that an argument names.
pub(crate) fn backend(text: &str) -> Result<Backend, String> {
    match text {
        "embedded" => return Ok(Backend::Embedded),
        "anvil" => return Ok(Backend::Anvil),
        _ => {}
    }
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .map(Backend::Node)
        .ok_or_else(|| {
            "embedded, anvil or the address of a node for development is wanted, such as \
             http://127.0.0.1:8545"
                .to_owned()
        })
}

fn relay(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| {
        "how many contributions to relay in one transaction is wanted, 1 or more; \
         leave --relay out to send each by itself"
            .to_owned()
    })
}

/// List the scenarios that come with cotrain
///
/// Name, what it shows and the data it needs, one scenario after the other. With --agents the kinds of agents
/// that a scenario can name: what each wants, knows and can spend.
#[derive(Debug, Args)]
pub(crate) struct Scenarios {
    /// List the kinds of agents instead
    #[arg(long)]
    pub(crate) agents: bool,
    /// Print one JSON array to stdout
    #[arg(long)]
    pub(crate) json: bool,
}
