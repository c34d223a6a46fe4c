//! `cotrain scenarios`: what there is to simulate.

use anyhow::Context;
use cotrain_simulator::scenario::Scenario;
use serde::Serialize;

use crate::{args, failure::Failure, output};

#[derive(Serialize)]
struct Listed {
    name: String,
    description: String,
    data: String,
}

/// Lists the scenarios that come with the program.
pub(crate) fn run(arguments: &args::Scenarios) -> Result<(), Failure> {
    let scenarios = list()?;
    let result = if arguments.json {
        serde_json::to_string_pretty(&scenarios)? + "\n"
    } else {
        text(&scenarios)
    };
    output::print(&result)
}

fn list() -> anyhow::Result<Vec<Listed>> {
    let listed = |&(name, _): &(&str, &str)| {
        let scenario =
            Scenario::find(name).with_context(|| format!("the embedded scenario `{name}`"))?;
        Ok(Listed {
            name: scenario.name().to_owned(),
            description: scenario.description().to_owned(),
            data: scenario.data_summary(),
        })
    };
    Scenario::embedded().iter().map(listed).collect()
}

fn text(scenarios: &[Listed]) -> String {
    let entry = |it: &Listed| format!("{}\n  {}\n  data: {}\n", it.name, it.description, it.data);
    scenarios.iter().map(entry).collect::<Vec<_>>().join("\n")
}
