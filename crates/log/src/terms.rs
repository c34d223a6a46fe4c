//! Terms of a log: its model, its time, and whose items it admits.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Keccak256, U256, keccak256};
use alloy_sol_types::Eip712Domain;
use cotrain_protocol::{
    ContractError,
    classifier::{Classifier, Kind},
    signature::recover_strict,
    trainer::{Incentive, SignedBatch, Trainer, Waits},
};
use thiserror::Error;

use crate::item::{Item, Refusal};

/// Maximum size of an item, in bytes.
///
/// A peer holds it in memory, and a chain must be able to replay it in one transaction.
pub const ITEM_BYTES: usize = 8_192;

/// First bytes of encoded terms.
const PREFIX: &[u8] = b"cotrain.log.1";
/// Id of the chain in the EIP-712 domain of a log without a chain. No chain has it.
const NO_CHAIN: u64 = 0;
/// Maximum number of bits of a stamp. More take hours.
const MOST_BITS: u32 = 32;
/// Maximum number of authors that terms list.
const MOST_AUTHORS: usize = 65_536;
/// Deadline of drafts: the last second that a signed batch can name.
const NEVER: u64 = (1 << 40) - 1;
/// Duration between the life's events of a contribution. A log without a chain has none.
const NO_WAITS: Waits = Waits {
    refund: 0,
    owner_claim: 0,
    any_address_claim: 0,
    report_notice: 0,
};

/// Rule that bounds the items of a log, since no money does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Only these accounts contribute.
    Authors(BTreeSet<Address>),
    /// Anyone contributes whose signed hash ends with this number of zero bits, which takes work.
    Stamp(u32),
}

impl Admission {
    /// Admits items of these accounts.
    pub fn authors(authors: impl IntoIterator<Item = Address>) -> Self {
        Self::Authors(authors.into_iter().collect())
    }
}

/// Reason for which terms found no log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TermsError {
    /// No account, or too many, may contribute.
    #[error(
        "cannot found a log of {found} authors: expected 1 to {max}; list others or ask for a stamp"
    )]
    Authors {
        /// Number of accounts.
        found: usize,
        /// Maximum number of accounts.
        max: usize,
    },
    /// A stamp would take too long.
    #[error("cannot ask for a stamp of {bits} bits: expected at most {max}; choose fewer")]
    Stamp {
        /// Number of bits.
        bits: u32,
        /// Maximum number of bits.
        max: u32,
    },
    /// The rules do not allow the model.
    #[error("cannot found a log: {0}; change the model's parameters")]
    Rule(#[from] ContractError),
}

/// Terms of a log without a chain. They decide which bytes are items, and never change.
///
/// The log's name is a hash of them, so peers of one name agree about all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Trainer that has taken no contribution.
    trainer: Trainer,
    time: u64,
    admission: Admission,
    domain: Eip712Domain,
}

impl Terms {
    /// Creates the terms of a log that begins with `model` at `time`, in Unix seconds.
    ///
    /// Every rule about time uses this one, whatever a peer's clock says.
    ///
    /// # Errors
    /// [`TermsError`].
    pub fn new(model: Classifier, time: u64, admission: Admission) -> Result<Self, TermsError> {
        match &admission {
            Admission::Authors(authors) if authors.is_empty() || authors.len() > MOST_AUTHORS => {
                return Err(TermsError::Authors {
                    found: authors.len(),
                    max: MOST_AUTHORS,
                });
            }
            &Admission::Stamp(bits) if bits > MOST_BITS => {
                return Err(TermsError::Stamp {
                    bits,
                    max: MOST_BITS,
                });
            }
            _ => {}
        }
        let name = name(&model, time, &admission);
        let trainer = Trainer::new(
            name,
            NO_CHAIN,
            name,
            Incentive::Points,
            NO_WAITS,
            model,
            time,
        )?;
        Ok(Self {
            domain: trainer.domain(),
            trainer,
            time,
            admission,
        })
    }

    /// Returns the log's name, which is the contract in the EIP-712 domain of its items.
    #[must_use]
    pub fn name(&self) -> Address {
        self.trainer.address()
    }

    /// Returns the time of every rule, in Unix seconds.
    #[must_use]
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Returns the rule that bounds the items.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Returns the EIP-712 domain of the items.
    #[must_use]
    pub fn domain(&self) -> &Eip712Domain {
        &self.domain
    }

    /// Returns the trainer before the first contribution.
    #[must_use]
    pub fn trainer(&self) -> &Trainer {
        &self.trainer
    }

    /// Returns the item that these bytes are.
    ///
    /// It is a batch that the log's trainer would take if it had taken none before. The signature has
    /// one form alone; otherwise strangers could make a second id for the same batch.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn item(&self, bytes: &[u8]) -> Result<Item, Refusal> {
        let length = bytes.len();
        if length > ITEM_BYTES {
            return Err(Refusal::TooLarge {
                length,
                max: ITEM_BYTES,
            });
        }
        // A bound batch names the log, which sends nothing.
        let batch = SignedBatch::decode(bytes, self.name()).ok_or(Refusal::Malformed { length })?;
        if !batch.relayer.is_zero() {
            return Err(Refusal::Bound);
        }
        let hash = batch.signing_hash(&self.domain);
        match &self.admission {
            Admission::Authors(authors) if !authors.contains(&batch.author) => {
                return Err(Refusal::Stranger {
                    author: batch.author,
                });
            }
            &Admission::Stamp(bits) if stamp(hash) < bits => {
                return Err(Refusal::Stamp {
                    found: stamp(hash),
                    bits,
                });
            }
            _ => {}
        }
        let signer = recover_strict(&batch.signature, hash);
        self.trainer.check_signed(self.time, &batch, signer)?;
        Ok(Item::new(&batch, bytes))
    }

    /// Creates an item without its signature. If the log asks for a stamp, this does its work.
    ///
    /// A stamp varies the maximum deposit, which a log without a chain does not read.
    #[must_use]
    pub fn draft(&self, author: Address, nonce: u64, items: Vec<u8>) -> Draft {
        let mut batch = SignedBatch {
            author,
            relayer: Address::ZERO,
            max_deposit: 0,
            fee: 0,
            nonce,
            deadline: NEVER,
            items,
            signature: Vec::new(),
        };
        let bits = match self.admission {
            Admission::Authors(_) => 0,
            Admission::Stamp(bits) => bits,
        };
        let mut hash = batch.signing_hash(&self.domain);
        while stamp(hash) < bits {
            batch.max_deposit += 1;
            hash = batch.signing_hash(&self.domain);
        }
        Draft { batch, hash }
    }
}

/// An item without its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    batch: SignedBatch,
    hash: B256,
}

impl Draft {
    /// Returns the hash that the author signs.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.hash
    }

    /// Returns the item's bytes with a signature of [`hash`](Self::hash), as `r s v`.
    #[must_use]
    pub fn signed(self, signature: Vec<u8>) -> Vec<u8> {
        let batch = SignedBatch {
            signature,
            ..self.batch
        };
        batch.encode()
    }
}

/// Returns the number of zero bits at the end of a hash.
fn stamp(hash: B256) -> u32 {
    u32::try_from(U256::from_be_bytes(hash.0).trailing_zeros()).unwrap_or(u32::MAX)
}

/// Returns the last 20 bytes of the hash of all terms.
fn name(model: &Classifier, time: u64, admission: &Admission) -> Address {
    let mut hasher = Keccak256::new();
    hasher.update(PREFIX);
    hasher.update([number(model.kind())]);
    hasher.update(model.parameters().abi_encode());
    let words = model.words();
    hasher.update(keccak256(
        words
            .iter()
            .flat_map(U256::to_be_bytes::<32>)
            .collect::<Vec<_>>(),
    ));
    hasher.update(time.to_be_bytes());
    match admission {
        Admission::Authors(authors) => {
            hasher.update([0]);
            for author in authors {
                hasher.update(author);
            }
        }
        Admission::Stamp(bits) => {
            hasher.update([1]);
            hasher.update(bits.to_be_bytes());
        }
    }
    Address::from_word(hasher.finalize())
}

/// Returns the number of a kind in encoded terms.
fn number(kind: Kind) -> u8 {
    match kind {
        Kind::SparsePerceptron => 0,
        Kind::DensePerceptron => 1,
        Kind::NaiveBayes => 2,
        Kind::SparseNearestCentroid => 3,
        Kind::DenseNearestCentroid => 4,
    }
}
