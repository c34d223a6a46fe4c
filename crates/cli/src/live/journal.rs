//! What a deployment has signed so far: written before anything is sent, so that a later run goes on
//! where an earlier one ended, however that was.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256, Bytes, U256};
use anyhow::{Context, anyhow};
use cotrain_chain::keys::{Signed, Unsigned};
use serde::{Deserialize, Serialize};

use super::{
    options::{Options, differences},
    place::write_whole,
    send::Outgoing,
};
use crate::{
    failure::Failure,
    lock::{Lock, NoLock},
};

const FILE: &str = "deploy.json";
const LOCK: &str = "lock";
/// Reason why a journal stays.
pub(crate) const NOT_DONE: &str = "not done: the same `cotrain deploy` goes on with it";
const FORMAT: &str = "cotrain-deploy/1";

/// The journal of one deployment. Only one process has it at a time.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    written: Written,
    /// Nobody else writes it as long as it is open.
    _lock: Lock,
}

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    format: String,
    plan: BTreeMap<String, String>,
    /// The options that it was begun with, to tell them: what counts is the plan.
    #[serde(default)]
    options: Options,
    /// The trainer of the model, once all of it is done.
    #[serde(default)]
    deployed: Option<Address>,
    steps: BTreeMap<String, Step>,
}

/// A transaction, by each form that it was signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Step {
    nonce: u64,
    gas_limit: u64,
    max_fee: u128,
    priority_fee: u128,
    signed: Vec<Raw>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Raw {
    hash: B256,
    raw: Bytes,
}

impl Journal {
    /// The journal in a directory, which is begun where there is none.
    pub(crate) fn open(
        directory: &Path,
        plan: BTreeMap<String, String>,
        options: Options,
    ) -> Result<Self, Failure> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))
            .map_err(Failure::Mistake)?;
        let lock = Lock::take(&directory.join(LOCK)).map_err(|held| {
            let next = match held {
                NoLock::Taken(_) => "wait for it, or name",
                NoLock::Failed(_) => "name",
            };
            Failure::Mistake(anyhow!(
                "the journal of a deployment, {}; {next} another directory with --journal",
                held.words(directory)
            ))
        })?;
        let path = directory.join(FILE);
        let written = match fs::read(&path) {
            Ok(text) => read(&path, &text, &plan, &options)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Written {
                format: FORMAT.to_owned(),
                plan,
                options,
                deployed: None,
                steps: BTreeMap::new(),
            },
            Err(error) => {
                return Err(Failure::mistake(
                    anyhow!(error).context(format!("cannot read {}", path.display())),
                ));
            }
        };
        Ok(Self {
            path,
            written,
            _lock: lock,
        })
    }

    /// Returns the model of a deployment that is done, none if it is not; or why that cannot be told.
    pub(crate) fn finished(directory: &Path) -> Result<Option<Address>, String> {
        let _lock = Lock::take(&directory.join(LOCK)).map_err(|held| held.words(directory))?;
        Self::finished_of(directory)
    }

    /// Removes the journal of a deployment that is done, and returns whether that worked; or why it has to stay.
    pub(crate) fn remove(directory: &Path) -> Result<io::Result<()>, String> {
        let _lock = Lock::take(&directory.join(LOCK)).map_err(|held| held.words(directory))?;
        match Self::finished_of(directory)? {
            Some(_) => Ok(fs::remove_dir_all(directory)),
            None => Err(NOT_DONE.to_owned()),
        }
    }

    /// As [`finished`](Self::finished), for whom has the lock.
    fn finished_of(directory: &Path) -> Result<Option<Address>, String> {
        let path = directory.join(FILE);
        let text = fs::read(&path).map_err(|error| format!("cannot read its {FILE}: {error}"))?;
        let written: Written = serde_json::from_slice(&text)
            .map_err(|error| format!("its {FILE} is no journal: {error}"))?;
        Ok(written.deployed)
    }

    /// What was begun in a directory says of itself under this name.
    pub(crate) fn peek(directory: &Path, name: &str) -> Option<String> {
        let text = fs::read(directory.join(FILE)).ok()?;
        let written: Written = serde_json::from_slice(&text).ok()?;
        written.plan.get(name).cloned()
    }

    /// Returns whether a step has been signed.
    pub(crate) fn has(&self, step: &str) -> bool {
        self.written.steps.contains_key(step)
    }

    /// Returns the steps that have been signed, each with the hashes of its transaction.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = B256>)> {
        let steps = self.written.steps.iter();
        steps.map(|(name, step)| (name.as_str(), step.signed.iter().map(|signed| signed.hash)))
    }

    /// Returns the trainer of the model, if all of it was done before.
    pub(crate) fn deployed(&self) -> Option<Address> {
        self.written.deployed
    }

    /// Notes that all of it is done.
    pub(crate) fn finish(&mut self, trainer: Address) -> Result<(), Failure> {
        self.written.deployed = Some(trainer);
        write_whole(&self.path, &serde_json::to_vec_pretty(&self.written)?)
    }

    /// The transaction of a step as it was signed before; what it says is told anew.
    pub(crate) fn signed(
        &self,
        step: &str,
        chain_id: u64,
        to: Option<Address>,
        data: &[u8],
    ) -> Option<Outgoing> {
        let step = self.written.steps.get(step)?;
        let signed = step.signed.iter().map(|signed| Signed {
            hash: signed.hash,
            raw: signed.raw.clone(),
        });
        Some(Outgoing {
            unsigned: Unsigned {
                chain_id,
                nonce: step.nonce,
                to,
                value: U256::ZERO,
                data: Bytes::copy_from_slice(data),
                gas_limit: step.gas_limit,
                max_fee: step.max_fee,
                priority_fee: step.priority_fee,
            },
            signed: signed.collect(),
        })
    }

    /// Keeps what is signed, before it is sent: it is on the disk when this returns.
    pub(crate) fn keep(&mut self, step: &str, outgoing: &Outgoing) -> Result<(), Failure> {
        let signed = outgoing.signed.iter().map(|signed| Raw {
            hash: signed.hash,
            raw: signed.raw.clone(),
        });
        let kept = Step {
            nonce: outgoing.unsigned.nonce,
            gas_limit: outgoing.unsigned.gas_limit,
            max_fee: outgoing.unsigned.max_fee,
            priority_fee: outgoing.unsigned.priority_fee,
            signed: signed.collect(),
        };
        self.written.steps.insert(step.to_owned(), kept);
        write_whole(&self.path, &serde_json::to_vec_pretty(&self.written)?)
    }
}

fn read(
    path: &Path,
    text: &[u8],
    plan: &BTreeMap<String, String>,
    options: &Options,
) -> Result<Written, Failure> {
    let mistake = |what: String| {
        Failure::Mistake(anyhow!(
            "{}: {what}; name another directory with --journal",
            path.display()
        ))
    };
    let written: Written = serde_json::from_slice(text)
        .map_err(|error| mistake(format!("this is no journal of a deployment ({error})")))?;
    if written.format != FORMAT {
        return Err(mistake(format!(
            "its format is `{}`, `{FORMAT}` is wanted",
            written.format
        )));
    }
    if written.plan == *plan {
        return Ok(written);
    }
    let differ = differing(&written, plan, options).join("\n  ");
    let path = path.display();
    Err(Failure::Mistake(match written.deployed {
        Some(trainer) => anyhow!(
            "a model is deployed already, at {trainer}, with other options ({path}):\n  {differ}\n\
             give the new one another --name, or name another directory with --journal"
        ),
        None => anyhow!(
            "another deployment was begun in {path}:\n  {differ}\n\
             finish it with the options that it was begun with, or name another directory with --journal"
        ),
    }))
}

/// What of a plan is told, and by which name. The rest follows from the options, the data and the program.
const TOLD: [(&str, &str); 6] = [
    ("chain", "the chain"),
    ("owner", "the key"),
    ("registry", "--registry"),
    ("factory", "--factory"),
    ("trainer code", "--trainer-code"),
    ("classifier code", "--classifier-code"),
];

/// Returns in which way a deployment is not the one that was begun, in the words of the command line.
fn differing(written: &Written, plan: &BTreeMap<String, String>, options: &Options) -> Vec<String> {
    let told = |plan: &BTreeMap<String, String>| -> Options {
        TOLD.iter()
            .filter_map(|(name, words)| Some(((*words).to_owned(), plan.get(*name)?.clone())))
            .collect()
    };
    let mut lines: Vec<String> = differences(&told(&written.plan), &told(plan)).collect();
    // A journal of an earlier version has none.
    if !written.options.is_empty() {
        lines.extend(differences(&written.options, options));
    }
    if lines.is_empty() {
        lines.push("the initial model: the data, or this program, changed since".to_owned());
    }
    lines
}
