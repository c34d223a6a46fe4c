//! Reading of Lightning invoices (BOLT 11): amount, hash, expiry, network and payee.
//!
//! Routes, features and descriptions are left to wallets, which pay.

use alloy_primitives::B256;
use bech32::{Bech32, Checksum, Fe32, primitives::decode::CheckedHrpstring};
use secp256k1::{
    Message, PublicKey, SECP256K1,
    ecdsa::{RecoverableSignature, RecoveryId, Signature},
};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Seconds for which an invoice without an expiry is valid.
const DEFAULT_EXPIRY: u64 = 3_600;
/// Groups of 5 bits of the timestamp.
const TIMESTAMP: usize = 7;
/// Groups of 5 bits of the signature: 64 bytes, and one for the recovery.
const SIGNATURE: usize = 104;
/// Groups of 5 bits of a hash of 32 bytes.
const HASH: usize = 52;
/// Groups of 5 bits of a public key of 33 bytes.
const KEY: usize = 53;

/// Checksum of Bech32, for texts as long as the largest QR code.
enum Long {}

impl Checksum for Long {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    type CorrectionField = <Bech32 as Checksum>::CorrectionField;
    const ROOT_GENERATOR: Self::CorrectionField = Bech32::ROOT_GENERATOR;
    const ROOT_EXPONENTS: core::ops::RangeInclusive<usize> = Bech32::ROOT_EXPONENTS;
    const CODE_LENGTH: usize = 7_089;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// Network of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// Main network: real money.
    Bitcoin,
    /// Public test network.
    Testnet,
    /// Public test network with signed blocks.
    Signet,
    /// Own network of a test.
    Regtest,
}

/// Invoice whose checksum and signature are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Network.
    pub network: Network,
    /// Amount in millisatoshi, or `None` if the payer chooses it.
    pub amount: Option<u64>,
    /// Time of its making, in seconds since 1970.
    pub timestamp: u64,
    /// Seconds for which it is valid.
    pub expiry: u64,
    /// Hash of the preimage that proves the payment.
    pub payment_hash: B256,
    /// Public key of the node that signed it, compressed.
    pub payee: [u8; 33],
}

/// Fault of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvoiceError {
    /// The text is no Bech32, or its checksum is wrong.
    #[error("cannot read the invoice: it is no Bech32, or was changed; ask for a new one")]
    Checksum,
    /// The prefix names no network of Bitcoin.
    #[error("cannot read the invoice: expected a prefix lnbc, lntb, lntbs or lnbcrt, got `{0}`")]
    Network(String),
    /// The amount has another form, or no whole millisatoshi.
    #[error(
        "cannot read the invoice's amount `{0}`: expected a number and one of m, u, n, p, in whole millisatoshi"
    )]
    Amount(String),
    /// A part is missing, or ends too early.
    #[error("cannot read the invoice: {0}")]
    Part(&'static str),
    /// The signature is not that of the payee.
    #[error("cannot take the invoice: its signature is wrong; ask for a new one")]
    Signature,
}

impl Invoice {
    /// Reads an invoice, and checks its checksum and its signature.
    ///
    /// # Errors
    /// [`InvoiceError`]
    pub fn read(text: &str) -> Result<Self, InvoiceError> {
        let text = text.trim();
        let checked = CheckedHrpstring::new::<Long>(text).map_err(|_| InvoiceError::Checksum)?;
        let prefix = checked.hrp().to_lowercase();
        let (network, amount) = read_prefix(&prefix)?;
        let words: Vec<u8> = checked.fe32_iter().map(Fe32::to_u8).collect();
        let cut = words.len().checked_sub(SIGNATURE);
        let (data, signature) = words.split_at(cut.ok_or(InvoiceError::Part("it is too short"))?);
        let Some((timestamp, fields)) = data.split_at_checked(TIMESTAMP) else {
            return Err(InvoiceError::Part("it has no time"));
        };
        let fields = Fields::read(fields)?;
        let payment_hash = fields
            .payment_hash
            .ok_or(InvoiceError::Part("it has no payment hash"))?;
        // Whoever pays without the secret could be robbed by a node on the way.
        if !fields.has_secret {
            return Err(InvoiceError::Part("it has no payment secret"));
        }
        let payee = check(&prefix, data, signature, fields.payee)?;
        Ok(Self {
            network,
            amount,
            timestamp: number(timestamp)?,
            expiry: fields.expiry.unwrap_or(DEFAULT_EXPIRY),
            payment_hash,
            payee,
        })
    }

    /// Returns the time from which nobody should pay, in seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.timestamp.saturating_add(self.expiry)
    }
}

fn read_prefix(prefix: &str) -> Result<(Network, Option<u64>), InvoiceError> {
    // The longer names begin with the shorter ones.
    let names = [
        ("lnbcrt", Network::Regtest),
        ("lnbc", Network::Bitcoin),
        ("lntbs", Network::Signet),
        ("lntb", Network::Testnet),
    ];
    let found = names
        .iter()
        .find_map(|(name, network)| Some((*network, prefix.strip_prefix(name)?)));
    let (network, amount) = found.ok_or_else(|| InvoiceError::Network(prefix.to_owned()))?;
    let fault = || InvoiceError::Amount(amount.to_owned());
    if amount.is_empty() {
        return Ok((network, None));
    }
    // A bitcoin has 10^11 millisatoshi.
    let (digits, factor, divisor) = match amount.as_bytes() {
        [.., b'm'] => (&amount[..amount.len() - 1], 100_000_000, 1),
        [.., b'u'] => (&amount[..amount.len() - 1], 100_000, 1),
        [.., b'n'] => (&amount[..amount.len() - 1], 100, 1),
        [.., b'p'] => (&amount[..amount.len() - 1], 1, 10),
        _ => (amount, 100_000_000_000, 1),
    };
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    let count: u64 = digits
        .parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(fault)?;
    if !count.is_multiple_of(divisor) {
        return Err(fault());
    }
    let amount = (count / divisor).checked_mul(factor).ok_or_else(fault)?;
    Ok((network, Some(amount)))
}

/// Fields that matter here. The first of each kind counts.
#[derive(Default)]
struct Fields {
    payment_hash: Option<B256>,
    expiry: Option<u64>,
    payee: Option<PublicKey>,
    has_secret: bool,
}

impl Fields {
    fn read(mut words: &[u8]) -> Result<Self, InvoiceError> {
        let mut fields = Self::default();
        while let [kind, high, low, rest @ ..] = words {
            let length = usize::from(*high) * 32 + usize::from(*low);
            let (field, rest) = rest
                .split_at_checked(length)
                .ok_or(InvoiceError::Part("a field ends too early"))?;
            words = rest;
            // Fields of other kinds, and those of another length, are skipped.
            match (*kind, length) {
                (1, HASH) if fields.payment_hash.is_none() => {
                    fields.payment_hash = Some(B256::from_slice(&pack(field)[..32]));
                }
                (6, _) if fields.expiry.is_none() => fields.expiry = Some(number(field)?),
                (16, HASH) => fields.has_secret = true,
                (19, KEY) if fields.payee.is_none() => {
                    let key = PublicKey::from_slice(&pack(field)[..33]);
                    fields.payee = Some(key.map_err(|_| InvoiceError::Signature)?);
                }
                _ => {}
            }
        }
        if words.is_empty() {
            Ok(fields)
        } else {
            Err(InvoiceError::Part("a field ends too early"))
        }
    }
}

/// Checks the signature, and returns the key that made it.
fn check(
    prefix: &str,
    data: &[u8],
    signature: &[u8],
    payee: Option<PublicKey>,
) -> Result<[u8; 33], InvoiceError> {
    let mut hash = Sha256::new();
    hash.update(prefix);
    hash.update(pack(data));
    let message = Message::from_digest(hash.finalize().into());
    let signature = pack(signature);
    let fault = |_| InvoiceError::Signature;
    let key = if let Some(key) = payee {
        // The key is told, so the number for the recovery says nothing.
        let signature = Signature::from_compact(&signature[..64]).map_err(fault)?;
        let is_right = SECP256K1.verify_ecdsa(message, &signature, &key);
        is_right.map_err(fault)?;
        key
    } else {
        let id = RecoveryId::try_from(i32::from(signature[64])).map_err(fault)?;
        let signature = RecoverableSignature::from_compact(&signature[..64], id).map_err(fault)?;
        SECP256K1
            .recover_ecdsa(message, &signature)
            .map_err(fault)?
    };
    Ok(key.serialize())
}

/// Returns groups of 5 bits as bytes, with zeros up to the last byte.
fn pack(words: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(words.len() * 5 / 8 + 1);
    let (mut bits, mut count) = (0_u16, 0);
    for word in words {
        bits = bits << 5 | u16::from(*word);
        count += 5;
        if count >= 8 {
            count -= 8;
            let [_, byte] = (bits >> count).to_be_bytes();
            bytes.push(byte);
        }
    }
    if count > 0 {
        let [_, byte] = (bits << (8 - count)).to_be_bytes();
        bytes.push(byte);
    }
    bytes
}

/// Returns groups of 5 bits as a number.
fn number(words: &[u8]) -> Result<u64, InvoiceError> {
    words.iter().try_fold(0_u64, |number, word| {
        let shifted = number.checked_mul(32);
        let shifted = shifted.ok_or(InvoiceError::Part("a number exceeds 64 bits"))?;
        Ok(shifted | u64::from(*word))
    })
}

#[cfg(test)]
mod tests;
