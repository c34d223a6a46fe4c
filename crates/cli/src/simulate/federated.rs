//! `cotrain simulate` of a scenario of federated rounds.

use anyhow::{Context, anyhow};
use cotrain_results::{
    federated::{Summary, files, text},
    run::Style,
};
use cotrain_simulator::federated::{FederatedRun, Scenario, beginning, simulate};

use super::{Simulate, command, prepared};
use crate::{
    backend,
    error::CommandError,
    output::{self, Narrator},
};

/// Plays the rounds. The results are in their directory before stdout shows anything.
pub(super) fn run(arguments: &Simulate, scenario: &Scenario) -> Result<(), CommandError> {
    refuse_others(arguments)?;
    let narrator = Narrator::start(arguments.quiet)?;
    let scenario = scenario
        .with(&arguments.set)
        .map_err(CommandError::mistake)?;
    let text = scenario.text().to_owned();
    let (out, results) = prepared(arguments, scenario.name(), &text)?;

    let rounds = scenario.settings().rounds;
    let bar = narrator.rounds(rounds.into());
    let mut open = backend::open(&arguments.backend, beginning())?;
    let played = simulate(open.chain(), &scenario, arguments.seed, &mut |round| {
        bar.set_position(round.into());
    });
    bar.finish_and_clear();
    let run = played.map_err(backend::classify)?;
    tracing::debug!(digest = run.digest, wall = ?run.wall, "simulated");

    let files = files(&run, text, &command(arguments))?;
    results
        .write(&files, None)
        .with_context(|| format!("cannot write the results to {}", out.display()))?;
    for (name, _) in &files {
        narrator.say(format_args!("wrote {}", out.join(name).display()));
    }
    show(&run, arguments.json)
}

/// Refuses options that do nothing for federated rounds.
fn refuse_others(arguments: &Simulate) -> Result<(), CommandError> {
    let others = [
        (
            "--relay",
            arguments.relay.is_some(),
            "each client sends its own transactions",
        ),
        (
            "--record",
            arguments.record,
            "`cotrain replay` repeats economies of contributors alone",
        ),
        (
            "--data",
            arguments.data.is_some(),
            "they take the embedded digits",
        ),
    ];
    match others.into_iter().find(|it| it.1) {
        None => Ok(()),
        Some((option, _, reason)) => Err(CommandError::Mistake(anyhow!(
            "cannot use {option} with federated rounds: {reason}; leave it out"
        ))),
    }
}

fn show(run: &FederatedRun, json: bool) -> Result<(), CommandError> {
    if json {
        return output::print_json(&(serde_json::to_string_pretty(&Summary::of(run))? + "\n"));
    }
    output::print_raw(&text(run, Style::of_stdout()))
}
