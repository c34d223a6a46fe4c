//! `cotrain sweep`: a scenario with many settings and seeds, which can be divided and interrupted.

mod args;
mod folder;
mod journal;
mod shard;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Error, anyhow};
use cotrain_results::{
    format::counted,
    sweep::{Runs, Written},
};
use cotrain_simulator::{
    scenario::Scenario,
    sweep::{self, Plan, Work},
};
use serde::Serialize;

pub(crate) use self::args::Sweep;
use self::{
    args::{Merge, Page, Run, Task},
    folder::Folder,
    journal::Index,
    shard::Shard,
};
use crate::{
    error::CommandError,
    output::{self, Narrator},
    stop::end_on_signal,
};

/// Name of the journal that a merge writes.
const MERGED: &str = "merged.jsonl";

/// Runs a sweep, merges its parts or writes its page.
pub(crate) fn run(arguments: &Sweep) -> Result<(), CommandError> {
    match &arguments.task {
        None => all(&arguments.run),
        Some(Task::Merge(arguments)) => merge(arguments),
        Some(Task::Page(Page { folder, json })) => write_page(folder, *json),
    }
}

/// Writes tables and page of the finished runs of a sweep.
fn write_page(path: &Path, json: bool) -> Result<(), CommandError> {
    let folder = Folder::open(path)?;
    let index = folder.index()?;
    if index.len() == 0 {
        return Err(CommandError::Mistake(anyhow!(
            "{}: no run of its sweep is done yet",
            path.display()
        )));
    }
    show(&write(&folder, &index)?, json)
}

/// Writes tables, page and figures of the finished runs.
fn write(folder: &Folder, index: &Index) -> Result<Written, CommandError> {
    let runs = Runs {
        plan: &folder.plan,
        agents: &index.agents,
        longest: index.longest,
        count: index.len(),
        records: index.records(),
    };
    cotrain_results::sweep::write(&folder.path, runs)
}

/// Prints the figures of a sweep.
fn show(written: &Written, json: bool) -> Result<(), CommandError> {
    let Written { summary, page, .. } = written;
    if json {
        return output::print_json(&(serde_json::to_string_pretty(summary)? + "\n"));
    }
    output::print(&format!("{}\npage: {}\n", summary.text(), page.display()))
}

fn all(arguments: &Run) -> Result<(), CommandError> {
    let narrator = Narrator::start(arguments.quiet)?;
    let scenario = Scenario::find(&arguments.scenario).map_err(CommandError::mistake)?;
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| Path::new("sweeps").join(scenario.name()));
    let plan = Plan::new(
        scenario,
        arguments.set.clone(),
        arguments.seeds.clone(),
        arguments.relay,
    )
    .map_err(CommandError::mistake)?;
    let shard = arguments.shard.unwrap_or(Shard::WHOLE);
    let folder = Folder::prepare(&out, plan, shard)?;
    let mut journal = folder.journal(shard)?;
    let done = folder.index()?;
    let mine = (0..folder.plan.runs()).filter(|run| shard.has(*run));
    let (before, runs): (Vec<_>, Vec<_>) = mine.partition(|run| done.has(*run));
    drop(done);
    if !before.is_empty() {
        narrator.say(format_args!(
            "{} of {} runs were done before",
            before.len(),
            before.len() + runs.len()
        ));
    }

    let teller = narrator.clone();
    let kept = out.display().to_string();
    end_on_signal(move || {
        teller.say(format_args!(
            "stopped: what is done is kept in {kept}, and the same command goes on from there"
        ));
    })?;
    let bar = narrator.runs(before.len(), runs.len());
    let work = Work {
        runs,
        jobs: arguments.jobs.unwrap_or_else(cores),
        data_dir: arguments.data.clone(),
    };
    let worked = sweep::run::<CommandError>(&folder.plan, &work, &mut |done| {
        let record = done.map_err(|failed| {
            let users = failed.source.is_users_mistake();
            let failed = Error::new(failed).context("runs that are done are kept");
            if users {
                CommandError::Mistake(failed)
            } else {
                CommandError::Fault(failed)
            }
        })?;
        journal.keep(&record)?;
        bar.inc(1);
        Ok(())
    });
    bar.finish_and_clear();
    worked?;

    if shard != Shard::WHOLE {
        narrator.say(format_args!(
            "part {}/{} is done; once all are, join them: cotrain sweep merge OUT PART...",
            shard.number, shard.of
        ));
        let runs = before.len() + work.runs.len();
        return show_part(&folder, shard, runs, arguments.json);
    }
    let written = write(&folder, &folder.index()?)?;
    for path in &written.files {
        narrator.say(format_args!("wrote {}", path.display()));
    }
    show(&written, arguments.json)
}

fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn merge(arguments: &Merge) -> Result<(), CommandError> {
    let parts = arguments.parts.iter().map(|part| Folder::open(part));
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let folder = match parts.first() {
        Some(part) if !Folder::is_one(&arguments.out) => {
            Folder::prepare(&arguments.out, part.plan.clone(), Shard::WHOLE)?
        }
        _ => Folder::open(&arguments.out)?,
    };
    for part in &parts {
        if part.plan.identity() != folder.plan.identity() {
            return Err(CommandError::Mistake(anyhow!(
                "{} is no part of the sweep in {}: its scenario, settings, seeds or --relay are others",
                part.path.display(),
                folder.path.display()
            )));
        }
    }
    // All checks come before the first write.
    let directories: Vec<PathBuf> = [&folder]
        .into_iter()
        .chain(&parts)
        .map(Folder::journals)
        .collect();
    let all = Index::of(&folder.plan, &directories)?;
    let there = folder.index()?;
    if all.len() > there.len() {
        let mut journal = folder.journal_named(MERGED)?;
        for line in all.lines() {
            let (run, line) = line?;
            if !there.has(run) {
                journal.append(&line)?;
            }
        }
        journal.sync()?;
    }
    let missing = (0..folder.plan.runs()).filter(|run| !all.has(*run));
    if let Some(missing) = ranges(missing) {
        return Err(CommandError::Fault(anyhow!(
            "{} of {} runs are there, and no tables are written: these are missing: {missing}; run their \
             parts and merge again, or see how it went so far: cotrain sweep page {}",
            all.len(),
            folder.plan.runs(),
            folder.path.display()
        )));
    }
    show(&write(&folder, &folder.index()?)?, arguments.json)
}

/// Finished work of a part.
#[derive(Serialize)]
struct PartDone {
    part: String,
    runs: usize,
    of: u64,
}

/// Prints that a part is done.
fn show_part(folder: &Folder, shard: Shard, runs: usize, json: bool) -> Result<(), CommandError> {
    let part = PartDone {
        part: format!("{}/{}", shard.number, shard.of),
        runs,
        of: folder.plan.runs(),
    };
    if json {
        return output::print_json(&(serde_json::to_string_pretty(&part)? + "\n"));
    }
    output::print(&format!(
        "part {}: {} of the {} of the sweep, in {}\n",
        part.part,
        part.runs,
        counted(part.of, "run"),
        folder.path.display()
    ))
}

/// Returns ascending numbers as ranges as text; `None` if there are no numbers.
fn ranges(numbers: impl Iterator<Item = u64>) -> Option<String> {
    const MAX: usize = 8;
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let more = ranges.len().saturating_sub(MAX);
    let shown = ranges.iter().take(MAX).map(|(first, last)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first} to {last}")
        }
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = if more > 0 {
        format!(" and {more} more ranges")
    } else {
        String::new()
    };
    (!ranges.is_empty()).then(|| shown + &more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_shortens_a_list_of_missing_runs() {
        let joined = |numbers: &[u64]| ranges(numbers.iter().copied());
        assert_eq!(joined(&[]), None);
        assert_eq!(joined(&[3]).as_deref(), Some("3"));
        assert_eq!(
            joined(&[0, 1, 2, 5, 7, 8]).as_deref(),
            Some("0 to 2, 5, 7 to 8")
        );
        let odd: Vec<_> = (0..20).map(|number| 2 * number).collect();
        assert_eq!(
            joined(&odd).as_deref(),
            Some("0, 2, 4, 6, 8, 10, 12, 14 and 12 more ranges")
        );
    }
}
