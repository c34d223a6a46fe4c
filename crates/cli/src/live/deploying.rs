//! A deployment in the words of the command line: its journal, its progress and its failures.

use std::path::Path;

use anyhow::anyhow;
use cotrain_client::{
    deploy::{DeployError, DeployEvent},
    journal::{Begun, Facts, Journal, JournalError},
    lock::NoLock,
};

use super::{
    errors::unsent,
    model::unreadable,
    options::{Options, differences},
};
use crate::{error::CommandError, output::Narrator};

/// Reason why a journal stays.
pub(crate) const NOT_DONE: &str = "not done: the same `cotrain deploy` goes on with it";

/// Facts of a plan that messages name, each with its name there. The other facts follow from the
/// options, the data and the program.
const TOLD: [(&str, &str); 6] = [
    ("chain", "the chain"),
    ("owner", "the key"),
    ("registry", "--registry"),
    ("factory", "--factory"),
    ("trainer code", "--trainer-code"),
    ("classifier code", "--classifier-code"),
];

/// Opens the journal of exactly this deployment.
pub(crate) fn open(
    directory: &Path,
    plan: &Facts,
    options: &Options,
) -> Result<Journal, CommandError> {
    Journal::open(directory, plan.clone(), options.clone()).map_err(|error| match error {
        JournalError::Another { begun } => CommandError::Mistake(another(&begun, plan, options)),
        error => unusable(error),
    })
}

/// Returns the failure for an unusable journal, and decides whether the user made a mistake.
pub(crate) fn unusable(error: JournalError) -> CommandError {
    match &error {
        JournalError::Held { held, .. } => {
            let next = match held {
                NoLock::Taken(_) => "wait for it, or name",
                NoLock::Failed(_) => "name",
            };
            CommandError::Mistake(anyhow!("{error}; {next} another directory with --journal"))
        }
        JournalError::NoJournal { .. }
        | JournalError::Format { .. }
        | JournalError::Another { .. } => {
            CommandError::Mistake(anyhow!("{error}; name another directory with --journal"))
        }
        JournalError::NoDirectory { .. } | JournalError::Unreadable { .. } => {
            CommandError::mistake(error)
        }
        _ => error.into(),
    }
}

/// Returns as text how a deployment differs from the begun one, and what to do.
fn another(begun: &Begun, plan: &Facts, options: &Options) -> anyhow::Error {
    let differ = differing(begun, plan, options).join("\n  ");
    let path = begun.path.display();
    match begun.deployed {
        Some(trainer) => anyhow!(
            "a model is deployed already, at {trainer}, with other options ({path}):\n  {differ}\n\
             give the new one another --name, or name another directory with --journal"
        ),
        None => anyhow!(
            "another deployment was begun in {path}:\n  {differ}\n\
             finish it with the options that it was begun with, or name another directory with --journal"
        ),
    }
}

/// Returns the differences from the begun deployment, in the words of the command line.
fn differing(begun: &Begun, plan: &Facts, options: &Options) -> Vec<String> {
    let named = |plan: &Facts| -> Options {
        TOLD.iter()
            .filter_map(|(name, shown)| Some(((*shown).to_owned(), plan.get(*name)?.clone())))
            .collect()
    };
    let mut lines: Vec<String> = differences(&named(&begun.plan), &named(plan)).collect();
    // A journal of an earlier version has no options.
    if !begun.options.is_empty() {
        lines.extend(differences(&begun.options, options));
    }
    if lines.is_empty() {
        lines.push("the initial model: the data, or this program, changed since".to_owned());
    }
    lines
}

/// Shows the progress of a deployment.
pub(crate) fn narrate(narrator: &Narrator, reported: DeployEvent<'_>) {
    match reported {
        DeployEvent::Done { step, block, gas } => {
            narrator.say(format_args!("{step}: block {block}, {gas} gas"));
        }
        DeployEvent::Reused { part, address } => narrator.say(format_args!(
            "{part}: the chain has its code already, at {address}"
        )),
    }
}

/// Returns the failure for an unfinished deployment, and decides whether the user made a mistake.
pub(crate) fn not_deployed(error: DeployError) -> CommandError {
    match error {
        DeployError::Node(error) => error.into(),
        DeployError::Send(error) => unsent(error),
        DeployError::Step { step, source } => {
            unsent(source).context(format!("cannot do the step `{step}`"))
        }
        DeployError::Journal(error) => unusable(error),
        DeployError::Read(error) => unreadable(error),
        DeployError::OtherWord { .. } => CommandError::Fault(anyhow!("{error} (--journal)")),
        DeployError::NoRegistry { .. } | DeployError::OtherCode | DeployError::Card(_) => {
            CommandError::mistake(error)
        }
        error => error.into(),
    }
}
