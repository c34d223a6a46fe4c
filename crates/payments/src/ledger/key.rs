//! Names of what the ledger has once: accounts, payments, reservations, refunds and requests.

use std::{fmt, str::FromStr};

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Hash of a session's id, which names its account.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct AccountId(pub B256);

/// Proof that a caller must give to spend an account's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Bearer token with this SHA-256.
    Token(B256),
    /// Voucher of this channel.
    Channel(B256),
    /// L402 credential of the invoice with this payment hash.
    Invoice(B256),
}

impl Owner {
    /// Returns the hash by which the ledger finds the account.
    ///
    /// Each kind is a hash of other contents, so two kinds never meet.
    #[must_use]
    pub const fn hash(self) -> B256 {
        match self {
            Self::Token(hash) | Self::Channel(hash) | Self::Invoice(hash) => hash,
        }
    }
}

/// Token contract on a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Token {
    /// Chain id.
    pub chain: u64,
    /// Address of the contract.
    pub address: Address,
}

/// Facts that only one payment can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKey {
    /// Authorization of EIP-3009: the token takes each nonce of a payer once.
    Authorization {
        /// Account that pays.
        payer: Address,
        /// Token that it pays with.
        token: Token,
        /// Nonce of the authorization.
        nonce: B256,
    },
    /// Invoice with this payment hash.
    Invoice(B256),
}

/// Hash of a [`PaymentKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PaymentId(B256);

impl PaymentId {
    /// Returns the hash.
    #[must_use]
    pub const fn hash(self) -> B256 {
        self.0
    }
}

impl PaymentKey {
    /// Returns the name of the payment.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        let mut hash = Sha256::new();
        match self {
            Self::Authorization {
                payer,
                token,
                nonce,
            } => {
                hash.update(b"authorization");
                hash.update(payer);
                hash.update(token.chain.to_be_bytes());
                hash.update(token.address);
                hash.update(nonce);
            }
            Self::Invoice(payment_hash) => {
                hash.update(b"invoice");
                hash.update(payment_hash);
            }
        }
        PaymentId(B256::from_slice(&hash.finalize()))
    }
}

/// Number of a reservation. The ledger counts them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct ReservationId(pub u64);

/// Number of a refund. The ledger counts them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
pub struct RefundId(pub u64);

/// Id that a caller gives a request, to repeat it safely.
///
/// It is the id of x402's `payment-identifier` and the value of `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

/// Fault of a request's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "cannot read the request's id: expected 16 to 128 of A-Z, a-z, 0-9, `_` and `-`, got {0} bytes"
)]
pub struct RequestIdError(usize);

impl FromStr for RequestId {
    type Err = RequestIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (16..=128).contains(&text.len());
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if fits && text.bytes().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RequestIdError(text.len()))
        }
    }
}

impl TryFrom<String> for RequestId {
    type Error = RequestIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Request with an id: who may repeat it, and the hash of what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Hash of the account or, before there is one, of the payer. Ids of two scopes never meet.
    pub scope: B256,
    /// Id within the scope.
    pub id: RequestId,
    /// Hash of path and body.
    pub body: B256,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_id_has_16_to_128_plain_characters() {
        let id = |text: &str| text.parse::<RequestId>().map(String::from);
        assert_eq!(id("pay_0123456789-AZ"), Ok("pay_0123456789-AZ".to_owned()));
        assert_eq!(id(&"a".repeat(15)), Err(RequestIdError(15)));
        assert_eq!(id(&"a".repeat(129)), Err(RequestIdError(129)));
        assert!(id(&"a".repeat(128)).is_ok());
        assert!(id("0123456789abcde.").is_err());
        assert!(id("0123456789abcdeé").is_err());
    }

    #[test]
    fn payment_key_has_another_id_for_each_fact() {
        let key = |payer: u8, chain, token: u8, nonce: u8| PaymentKey::Authorization {
            payer: Address::with_last_byte(payer),
            token: Token {
                chain,
                address: Address::with_last_byte(token),
            },
            nonce: B256::with_last_byte(nonce),
        };
        let keys = [
            key(1, 1, 1, 1),
            key(2, 1, 1, 1),
            key(1, 2, 1, 1),
            key(1, 1, 2, 1),
            key(1, 1, 1, 2),
            PaymentKey::Invoice(B256::with_last_byte(1)),
            PaymentKey::Invoice(B256::with_last_byte(2)),
        ];
        let mut ids = keys.map(|key| key.id());
        ids.sort();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
