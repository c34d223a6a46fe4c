//! Keys of accounts, which sign transactions and messages.

mod keystore;

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_eips::{Encodable2718, eip2930::AccessList};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, b256};
use alloy_signer::{
    SignerSync,
    k256::elliptic_curve::rand_core::{OsRng, RngCore},
};
use alloy_signer_local::PrivateKeySigner;

use keystore::Fault;

/// Chain id of anvil's and hardhat's development chains, whose accounts have publicly known keys.
pub const DEVELOPMENT_CHAIN: u64 = 31_337;

/// Secrets of the accounts that anvil and hardhat fund. They are publicly known.
const DEVELOPMENT: [B256; 10] = [
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
    b256!("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6"),
    b256!("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a"),
    b256!("8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba"),
    b256!("92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e"),
    b256!("4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356"),
    b256!("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
    b256!("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6"),
];

/// Failure to read, make or use a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not a secret key. The message does not repeat it.
    #[error(
        "the secret is not a key; expected 64 hexadecimal digits, with or without 0x, other than zero"
    )]
    NotAKey,
    /// The secret is a small number, which anyone can guess. The message does not repeat it.
    #[error(
        "the secret is a small number, and whoever tries small numbers has its money; make a key with \
         `cotrain key new`"
    )]
    Guessable,
    /// The password is empty.
    #[error(
        "the password from {from} is empty; a key file without a password is anyone's, so give it one"
    )]
    EmptyPassword {
        /// Origin of the password: a file, a variable or the terminal.
        from: String,
    },
    /// The password file cannot be read.
    #[error("cannot read the password file {path}")]
    NoPassword {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The account that the file names differs from its key's.
    #[error(
        "{path} says it is for {claimed}, but its key is of {found}; use a key file that is whole"
    )]
    OtherAccount {
        /// Path of the file.
        path: PathBuf,
        /// Account that the file names.
        claimed: Address,
        /// Account of the file's key.
        found: Address,
    },
    /// The file cannot be read.
    #[error("cannot read the key file {path}")]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file is not an encrypted key.
    #[error("{path} is not an encrypted key (JSON, Web3 secret storage): {reason}")]
    NotAKeystore {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The password does not open the file.
    #[error("the password does not open the key file {path}; give the one it was made with")]
    WrongPassword {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write the key file {path}")]
    Unwritable {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// Key of an account. Its debug output shows only the address; dropping it wipes it from memory.
#[derive(Clone)]
pub struct Key {
    signer: PrivateKeySigner,
}

/// A transaction before it is signed (EIP-1559).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Chain that the transaction is for.
    pub chain_id: u64,
    /// Number of transactions that the sender has sent before.
    pub nonce: u64,
    /// Contract to call; `None` if `data` creates a contract.
    pub to: Option<Address>,
    /// Value sent with the transaction, in wei.
    pub value: U256,
    /// Calldata, or the code that creates a contract.
    pub data: Bytes,
    /// Maximum gas that the transaction may use.
    pub gas_limit: u64,
    /// Maximum price of a unit of gas, base and priority fee together, in wei.
    pub max_fee: u128,
    /// Maximum part of that price for the builder of the block, in wei.
    pub priority_fee: u128,
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Hash of the transaction, which identifies its receipt.
    pub hash: B256,
    /// Encoded transaction, as the node receives it.
    pub raw: Bytes,
}

impl Key {
    /// Returns the account's address.
    #[must_use]
    pub fn address(&self) -> Address {
        self.signer.address()
    }

    /// Reads a key from its secret: 64 hexadecimal digits, with or without `0x`.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] or [`KeyError::Guessable`]. The message does not repeat the secret.
    pub fn from_hex(secret: &str) -> Result<Self, KeyError> {
        let signer: PrivateKeySigner = secret.trim().parse().map_err(|_| KeyError::NotAKey)?;
        // A random key has so many leading zeros only by a negligible chance.
        if signer.to_bytes().starts_with(&[0; 16]) {
            return Err(KeyError::Guessable);
        }
        Ok(Self { signer })
    }

    /// Returns `true` if this is one of the publicly known keys (see [`Key::development`]).
    #[must_use]
    pub fn is_development(&self) -> bool {
        DEVELOPMENT.contains(&self.signer.to_bytes())
    }

    /// Returns `true` if the key is publicly known and the chain is no development chain.
    ///
    /// On such a chain, anyone could take what the account receives.
    #[must_use]
    pub fn is_exposed_on(&self, chain_id: u64) -> bool {
        self.is_development() && chain_id != DEVELOPMENT_CHAIN
    }

    /// Opens an encrypted key file (JSON, Web3 secret storage).
    ///
    /// It logs a warning about everything unusual in the file, and if other accounts of the machine
    /// can read it.
    ///
    /// # Errors
    /// If the file cannot be read, is not a key file, or names another account than its key's.
    /// Also if the password is empty or wrong.
    pub fn from_keystore(path: &Path, password: &str) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path).map_err(|source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        check_password(password, &path.display().to_string())?;
        let not_a_keystore = |reason: String| KeyError::NotAKeystore {
            path: path.to_owned(),
            reason,
        };
        let opened = keystore::decrypt(&text, password).map_err(|fault| match fault {
            Fault::Password => KeyError::WrongPassword {
                path: path.to_owned(),
            },
            Fault::File(reason) => not_a_keystore(reason),
        })?;
        let signer = PrivateKeySigner::from_bytes(&opened.secret.into())
            .map_err(|_| not_a_keystore("the secret in it is no key".to_owned()))?;
        if let Some(claimed) = opened.address
            && claimed != signer.address()
        {
            return Err(KeyError::OtherAccount {
                path: path.to_owned(),
                claimed,
                found: signer.address(),
            });
        }
        for unusual in opened.unusual {
            tracing::warn!("the key file {} is unusual: {unusual}", path.display());
        }
        warn_of_readers(path);
        Ok(Self { signer })
    }

    /// Creates a new key and writes it to an encrypted file in `directory`.
    ///
    /// The file is named after the address, and only its owner may read it. An existing file is
    /// never overwritten.
    ///
    /// # Errors
    /// If the password is empty or the file cannot be written.
    pub fn create_keystore(directory: &Path, password: &str) -> Result<(Self, PathBuf), KeyError> {
        check_password(password, "the terminal or its file")?;
        let key = Self {
            signer: PrivateKeySigner::random_with(&mut OsRng),
        };
        let path = directory.join(format!("{:#x}.json", key.address()));
        let secret = key.signer.to_bytes();
        let random = |bytes: &mut [u8]| OsRng.fill_bytes(bytes);
        let text = keystore::encrypt(&secret.0, key.address(), password, random);
        write_owners(&path, text.as_bytes()).map_err(|source| KeyError::Unwritable {
            path: path.clone(),
            source,
        })?;
        Ok((key, path))
    }

    /// Returns one of the ten accounts that anvil and hardhat fund. `index` is taken modulo 10.
    ///
    /// These keys are publicly known, so they are for development only.
    #[must_use]
    #[allow(
        clippy::missing_panics_doc,
        reason = "the constants are keys, which a test checks"
    )]
    pub fn development(index: u32) -> Self {
        let secret = &DEVELOPMENT[index as usize % DEVELOPMENT.len()];
        let signer = PrivateKeySigner::from_bytes(secret).expect("a key");
        Self { signer }
    }

    /// Signs a hash. The signature is r, s and v; v is 27 or 28.
    #[must_use]
    pub fn sign_hash(&self, hash: &B256) -> [u8; 65] {
        self.signature(hash).as_bytes()
    }

    /// Signs a transaction, and does not send it.
    #[must_use]
    pub fn sign_transaction(&self, transaction: &Unsigned) -> Signed {
        let transaction = TxEip1559 {
            chain_id: transaction.chain_id,
            nonce: transaction.nonce,
            gas_limit: transaction.gas_limit,
            max_fee_per_gas: transaction.max_fee,
            max_priority_fee_per_gas: transaction.priority_fee,
            to: transaction.to.map_or(TxKind::Create, TxKind::Call),
            value: transaction.value,
            access_list: AccessList::default(),
            input: transaction.data.clone(),
        };
        let signature = self.signature(&transaction.signature_hash());
        let signed = transaction.into_signed(signature);
        Signed {
            hash: *signed.hash(),
            raw: signed.encoded_2718().into(),
        }
    }

    #[allow(clippy::missing_panics_doc, reason = "never")]
    fn signature(&self, hash: &B256) -> Signature {
        self.signer
            .sign_hash_sync(hash)
            .expect("a key in memory signs any hash")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.address()).finish()
    }
}

/// Reads a password from the first line of a file.
///
/// It logs a warning if other accounts of the machine can read the file.
///
/// # Errors
/// If the file cannot be read, or the line is empty. It is empty if a secret was not mounted there.
pub fn password_file(path: &Path) -> Result<String, KeyError> {
    let text = fs::read_to_string(path).map_err(|source| KeyError::NoPassword {
        path: path.to_owned(),
        source,
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let password = text.lines().next().unwrap_or_default();
    check_password(password, &path.display().to_string())?;
    warn_of_readers(path);
    Ok(password.to_owned())
}

/// Checks that a password has a character other than white space.
///
/// # Errors
/// [`KeyError::EmptyPassword`] with `from`, the password's origin.
pub fn check_password(password: &str, from: &str) -> Result<(), KeyError> {
    if password.trim().is_empty() {
        let from = from.to_owned();
        return Err(KeyError::EmptyPassword { from });
    }
    Ok(())
}

/// Logs a warning if other accounts than its owner can read a file with a secret.
fn warn_of_readers(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let Ok(metadata) = fs::metadata(path) else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o044 != 0 {
            tracing::warn!(
                "{} can be read by other accounts of this machine (mode {mode:o}); chmod 600 it",
                path.display()
            );
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Writes a new file that only its owner may read and write. If that fails, it removes the file.
fn write_owners(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests {
    use alloy_consensus::TxEnvelope;
    use alloy_eips::Decodable2718;
    use alloy_primitives::{address, keccak256};

    use super::*;

    #[test]
    fn development_gives_the_accounts_of_anvil() {
        let wanted = [
            (0, address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266")),
            (1, address!("70997970C51812dc3A010C7d01b50e0d17dc79C8")),
            (9, address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720")),
            (10, address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266")),
        ];
        for (index, address) in wanted {
            assert_eq!(Key::development(index).address(), address);
        }
        for index in 0..10 {
            let _ = Key::development(index);
        }
    }

    #[test]
    fn key_never_shows_its_secret() {
        let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
        let key = Key::from_hex(&format!(" 0x{secret}\n")).expect("a key");
        assert_eq!(key.address(), Key::development(0).address());
        assert!(!format!("{key:?}").contains("ac0974"));
        for bad in ["", "0x", &secret[..62], &"0".repeat(64), &"f".repeat(64)] {
            let error = Key::from_hex(bad).expect_err("not a key");
            assert!(bad.is_empty() || bad == "0x" || !error.to_string().contains(bad));
        }
    }

    #[test]
    fn from_hex_refuses_guessable_secrets_and_marks_known_ones() {
        for small in ["1", "2a", "ffffffffffffffffffffffffffffffff"] {
            let error = Key::from_hex(&format!("{small:0>64}")).expect_err("refused");
            assert!(matches!(error, KeyError::Guessable), "{error}");
        }
        let key = Key::from_hex("0000000000000000000000000000000100000000000000000000000000000000");
        assert!(!key.expect("a key").is_development());
        assert!((0..10).all(|index| Key::development(index).is_development()));
        assert!(Key::development(0).is_exposed_on(1));
        assert!(!Key::development(0).is_exposed_on(DEVELOPMENT_CHAIN));
    }

    #[test]
    fn check_password_refuses_an_empty_one_wherever_it_comes_from() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        for empty in ["", "\n", "\r\nsecret\n", " \t\n", "\u{feff}\r\n"] {
            fs::write(&file, empty).expect("written");
            let error = password_file(&file).expect_err("refused");
            assert!(matches!(error, KeyError::EmptyPassword { .. }), "{error}");
            assert!(
                error.to_string().contains("is empty; a key file"),
                "{error}"
            );
        }
        fs::write(&file, "\u{feff}secret \r\nmore").expect("written");
        assert_eq!(password_file(&file).expect("a password"), "secret ");
        let missing = password_file(&folder.path().join("none")).expect_err("refused");
        assert!(matches!(missing, KeyError::NoPassword { .. }), "{missing}");
        for empty in ["", " "] {
            let error = Key::create_keystore(folder.path(), empty).expect_err("refused");
            assert!(matches!(error, KeyError::EmptyPassword { .. }), "{error}");
            let error = Key::from_keystore(&file, empty).expect_err("refused");
            assert!(matches!(error, KeyError::EmptyPassword { .. }), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn create_keystore_makes_a_file_for_its_owner_and_its_account() {
        let folder = tempfile::tempdir().expect("a folder");
        let (key, path) = Key::create_keystore(folder.path(), "secret").expect("a key");
        let opened = Key::from_keystore(&path, "secret").expect("a key");
        assert_eq!(opened.address(), key.address());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).expect("a file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let text = fs::read_to_string(&path).expect("a file");
        let other = format!("{:x}", Key::development(0).address());
        let text = text.replace(&format!("{:x}", key.address()), &other);
        fs::write(&path, text).expect("written");
        let error = Key::from_keystore(&path, "secret").expect_err("refused");
        assert!(matches!(error, KeyError::OtherAccount { .. }), "{error}");
    }

    #[test]
    fn sign_hash_shows_who_signed() {
        let key = Key::development(3);
        let hash = keccak256("hello");
        let signature = key.sign_hash(&hash);
        assert!(matches!(signature[64], 27 | 28));
        let signature = Signature::from_raw_array(&signature).expect("a signature");
        let signer = signature.recover_address_from_prehash(&hash);
        assert_eq!(signer.expect("recovers"), key.address());
    }

    #[test]
    fn sign_transaction_keeps_what_was_asked_for() {
        let key = Key::development(4);
        let unsigned = Unsigned {
            chain_id: DEVELOPMENT_CHAIN,
            nonce: 7,
            to: None,
            value: U256::from(5),
            data: Bytes::from_static(&[1, 2]),
            gas_limit: 100_000,
            max_fee: 20,
            priority_fee: 3,
        };
        let signed = key.sign_transaction(&unsigned);
        assert_eq!(signed.hash, keccak256(&signed.raw));
        let read = TxEnvelope::decode_2718(&mut signed.raw.as_ref()).expect("a transaction");
        let TxEnvelope::Eip1559(read) = read else {
            panic!("{read:?}")
        };
        assert_eq!(read.recover_signer().expect("a signer"), key.address());
        assert_eq!((read.tx().nonce, read.tx().gas_limit), (7, 100_000));
        assert_eq!(
            (
                read.tx().max_fee_per_gas,
                read.tx().max_priority_fee_per_gas
            ),
            (20, 3)
        );
        assert_eq!(read.tx().to, TxKind::Create);
    }
}
