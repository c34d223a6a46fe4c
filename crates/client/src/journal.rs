//! Journal of a deployment. It has every signed transaction before it is sent, so that a later run
//! resumes where an earlier one ended.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use alloy_primitives::{Address, B256, Bytes, U256};
use cotrain_chain::keys::{Signed, Unsigned};
use serde::{Deserialize, Serialize};

pub use crate::identity::Facts;
use crate::{
    files::write_whole,
    identity::renamed,
    lock::{Lock, NoLock},
    send::{Outgoing, TxStore},
};

const FILE: &str = "deploy.json";
const LOCK: &str = "lock";
const FORMAT: &str = "cotrain-deploy/1";

/// Journal of one deployment. Only one process can open it at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    written: Written,
    /// Lock that keeps other processes from writing the journal.
    _lock: Lock,
}

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    format: String,
    plan: Facts,
    /// Options of the command that began it, for messages only: the plan decides.
    #[serde(default)]
    options: Facts,
    /// Trainer of the model; `None` until the deployment is done.
    #[serde(default)]
    deployed: Option<Address>,
    steps: BTreeMap<String, Step>,
}

/// A transaction with all its signatures.
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

/// Failure to use a journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Its directory cannot be made.
    #[error("cannot make {directory}")]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// Another process has it, or its lock cannot be read.
    #[error("the journal of a deployment, {}", held.message(directory))]
    Held {
        /// Its directory.
        directory: PathBuf,
        /// State of its lock.
        held: NoLock,
    },
    /// Its file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// The file is not a journal.
    #[error("{path}: this is no journal of a deployment ({reason})")]
    NoJournal {
        /// The file.
        path: PathBuf,
        /// The failure of its parser.
        reason: serde_json::Error,
    },
    /// The file has the format of another version.
    #[error("{path}: its format is `{found}`, expected `{FORMAT}`")]
    Format {
        /// The file.
        path: PathBuf,
        /// The format that it names.
        found: String,
    },
    /// The journal is of another deployment.
    #[error("{} is the journal of another deployment", begun.path.display())]
    Another {
        /// The deployment that the journal is of.
        begun: Box<Begun>,
    },
    /// The file cannot be written.
    #[error("cannot write {path}")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

/// Deployment that a journal is of.
#[derive(Debug)]
pub struct Begun {
    /// The journal's file.
    pub path: PathBuf,
    /// The plan.
    pub plan: Facts,
    /// Options of the command that began it; empty in a journal of an earlier version.
    pub options: Facts,
    /// Trainer of the model; `None` if the deployment is not done.
    pub deployed: Option<Address>,
}

impl Journal {
    /// Opens the journal in a directory, or begins one if there is none. `options` are kept for
    /// messages.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(directory: &Path, plan: Facts, options: Facts) -> Result<Self, JournalError> {
        fs::create_dir_all(directory).map_err(|source| JournalError::NoDirectory {
            directory: directory.to_owned(),
            source,
        })?;
        let lock = Lock::take(&directory.join(LOCK)).map_err(|held| JournalError::Held {
            directory: directory.to_owned(),
            held,
        })?;
        let path = directory.join(FILE);
        let written = match fs::read(&path) {
            Ok(text) => read(&path, &text, &plan)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Written {
                format: FORMAT.to_owned(),
                plan,
                options,
                deployed: None,
                steps: BTreeMap::new(),
            },
            Err(source) => return Err(JournalError::Unreadable { path, source }),
        };
        Ok(Self {
            path,
            written,
            _lock: lock,
        })
    }

    /// Returns the model of a deployment that is done; `None` if it is not done.
    ///
    /// # Errors
    /// The reason as text, if the journal cannot be read.
    pub fn finished(directory: &Path) -> Result<Option<Address>, String> {
        let _lock = Lock::take(&directory.join(LOCK)).map_err(|held| held.message(directory))?;
        Self::finished_of(directory)
    }

    /// Removes the journal of a deployment that is done, and returns whether that worked; `None` if
    /// the deployment is not done. The journal stays then.
    ///
    /// # Errors
    /// The reason as text, if the journal cannot be read.
    pub fn remove(directory: &Path) -> Result<Option<io::Result<()>>, String> {
        let _lock = Lock::take(&directory.join(LOCK)).map_err(|held| held.message(directory))?;
        let finished = Self::finished_of(directory)?;
        Ok(finished.map(|_| fs::remove_dir_all(directory)))
    }

    /// Does the same as [`finished`](Self::finished), for a caller that has the lock.
    fn finished_of(directory: &Path) -> Result<Option<Address>, String> {
        let path = directory.join(FILE);
        let text = fs::read(&path).map_err(|error| format!("cannot read its {FILE}: {error}"))?;
        let written: Written = serde_json::from_slice(&text)
            .map_err(|error| format!("its {FILE} is no journal: {error}"))?;
        Ok(written.deployed)
    }

    /// Returns a fact of the plan of a begun deployment; `None` if none was begun in the directory.
    #[must_use]
    pub fn peek(directory: &Path, name: &str) -> Option<String> {
        let text = fs::read(directory.join(FILE)).ok()?;
        let written: Written = serde_json::from_slice(&text).ok()?;
        written.plan.get(name).cloned()
    }

    /// Returns the names of the steps that were signed in a directory; none if there is no journal.
    #[must_use]
    pub fn steps_in(directory: &Path) -> Vec<String> {
        let text = fs::read(directory.join(FILE)).unwrap_or_default();
        let written: Option<Written> = serde_json::from_slice(&text).ok();
        written.map_or_else(Vec::new, |written| written.steps.into_keys().collect())
    }

    /// Returns `true` if a step has been signed.
    #[must_use]
    pub fn has(&self, step: &str) -> bool {
        self.written.steps.contains_key(step)
    }

    /// Returns the steps that have been signed, each with the hashes of its transaction.
    pub fn steps(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = B256>)> {
        let steps = self.written.steps.iter();
        steps.map(|(name, step)| (name.as_str(), step.signed.iter().map(|signed| signed.hash)))
    }

    /// Returns the trainer of the model, if an earlier run finished the deployment.
    #[must_use]
    pub fn deployed(&self) -> Option<Address> {
        self.written.deployed
    }

    /// Notes that the deployment is done.
    ///
    /// # Errors
    /// [`JournalError::Unwritable`].
    pub fn finish(&mut self, trainer: Address) -> Result<(), JournalError> {
        self.written.deployed = Some(trainer);
        self.write()
    }

    /// Returns the transaction of a step as an earlier run signed it. The journal does not have its
    /// call, which follows from the plan.
    #[must_use]
    pub fn signed(
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
        let unsigned = Unsigned {
            chain_id,
            nonce: step.nonce,
            to,
            value: U256::ZERO,
            data: Bytes::copy_from_slice(data),
            gas_limit: step.gas_limit,
            max_fee: step.max_fee,
            priority_fee: step.priority_fee,
        };
        Outgoing::new(unsigned, signed.collect())
    }

    /// Writes the plan before the first step.
    pub(crate) fn keep_plan(&self) -> Result<(), JournalError> {
        self.write()
    }

    fn keep(&mut self, step: &str, outgoing: &Outgoing) -> Result<(), JournalError> {
        let signed = outgoing.signed().map(|signed| Raw {
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
        self.write()
    }

    fn write(&self) -> Result<(), JournalError> {
        let text = serde_json::to_vec_pretty(&self.written).map_err(io::Error::from);
        let written = text.and_then(|text| write_whole(&self.path, &text));
        written.map_err(|source| JournalError::Unwritable {
            path: self.path.clone(),
            source,
        })
    }
}

/// Stores the transactions of steps by their names. They are on the disk before they are sent.
impl TxStore for Journal {
    type Purpose = str;
    type Id = String;
    type Error = JournalError;

    async fn insert(&mut self, step: &str, outgoing: &Outgoing) -> Result<String, JournalError> {
        self.keep(step, outgoing)?;
        Ok(step.to_owned())
    }

    async fn add_signature(
        &mut self,
        step: &String,
        outgoing: &Outgoing,
    ) -> Result<(), JournalError> {
        self.keep(step, outgoing)
    }
}

fn read(path: &Path, text: &[u8], plan: &Facts) -> Result<Written, JournalError> {
    let mut written: Written =
        serde_json::from_slice(text).map_err(|reason| JournalError::NoJournal {
            path: path.to_owned(),
            reason,
        })?;
    if written.format != FORMAT {
        return Err(JournalError::Format {
            path: path.to_owned(),
            found: written.format,
        });
    }
    written.plan = renamed(written.plan);
    if written.plan == *plan {
        return Ok(written);
    }
    Err(JournalError::Another {
        begun: Box::new(Begun {
            path: path.to_owned(),
            plan: written.plan,
            options: written.options,
            deployed: written.deployed,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(chain: &str) -> Facts {
        [("chain".to_owned(), chain.to_owned())].into()
    }

    fn open(directory: &Path, chain: &str) -> Result<Journal, JournalError> {
        Journal::open(directory, plan(chain), Facts::new())
    }

    fn outgoing() -> Outgoing {
        let unsigned = Unsigned {
            chain_id: 1,
            nonce: 7,
            to: Some(Address::with_last_byte(3)),
            value: U256::ZERO,
            data: Bytes::from_static(b"call"),
            gas_limit: 100,
            max_fee: 12,
            priority_fee: 2,
        };
        let signed = [1, 2].map(|number| Signed {
            hash: B256::with_last_byte(number),
            raw: Bytes::copy_from_slice(&[number]),
        });
        Outgoing::new(unsigned, signed.into()).expect("signed")
    }

    #[tokio::test]
    async fn journal_returns_what_an_earlier_run_signed() {
        let folder = tempfile::tempdir().expect("a folder");
        let outgoing = outgoing();
        let mut journal = open(folder.path(), "1").expect("a new one");
        assert!(!journal.has("model"));
        let id = journal.insert("model", &outgoing).await.expect("kept");
        assert_eq!(id, "model");
        assert!(matches!(
            open(folder.path(), "1"),
            Err(JournalError::Held { .. })
        ));
        drop(journal);
        let mut journal = open(folder.path(), "1").expect("the same");
        let before = journal.signed("model", 1, outgoing.unsigned.to, b"call");
        assert_eq!(before, Some(outgoing));
        journal.finish(Address::with_last_byte(9)).expect("noted");
        drop(journal);
        let finished = Journal::finished(folder.path());
        assert_eq!(finished, Ok(Some(Address::with_last_byte(9))));
        assert!(matches!(
            open(folder.path(), "2"),
            Err(JournalError::Another { begun }) if begun.plan == plan("1") && begun.deployed.is_some()
        ));
    }

    #[test]
    fn open_reads_a_journal_of_an_earlier_version() {
        let folder = tempfile::tempdir().expect("a folder");
        // Earlier versions noted neither options nor the model.
        let text = r#"{"format": "cotrain-deploy/1", "plan": {"chain": "1"}, "steps": {"factory": {"nonce": 0,
            "gas_limit": 5, "max_fee": 2, "priority_fee": 1, "signed": [{"hash":
            "0x0000000000000000000000000000000000000000000000000000000000000001", "raw": "0x01"}]}}}"#;
        fs::write(folder.path().join(FILE), text).expect("written");
        let journal = open(folder.path(), "1").expect("read");
        assert!(journal.has("factory") && journal.deployed().is_none());
        let hashes: Vec<B256> = journal.steps().flat_map(|(_, hashes)| hashes).collect();
        assert_eq!(hashes, [B256::with_last_byte(1)]);
    }

    #[test]
    fn open_goes_on_with_a_plan_in_the_words_of_an_earlier_version() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = r#"{"format": "cotrain-deploy/1", "plan": {"chain": "1",
            "incentive": "deposit, refund, take; cost weight 1000000000000 wei",
            "waits": "86400, 777600 and 777600 s", "report notice": "0 s"}, "options": {"--name": "it"}, "steps": {}}"#;
        fs::write(folder.path().join(FILE), text).expect("written");
        let mut facts = plan("1");
        for (name, value) in [
            ("incentive", "deposit, refund, take"),
            ("refundWait", "86400"),
            ("ownerClaimWait", "777600"),
            ("anyAddressClaimWait", "777600"),
            ("reportNotice", "0"),
            ("costWeight", "1000000000000"),
        ] {
            facts.insert(name.to_owned(), value.to_owned());
        }
        let open = |facts: &Facts| Journal::open(folder.path(), facts.clone(), Facts::new());
        drop(open(&facts).expect("the same deployment"));
        facts.insert("refundWait".to_owned(), "86401".to_owned());
        let other = open(&facts).expect_err("another wait");
        assert!(matches!(other, JournalError::Another { .. }), "{other}");
    }

    #[test]
    fn open_refuses_what_is_no_journal() {
        let folder = tempfile::tempdir().expect("a folder");
        let message = |text: &str| {
            fs::write(folder.path().join(FILE), text).expect("written");
            open(folder.path(), "1").unwrap_err().to_string()
        };
        assert!(message("{}").contains("this is no journal of a deployment (missing field"));
        let newer = r#"{"format": "cotrain-deploy/2", "plan": {}, "steps": {}}"#;
        let message = message(newer);
        assert!(
            message.ends_with("its format is `cotrain-deploy/2`, expected `cotrain-deploy/1`"),
            "{message}"
        );
    }
}
