//! The folder of a sweep: its plan, its journals and what is written once it is done.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use cotrain_simulator::{
    scenario::{Scenario, settings::Axis},
    sweep::{Plan, Seeds},
};
use serde::{Deserialize, Serialize};

use super::{
    journal::{Index, Journal},
    shard::Shard,
};
use crate::{failure::Failure, results::unfinished};

const PLAN: &str = "sweep.json";
const JOURNALS: &str = "journal";
const FORMAT: &str = "cotrain-sweep/1";

/// A folder that holds a sweep.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) plan: Plan,
}

/// What `sweep.json` says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Written {
    format: String,
    /// The version of cotrain whose runs they are.
    version: String,
    /// [`Plan::identity`].
    identity: String,
    /// How many runs the sweep has.
    runs: u64,
    seeds: Seeds,
    settings: Vec<Axis>,
    relay: Option<NonZeroUsize>,
    scenario: String,
    file: String,
    text: String,
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
        }
    }

    /// In which way this sweep is not `wanted`, in words.
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
            Some((what, ours, wanted)) => format!("its {what} is {ours}, and {wanted} is wanted"),
            None => "the text of its scenario is another".to_owned(),
        })
    }
}

impl Folder {
    /// The folder to put a sweep into: a new or empty one, or one in which the same was begun.
    pub(super) fn prepare(path: &Path, plan: Plan) -> Result<Self, Failure> {
        let wanted = Written::of(&plan);
        match read(path)? {
            Some(there) => {
                if let Some(difference) = there.difference(&wanted) {
                    return Err(Failure::Mistake(anyhow!(
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
        };
        fs::create_dir_all(folder.journals())
            .with_context(|| format!("cannot write to {}", path.display()))
            .map_err(Failure::Mistake)?;
        Ok(folder)
    }

    /// The sweep in a folder.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let mistake = |what: String| Failure::Mistake(anyhow!("{}: {what}", path.display()));
        let Some(there) = read(path)? else {
            return Err(mistake(format!(
                "there is no {PLAN}: name the folder of a sweep, such as one that `cotrain sweep` has made"
            )));
        };
        let again =
            |error: &dyn std::fmt::Display| mistake(format!("its {PLAN} is damaged ({error})"));
        let scenario = Scenario::parse(&there.scenario, &there.file, &there.text, None)
            .map_err(|error| again(&error))?;
        let plan = Plan::new(scenario, there.settings, there.seeds, there.relay)
            .map_err(|error| again(&error))?;
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
        })
    }

    /// Whether there is a sweep in a folder.
    pub(super) fn is_one(path: &Path) -> bool {
        path.join(PLAN).is_file()
    }

    pub(super) fn journals(&self) -> PathBuf {
        self.path.join(JOURNALS)
    }

    /// The journal of a part, to write to.
    pub(super) fn journal(&self, shard: Shard) -> Result<Journal, Failure> {
        self.journal_named(&format!("shard-{}-of-{}.jsonl", shard.number, shard.of))
    }

    pub(super) fn journal_named(&self, name: &str) -> Result<Journal, Failure> {
        Journal::open(self.journals().join(name))
    }

    /// The runs that are there.
    pub(super) fn index(&self) -> Result<Index, Failure> {
        Index::of(&self.plan, &[self.journals()])
    }
}

fn read(path: &Path) -> Result<Option<Written>, Failure> {
    let path = path.join(PLAN);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text
            .with_context(|| format!("cannot read {}", path.display()))
            .map_err(Failure::Mistake)?,
    };
    let written: Written = serde_json::from_slice(&text).map_err(|error| {
        Failure::Mistake(anyhow!(
            "{} is no plan of a sweep ({error}); name another folder",
            path.display()
        ))
    })?;
    if written.format != FORMAT {
        return Err(Failure::Mistake(anyhow!(
            "{}: its format is `{}`, `{FORMAT}` is wanted",
            path.display(),
            written.format
        )));
    }
    Ok(Some(written))
}

/// Writes the plan into a folder that holds nothing.
fn begin(path: &Path, plan: &Written) -> Result<(), Failure> {
    let failed = || format!("cannot put a sweep into {}", path.display());
    let work = || -> io::Result<Option<String>> {
        fs::create_dir_all(path)?;
        for entry in fs::read_dir(path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            // Another part of the same sweep may just now begin here.
            if name != PLAN && !crate::results::is_unfinished(&name) {
                return Ok(Some(name));
            }
        }
        let mut file = unfinished(path)?;
        serde_json::to_writer_pretty(&mut file, plan)?;
        file.as_file().sync_all()?;
        file.persist(path.join(PLAN))?;
        Ok(None)
    };
    match work().with_context(failed).map_err(Failure::Mistake)? {
        None => Ok(()),
        Some(name) => Err(Failure::Mistake(anyhow!(
            "{} holds `{name}` and no sweep; name another folder with --out, or empty this one",
            path.display()
        ))),
    }
}
