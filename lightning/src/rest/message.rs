//! Messages of LND's REST interface, by its published proto definitions.
//!
//! JSON follows the rules of protobuf: 64-bit numbers are strings, bytes are base64, each field is
//! present. A request may give a 64-bit number as string or as number. It is refused if it has a field
//! that this node does not know, as LND does; so nothing that a caller asks for is ignored.

use std::{fmt, marker::PhantomData};

use base64::{
    Engine as _,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use ldk_node::bitcoin::hex::{DisplayHex as _, FromHex as _};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};
use serde_json::{Value, json};

use crate::store::{Bytes32, Invoice, Payment, Reason, State, Status};

/// Base64 with either alphabet is accepted after this mapping, with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// Returns bytes as JSON writes them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64 of either alphabet.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    LENIENT
        .decode(text.replace('-', "+").replace('_', "/"))
        .ok()
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.to_lower_hex_string()
}

/// Reads 32 bytes of hexadecimal digits.
pub(crate) fn from_hex32(text: &str) -> Option<Bytes32> {
    Bytes32::from_hex(text).ok()
}

struct Number<T>(PhantomData<T>);

impl<T: TryFrom<u64> + TryFrom<i64>> Visitor<'_> for Number<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number, or a string with one")
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<T, E> {
        T::try_from(value).map_err(|_| E::custom(format!("{value} is out of range")))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<T, E> {
        T::try_from(value).map_err(|_| E::custom(format!("{value} is out of range")))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        if let Ok(value) = text.parse::<u64>() {
            return self.visit_u64(value);
        }
        let value = text.parse::<i64>();
        value.map_or_else(
            |_| Err(E::custom("expected a whole number")),
            |value| self.visit_i64(value),
        )
    }
}

fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64> + TryFrom<i64>,
{
    deserializer.deserialize_any(Number(PhantomData))
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    from_base64(&text).ok_or_else(|| D::Error::custom("expected base64"))
}

/// Request of `POST /v1/invoices`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AddInvoice {
    /// Description.
    pub(crate) memo: String,
    /// Preimage; random if empty.
    #[serde(deserialize_with = "bytes")]
    pub(crate) r_preimage: Vec<u8>,
    /// Amount, in satoshi.
    #[serde(deserialize_with = "number")]
    pub(crate) value: i64,
    /// Amount, in millisatoshi.
    #[serde(deserialize_with = "number")]
    pub(crate) value_msat: i64,
    /// Lifetime, in seconds; a day if 0.
    #[serde(deserialize_with = "number")]
    pub(crate) expiry: i64,
    /// `true` to hint at private channels.
    pub(crate) private: bool,
}

/// Request of `POST /v2/invoices/cancel`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CancelInvoice {
    /// Payment hash.
    #[serde(deserialize_with = "bytes")]
    pub(crate) payment_hash: Vec<u8>,
}

/// Request of `POST /v2/router/send`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SendPayment {
    /// BOLT 11 text.
    pub(crate) payment_request: String,
    /// Amount, in satoshi, for an invoice without one.
    #[serde(deserialize_with = "number")]
    pub(crate) amt: i64,
    /// Amount, in millisatoshi, for an invoice without one.
    #[serde(deserialize_with = "number")]
    pub(crate) amt_msat: i64,
    /// Maximum fee, in satoshi.
    #[serde(deserialize_with = "number")]
    pub(crate) fee_limit_sat: i64,
    /// Maximum fee, in millisatoshi.
    #[serde(deserialize_with = "number")]
    pub(crate) fee_limit_msat: i64,
    /// Seconds to look for routes, or 0.
    #[serde(deserialize_with = "number")]
    pub(crate) timeout_seconds: i64,
    /// `true` to omit states before the last.
    pub(crate) no_inflight_updates: bool,
}

/// Request of `POST /v1/channels`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OpenChannel {
    /// Peer's public key.
    #[serde(deserialize_with = "bytes")]
    pub(crate) node_pubkey: Vec<u8>,
    /// Peer's public key as hexadecimal digits.
    pub(crate) node_pubkey_string: String,
    /// Capacity, in satoshi.
    #[serde(deserialize_with = "number")]
    pub(crate) local_funding_amount: i64,
    /// Part of the capacity that the peer gets at once, in satoshi.
    #[serde(deserialize_with = "number")]
    pub(crate) push_sat: i64,
    /// `true` to keep the channel out of the public graph.
    pub(crate) private: bool,
}

/// Request of `POST /v1/peers`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConnectPeer {
    /// Peer.
    pub(crate) addr: PeerAddress,
    /// `true` to connect again after a restart.
    pub(crate) perm: bool,
}

/// Public key and address of a peer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PeerAddress {
    /// Public key, as hexadecimal digits.
    pub(crate) pubkey: String,
    /// Host and port.
    pub(crate) host: String,
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Open => "OPEN",
        State::Settled => "SETTLED",
        State::Canceled => "CANCELED",
        State::Accepted => "ACCEPTED",
    }
}

/// Returns the message `Invoice`. LDK tells nothing of single HTLCs, so `htlcs` stays empty.
pub(crate) fn invoice(invoice: &Invoice) -> Value {
    // LND shows the preimage of its own invoices in every state.
    json!({
        "memo": invoice.memo,
        "r_preimage": base64(&invoice.preimage),
        "r_hash": base64(&invoice.hash),
        "value": (invoice.value_msat / 1000).to_string(),
        "value_msat": invoice.value_msat.to_string(),
        "settled": invoice.state == State::Settled,
        "creation_date": invoice.created.to_string(),
        "settle_date": invoice.settled.to_string(),
        "payment_request": invoice.request,
        "description_hash": "",
        "expiry": invoice.expiry.to_string(),
        "fallback_addr": "",
        "cltv_expiry": final_cltv(&invoice.request).to_string(),
        "route_hints": [],
        "private": invoice.private,
        "add_index": invoice.add_index.to_string(),
        "settle_index": invoice.settle_index.to_string(),
        "amt_paid": invoice.paid_msat.to_string(),
        "amt_paid_sat": (invoice.paid_msat / 1000).to_string(),
        "amt_paid_msat": invoice.paid_msat.to_string(),
        "state": state_name(invoice.state),
        "htlcs": [],
        "features": {},
        "is_keysend": false,
        "payment_addr": base64(&invoice.secret),
        "is_amp": false,
        "amp_invoice_state": {},
        "is_blinded": false,
        "blinded_path_config": null,
    })
}

fn final_cltv(request: &str) -> u64 {
    request
        .parse::<ldk_node::lightning_invoice::Bolt11Invoice>()
        .map_or(0, |invoice| invoice.min_final_cltv_expiry_delta())
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::InFlight => "IN_FLIGHT",
        Status::Succeeded => "SUCCEEDED",
        Status::Failed => "FAILED",
    }
}

fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::None => "FAILURE_REASON_NONE",
        Reason::Timeout => "FAILURE_REASON_TIMEOUT",
        Reason::NoRoute => "FAILURE_REASON_NO_ROUTE",
        Reason::Error => "FAILURE_REASON_ERROR",
        Reason::IncorrectDetails => "FAILURE_REASON_INCORRECT_PAYMENT_DETAILS",
        Reason::InsufficientBalance => "FAILURE_REASON_INSUFFICIENT_BALANCE",
    }
}

/// Returns the message `Payment`. An unknown preimage is 32 zero bytes, as in LND.
pub(crate) fn payment(payment: &Payment) -> Value {
    let sat = (payment.value_msat / 1000).to_string();
    let fee_sat = (payment.fee_msat / 1000).to_string();
    json!({
        "payment_hash": hex(&payment.hash),
        "value": sat,
        "creation_date": (payment.created_ns / 1_000_000_000).to_string(),
        "fee": fee_sat,
        "payment_preimage": hex(&payment.preimage.unwrap_or_default()),
        "value_sat": sat,
        "value_msat": payment.value_msat.to_string(),
        "payment_request": payment.request,
        "status": status_name(payment.status),
        "fee_sat": fee_sat,
        "fee_msat": payment.fee_msat.to_string(),
        "creation_time_ns": payment.created_ns.to_string(),
        "htlcs": [],
        "payment_index": payment.index.to_string(),
        "failure_reason": reason_name(payment.reason),
        "first_hop_custom_records": {},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_base64_takes_both_alphabets_and_any_padding() {
        for text in ["+/8=", "-_8=", "+/8", "-_8"] {
            assert_eq!(from_base64(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(from_base64("+"), None);
    }

    #[test]
    fn add_invoice_takes_numbers_as_text_and_as_numbers() {
        for body in [
            r#"{"value_msat":"1000","expiry":60}"#,
            r#"{"value_msat":1000,"expiry":"60"}"#,
        ] {
            let request: AddInvoice = serde_json::from_str(body).expect(body);
            assert_eq!((request.value_msat, request.expiry), (1000, 60));
        }
        for body in [
            r#"{"value_msat":1.5}"#,
            r#"{"value_msat":"x"}"#,
            r#"{"value_msat":18446744073709551615}"#,
            r#"{"value_msat":"18446744073709551616"}"#,
            r#"{"r_preimage":"*"}"#,
            r#"{"is_amp":true}"#,
            "[]x",
        ] {
            assert!(serde_json::from_str::<AddInvoice>(body).is_err(), "{body}");
        }
    }

    #[test]
    fn payment_shows_zeros_for_an_unknown_preimage() {
        let mut sent = Payment {
            index: 1,
            hash: [1; 32],
            request: String::new(),
            value_msat: 1999,
            fee_limit_msat: 0,
            created_ns: 5_000_000_001,
            height: 1,
            status: Status::InFlight,
            preimage: None,
            fee_msat: 0,
            reason: Reason::None,
        };
        assert_eq!(payment(&sent)["payment_preimage"], "0".repeat(64));
        assert_eq!(payment(&sent)["value_sat"], "1");
        assert_eq!(payment(&sent)["creation_date"], "5");
        sent.preimage = Some([0xab; 32]);
        assert_eq!(payment(&sent)["payment_preimage"], "ab".repeat(32));
    }
}
