//! Payment of invoices by the payer's own Lightning node, over LND's REST interface.
//!
//! No lnd has been run against it: it is held to LND's published message definitions.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy_primitives::{B256, hex};
use cotrain_learning::text::escaped_to;
use cotrain_payments::lnd::{
    MACAROON_HEADER, NewPayment, Payment, PaymentStatus, SEND, Status, Streamed,
};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{HeaderValue, InvalidHeaderValue},
    redirect::Policy,
};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::{api::MAX_WORDS, pinned};

/// Path of the node's payments.
const PAYMENTS: &str = "/v1/payments";
/// Code of gRPC for a payment that was begun before.
const ALREADY_EXISTS: i32 = 6;
/// Time in which the node looks for routes, in seconds.
const ROUTES: i32 = 60;
/// Maximum time of a payment, after which its outcome is unknown here.
const PATIENCE: Duration = Duration::from_mins(2);
/// Interval at which a payment on its way is looked up.
const LOOKING: Duration = Duration::from_secs(1);
/// Maximum size of an answer, and of a message of the stream, in bytes.
const MAX_ANSWER: usize = 4 << 20;
/// Maximum number of payments in an answer.
const PAGE: u64 = 100;
/// Maximum number of pages that are read to find a payment.
const PAGES: usize = 100;

/// Failure to ask a Lightning node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A file cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
    /// The HTTP client cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Setup(String),
    /// The node does not answer, or breaks off.
    #[error("cannot reach the Lightning node; check --lnd and its certificate")]
    Unreachable(#[source] reqwest::Error),
    /// The node refuses.
    #[error("the Lightning node refused: {message}")]
    Refused {
        /// Code of gRPC.
        code: i32,
        /// Reason.
        message: String,
    },
    /// The answer has another form.
    #[error("cannot read the Lightning node's answer: {0}")]
    Malformed(String),
    /// The payment is on its way.
    #[error("the payment is still on its way; run the command again")]
    InFlight,
}

/// Lightning node of a payer.
#[derive(Debug, Clone)]
pub struct LightningNode {
    http: Client,
    url: Url,
    macaroon: HeaderValue,
}

/// End of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PaymentEnd {
    /// The payee has the money.
    Paid {
        preimage: [u8; 32],
        /// Amount with the fee, in millisatoshi.
        amount: u64,
    },
    /// No money has moved.
    Failed(String),
}

#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    payments: Vec<Payment>,
    #[serde(default)]
    last_index_offset: String,
}

impl LightningNode {
    /// Reads certificate and macaroon. Nothing is sent.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn new(url: &Url, certificate: &Path, macaroon: &Path) -> Result<Self, NodeError> {
        let failed = |path: &Path, reason: String| NodeError::File {
            path: path.to_owned(),
            reason,
        };
        let pem = CertificateDer::from_pem_file(certificate);
        let pem = pem.map_err(|error| failed(certificate, error.to_string()))?;
        let tls = pinned::tls(pem).map_err(|error| NodeError::Setup(error.to_string()))?;
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(Policy::none())
            .build()
            .map_err(|error| NodeError::Setup(error.to_string()))?;
        let bytes = fs::read(macaroon).map_err(|error| failed(macaroon, error.to_string()))?;
        let macaroon = header(&bytes).map_err(|error| failed(macaroon, error.to_string()))?;
        Ok(Self {
            http,
            url: url.clone(),
            macaroon,
        })
    }

    /// Pays an invoice once, however often it is called, and waits for the end.
    pub(super) async fn pay(
        &self,
        invoice: &str,
        payment_hash: B256,
        fee_limit_msat: u64,
    ) -> Result<PaymentEnd, NodeError> {
        let new = NewPayment {
            payment_request: invoice.to_owned(),
            timeout_seconds: ROUTES,
            fee_limit_msat,
        };
        let start = Instant::now();
        let sent = self
            .request(self.http.post(self.at(SEND)).json(&new))
            .send();
        let last = match sent.await {
            Ok(response) => last(response).await,
            Err(error) => Err(unreachable(error)),
        };
        match last {
            Ok(Some(payment)) => {
                if let Some(end) = end(&payment, payment_hash)? {
                    return Ok(end);
                }
            }
            // The node has refused before it sent anything.
            Err(NodeError::Refused { code, message }) if code != ALREADY_EXISTS => {
                return Ok(PaymentEnd::Failed(message));
            }
            // The stream broke, or the payment was begun before.
            Ok(None) | Err(_) => {}
        }
        loop {
            let found = self.find(payment_hash).await?;
            if let Some(end) = found.and_then(|it| end(&it, payment_hash).transpose()) {
                return end;
            }
            if start.elapsed() > PATIENCE {
                return Err(NodeError::InFlight);
            }
            sleep(LOOKING).await;
        }
    }

    /// Finds a payment in the node's list.
    async fn find(&self, payment_hash: B256) -> Result<Option<Payment>, NodeError> {
        let mut offset = "0".to_owned();
        for _ in 0..PAGES {
            let mut url = self.at(PAYMENTS);
            url.query_pairs_mut()
                .append_pair("include_incomplete", "true")
                .append_pair("index_offset", &offset)
                .append_pair("max_payments", &PAGE.to_string());
            let response = self.request(self.http.get(url)).send().await;
            let body = body(response.map_err(unreachable)?).await?;
            let listed: Listed = serde_json::from_slice(&body).map_err(malformed)?;
            let is_last = (listed.payments.len() as u64) < PAGE;
            let mut payments = listed.payments.into_iter();
            if let Some(found) = payments.find(|it| it.payment_hash == payment_hash) {
                return Ok(Some(found));
            }
            if is_last {
                return Ok(None);
            }
            offset = listed.last_index_offset;
        }
        Ok(None)
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }

    fn request(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .header(MACAROON_HEADER, self.macaroon.clone())
            .timeout(PATIENCE)
    }
}

/// Returns the end of a payment; `None` if it is on its way.
fn end(payment: &Payment, payment_hash: B256) -> Result<Option<PaymentEnd>, NodeError> {
    if payment.payment_hash != payment_hash {
        let other = payment.payment_hash;
        return Err(NodeError::Malformed(format!(
            "it is about the payment {other}"
        )));
    }
    Ok(match payment.status {
        PaymentStatus::Succeeded => {
            let preimage = payment
                .preimage()
                .filter(|preimage| B256::from_slice(&Sha256::digest(preimage)) == payment_hash);
            let missing = || NodeError::Malformed("its preimage is another one".to_owned());
            Some(PaymentEnd::Paid {
                preimage: preimage.ok_or_else(missing)?,
                amount: payment.value_msat.saturating_add(payment.fee_msat),
            })
        }
        PaymentStatus::Failed => Some(PaymentEnd::Failed(payment.failure_reason.clone())),
        PaymentStatus::Initiated | PaymentStatus::InFlight | PaymentStatus::Unknown => None,
    })
}

/// Returns the last message of a stream of payments; `None` if there is none.
async fn last(response: Response) -> Result<Option<Payment>, NodeError> {
    let body = body(response).await?;
    let mut lines = body.split(|byte| *byte == b'\n');
    let Some(line) = lines.rfind(|line| !line.trim_ascii().is_empty()) else {
        return Ok(None);
    };
    match serde_json::from_slice(line) {
        Ok(Streamed::Result(payment)) => Ok(Some(payment)),
        Ok(Streamed::Error(status)) => Err(refused(&status)),
        // The connection broke in the middle of a message.
        Err(_) => Ok(None),
    }
}

/// Returns the body of an answer, or why the node refuses.
async fn body(mut response: Response) -> Result<Vec<u8>, NodeError> {
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let told = format!("it has more than {MAX_ANSWER} bytes");
            return Err(NodeError::Malformed(told));
        }
        body.extend_from_slice(&chunk);
    }
    if status.is_success() {
        return Ok(body);
    }
    Err(refused(&serde_json::from_slice(&body).unwrap_or(Status {
        code: 0,
        message: format!("HTTP status {status}"),
    })))
}

fn refused(status: &Status) -> NodeError {
    NodeError::Refused {
        code: status.code,
        message: escaped_to(&status.message, MAX_WORDS).to_string(),
    }
}

fn unreachable(error: reqwest::Error) -> NodeError {
    NodeError::Unreachable(error.without_url())
}

// The form of a closure for `map_err` is given.
#[allow(clippy::needless_pass_by_value)]
fn malformed(error: serde_json::Error) -> NodeError {
    NodeError::Malformed(error.to_string())
}

/// Returns the header of a macaroon, which LND writes in binary, and others in hexadecimal.
fn header(bytes: &[u8]) -> Result<HeaderValue, InvalidHeaderValue> {
    let text = bytes.trim_ascii();
    let is_hex = !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit);
    let mut value = if is_hex {
        HeaderValue::from_bytes(text)?
    } else {
        HeaderValue::from_str(&hex::encode(bytes))?
    };
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(status: &str, preimage: [u8; 32]) -> (Payment, B256) {
        let hash = B256::from_slice(&Sha256::digest([7; 32]));
        let json = serde_json::json!({
            "payment_hash": hex::encode(hash),
            "payment_preimage": hex::encode(preimage),
            "status": status,
            "value_msat": "1000",
            "fee_msat": "3",
            "failure_reason": "FAILURE_REASON_NO_ROUTE",
        });
        (serde_json::from_value(json).expect("a payment"), hash)
    }

    #[test]
    fn end_needs_the_preimage_of_the_invoice() {
        let (paid, hash) = payment("SUCCEEDED", [7; 32]);
        let expected = PaymentEnd::Paid {
            preimage: [7; 32],
            amount: 1_003,
        };
        assert_eq!(end(&paid, hash).expect("an end"), Some(expected));
        assert!(end(&paid, B256::ZERO).is_err(), "another payment");
        let (other, _) = payment("SUCCEEDED", [8; 32]);
        assert!(end(&other, hash).is_err(), "another preimage");
        let (flying, _) = payment("IN_FLIGHT", [0; 32]);
        assert_eq!(end(&flying, hash).expect("a state"), None);
        let (failed, _) = payment("FAILED", [0; 32]);
        let expected = PaymentEnd::Failed("FAILURE_REASON_NO_ROUTE".to_owned());
        assert_eq!(end(&failed, hash).expect("an end"), Some(expected));
    }

    #[test]
    fn header_takes_both_forms_of_a_macaroon() {
        for bytes in [&b"\x02\xab"[..], b"02ab\n"] {
            assert_eq!(header(bytes).expect("a header"), "02ab");
        }
    }
}
