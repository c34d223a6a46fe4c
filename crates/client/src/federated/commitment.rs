//! An author's update in a round: its commitment and its reveal, which survive an interruption.

use std::path::Path;

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_sol_types::{SolCall, SolValue};
use cotrain_bindings::federated::FederatedTrainer;
use cotrain_chain::{keys::Key, node::NodeReceipt};
use cotrain_protocol::federated::Chunks;

use super::facts::RoundFacts;
use crate::{
    deploy::{DeployError, DeployEvent, Steps},
    journal::{Facts, Journal, JournalError},
    send::Sender,
};

/// Name of the step that commits.
pub const COMMIT: &str = "commit";
/// Name of the step that reveals.
pub const REVEAL: &str = "reveal";

/// Gas of a reveal besides that of its bytes: the transaction, two storage words and the checks.
const REVEAL_GAS: u64 = 51_000;
/// Gas of a byte of calldata that is not 0 (EIP-7623).
const BYTE_GAS: u64 = 40;

/// Returns about the gas of the reveal of an update of so many bytes.
#[must_use]
pub const fn reveal_gas(bytes: usize) -> u64 {
    REVEAL_GAS + BYTE_GAS * bytes as u64
}

/// An update that an author commits to in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment {
    /// Trainer of the round.
    pub trainer: Address,
    /// The author.
    pub author: Address,
    /// Number of the round.
    pub round: u64,
    /// Version of the model that the update is based on.
    pub version: u64,
    /// The encoded update.
    pub update: Bytes,
    salt: B256,
    chunk: usize,
    chain: String,
}

impl Commitment {
    /// Commits an author to an update. The salt derives from the key, and nobody else can make it.
    ///
    /// `chain` distinguishes the chain from others with the same id, such as by its first block.
    #[must_use]
    pub fn new(
        key: &Key,
        facts: &RoundFacts,
        chain: String,
        (round, version): (u64, u64),
        update: Bytes,
    ) -> Self {
        let chunk = facts.terms.chunk as usize;
        let root = Chunks::new(&update, chunk).root();
        // The signed text is neither a transaction nor typed data.
        let text = format!(
            "cotrain update {root} in the round {round} of the trainer {} on chain {}",
            facts.trainer, facts.chain_id
        );
        Self {
            trainer: facts.trainer,
            author: key.address(),
            round,
            version,
            update,
            salt: keccak256(key.sign_hash(&keccak256(text)).as_slice()),
            chunk,
            chain,
        }
    }

    /// Reads the commitment that a journal was begun with; `None` if there is none.
    #[must_use]
    pub fn kept(directory: &Path) -> Option<Self> {
        let fact = |name| Journal::peek(directory, name);
        Some(Self {
            trainer: fact("trainer")?.parse().ok()?,
            author: fact("author")?.parse().ok()?,
            round: fact("round")?.parse().ok()?,
            version: fact("version")?.parse().ok()?,
            update: hex::decode(fact("update")?).ok()?.into(),
            salt: fact("salt")?.parse().ok()?,
            chunk: fact("chunk")?.parse().ok()?,
            chain: fact("chain")?,
        })
    }

    fn facts(&self) -> Facts {
        [
            ("trainer", self.trainer.to_string()),
            ("author", self.author.to_string()),
            ("round", self.round.to_string()),
            ("version", self.version.to_string()),
            ("update", hex::encode(&self.update)),
            ("salt", self.salt.to_string()),
            ("chunk", self.chunk.to_string()),
            ("chain", self.chain.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Returns the hash that the contract keeps of it until the reveal.
    #[must_use]
    pub fn hash(&self) -> B256 {
        let fields = (
            self.trainer,
            U256::from(self.round),
            self.author,
            U256::from(self.version),
            Chunks::new(&self.update, self.chunk).root(),
            self.salt,
        );
        keccak256(fields.abi_encode())
    }

    /// Opens the journal in a directory: what is committed to is on the disk before anything is
    /// sent.
    ///
    /// # Errors
    /// [`JournalError`], also if the journal is of another commitment.
    pub fn begin<'a>(
        self,
        sender: Sender<'a>,
        directory: &Path,
        report: &'a (dyn Fn(DeployEvent<'_>) + Sync),
    ) -> Result<Entering<'a>, JournalError> {
        let journal = Journal::open(directory, self.facts(), Facts::new())?;
        journal.keep_plan()?;
        Ok(Entering {
            steps: Steps::new(sender, journal, report),
            commitment: self,
        })
    }

    /// Returns the call that commits.
    #[must_use]
    pub fn commit_call(&self) -> Bytes {
        let hash = self.hash();
        FederatedTrainer::commitCall { hash }.abi_encode().into()
    }

    fn reveal_call(&self, index: usize) -> Vec<u8> {
        let revelation = FederatedTrainer::Revelation {
            index: U256::from(index),
            baseVersion: U256::from(self.version),
            salt: self.salt,
            update: self.update.clone(),
        };
        let revelations = vec![revelation];
        FederatedTrainer::revealCall { revelations }.abi_encode()
    }
}

/// A commitment on its way to the chain, with its journal.
pub struct Entering<'a> {
    steps: Steps<'a>,
    commitment: Commitment,
}

impl Entering<'_> {
    /// Returns the commitment.
    #[must_use]
    pub fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// Commits, unless an earlier run did.
    ///
    /// # Errors
    /// [`DeployError`].
    pub async fn commit(&mut self) -> Result<NodeReceipt, DeployError> {
        let (to, call) = (self.commitment.trainer, self.commitment.commit_call());
        self.steps.step_next(COMMIT, to, call.to_vec()).await
    }

    /// Reveals the update of an index, unless an earlier run did.
    ///
    /// # Errors
    /// [`DeployError`].
    pub async fn reveal(&mut self, index: usize) -> Result<NodeReceipt, DeployError> {
        let (to, call) = (self.commitment.trainer, self.commitment.reveal_call(index));
        self.steps.step_next(REVEAL, to, call).await
    }
}
