//! `cotrain simulate`: runs a scenario, writes its results and shows them.

mod federated;

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::Context;
use clap::Args;
use cotrain_results::{
    format::quoted,
    results::{Identity, RECORDING, Results},
    run::{self, Style, Summary},
};
use cotrain_simulator::{
    Options, Progress, Threads, beginning,
    federated::Scenario as FederatedScenario,
    run::Run,
    scenario::{
        Scenario,
        settings::{Setting, written},
    },
};
use tempfile::NamedTempFile;

use crate::{
    backend::{self, Backend},
    error::CommandError,
    output::{self, Narrator},
    recording,
    scenarios::ScenarioParser,
};

const EXAMPLES: &str = "\
Files in the directory of results:
  report.html                        charts and figures, to open in a browser
  summary.json                       the figures, for programs; written last
  scenario.toml                      the scenario, to run it again
  series.csv, series.parquet         accuracy and balances over time
  events.csv, events.parquet         every contribution and every claim
  transactions.jsonl.gz              every transaction and its outcome, with --record

Federated rounds have rounds.csv (accuracy and updates of each round) and values.csv (the value of
each update) instead of series and events.

Examples:
  cotrain simulate                                      the default scenario
  cotrain simulate movie-reviews --seed 7               the same with other random choices
  cotrain simulate imdb-drt --data ~/imdb               a scenario that needs data of yours
  cotrain simulate my/own.toml --out results            a scenario of your own
  cotrain simulate federated                            federated training, with hostile clients
  cotrain simulate federated --set attack=ipm --set rule=median
                                                        the same with other settings
  cotrain simulate --relay 20                           20 signed contributions a transaction
  cotrain simulate --backend anvil                      the same results, on a node
  cotrain simulate --json --quiet | jq .accuracy.final  one figure, for a script

In summary.json and with --json, `reports` also counts late claims: all money that was taken of the
deposits of others. `details` in summary.json has `reports_alone` and `late_claims`.

The same scenario, data and seed give the same results on every machine, except for the wall time.
Equal digests mean equal results.

Exit status: 0 success, 2 a mistake in arguments, scenario or data, 1 anything else.

RUST_LOG=debug shows the inner steps on stderr.";

/// Simulate contributors who train a model on the chain
///
/// Agents with money of their own send samples to a deployed model. Each contribution pays the
/// deposit or stake that the mechanism asks for. Honest agents tell the truth and hostile ones lie;
/// all of them claim what they can. A summary goes to stdout; tables and a page go into a
/// directory.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Simulate {
    /// Name of a scenario (see `cotrain scenarios`) or path of a .toml file
    #[arg(
        default_value = "movie-reviews",
        value_parser = ScenarioParser { federated: true },
        hide_possible_values = true
    )]
    scenario: String,
    /// Seed of all random choices
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    seed: u64,
    /// Another value for a setting of the scenario; may be given several times
    ///
    /// Settings are named by their keys in the scenario's file, joined by dots. The key of an agent
    /// is its name, as in `agents.Bad.start_balance`. A value is written as in TOML; a text needs no
    /// quotes unless it contains a comma.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<Setting>,
    /// Folder of the scenario's data files [default: the one that the scenario names]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Relay N signed contributions in one transaction, and show the gas saved
    ///
    /// Agents prepay and sign. A relayer collects N contributions, then sends as many as fit into
    /// each transaction. Each agent makes all claims of its turn together. Without this option,
    /// each contribution and each claim is a transaction of its own.
    #[arg(
        long,
        value_name = "N",
        value_parser = relay,
        allow_negative_numbers = true
    )]
    relay: Option<NonZeroUsize>,
    /// Chain to run on: embedded, anvil, or the address of a running anvil
    ///
    /// embedded is an EVM inside this process. anvil is Foundry's node, which is started for the
    /// run and stopped at its end. An anvil of your own must be empty and begin early enough: start
    /// it with `anvil --timestamp 1767225600`. All chains give the same results, except for a
    /// prediction market's draw, which depends on a block hash. Runs on anvil take longer.
    #[arg(long, value_name = "CHAIN", value_parser = backend::read, default_value = "embedded")]
    backend: Backend,
    /// Directory for the results [default: runs/SCENARIO-SEED, with --relay
    /// runs/SCENARIO-SEED-relay-N]
    ///
    /// Results of the same scenario, seed and --relay are replaced. A directory that contains
    /// anything else is an error and stays unchanged.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Record every transaction with the results, so that `cotrain replay` can execute the run
    /// again
    ///
    /// A recording takes about 100 bytes per transaction, 2 MB for the default scenario. A run
    /// without this option removes the recording of an earlier run.
    #[arg(long)]
    record: bool,
    /// Print one JSON object to stdout instead of the readable summary
    #[arg(long)]
    json: bool,
    /// Write nothing but errors to stderr
    #[arg(long)]
    quiet: bool,
}

/// Parses the number of contributions to relay in one transaction.
fn relay(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| {
        "expected how many contributions to relay in one transaction, 1 or more; \
         leave --relay out to send each by itself"
            .to_owned()
    })
}

/// Runs a scenario. The results are in their directory before stdout shows anything.
pub(crate) fn run(arguments: &Simulate) -> Result<(), CommandError> {
    let found = FederatedScenario::find(&arguments.scenario).map_err(CommandError::mistake)?;
    if let Some(scenario) = found {
        return federated::run(arguments, &scenario);
    }
    let narrator = Narrator::start(arguments.quiet)?;
    let scenario = Scenario::find(&arguments.scenario).map_err(CommandError::mistake)?;
    let scenario = scenario
        .with(&arguments.set)
        .map_err(CommandError::mistake)?;
    tracing::debug!(
        scenario = scenario.name(),
        data = scenario.data_summary(),
        "scenario checked"
    );
    let text = scenario.text_to_run_again(arguments.data.as_deref());
    let (out, results) = prepared(arguments, scenario.name(), &text)?;

    let options = Options {
        seed: arguments.seed,
        data_dir: arguments.data.clone(),
        relay: arguments.relay,
        threads: Threads::Two,
    };
    let bar = narrator.bar();
    let simulated = simulate(arguments, &scenario, &options, &results, &mut |progress| {
        bar.show(progress);
    });
    bar.finish();
    let (run, recording) = simulated?;
    tracing::debug!(digest = run.digest, wall = ?run.wall, "simulated");

    let files = run::files(&run, text, &command(arguments))?;
    let recorded = recording.as_ref().map(|_| RECORDING);
    results
        .write(&files, recording)
        .with_context(|| format!("cannot write the results to {}", out.display()))?;
    for name in recorded.into_iter().chain(files.iter().map(|file| file.0)) {
        narrator.say(format_args!("wrote {}", out.join(name).display()));
    }
    show(&run, arguments.json)
}

/// Returns the directory of the results, which it has prepared. `text` is that of the scenario.
fn prepared(
    arguments: &Simulate,
    scenario: &str,
    text: &str,
) -> Result<(PathBuf, Results), CommandError> {
    if let Some(out) = &arguments.out {
        let of = Identity::new(arguments.seed, arguments.relay);
        let results = Results::prepare(out, text, of).map_err(CommandError::mistake)?;
        return Ok((out.clone(), results));
    }
    let relay = arguments.relay.map(|size| format!("-relay-{size}"));
    let relay = relay.unwrap_or_default();
    let name = format!("{scenario}-{}{relay}", arguments.seed);
    let out = PathBuf::from("runs").join(name);
    let results = Results::prepare_own(&out).map_err(CommandError::mistake)?;
    Ok((out, results))
}

/// Runs the scenario, and records it if the arguments ask for it.
fn simulate(
    arguments: &Simulate,
    scenario: &Scenario,
    options: &Options,
    results: &Results,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(Run, Option<NamedTempFile>), CommandError> {
    let mut open = backend::open(&arguments.backend, beginning(scenario))?;
    if arguments.record {
        let file = results.recording().context("cannot record the run")?;
        let (run, file) = recording::simulate(open.chain(), scenario, options, file, progress)?;
        return Ok((run, Some(file)));
    }
    let run = backend::simulate(open.chain(), scenario, options, progress)?;
    Ok((run, None))
}

fn show(run: &Run, json: bool) -> Result<(), CommandError> {
    if json {
        return output::print_json(&(serde_json::to_string_pretty(&Summary::of(run))? + "\n"));
    }
    output::print_raw(&run::text(run, Style::of_stdout()))
}

/// Returns the command that gives the same results again, on every chain.
fn command(arguments: &Simulate) -> String {
    let data = arguments
        .data
        .as_ref()
        .map(|data| format!(" --data {}", quoted(&data.to_string_lossy())));
    let relay = arguments.relay.map(|size| format!(" --relay {size}"));
    let set = arguments.set.iter().map(|Setting { path, value }| {
        let set = quoted(&format!("{path}={}", written(value)));
        format!(" --set {set}")
    });
    format!(
        "cotrain simulate {} --seed {}{}{}{}",
        quoted(&arguments.scenario),
        arguments.seed,
        set.collect::<String>(),
        data.unwrap_or_default(),
        relay.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn command_of_a_page_can_be_pasted() {
        let arguments = Simulate {
            scenario: "it's mine.toml".to_owned(),
            seed: 5,
            set: ["rule=median", "incentive.refund_wait=12 hours"]
                .map(|set| set.parse().expect("a setting"))
                .into(),
            data: Some(PathBuf::from("/data/imdb")),
            relay: NonZeroUsize::new(100),
            backend: Backend::Anvil,
            out: Some(PathBuf::from("elsewhere")),
            record: true,
            json: true,
            quiet: true,
        };
        let pasted = r"cotrain simulate 'it'\''s mine.toml' --seed 5 --set rule=median --set 'incentive.refund_wait=12 hours' --data /data/imdb --relay 100";
        assert_eq!(command(&arguments), pasted);
    }
}
