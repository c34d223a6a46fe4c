//! Folder of a sweep: its plan, its journals, and the results once it is done.

use std::{
    collections::HashMap,
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use cotrain_results::results::{is_unfinished, unfinished};
use cotrain_simulator::{
    scenario::{Scenario, settings::Axis},
    sweep::{Plan, PlanError, Seeds},
};
use serde::{Deserialize, Serialize};

use super::{
    journal::{Index, Journal},
    shard::Shard,
};
use crate::error::CommandError;

const PLAN: &str = "sweep.json";
const JOURNALS: &str = "journal";
const FORMAT: &str = "cotrain-sweep/1";

/// Folder of one sweep.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) plan: Plan,
    /// The name of the directory of the journals.
    journals: String,
}

/// Contents of `sweep.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Written {
    format: String,
    /// Version of cotrain that made the runs.
    version: String,
    /// [`Plan::identity`].
    identity: String,
    /// Number of runs of the sweep.
    runs: u64,
    seeds: Seeds,
    settings: Vec<Axis>,
    relay: Option<NonZeroUsize>,
    scenario: String,
    file: String,
    text: String,
    /// Directory of the journals in the folder. An extension of the sweep changes it.
    #[serde(default = "first_journals")]
    journals: String,
}

fn first_journals() -> String {
    JOURNALS.to_owned()
}

impl Written {
    fn of(plan: &Plan) -> Self {
        let scenario = plan.scenario();
        Self {
            format: FORMAT.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            identity: plan.identity(),
            runs: plan.runs(),
            seeds: plan.seeds().clone(),
            settings: plan.axes().to_vec(),
            relay: plan.relay(),
            scenario: scenario.name().to_owned(),
            file: scenario.file().to_owned(),
            text: scenario.text().to_owned(),
            journals: first_journals(),
        }
    }

    /// Returns the plan that was written.
    fn plan(&self) -> Result<Plan, PlanError> {
        let scenario = Scenario::parse(&self.scenario, &self.file, &self.text, None)?;
        Plan::new(
            scenario,
            self.settings.clone(),
            self.seeds.clone(),
            self.relay,
        )
    }

    /// Returns `true` if `wanted` is this sweep with more seeds.
    fn is_part_of(&self, wanted: &Self) -> bool {
        let same = self.version == wanted.version
            && self.settings == wanted.settings
            && self.relay == wanted.relay
            && (&self.scenario, &self.text) == (&wanted.scenario, &wanted.text);
        same && wanted.seeds.include(&self.seeds)
    }

    /// Returns as text how this sweep differs from `wanted`; `None` if it does not.
    fn difference(&self, wanted: &Self) -> Option<String> {
        if self.identity == wanted.identity {
            return None;
        }
        let settings = |it: &Self| {
            let settings: Vec<_> = it.settings.iter().map(Axis::to_string).collect();
            if settings.is_empty() {
                "none".to_owned()
            } else {
                settings.join(" ")
            }
        };
        let relay = |it: &Self| it.relay.map_or("none".to_owned(), |size| size.to_string());
        let pairs = [
            ("scenario", self.scenario.clone(), wanted.scenario.clone()),
            ("--seeds", self.seeds.to_string(), wanted.seeds.to_string()),
            ("--set", settings(self), settings(wanted)),
            ("--relay", relay(self), relay(wanted)),
            ("version", self.version.clone(), wanted.version.clone()),
        ];
        let mut pairs = pairs.into_iter().filter(|(_, ours, wanted)| ours != wanted);
        Some(match pairs.next() {
            Some((what, ours, wanted)) => format!("its {what} is {ours}, expected {wanted}"),
            None => "the text of its scenario is another".to_owned(),
        })
    }
}

impl Folder {
    /// Returns the folder for a sweep: a new or empty one, or one of the same sweep. A sweep of
    /// fewer seeds is extended, unless `shard` is only a part of the sweep.
    pub(super) fn prepare(path: &Path, plan: Plan, shard: Shard) -> Result<Self, CommandError> {
        let mut wanted = Written::of(&plan);
        match read(path)? {
            Some(there) if there.identity == wanted.identity => wanted.journals = there.journals,
            Some(there) if shard == Shard::WHOLE && there.is_part_of(&wanted) => {
                extend(path, &plan, &mut wanted)?;
            }
            Some(there) => {
                if let Some(difference) = there.difference(&wanted) {
                    return Err(CommandError::Mistake(anyhow!(
                        "{} holds another sweep: {difference}; name another folder with --out",
                        path.display()
                    )));
                }
            }
            None => begin(path, &wanted)?,
        }
        let folder = Self {
            path: path.to_owned(),
            plan,
            journals: wanted.journals,
        };
        fs::create_dir_all(folder.journals())
            .with_context(|| format!("cannot write to {}", path.display()))
            .map_err(CommandError::Mistake)?;
        Ok(folder)
    }

    /// Opens the sweep in a folder.
    pub(super) fn open(path: &Path) -> Result<Self, CommandError> {
        let mistake = |what: String| CommandError::Mistake(anyhow!("{}: {what}", path.display()));
        let Some(there) = read(path)? else {
            return Err(mistake(format!(
                "there is no {PLAN}: name the folder of a sweep, such as one that `cotrain sweep` has made"
            )));
        };
        let again =
            |error: &dyn std::fmt::Display| mistake(format!("its {PLAN} is damaged ({error})"));
        let plan = there.plan().map_err(|error| again(&error))?;
        if plan.identity() != there.identity {
            return Err(mistake(format!(
                "its sweep was made by cotrain {}, or {PLAN} was changed; this is cotrain {}",
                there.version,
                env!("CARGO_PKG_VERSION")
            )));
        }
        Ok(Self {
            path: path.to_owned(),
            plan,
            journals: there.journals,
        })
    }

    /// Returns `true` if a folder contains a sweep.
    pub(super) fn is_one(path: &Path) -> bool {
        path.join(PLAN).is_file()
    }

    pub(super) fn journals(&self) -> PathBuf {
        self.path.join(&self.journals)
    }

    /// Opens the journal of a part for writing.
    pub(super) fn journal(&self, shard: Shard) -> Result<Journal, CommandError> {
        self.journal_named(&format!("shard-{}-of-{}.jsonl", shard.number, shard.of))
    }

    pub(super) fn journal_named(&self, name: &str) -> Result<Journal, CommandError> {
        Journal::open(self.journals().join(name))
    }

    /// Returns the finished runs.
    pub(super) fn index(&self) -> Result<Index, CommandError> {
        Index::of(&self.plan, &[self.journals()])
    }
}

fn read(path: &Path) -> Result<Option<Written>, CommandError> {
    let path = path.join(PLAN);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text
            .with_context(|| format!("cannot read {}", path.display()))
            .map_err(CommandError::Mistake)?,
    };
    let written: Written = serde_json::from_slice(&text).map_err(|error| {
        CommandError::Mistake(anyhow!(
            "{} is no plan of a sweep ({error}); name another folder",
            path.display()
        ))
    })?;
    if written.format != FORMAT {
        return Err(CommandError::Mistake(anyhow!(
            "{}: its format is `{}`, expected `{FORMAT}`",
            path.display(),
            written.format
        )));
    }
    Ok(Some(written))
}

/// Extends the sweep in a folder to the seeds of `plan`. Its runs get new numbers in a journal of a
/// new directory. The folder uses this directory once the plan names it, in one step.
fn extend(path: &Path, plan: &Plan, wanted: &mut Written) -> Result<(), CommandError> {
    let old = Folder::open(path)?;
    // The locks keep other processes from writing runs that the extension would miss.
    let mut held = Vec::new();
    for file in super::journal::journals(&old.journals())? {
        held.push(Journal::open(file)?);
    }
    let failed = || format!("cannot extend the sweep in {}", path.display());
    wanted.journals = format!("{JOURNALS}-{}", &wanted.identity[..16]);
    let directory = path.join(&wanted.journals);
    // An earlier extension may have ended before it wrote its plan.
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(failed)?;
    }
    fs::create_dir_all(&directory).with_context(failed)?;
    let mut journal = Journal::open(directory.join("extended.jsonl"))?;
    let seeds: HashMap<u64, u64> = (0..plan.seeds().count())
        .map(|index| (plan.seeds().get(index), index))
        .collect();
    for record in old.index()?.records() {
        let mut record = record?;
        let point = old.plan.point_of(record.run);
        let index = seeds
            .get(&record.seed)
            .with_context(|| format!("the seed {} of a run is not in the plan", record.seed))?;
        record.run = point * plan.seeds().count() + index;
        journal.append(&serde_json::to_vec(&record)?)?;
    }
    journal.sync()?;
    write_plan(path, wanted).with_context(failed)?;
    drop(held);
    // No process reads the old journals any more.
    let _ = fs::remove_dir_all(old.journals());
    Ok(())
}

fn write_plan(path: &Path, plan: &Written) -> io::Result<()> {
    let mut file = unfinished(path)?;
    serde_json::to_writer_pretty(&mut file, plan)?;
    file.as_file().sync_all()?;
    file.persist(path.join(PLAN))?;
    Ok(())
}

/// Writes the plan into an empty folder.
fn begin(path: &Path, plan: &Written) -> Result<(), CommandError> {
    let failed = || format!("cannot put a sweep into {}", path.display());
    let work = || -> io::Result<Option<String>> {
        fs::create_dir_all(path)?;
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // Another shard of the same sweep may begin here at the same moment.
            if name != PLAN && !is_unfinished(&name) {
                return Ok(Some(name));
            }
        }
        write_plan(path, plan)?;
        Ok(None)
    };
    match work().with_context(failed).map_err(CommandError::Mistake)? {
        None => Ok(()),
        Some(name) => Err(CommandError::Mistake(anyhow!(
            "{} holds `{name}` and no sweep; name another folder with --out, or empty this one",
            path.display()
        ))),
    }
}
