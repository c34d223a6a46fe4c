//! `cotrain scenarios`: the scenarios that come with cotrain.

use std::ffi::OsStr;

use anyhow::Context;
use clap::{
    Arg, Args,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};
use cotrain_simulator::{
    federated,
    scenario::{Scenario, Strategy},
};
use serde::Serialize;

use crate::{error::CommandError, live::show};

/// List the scenarios that come with cotrain
///
/// Prints the name of each scenario, what it shows and the data that it needs. With --agents, lists
/// the kinds of agents that a scenario can name: aims, knowledge and means.
#[derive(Debug, Args)]
pub(crate) struct Scenarios {
    /// List the kinds of agents instead of the scenarios
    #[arg(long)]
    agents: bool,
    /// Print one JSON array to stdout
    #[arg(long)]
    json: bool,
}

/// Parser of a scenario's name or file. It lists the names for shells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScenarioParser {
    /// Whether scenarios of federated rounds are taken, too.
    pub(crate) federated: bool,
}

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
        let economies = Scenario::embedded().iter().map(|(name, _)| *name);
        let names = economies.chain(self.federated.then_some(federated::NAME));
        Some(Box::new(names.map(PossibleValue::new)))
    }
}

#[derive(Serialize)]
struct Listed {
    name: String,
    description: String,
    data: String,
}

#[derive(Serialize)]
struct Listing {
    kind: &'static str,
    side: &'static str,
    goal: &'static str,
    knowledge: &'static str,
    budget: &'static str,
}

/// Lists the scenarios that come with the program, or the kinds of agents.
pub(crate) fn run(arguments: &Scenarios) -> Result<(), CommandError> {
    if arguments.agents {
        let kinds = kinds();
        return show(arguments.json, &kinds, || kinds_text(&kinds));
    }
    let scenarios = list()?;
    show(arguments.json, &scenarios, || text(&scenarios))
}

fn kinds() -> Vec<Listing> {
    let kind = |strategy: Strategy| {
        let profile = strategy.profile();
        Listing {
            kind: profile.kind,
            side: profile.stance.name(),
            goal: profile.goal,
            knowledge: profile.knowledge,
            budget: profile.budget,
        }
    };
    Strategy::ALL.map(kind).into()
}

fn kinds_text(kinds: &[Listing]) -> String {
    let entry = |it: &Listing| {
        format!(
            "{} ({})\n  goal: {}\n  knowledge: {}\n  budget: {}\n",
            it.kind, it.side, it.goal, it.knowledge, it.budget
        )
    };
    kinds.iter().map(entry).collect::<Vec<_>>().join("\n")
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
    let rounds = federated::Scenario::embedded().context("the embedded federated rounds")?;
    let rounds = Listed {
        name: rounds.name().to_owned(),
        description: rounds.description().to_owned(),
        data: rounds.data_summary().to_owned(),
    };
    let economies = Scenario::embedded().iter().map(listed);
    economies.chain([Ok(rounds)]).collect()
}

fn text(scenarios: &[Listed]) -> String {
    let entry = |it: &Listed| format!("{}\n  {}\n  data: {}\n", it.name, it.description, it.data);
    scenarios.iter().map(entry).collect::<Vec<_>>().join("\n")
}
