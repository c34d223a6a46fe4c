//! Messages of LND's REST interface, as far as the service and a payer need them.
//!
//! They follow LND's published definitions: numbers of 64 bits are texts, bytes are base64, and
//! fields with their default value may be missing. Unknown fields are skipped. No I/O is here.

use std::fmt;

use alloy_primitives::{B256, hex};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ledger::InvoiceSeen;

/// Name of the header that carries the node's macaroon, in hexadecimal.
pub const MACAROON_HEADER: &str = "Grpc-Metadata-macaroon";
/// Path to make an invoice, by `POST`.
pub const INVOICES: &str = "/v1/invoices";
/// Path to pay, by `POST`. It answers a stream of [`Streamed`] payments.
pub const SEND: &str = "/v2/router/send";

/// Returns the path to look an invoice up.
#[must_use]
pub fn invoice_path(payment_hash: B256) -> String {
    format!("/v1/invoice/{}", hex::encode(payment_hash))
}

/// Returns the path of the stream of invoices, which begins after these numbers.
///
/// A number of 0 asks for no history of its kind.
#[must_use]
pub fn subscribe_path(add_index: u64, settle_index: u64) -> String {
    format!("/v1/invoices/subscribe?add_index={add_index}&settle_index={settle_index}")
}

/// Body to make an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewInvoice {
    /// Text that the payer sees.
    pub memo: String,
    /// Amount in millisatoshi.
    #[serde(with = "text")]
    pub value_msat: u64,
    /// Seconds for which the invoice is valid.
    #[serde(with = "text")]
    pub expiry: u64,
    /// `true` if the invoice has hints for channels that are not announced.
    pub private: bool,
}

/// Answer with a new invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeInvoice {
    /// Payment hash.
    #[serde(with = "hash")]
    pub r_hash: B256,
    /// Invoice of BOLT 11.
    pub payment_request: String,
    /// Number of the invoice.
    #[serde(with = "text", default)]
    pub add_index: u64,
}

/// State of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InvoiceState {
    /// Nobody has paid.
    #[default]
    Open,
    /// The node has the money.
    Settled,
    /// The node refuses payments.
    Canceled,
    /// The node holds a payment.
    Accepted,
    /// A state of later versions.
    #[serde(other)]
    Unknown,
}

/// Invoice as the node knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// Payment hash.
    #[serde(with = "hash")]
    pub r_hash: B256,
    /// Invoice of BOLT 11.
    #[serde(default)]
    pub payment_request: String,
    /// Amount asked for, in millisatoshi.
    #[serde(with = "text", default)]
    pub value_msat: u64,
    /// Amount that arrived, in millisatoshi.
    #[serde(with = "text", default)]
    pub amt_paid_msat: u64,
    /// State.
    #[serde(default)]
    pub state: InvoiceState,
    /// Time of its making, in seconds since 1970.
    #[serde(with = "text", default)]
    pub creation_date: u64,
    /// Seconds for which it is valid.
    #[serde(with = "text", default)]
    pub expiry: u64,
    /// Number of the invoice.
    #[serde(with = "text", default)]
    pub add_index: u64,
    /// Number of its settlement, or 0.
    #[serde(with = "text", default)]
    pub settle_index: u64,
}

impl Invoice {
    /// Returns what the node says about the payment, or `None` if it says nothing new.
    #[must_use]
    pub fn seen(&self) -> Option<InvoiceSeen> {
        match self.state {
            InvoiceState::Open | InvoiceState::Unknown => None,
            InvoiceState::Accepted => Some(InvoiceSeen::Accepted),
            InvoiceState::Canceled => Some(InvoiceSeen::Canceled),
            InvoiceState::Settled => Some(InvoiceSeen::Settled {
                amount: self.amt_paid_msat,
                settle_index: self.settle_index,
            }),
        }
    }
}

/// Object of a stream: a message, or the error that ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streamed<T> {
    /// Message.
    Result(T),
    /// Error.
    Error(Status),
}

/// Error of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Code of gRPC.
    #[serde(default)]
    pub code: i32,
    /// Reason.
    #[serde(default)]
    pub message: String,
}

impl Status {
    /// Code of gRPC for something that does not exist.
    pub const NOT_FOUND: i32 = 5;
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (code {})", self.message, self.code)
    }
}

/// Body to pay an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPayment {
    /// Invoice of BOLT 11.
    pub payment_request: String,
    /// Seconds to look for routes.
    pub timeout_seconds: i32,
    /// Maximum fee of the route, in millisatoshi.
    #[serde(with = "text")]
    pub fee_limit_msat: u64,
}

/// State of an outgoing payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentStatus {
    /// The node has begun nothing.
    Initiated,
    /// The money is on its way.
    InFlight,
    /// The payee has the money, and the preimage proves it.
    Succeeded,
    /// No money has moved.
    Failed,
    /// Another state, or none.
    #[default]
    #[serde(other)]
    Unknown,
}

/// Outgoing payment as the node knows it. Its hashes are hexadecimal, other than an invoice's.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Payment hash.
    #[serde(with = "bare")]
    pub payment_hash: B256,
    /// Preimage, once the payment has succeeded.
    #[serde(default)]
    pub payment_preimage: String,
    /// State.
    #[serde(default)]
    pub status: PaymentStatus,
    /// Amount in millisatoshi, without the fee.
    #[serde(with = "text", default)]
    pub value_msat: u64,
    /// Fee in millisatoshi.
    #[serde(with = "text", default)]
    pub fee_msat: u64,
    /// Reason of a failure.
    #[serde(default)]
    pub failure_reason: String,
}

impl Payment {
    /// Returns the preimage of a payment that has succeeded.
    #[must_use]
    pub fn preimage(&self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&self.payment_preimage, &mut bytes).ok()?;
        (self.status == PaymentStatus::Succeeded).then_some(bytes)
    }
}

impl fmt::Debug for Payment {
    /// Shows everything but the preimage, which is as good as money.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Payment")
            .field("payment_hash", &self.payment_hash)
            .field("status", &self.status)
            .field("value_msat", &self.value_msat)
            .field("fee_msat", &self.fee_msat)
            .finish_non_exhaustive()
    }
}

/// Numbers of 64 bits as texts. Plain numbers are read, too.
mod text {
    use super::{Deserialize, Deserializer, Serializer, de};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<'a> {
        Number(u64),
        Borrowed(&'a str),
        Owned(String),
    }

    // The attribute `with` passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = match Either::deserialize(deserializer)? {
            Either::Number(number) => return Ok(number),
            Either::Borrowed(text) => text.parse(),
            Either::Owned(text) => text.parse(),
        };
        text.map_err(de::Error::custom)
    }
}

/// Hashes as base64.
mod hash {
    use super::{B256, BASE64, Deserialize, Deserializer, Engine, Serializer, de};

    pub(super) fn serialize<S: Serializer>(hash: &B256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<B256, D::Error> {
        let bytes = BASE64.decode(String::deserialize(deserializer)?);
        let bytes = bytes.map_err(de::Error::custom)?;
        B256::try_from(&bytes[..]).map_err(|_| de::Error::custom("expected 32 bytes in base64"))
    }
}

/// Hashes in hexadecimal, without `0x`.
mod bare {
    use super::{B256, Deserialize, Deserializer, Serializer, de, hex};

    pub(super) fn serialize<S: Serializer>(hash: &B256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<B256, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_str, from_value, json, to_value};

    use super::*;

    const HASH: B256 = B256::repeat_byte(0xab);
    const BASE64_HASH: &str = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";

    #[test]
    fn new_invoice_writes_numbers_as_texts() {
        let body = NewInvoice {
            memo: "1000 units".into(),
            value_msat: u64::MAX,
            expiry: 600,
            private: true,
        };
        let expected = json!({
            "memo": "1000 units", "value_msat": "18446744073709551615", "expiry": "600", "private": true
        });
        assert_eq!(to_value(&body).expect("a body"), expected);
    }

    #[test]
    fn made_invoice_reads_lnds_answer() {
        let text = format!(
            r#"{{"r_hash":"{BASE64_HASH}","payment_request":"lnbc1","add_index":"7","payment_addr":"AAA="}}"#
        );
        let made: MadeInvoice = from_str(&text).expect("an answer");
        assert_eq!((made.r_hash, made.add_index), (HASH, 7));
    }

    /// Returns an invoice with all fields that LND writes.
    fn invoice(state: &str) -> serde_json::Value {
        json!({
            "memo": "", "r_preimage": "AAAA", "r_hash": BASE64_HASH, "value": "3", "value_msat": "3000",
            "settled": state == "SETTLED", "creation_date": "1700000000", "settle_date": "0",
            "payment_request": "lnbcrt30n1", "description_hash": "", "expiry": "600", "fallback_addr": "",
            "cltv_expiry": "80", "route_hints": [], "private": false, "add_index": "4",
            "settle_index": "2", "amt_paid": "3001", "amt_paid_sat": "3", "amt_paid_msat": "3001",
            "state": state, "htlcs": [{"chan_id": "1", "state": "SETTLED", "amt_msat": "3001"}],
            "features": {"9": {"name": "tlv-onion", "is_required": false, "is_known": true}},
            "is_keysend": false, "payment_addr": "AAA=", "is_amp": false, "amp_invoice_state": {},
            "is_blinded": false, "blinded_path_config": null
        })
    }

    #[test]
    fn invoice_tells_what_its_state_proves() {
        let seen = |state| {
            from_value::<Invoice>(invoice(state))
                .expect("an invoice")
                .seen()
        };
        assert_eq!(seen("OPEN"), None);
        assert_eq!(seen("ACCEPTED"), Some(InvoiceSeen::Accepted));
        assert_eq!(seen("CANCELED"), Some(InvoiceSeen::Canceled));
        let settled = InvoiceSeen::Settled {
            amount: 3_001,
            settle_index: 2,
        };
        assert_eq!(seen("SETTLED"), Some(settled));
        assert_eq!(seen("OF_LATER"), None);
        // `settled` is deprecated, and proves nothing.
        let mut old = invoice("OPEN");
        old["settled"] = json!(true);
        assert_eq!(from_value::<Invoice>(old).expect("an invoice").seen(), None);
    }

    #[test]
    fn invoice_needs_its_hash_only() {
        let read: Invoice = from_value(json!({ "r_hash": BASE64_HASH })).expect("an invoice");
        assert_eq!((read.r_hash, read.state), (HASH, InvoiceState::Open));
        let numbers = json!({ "r_hash": BASE64_HASH, "value_msat": 5, "state": "SETTLED" });
        assert_eq!(
            from_value::<Invoice>(numbers)
                .expect("an invoice")
                .value_msat,
            5
        );
        for wrong in [
            json!({}),
            json!({ "r_hash": "q6s=" }),
            json!({ "r_hash": "*" }),
            json!({ "r_hash": BASE64_HASH, "value_msat": "-1" }),
            json!({ "r_hash": BASE64_HASH, "value_msat": 1.5 }),
        ] {
            assert!(from_value::<Invoice>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn streamed_is_a_message_or_an_error() {
        let text = json!({ "result": invoice("OPEN") }).to_string();
        let Streamed::Result(read) = from_str::<Streamed<Invoice>>(&text).expect("a message")
        else {
            panic!("an error");
        };
        assert_eq!(read.add_index, 4);
        let text = r#"{"error":{"grpc_code":2,"code":2,"message":"shutting down","details":[]}}"#;
        let Streamed::Error(status) = from_str::<Streamed<Invoice>>(text).expect("a message")
        else {
            panic!("a result");
        };
        assert_eq!(status.to_string(), "shutting down (code 2)");
    }

    #[test]
    fn payment_gives_its_preimage_once_it_has_succeeded() {
        let payment = |status: &str| {
            let value = json!({
                "payment_hash": "ab".repeat(32), "payment_preimage": "cd".repeat(32), "value_msat": "3000",
                "fee_msat": "1", "status": status, "failure_reason": "FAILURE_REASON_NONE",
                "creation_time_ns": "1", "htlcs": [], "payment_index": "1"
            });
            from_value::<Payment>(value).expect("a payment")
        };
        assert_eq!(payment("SUCCEEDED").preimage(), Some([0xcd; 32]));
        for status in ["IN_FLIGHT", "FAILED", "UNKNOWN", "INITIATED", "OF_LATER"] {
            assert_eq!(payment(status).preimage(), None, "{status}");
        }
        let succeeded = payment("SUCCEEDED");
        assert_eq!((succeeded.payment_hash, succeeded.fee_msat), (HASH, 1));
        assert!(!format!("{succeeded:?}").contains("cdcd"));
        let body = NewPayment {
            payment_request: "lnbc1".into(),
            timeout_seconds: 60,
            fee_limit_msat: 10,
        };
        let expected =
            json!({ "payment_request": "lnbc1", "timeout_seconds": 60, "fee_limit_msat": "10" });
        assert_eq!(to_value(&body).expect("a body"), expected);
    }

    #[test]
    fn paths_are_those_of_lnd() {
        let expected = format!("/v1/invoice/{}", "ab".repeat(32));
        assert_eq!(invoice_path(HASH), expected);
        let expected = "/v1/invoices/subscribe?add_index=0&settle_index=5";
        assert_eq!(subscribe_path(0, 5), expected);
    }
}
