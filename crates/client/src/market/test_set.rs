//! The secret test set of a market's provider or a federated trainer's owner. Its parts are committed
//! to by hashes, and revealed later.

use std::{fs, path::Path};

use alloy_primitives::{Address, B256, Bytes, keccak256};
use cotrain_chain::keys::Key;
use cotrain_protocol::{
    ContractError,
    market::{MAX_BYTES, Market, commitment},
    sample::{Item, encode_batch},
};
use serde::{Deserialize, Serialize};

use crate::files::write_whole;

/// Smallest and largest number of parts.
const PARTS: (usize, usize) = (2, 256);

/// A secret test set, in parts. Who loses it cannot reveal it, and loses the bounty or the bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSet {
    /// Id of the contract's chain.
    pub chain_id: u64,
    /// Contract that the parts are committed to: a market or a federated trainer.
    #[serde(rename = "market")]
    pub contract: Address,
    /// The parts, in order.
    parts: Vec<Part>,
}

/// One part of a test set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    salt: B256,
    items: Bytes,
}

/// Reason why a test set cannot be made, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestSetError {
    /// The number of parts is outside its bounds.
    #[error("there are to be {parts} parts; expected {} to {}", PARTS.0, PARTS.1)]
    Parts {
        /// Number of parts.
        parts: usize,
    },
    /// There are fewer samples than parts.
    #[error(
        "there are {samples} samples for {parts} parts; each part needs one: give more samples, or make fewer parts"
    )]
    TooFew {
        /// Number of samples.
        samples: usize,
        /// Number of parts.
        parts: usize,
    },
    /// A part is too long.
    #[error(
        "part {part} would have {bytes} bytes, and at most {MAX_BYTES} are possible; make more parts, or give fewer samples"
    )]
    TooLong {
        /// Index of the part.
        part: usize,
        /// Its bytes.
        bytes: usize,
    },
    /// A sample is malformed.
    #[error("a sample of the test set is malformed")]
    Sample(#[from] ContractError),
    /// The file cannot be read or written.
    #[error("cannot {verb} the test set {path}")]
    File {
        /// Verb for the message, such as `read`.
        verb: &'static str,
        /// The file.
        path: String,
        /// Failure of the file system.
        source: std::io::Error,
    },
    /// The file to write has other content.
    #[error(
        "{path} holds another test set, or something else, and was left alone; go on with the options that it was made \
         with, or name another file with --test-set"
    )]
    Occupied {
        /// The file.
        path: String,
    },
    /// The file holds the test set of another contract.
    #[error(
        "{path} is not the test set that {contract} is committed to; name the right file with --test-set"
    )]
    Other {
        /// The file.
        path: String,
        /// Contract that has other commitments.
        contract: Address,
    },
    /// The file is not a test set.
    #[error("{path} holds no test set: {reason}; name the file that `create` wrote")]
    Malformed {
        /// The file.
        path: String,
        /// Cause.
        reason: String,
    },
}

impl TestSet {
    /// Divides samples into parts of nearly equal size.
    ///
    /// The salts derive from the key. The same samples and key give the same test set again.
    ///
    /// # Errors
    /// [`TestSetError`].
    pub fn new(
        key: &Key,
        chain_id: u64,
        market: Address,
        samples: &[Item<'_>],
        parts: usize,
    ) -> Result<Self, TestSetError> {
        if !(PARTS.0..=PARTS.1).contains(&parts) {
            return Err(TestSetError::Parts { parts });
        }
        let n = samples.len();
        if n < parts {
            return Err(TestSetError::TooFew { samples: n, parts });
        }
        let divided = (0..parts).map(|part| {
            let items = encode_batch(&samples[part * n / parts..(part + 1) * n / parts])?;
            if items.len() > MAX_BYTES {
                let bytes = items.len();
                return Err(TestSetError::TooLong { part, bytes });
            }
            Ok(Part {
                salt: salt(key, chain_id, market, part),
                items: items.into(),
            })
        });
        Ok(Self {
            chain_id,
            contract: market,
            parts: divided.collect::<Result<_, _>>()?,
        })
    }

    /// Makes a test set of parts that are encoded already, with salts as those of [`new`](Self::new).
    #[must_use]
    pub fn of_parts(key: &Key, chain_id: u64, contract: Address, parts: &[Vec<u8>]) -> Self {
        let salted = parts.iter().enumerate().map(|(part, items)| Part {
            salt: salt(key, chain_id, contract, part),
            items: items.clone().into(),
        });
        Self {
            chain_id,
            contract,
            parts: salted.collect(),
        }
    }

    /// Checks that samples can be divided into parts, before the market exists.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn check(samples: &[Item<'_>], parts: usize) -> Result<(), TestSetError> {
        Self::new(&Key::development(0), 0, Address::ZERO, samples, parts).map(drop)
    }

    /// Returns the commitments, one a part.
    #[must_use]
    pub fn commitments(&self) -> Vec<B256> {
        let parts = (0..).zip(&self.parts);
        parts
            .map(|(index, part)| commitment(index, part.salt, &part.items))
            .collect()
    }

    /// Returns salt and items of a part, if there is one.
    #[must_use]
    pub fn part(&self, index: usize) -> Option<(B256, &[u8])> {
        let part = self.parts.get(index)?;
        Some((part.salt, &part.items))
    }

    /// Returns salt and items of each part, in order.
    #[must_use]
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (B256, &[u8])> {
        self.parts.iter().map(|part| (part.salt, &part.items[..]))
    }

    /// Returns the number of parts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Returns `true` if there are no parts. A test set of [`new`](Self::new) is never empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Writes the test set to a file that only its owner can read. When this returns, the file is
    /// on the disk. A file with other content is left unchanged.
    ///
    /// # Errors
    /// [`TestSetError::Occupied`] or [`TestSetError::File`].
    pub fn save(&self, path: &Path) -> Result<(), TestSetError> {
        if path.exists() {
            return match Self::load(path) {
                Ok(there) if there == *self => Ok(()),
                _ => Err(TestSetError::Occupied {
                    path: path.display().to_string(),
                }),
            };
        }
        let failed = |source| TestSetError::File {
            verb: "write",
            path: path.display().to_string(),
            source,
        };
        // A bare file name has an empty parent: it means the current folder.
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        write_whole(&folder.join(path.file_name().unwrap_or_default()), &text).map_err(failed)
    }

    /// Reads a test set from a file.
    ///
    /// # Errors
    /// [`TestSetError::File`] or [`TestSetError::Malformed`].
    pub fn load(path: &Path) -> Result<Self, TestSetError> {
        let shown = path.display().to_string();
        let text = fs::read(path).map_err(|source| TestSetError::File {
            verb: "read",
            path: shown.clone(),
            source,
        })?;
        serde_json::from_slice(&text).map_err(|error| TestSetError::Malformed {
            path: shown,
            reason: error.to_string(),
        })
    }

    /// Reads the test set that a market is committed to from a file.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and [`TestSetError::Other`].
    pub fn load_of(path: &Path, market: &Market) -> Result<Self, TestSetError> {
        Self::load_committed(path, market.address(), market.commitments())
    }

    /// Reads the test set that a contract is committed to from a file.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and [`TestSetError::Other`].
    pub fn load_committed(
        path: &Path,
        contract: Address,
        commitments: &[B256],
    ) -> Result<Self, TestSetError> {
        let set = Self::load(path)?;
        if set.commitments() == commitments {
            return Ok(set);
        }
        Err(TestSetError::Other {
            path: path.display().to_string(),
            contract,
        })
    }
}

/// Returns the salt of a part: a hash of a signature that only the key's holder can make.
/// Signatures are deterministic (RFC 6979). The signed text is neither a transaction nor typed
/// data.
fn salt(key: &Key, chain_id: u64, contract: Address, part: usize) -> B256 {
    // An address has one contract, so markets and trainers cannot share a salt.
    let text =
        format!("cotrain test set of the market {contract} on chain {chain_id}, part {part}");
    keccak256(key.sign_hash(&keccak256(text)).as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(samples: &[Vec<u8>]) -> Vec<Item<'_>> {
        let labeled = samples.iter().enumerate();
        labeled
            .map(|(index, sample)| Item {
                label: u16::from(index % 2 == 0),
                sample,
            })
            .collect()
    }

    #[test]
    fn test_set_is_made_again_and_kept() {
        let samples: Vec<_> = (0..7_u8).map(|index| vec![0, index]).collect();
        let (key, market) = (Key::development(1), Address::with_last_byte(9));
        let set = TestSet::new(&key, 31_337, market, &items(&samples), 3).expect("a test set");
        assert_eq!(set.len(), 3);
        let again = TestSet::new(&key, 31_337, market, &items(&samples), 3).expect("the same");
        assert_eq!(set, again);
        for (other, chain, of) in [
            (Key::development(2), 31_337, market),
            (Key::development(1), 1, market),
            (Key::development(1), 31_337, Address::with_last_byte(8)),
        ] {
            let other = TestSet::new(&other, chain, of, &items(&samples), 3).expect("another");
            assert_ne!(set.commitments(), other.commitments());
        }
        let sizes: Vec<_> = (0..3)
            .map(|part| set.part(part).map(|(_, items)| items.len() / 6))
            .collect();
        assert_eq!(sizes, [Some(2), Some(2), Some(3)]);
        assert_eq!(set.part(3), None);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below/test-set.json");
        set.save(&path).expect("saved");
        assert_eq!(TestSet::load(&path).expect("loaded"), set);
        set.save(&path).expect("the same again");
        let other = TestSet::new(&key, 1, market, &items(&samples), 3).expect("another");
        let message = other.save(&path).unwrap_err();
        assert!(
            matches!(message, TestSetError::Occupied { .. }),
            "{message}"
        );
        assert_eq!(TestSet::load(&path).expect("loaded"), set);
        fs::write(&path, "{}").expect("written");
        let malformed = TestSet::load(&path).unwrap_err();
        assert!(matches!(malformed, TestSetError::Malformed { .. }));
    }

    #[test]
    fn check_bounds_the_parts_samples_and_bytes_of_a_test_set() {
        let samples: Vec<_> = (0..300_u16).map(|_| vec![0; 1_000]).collect();
        let samples = items(&samples);
        let failed = |n, parts| {
            TestSet::check(&samples[..n], parts)
                .unwrap_err()
                .to_string()
        };
        assert!(failed(300, 1).contains("1 parts; expected 2 to 256"));
        assert!(failed(300, 257).contains("257 parts"));
        assert!(failed(3, 4).contains("3 samples for 4 parts"));
        // 24 samples of 1,004 bytes fit, 25 do not.
        TestSet::check(&samples[..48], 2).expect("they fit");
        assert!(failed(49, 2).contains("part 1 would have 25100 bytes"));
    }
}
