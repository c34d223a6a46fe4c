//! `cotrain simulate`: runs a scenario, writes its results and shows them.

use std::{num::NonZeroUsize, path::PathBuf};

use anyhow::Context;
use clap::Args;
use cotrain_report::{
    format::quoted,
    results::{Identity, RECORDING, Results},
    run::{self, Style, Summary},
};
use cotrain_simulator::{Options, Progress, Threads, beginning, run::Run, scenario::Scenario};
use tempfile::NamedTempFile;

use crate::{
    backend::{self, Backend},
    failure::Failure,
    output::{self, Narrator},
    recording,
    scenarios::ScenarioParser,
};

const EXAMPLES: &str = "\
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

/// Simulate contributors who train a model on the chain
///
/// Agents with money of their own send samples to a deployed model, each with the deposit or stake
/// that its mechanism asks for. Honest ones tell the truth, hostile ones lie; all of them claim what
/// they can. A summary goes to stdout, tables and a report into a directory.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Simulate {
    /// The name of a scenario (see `cotrain scenarios`) or the path of a .toml file
    #[arg(
        default_value = "movie-reviews",
        value_parser = ScenarioParser,
        hide_possible_values = true
    )]
    scenario: String,
    /// The seed of everything random
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        allow_negative_numbers = true
    )]
    seed: u64,
    /// Where the scenario's data files are [default: where the scenario says]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
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
    relay: Option<NonZeroUsize>,
    /// The chain: embedded, anvil, or the address of an anvil that runs
    ///
    /// embedded is an EVM inside this process. anvil is Foundry's node: it is started, and stopped at
    /// the end. One of your own has to be empty and to begin early enough: start it with
    /// `anvil --timestamp 1767225600`. The results are the same on all of them; on anvil they take
    /// longer. Only a prediction market's draw, by the hash of a block, is another one there.
    #[arg(long, value_name = "CHAIN", value_parser = backend::read, default_value = "embedded")]
    backend: Backend,
    /// Where to put the results [default: runs/SCENARIO-SEED, with --relay runs/SCENARIO-SEED-relay-N]
    ///
    /// Results of the same scenario, seed and --relay are replaced there; a directory with anything
    /// else in it is left alone, which is an error.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Record every transaction among the results, to replay the run (see `cotrain replay`)
    ///
    /// About 100 bytes a transaction: 2 MB for the default scenario. Results of a run without this leave no
    /// recording of an earlier one.
    #[arg(long)]
    record: bool,
    /// Print one JSON object to stdout instead of the summary for people
    #[arg(long)]
    json: bool,
    /// Write nothing to stderr but an error
    #[arg(long)]
    quiet: bool,
}

/// Reads how many contributions to relay in one transaction.
fn relay(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| {
        "expected how many contributions to relay in one transaction, 1 or more; \
         leave --relay out to send each by itself"
            .to_owned()
    })
}

/// Runs a scenario. The results are in their directory before anything goes to stdout.
pub(crate) fn run(arguments: &Simulate) -> Result<(), Failure> {
    let narrator = Narrator::start(arguments.quiet)?;
    let scenario = Scenario::find(&arguments.scenario).map_err(Failure::mistake)?;
    tracing::debug!(
        scenario = scenario.name(),
        data = scenario.data_summary(),
        "scenario checked"
    );
    let text = scenario.text_to_run_again(arguments.data.as_deref());
    let (out, results) = if let Some(out) = &arguments.out {
        let of = Identity::new(arguments.seed, arguments.relay);
        let results = Results::prepare(out, &text, of).map_err(Failure::mistake)?;
        (out.clone(), results)
    } else {
        let relay = arguments.relay.map(|size| format!("-relay-{size}"));
        let relay = relay.unwrap_or_default();
        let name = format!("{}-{}{relay}", scenario.name(), arguments.seed);
        let out = PathBuf::from("runs").join(name);
        let results = Results::prepare_own(&out).map_err(Failure::mistake)?;
        (out, results)
    };

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

/// Runs the simulation. Returns the run, and its recording if `--record` is set.
fn simulate(
    arguments: &Simulate,
    scenario: &Scenario,
    options: &Options,
    results: &Results,
    progress: &mut dyn FnMut(&Progress),
) -> Result<(Run, Option<NamedTempFile>), Failure> {
    let mut open = backend::open(&arguments.backend, beginning(scenario))?;
    if arguments.record {
        let file = results.recording().context("cannot record the run")?;
        let (run, file) = recording::simulate(open.chain(), scenario, options, file, progress)?;
        return Ok((run, Some(file)));
    }
    let run = backend::simulate(open.chain(), scenario, options, progress)?;
    Ok((run, None))
}

fn show(run: &Run, json: bool) -> Result<(), Failure> {
    if json {
        return output::print_json(&(serde_json::to_string_pretty(&Summary::of(run))? + "\n"));
    }
    output::print_raw(&run::text(run, Style::of_stdout()))
}

/// The command that gives the same results again. They are the same on every chain.
fn command(arguments: &Simulate) -> String {
    let data = arguments
        .data
        .as_ref()
        .map(|data| format!(" --data {}", quoted(&data.to_string_lossy())));
    let relay = arguments.relay.map(|size| format!(" --relay {size}"));
    format!(
        "cotrain simulate {} --seed {}{}{}",
        quoted(&arguments.scenario),
        arguments.seed,
        data.unwrap_or_default(),
        relay.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    #[test]
    fn the_command_of_a_report_can_be_pasted() {
        let arguments = Simulate {
            scenario: "it's mine.toml".to_owned(),
            seed: 5,
            data: Some(PathBuf::from("/data/imdb")),
            relay: NonZeroUsize::new(100),
            backend: Backend::Anvil,
            out: Some(PathBuf::from("elsewhere")),
            record: true,
            json: true,
            quiet: true,
        };
        let pasted = r"cotrain simulate 'it'\''s mine.toml' --seed 5 --data /data/imdb --relay 100";
        assert_eq!(command(&arguments), pasted);
    }
}
