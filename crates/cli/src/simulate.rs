//! `cotrain simulate`: runs a scenario, writes its results and shows them.

use std::path::PathBuf;

use anyhow::Context;
use cotrain_report::{
    format::quoted,
    results::{Identity, RECORDING, Results},
    run::{self, Style, Summary},
};
use cotrain_simulator::{Options, Progress, Threads, beginning, run::Run, scenario::Scenario};
use tempfile::NamedTempFile;

use crate::{
    args, backend,
    failure::Failure,
    output::{self, Narrator},
    recording,
};

/// Runs a scenario. The results are in their directory before anything goes to stdout.
pub(crate) fn run(arguments: &args::Simulate) -> Result<(), Failure> {
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

/// The run, and its recording where one is wanted.
fn simulate(
    arguments: &args::Simulate,
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
fn command(arguments: &args::Simulate) -> String {
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
        let arguments = args::Simulate {
            scenario: "it's mine.toml".to_owned(),
            seed: 5,
            data: Some(PathBuf::from("/data/imdb")),
            relay: NonZeroUsize::new(100),
            backend: args::Backend::Anvil,
            out: Some(PathBuf::from("elsewhere")),
            record: true,
            json: true,
            quiet: true,
        };
        let pasted = r"cotrain simulate 'it'\''s mine.toml' --seed 5 --data /data/imdb --relay 100";
        assert_eq!(command(&arguments), pasted);
    }
}
