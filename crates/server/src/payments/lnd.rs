//! Client of a Lightning node by LND's REST interface: invoices, and the stream of what is paid.
//!
//! No lnd has been run against it: it is held to LND's published message definitions.

mod error;

use std::{fs, path::Path, time::Duration};

use alloy_primitives::{B256, hex};
use cotrain_client::pinned;
use cotrain_payments::lnd::{
    INVOICES, Invoice, MACAROON_HEADER, MadeInvoice, NewInvoice, Status, Streamed, invoice_path,
    subscribe_path,
};
use reqwest::{Client, RequestBuilder, Response, header::HeaderValue, redirect::Policy};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::de::DeserializeOwned;
use url::Url;

pub use self::error::LndError;
use crate::config::LightningSection;

/// Maximum time to connect.
const CONNECTING: Duration = Duration::from_secs(5);
/// Time after which a silent connection is asked whether it lives.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// Maximum size of an answer, and of a message of the stream, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// Maximum size of the file with the macaroon, in bytes.
const MAX_MACAROON: usize = 4_096;

/// Node that makes invoices and tells which ones are paid; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Lnd {
    client: Client,
    url: Url,
    macaroon: HeaderValue,
    timeout: Duration,
}

/// Stream of the node's invoices: new ones, and settlements.
#[derive(Debug)]
pub(crate) struct Subscription {
    path: String,
    response: Response,
    /// Bytes behind the last whole message.
    rest: Vec<u8>,
}

impl Lnd {
    /// Reads certificate and macaroon. Nothing is sent.
    pub(crate) fn new(section: &LightningSection) -> Result<Self, LndError> {
        let certificate = CertificateDer::from_pem_file(&section.certificate).map_err(|fault| {
            LndError::Certificate {
                path: section.certificate.clone(),
                reason: fault.to_string(),
            }
        })?;
        let tls = pinned::tls(certificate).map_err(|fault| LndError::Tls(fault.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECTING.min(section.timeout))
            .tcp_keepalive(KEEPALIVE)
            .build()
            .map_err(|fault| LndError::Tls(fault.to_string()))?;
        Ok(Self {
            client,
            url: section.url.clone(),
            macaroon: read_macaroon(&section.macaroon)?,
            timeout: section.timeout,
        })
    }

    /// Checks that the node answers and takes the macaroon, by a look-up that changes nothing.
    pub(crate) async fn check(&self) -> Result<(), LndError> {
        self.invoice(B256::ZERO).await.map(drop)
    }

    /// Makes an invoice.
    pub(crate) async fn make_invoice(&self, new: &NewInvoice) -> Result<MadeInvoice, LndError> {
        let request = self.client.post(self.address(INVOICES)).json(new);
        self.call(INVOICES, request).await
    }

    /// Looks an invoice up. Returns `None` if the node knows none of this payment hash.
    pub(crate) async fn invoice(&self, payment_hash: B256) -> Result<Option<Invoice>, LndError> {
        let path = invoice_path(payment_hash);
        let request = self.client.get(self.address(&path));
        match self.call::<Invoice>(&path, request).await {
            Ok(invoice) if invoice.r_hash == payment_hash => Ok(Some(invoice)),
            Ok(invoice) => Err(LndError::Malformed {
                path,
                reason: format!("it is about the payment hash {}", invoice.r_hash),
            }),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Follows the invoices: all settlements after a number, then what is new.
    ///
    /// The node answers with its first message, which can be hours later. With the number 0 it tells of
    /// new settlements only.
    pub(crate) async fn subscribe(&self, settle_index: u64) -> Result<Subscription, LndError> {
        let path = subscribe_path(0, settle_index);
        let request = self.with_macaroon(self.client.get(self.address(&path)));
        let sent = request.send().await;
        let response = sent.map_err(|error| self.unsent(&path, &error))?;
        if response.status().is_success() {
            return Ok(Subscription {
                path,
                response,
                rest: Vec::new(),
            });
        }
        Err(self.refused(path, response).await)
    }

    /// Returns the address of a path. A host may have the node behind a path of its own.
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url.as_str().trim_end_matches('/'))
    }

    fn with_macaroon(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(MACAROON_HEADER, self.macaroon.clone())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        request: RequestBuilder,
    ) -> Result<T, LndError> {
        let request = self.with_macaroon(request).timeout(self.timeout);
        let sent = request.send().await;
        let response = sent.map_err(|error| self.unsent(path, &error))?;
        if !response.status().is_success() {
            return Err(self.refused(path.to_owned(), response).await);
        }
        let body = self.body(path, response).await?;
        serde_json::from_slice(&body).map_err(|fault| LndError::Malformed {
            path: path.to_owned(),
            reason: fault.to_string(),
        })
    }

    /// Returns the body of an answer, which must not be endless.
    async fn body(&self, path: &str, mut response: Response) -> Result<Vec<u8>, LndError> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| self.unsent(path, &error))? {
                Some(chunk) if body.len() + chunk.len() <= MAX_ANSWER => {
                    body.extend_from_slice(&chunk);
                }
                Some(_) => return Err(too_long(path)),
                None => return Ok(body),
            }
        }
    }

    /// Returns the error of a request without a whole answer.
    fn unsent(&self, path: &str, error: &reqwest::Error) -> LndError {
        let url = self.url.to_string();
        if error.is_timeout() {
            let after = self.timeout;
            return LndError::TimedOut { url, after };
        }
        let path = path.to_owned();
        LndError::unreachable(url, path, error)
    }

    /// Returns the error of an answer with a status that is no success.
    async fn refused(&self, path: String, response: Response) -> LndError {
        let status = response.status().as_u16();
        // A proxy in between may answer with a page.
        let body = self.body(&path, response).await.unwrap_or_default();
        let read = serde_json::from_slice::<Status>(&body);
        LndError::refused(path, status, read.unwrap_or_else(|_| nameless()))
    }
}

impl Subscription {
    /// Waits for the next invoice. Returns `None` if the node ends the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Invoice>, LndError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.read(&line).map(Some);
            }
            if self.rest.len() > MAX_ANSWER {
                return Err(too_long(&self.path));
            }
            let chunk = self.response.chunk().await;
            let chunk = chunk.map_err(|error| LndError::Broken {
                reason: error::innermost(&error),
            })?;
            let Some(chunk) = chunk else {
                return Ok(None);
            };
            self.rest.extend_from_slice(&chunk);
        }
    }

    fn read(&self, line: &[u8]) -> Result<Invoice, LndError> {
        match serde_json::from_slice(line) {
            Ok(Streamed::Result(invoice)) => Ok(invoice),
            // The status was sent before the error was known.
            Ok(Streamed::Error(status)) => Err(LndError::refused(self.path.clone(), 200, status)),
            Err(fault) => Err(LndError::Malformed {
                path: self.path.clone(),
                reason: fault.to_string(),
            }),
        }
    }
}

fn nameless() -> Status {
    Status {
        code: 0,
        message: "it gives no reason".to_owned(),
    }
}

fn too_long(path: &str) -> LndError {
    LndError::Malformed {
        path: path.to_owned(),
        reason: format!("it has more than {MAX_ANSWER} bytes"),
    }
}

/// Reads a macaroon, which LND writes in binary, and others in hexadecimal.
fn read_macaroon(path: &Path) -> Result<HeaderValue, LndError> {
    let bytes = fs::read(path).map_err(|fault| LndError::MacaroonFile {
        path: path.to_owned(),
        reason: fault.to_string(),
    })?;
    let text = bytes.trim_ascii();
    let is_hex = text.iter().all(u8::is_ascii_hexdigit) && text.len().is_multiple_of(2);
    let text = if is_hex {
        String::from_utf8_lossy(text).into_owned()
    } else {
        hex::encode(&bytes)
    };
    // Both forms of macaroons begin so: version 2, or the length of the first field of version 1.
    let is_macaroon = text.starts_with("02") || text.starts_with("30");
    let mut value = HeaderValue::from_str(&text)
        .ok()
        .filter(|_| is_macaroon && bytes.len() <= MAX_MACAROON)
        .ok_or_else(|| LndError::MacaroonFile {
            path: path.to_owned(),
            reason: format!("{} bytes that are no macaroon", bytes.len()),
        })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests;
