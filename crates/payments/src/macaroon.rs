//! Macaroons: tokens whose holder can narrow them, and only their issuer can check.
//!
//! The form is version 2 in binary, with first-party caveats. The root key is used as it is.
//! Docs: `docs/adr/018-payments.md`.

mod caveat;
mod wire;

use alloy_primitives::B256;
use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{
        DecodePaddingMode,
        general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD as BASE64},
    },
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

pub use self::{
    caveat::{Caveat, CaveatError, Wanted},
    wire::WireError,
};

/// Bytes of a macaroon that is read. Ours have some hundred.
pub const MAX_BYTES: usize = 4_096;
/// Length of an identifier in bytes: a version of 16 bits and two hashes.
const IDENTIFIER: usize = 66;

/// Token with caveats, and the signature that binds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Macaroon {
    identifier: Vec<u8>,
    caveats: Vec<Vec<u8>>,
    signature: [u8; 32],
}

/// Contents of an L402 macaroon's identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identifier {
    /// Hash of the invoice's preimage.
    pub payment_hash: B256,
    /// Random number of the token.
    pub token: B256,
}

/// Fault of a macaroon.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MacaroonError {
    /// The text is no base64.
    #[error("cannot read the macaroon: expected base64 of at most {MAX_BYTES} bytes")]
    Encoding,
    /// The bytes are no macaroon.
    #[error("cannot read the macaroon: {0}")]
    Wire(#[from] WireError),
    /// The identifier is not one of L402.
    #[error(
        "cannot read the macaroon's identifier: expected version 0 and {IDENTIFIER} bytes, got {0} bytes"
    )]
    Identifier(usize),
}

impl Identifier {
    /// Returns the name under which the root key is stored. Forgetting the key revokes the token.
    #[must_use]
    pub fn key_name(&self) -> B256 {
        B256::from_slice(&Sha256::digest(self.bytes()))
    }

    fn bytes(&self) -> Vec<u8> {
        // Version 0, in 16 bits.
        let mut bytes = vec![0, 0];
        bytes.extend(self.payment_hash);
        bytes.extend(self.token);
        bytes
    }
}

impl Macaroon {
    /// Makes a macaroon without caveats. The root key and the token must be random.
    #[must_use]
    pub fn new(root_key: &[u8; 32], identifier: &Identifier) -> Self {
        let identifier = identifier.bytes();
        let signature = hmac(root_key, &identifier);
        Self {
            identifier,
            caveats: Vec::new(),
            signature,
        }
    }

    /// Adds a caveat. Anybody who has the macaroon can, and nobody can remove it.
    #[must_use]
    pub fn with_caveat(mut self, caveat: &Caveat) -> Self {
        let caveat = caveat.to_string().into_bytes();
        self.signature = hmac(&self.signature, &caveat);
        self.caveats.push(caveat);
        self
    }

    /// Returns the payment and the token that the macaroon is for.
    ///
    /// # Errors
    /// [`MacaroonError::Identifier`]
    pub fn identifier(&self) -> Result<Identifier, MacaroonError> {
        let bytes = &self.identifier;
        let fault = MacaroonError::Identifier(bytes.len());
        let rest = bytes.strip_prefix(&[0, 0]).ok_or(fault.clone())?;
        let hashes: &[u8; 64] = rest.try_into().map_err(|_| fault)?;
        let (payment_hash, token) = hashes.split_at(32);
        Ok(Identifier {
            payment_hash: B256::from_slice(payment_hash),
            token: B256::from_slice(token),
        })
    }

    /// `true` if this root key made the macaroon. It takes the same time for every signature.
    #[must_use]
    pub fn is_made_by(&self, root_key: &[u8; 32]) -> bool {
        let first = hmac(root_key, &self.identifier);
        let caveats = self.caveats.iter();
        let expected = caveats.fold(first, |signature, caveat| hmac(&signature, caveat));
        expected.ct_eq(&self.signature).into()
    }

    /// Checks that the caveats permit what is wanted.
    ///
    /// Unknown caveats are skipped, as L402 asks. A repeated caveat must narrow the one before.
    ///
    /// # Errors
    /// [`CaveatError`] of the first caveat that does not.
    pub fn permits(&self, wanted: &Wanted<'_>) -> Result<(), CaveatError> {
        caveat::permit(&self.caveats, wanted)
    }

    /// Returns the binary form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::write(&self.identifier, &self.caveats, &self.signature)
    }

    /// Reads the binary form, without a check of the signature.
    ///
    /// # Errors
    /// [`MacaroonError::Wire`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MacaroonError> {
        let (identifier, caveats, signature) = wire::read(bytes)?;
        Ok(Self {
            identifier,
            caveats,
            signature,
        })
    }

    /// Returns the text that headers carry.
    #[must_use]
    pub fn to_base64(&self) -> String {
        BASE64.encode(self.to_bytes())
    }

    /// Reads the text that headers carry, in either alphabet of base64, padded or not.
    ///
    /// # Errors
    /// [`MacaroonError`]
    pub fn from_base64(text: &str) -> Result<Self, MacaroonError> {
        if text.len() > MAX_BYTES.div_ceil(3) * 4 {
            return Err(MacaroonError::Encoding);
        }
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let alphabet = if text.contains(['-', '_']) {
            URL_SAFE
        } else {
            STANDARD
        };
        let bytes = GeneralPurpose::new(&alphabet, config).decode(text);
        Self::from_bytes(&bytes.map_err(|_| MacaroonError::Encoding)?)
    }
}

/// Returns the root key of a name, made from a secret of the issuer.
///
/// It saves a store of keys. The name is that of [`Identifier::key_name`].
#[must_use]
pub fn root_key(secret: &[u8; 32], name: B256) -> [u8; 32] {
    hmac(secret, name.as_slice())
}

fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // A shorter key is the same as one with zeros up to the length of a block.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}
