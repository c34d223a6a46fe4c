//! Wire types of x402, version 2.
//!
//! They tolerate unknown keys. What a client must echo is kept as it came.

use std::collections::BTreeMap;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use super::{Decimal, Json, Reason};

/// Version of the protocol.
pub const VERSION: u64 = 2;
/// Prefix of the networks of the EVM, before the number of the chain.
const EVM: &str = "eip155:";

/// Extensions by name, each of unknown form.
pub type Extensions = BTreeMap<String, Json>;

/// Resource that is paid for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// URL of the resource.
    pub url: String,
    /// Description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Media type of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Keys that this type does not know.
    #[serde(flatten)]
    pub others: BTreeMap<String, Json>,
}

/// Answer that asks for a payment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    /// Version of the protocol.
    pub x402_version: u64,
    /// Error word or text, if a payment failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Reason>,
    /// Resource that is paid for. Every server sends it, but some examples lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Offers. A client takes the first that it supports.
    pub accepts: Vec<PaymentRequirements>,
    /// Extensions that the server offers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: Extensions,
}

/// One offer: a way to pay, and the amount.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequirements {
    /// Scheme, such as `exact`.
    pub scheme: String,
    /// Network, such as `eip155:8453`.
    pub network: String,
    /// Amount in atomic units of the asset.
    pub amount: Decimal,
    /// Address of the token.
    pub asset: String,
    /// Address of the recipient.
    pub pay_to: String,
    /// Maximum time from the offer to the payment, in seconds.
    pub max_timeout_seconds: u64,
    /// Values of the scheme.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub extra: Json,
    /// Keys that this type does not know.
    #[serde(flatten)]
    pub others: BTreeMap<String, Json>,
}

impl PaymentRequirements {
    /// Returns the number of the EVM chain, or `None` for other networks.
    #[must_use]
    pub fn chain_id(&self) -> Option<u64> {
        Decimal::parse(self.network.strip_prefix(EVM)?)?.to_u64()
    }

    /// Returns the address of the token, or `None` if the asset is no address.
    #[must_use]
    pub fn asset(&self) -> Option<Address> {
        address(&self.asset)
    }

    /// Returns the address of the recipient, or `None` if it is no address.
    #[must_use]
    pub fn recipient(&self) -> Option<Address> {
        address(&self.pay_to)
    }

    /// Returns `true` if a payment that accepted `accepted` accepted this offer.
    ///
    /// Addresses may differ in case, and `extra` may have gained keys.
    #[must_use]
    pub fn is_accepted_by(&self, accepted: &Self) -> bool {
        let same_text = self.scheme == accepted.scheme && self.network == accepted.network;
        let same_address = |mine: &str, other: &str| mine.eq_ignore_ascii_case(other);
        let extra_kept = self.extra.is_null() || accepted.extra.includes(&self.extra);
        same_text
            && self.amount == accepted.amount
            && same_address(&self.asset, &accepted.asset)
            && same_address(&self.pay_to, &accepted.pay_to)
            && self.max_timeout_seconds == accepted.max_timeout_seconds
            && extra_kept
    }
}

/// Returns the name of an EVM chain as a network.
#[must_use]
pub fn network(chain_id: u64) -> String {
    format!("{EVM}{chain_id}")
}

/// Reads an address of 20 bytes in hex after `0x`, in any case.
fn address(text: &str) -> Option<Address> {
    text.starts_with("0x").then(|| text.parse().ok())?
}

/// Payment of one request. A receiver reads its payload as JSON first, since the scheme tells its form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentPayload<P = Json> {
    /// Version of the protocol.
    pub x402_version: u64,
    /// Resource that is paid for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Resource>,
    /// Offer that the client chose, as the client got it.
    pub accepted: PaymentRequirements,
    /// Values of the scheme, such as signatures.
    pub payload: P,
    /// Extensions of the offer, to which the client may have added keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: Extensions,
}

impl<P> PaymentPayload<P> {
    /// Creates a payment for an offer of a server, and echoes the server's extensions.
    #[must_use]
    pub fn new(required: &PaymentRequired, offer: &PaymentRequirements, payload: P) -> Self {
        Self {
            x402_version: VERSION,
            resource: required.resource.clone(),
            accepted: offer.clone(),
            payload,
            extensions: required.extensions.clone(),
        }
    }

    /// Checks that the payment speaks this version, and accepts `offer`.
    ///
    /// # Errors
    ///
    /// Fails with the word for the first difference.
    pub fn check_accepts(&self, offer: &PaymentRequirements) -> Result<(), Reason> {
        if self.x402_version != VERSION {
            return Err(Reason::InvalidVersion);
        }
        if self.accepted.scheme != offer.scheme {
            return Err(Reason::InvalidScheme);
        }
        if self.accepted.network != offer.network {
            return Err(Reason::InvalidNetwork);
        }
        if !offer.is_accepted_by(&self.accepted) {
            return Err(Reason::InvalidPaymentRequirements);
        }
        Ok(())
    }
}

/// Result of a payment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettlementResponse {
    /// Whether the payment is settled.
    pub success: bool,
    /// Word for the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<Reason>,
    /// Text for people about the failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Address that paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Hash of the transaction; empty if there is none.
    pub transaction: String,
    /// Network of the payment.
    pub network: String,
    /// Amount that the transaction moved, in atomic units; empty if it moved none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Extensions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: Extensions,
    /// Values of the scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Json>,
}

impl SettlementResponse {
    /// Creates the answer for a payment that failed without a transaction.
    #[must_use]
    pub fn failure(network: &str, payer: Option<Address>, reason: Reason) -> Self {
        Self {
            error_reason: Some(reason),
            payer: payer.map(|it| it.to_string()),
            network: network.to_owned(),
            ..Self::default()
        }
    }
}

/// Body of the facilitator's `POST /verify` and `POST /settle`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FacilitatorRequest {
    /// Version of the protocol.
    pub x402_version: u64,
    /// Payment by the client.
    pub payment_payload: PaymentPayload,
    /// Offer of the server.
    pub payment_requirements: PaymentRequirements,
}

/// Answer of the facilitator's `POST /verify`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyResponse {
    /// Whether the payment would settle.
    pub is_valid: bool,
    /// Word for the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_reason: Option<Reason>,
    /// Text for people about the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid_message: Option<String>,
    /// Address that pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// Values of the scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<Json>,
}

/// Answer of the facilitator's `GET /supported`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SupportedResponse {
    /// Schemes and networks.
    pub kinds: Vec<SupportedKind>,
    /// Names of extensions.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// Accounts that send transactions, by pattern of networks.
    #[serde(default)]
    pub signers: BTreeMap<String, Vec<String>>,
}

/// Scheme on a network that a facilitator supports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SupportedKind {
    /// Version of the protocol.
    pub x402_version: u64,
    /// Scheme, such as `exact`.
    pub scheme: String,
    /// Network, such as `eip155:8453`.
    pub network: String,
    /// Values of the scheme.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub extra: Json,
}
