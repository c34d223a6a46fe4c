//! Tokens with signed transfers, by EIP-3009.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::{Eip712Domain, SolCall, SolStruct, sol};
use cotrain_protocol::signature::recover_strict;
use serde::{Deserialize, Serialize};

use super::{Decimal, wire::PaymentRequirements};

sol! {
    struct TransferWithAuthorization {
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }

    struct ReceiveWithAuthorization {
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }
}

pub mod abi {
    //! Interface of a token with signed transfers.

    #![allow(
        missing_docs,
        reason = "the macro documents no fields of events and calls"
    )]

    alloy_sol_types::sol! {
        #[derive(Debug, PartialEq, Eq)]
        interface Erc3009 {
            event Transfer(address indexed from, address indexed to, uint256 value);
            event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
            event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

            function balanceOf(address account) external view returns (uint256);
            function authorizationState(address authorizer, bytes32 nonce) external view returns (bool);
            function transferWithAuthorization(
                address from, address to, uint256 value, uint256 validAfter, uint256 validBefore,
                bytes32 nonce, uint8 v, bytes32 r, bytes32 s
            ) external;
        }
    }
}

/// Token, with its EIP-712 domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token {
    /// Number of the chain.
    pub chain_id: u64,
    /// Address of the token.
    pub address: Address,
    /// Name in the token's EIP-712 domain.
    pub name: String,
    /// Version in the token's EIP-712 domain.
    pub version: String,
}

/// Terms of a signed transfer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// Account that pays and signs.
    pub from: Address,
    /// Recipient.
    pub to: Address,
    /// Amount in atomic units.
    pub value: Decimal,
    /// Last second in which it is not valid yet, in Unix seconds.
    pub valid_after: Decimal,
    /// First second in which it is not valid any more, in Unix seconds.
    pub valid_before: Decimal,
    /// Random number that is used once by the account.
    pub nonce: B256,
}

/// Reason why an offer names no token that this crate can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// The network is no EVM chain.
    Network,
    /// The asset is no address.
    Asset,
    /// The offer has no name or version of the EIP-712 domain.
    Domain,
    /// The offer asks for transfers by another method than EIP-3009.
    Method,
}

impl Token {
    /// Returns the token of an offer.
    pub(crate) fn of(offer: &PaymentRequirements) -> Result<Self, TokenFault> {
        let extra = |key| offer.extra.get(key);
        let text = |key| extra(key).and_then(|it| it.as_str()).map(str::to_owned);
        if extra("assetTransferMethod").is_some_and(|it| it.as_str() != Some("eip3009")) {
            return Err(TokenFault::Method);
        }
        Ok(Self {
            chain_id: offer.chain_id().ok_or(TokenFault::Network)?,
            address: offer.asset().ok_or(TokenFault::Asset)?,
            name: text("name").ok_or(TokenFault::Domain)?,
            version: text("version").ok_or(TokenFault::Domain)?,
        })
    }

    /// Returns the token's EIP-712 domain.
    #[must_use]
    pub fn domain(&self) -> Eip712Domain {
        Eip712Domain::new(
            Some(self.name.clone().into()),
            Some(self.version.clone().into()),
            Some(alloy_primitives::U256::from(self.chain_id)),
            Some(self.address),
            None,
        )
    }

    /// Returns the hash that the payer signs for a transfer that anyone may send.
    #[must_use]
    pub fn transfer_hash(&self, authorization: &Authorization) -> B256 {
        let it = authorization;
        TransferWithAuthorization {
            from: it.from,
            to: it.to,
            value: it.value.0,
            validAfter: it.valid_after.0,
            validBefore: it.valid_before.0,
            nonce: it.nonce,
        }
        .eip712_signing_hash(&self.domain())
    }

    /// Returns the hash that the payer signs for a transfer that only the recipient may send.
    #[must_use]
    pub fn receive_hash(&self, authorization: &Authorization) -> B256 {
        let it = authorization;
        ReceiveWithAuthorization {
            from: it.from,
            to: it.to,
            value: it.value.0,
            validAfter: it.valid_after.0,
            validBefore: it.valid_before.0,
            nonce: it.nonce,
        }
        .eip712_signing_hash(&self.domain())
    }
}

impl Authorization {
    /// Returns `true` if the payer's key signed this hash of the authorization.
    ///
    /// Contracts as payers fail: this interface of tokens takes no signature of theirs.
    pub(crate) fn is_signed(&self, hash: B256, signature: &[u8]) -> bool {
        recover_strict(signature, hash) == Some(self.from)
    }

    /// Returns the data of the call `transferWithAuthorization(…, v, r, s)`.
    ///
    /// Returns `None` if the signature does not have 65 bytes.
    #[must_use]
    pub fn transfer_call(&self, signature: &[u8]) -> Option<Bytes> {
        let signature: &[u8; 65] = signature.try_into().ok()?;
        let call = abi::Erc3009::transferWithAuthorizationCall {
            from: self.from,
            to: self.to,
            value: self.value.0,
            validAfter: self.valid_after.0,
            validBefore: self.valid_before.0,
            nonce: self.nonce,
            v: signature[64],
            r: B256::from_slice(&signature[..32]),
            s: B256::from_slice(&signature[32..64]),
        };
        Some(call.abi_encode().into())
    }
}

/// Returns the hash of a struct with this hash in a domain with this separator, by EIP-712.
pub(crate) fn typed_hash(separator: B256, struct_hash: B256) -> B256 {
    keccak256([&[0x19, 0x01], separator.as_slice(), struct_hash.as_slice()].concat())
}
