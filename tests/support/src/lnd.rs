//! Double of LND's REST interface: invoices that a test pays, and faults.
//!
//! It answers by LND's published message definitions, over TLS with a certificate of its own.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{
    B256,
    hex::{self, FromHex as _},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

const CERTIFICATE: &str = include_str!("lnd/tls.cert");
const OTHER: &str = include_str!("lnd/other.cert");
const KEY: &str = include_str!("lnd/tls.key");
/// Macaroon that the double takes: version 2, and nothing that anybody reads.
const MACAROON: &[u8] = b"\x02\x01\x03lnd\x02\x04test\x00\x00\x06\x04sign";

/// Answer of a node in trouble.
#[derive(Debug, Clone)]
pub enum LndFault {
    /// Error with a status, a code of gRPC and a message.
    Error(u16, i32, &'static str),
    /// Work that is done, but whose answer comes late.
    Late(Duration),
    /// Work that is done, and a connection that is cut instead of an answer.
    Cut,
    /// Answer that is no message of LND.
    Nonsense,
}

/// Double of LND on a free port of loopback. It ends with the test's runtime.
pub struct LndDouble {
    port: u16,
    state: Shared,
    folder: TempDir,
}

type Shared = Arc<Mutex<State>>;

struct State {
    invoices: Vec<Made>,
    settled: u64,
    faults: VecDeque<LndFault>,
    /// Number of requests by method and path, without what is behind `?` or names an invoice.
    requests: BTreeMap<String, usize>,
    /// `true` if streams end as soon as they begin.
    is_broken: bool,
    changed: watch::Sender<u64>,
}

#[derive(Clone)]
struct Made {
    hash: B256,
    preimage: [u8; 32],
    msat: u64,
    paid: u64,
    state: &'static str,
    created: u64,
    expiry: u64,
    settle_index: u64,
    memo: String,
    /// `true` if the node has deleted it.
    is_forgotten: bool,
}

impl LndDouble {
    /// Starts a node without invoices.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("tls.cert", CERTIFICATE), ("other.cert", OTHER)] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        fs::write(folder.path().join("invoice.macaroon"), MACAROON).expect("a file");
        fs::write(
            folder.path().join("hex.macaroon"),
            hex::encode(MACAROON) + "\n",
        )
        .expect("a file");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State {
            invoices: Vec::new(),
            settled: 0,
            faults: VecDeque::new(),
            requests: BTreeMap::new(),
            is_broken: false,
            changed: watch::Sender::new(0),
        }));
        let (shared, acceptor) = (Arc::clone(&state), acceptor());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(Arc::clone(&shared), acceptor.clone(), stream));
            }
        });
        Self {
            port,
            state,
            folder,
        }
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Returns the path of a file: `tls.cert`, `other.cert`, `invoice.macaroon` or `hex.macaroon`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Pays an invoice by its text, and returns the preimage.
    #[must_use]
    pub fn pay(&self, invoice: &str) -> [u8; 32] {
        let msat = self.state().find(invoice).msat;
        self.pay_with(invoice, msat)
    }

    /// Pays an invoice with an amount of the payer's choice, in millisatoshi.
    #[must_use]
    pub fn pay_with(&self, invoice: &str, msat: u64) -> [u8; 32] {
        let mut state = self.state();
        state.settled += 1;
        let index = state.settled;
        let made = state.find(invoice);
        assert_ne!(made.state, "SETTLED", "it is paid");
        (made.state, made.paid, made.settle_index) = ("SETTLED", msat, index);
        let preimage = made.preimage;
        state.change();
        preimage
    }

    /// Puts an invoice into the state `OPEN`, `ACCEPTED` or `CANCELED`.
    pub fn put(&self, invoice: &str, name: &'static str) {
        let mut state = self.state();
        state.find(invoice).state = name;
        state.change();
    }

    /// Deletes an invoice, as hosts do with canceled ones.
    pub fn forget(&self, invoice: &str) {
        self.state().find(invoice).is_forgotten = true;
    }

    /// Returns the preimage of an invoice, which nobody but the node should know before it is paid.
    #[must_use]
    pub fn preimage(&self, invoice: &str) -> [u8; 32] {
        self.state().find(invoice).preimage
    }

    /// Answers the next requests so, one after the other.
    pub fn fail(&self, faults: impl IntoIterator<Item = LndFault>) {
        self.state().faults.extend(faults);
    }

    /// Ends all streams, and those to come until it is called with `false`.
    pub fn break_streams(&self, is_broken: bool) {
        let mut state = self.state();
        state.is_broken = is_broken;
        state.change();
    }

    /// Returns the number of requests so far, by method and path such as `GET /v1/invoice`.
    #[must_use]
    pub fn requests(&self, name: &str) -> usize {
        self.state().requests.get(name).copied().unwrap_or(0)
    }

    /// Returns the sum of all payments, in millisatoshi.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.state().invoices.iter().map(|made| made.paid).sum()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn find(&mut self, invoice: &str) -> &mut Made {
        let found = self.invoices.iter_mut().find(|made| made.text() == invoice);
        found.expect("an invoice of this node")
    }

    fn change(&self) {
        self.changed.send_modify(|number| *number += 1);
    }

    fn make(&mut self, body: &Value) -> Value {
        let number = self.invoices.len() as u64 + 1;
        let preimage: [u8; 32] = Sha256::digest(number.to_be_bytes()).into();
        let whole = |name: &str| body[name].as_str().and_then(|it| it.parse().ok());
        self.invoices.push(Made {
            hash: B256::from_slice(&Sha256::digest(preimage)),
            preimage,
            msat: whole("value_msat").expect("an amount as text"),
            paid: 0,
            state: "OPEN",
            created: now(),
            expiry: whole("expiry").expect("an expiry as text"),
            settle_index: 0,
            memo: body["memo"].as_str().unwrap_or_default().to_owned(),
            is_forgotten: false,
        });
        self.change();
        let made = &self.invoices[self.invoices.len() - 1];
        json!({
            "r_hash": BASE64.encode(made.hash), "payment_request": made.text(),
            "add_index": number.to_string(), "payment_addr": BASE64.encode([7; 32]),
        })
    }

    fn look_up(&self, hash: &str) -> (u16, Value) {
        let hash = B256::from_hex(hash).ok();
        let found = |made: &&Made| Some(made.hash) == hash && !made.is_forgotten;
        match self.invoices.iter().find(found) {
            Some(made) => (200, made.json(&self.invoices)),
            None => (404, error(5, "unable to locate invoice")),
        }
    }
}

impl Made {
    /// Returns a text in the place of an invoice of BOLT 11, which the server only passes on.
    fn text(&self) -> String {
        format!("lnbcrt{}n1{}", self.msat / 100, hex::encode(self.hash))
    }

    fn json(&self, all: &[Self]) -> Value {
        let place = all.iter().position(|it| it.hash == self.hash);
        let is_settled = self.state == "SETTLED";
        let preimage = if is_settled { self.preimage } else { [0; 32] };
        json!({
            "memo": self.memo, "r_preimage": BASE64.encode(preimage), "r_hash": BASE64.encode(self.hash),
            "value": (self.msat / 1_000).to_string(), "value_msat": self.msat.to_string(),
            "settled": is_settled, "creation_date": self.created.to_string(), "settle_date": "0",
            "payment_request": self.text(), "description_hash": "", "expiry": self.expiry.to_string(),
            "fallback_addr": "", "cltv_expiry": "80", "route_hints": [], "private": false,
            "add_index": (place.map_or(0, |it| it + 1)).to_string(),
            "settle_index": self.settle_index.to_string(), "amt_paid": self.paid.to_string(),
            "amt_paid_sat": (self.paid / 1_000).to_string(), "amt_paid_msat": self.paid.to_string(),
            "state": self.state, "htlcs": [], "features": {}, "is_keysend": false,
            "payment_addr": BASE64.encode([7; 32]), "is_amp": false, "amp_invoice_state": {},
            "is_blinded": false, "blinded_path_config": null,
        })
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |it| it.as_secs())
}

fn error(code: i32, message: &str) -> Value {
    json!({ "code": code, "message": message, "details": [] })
}

fn acceptor() -> TlsAcceptor {
    let certificate =
        CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a configuration");
    TlsAcceptor::from(Arc::new(config))
}

/// Answers one request, and ends the connection.
async fn answer(state: Shared, acceptor: TlsAcceptor, stream: TcpStream) {
    // A caller that does not trust the certificate is gone by now.
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let Some((head, body)) = read(&mut stream).await else {
        return;
    };
    let mut words = head.split_whitespace();
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let hash = path.strip_prefix("/v1/invoice/");
    let name = hash.map_or(path, |_| "/v1/invoice");
    let expected = format!("grpc-metadata-macaroon: {}", hex::encode(MACAROON));
    let macaroon = head
        .lines()
        .find(|it| it.to_ascii_lowercase().starts_with("grpc-metadata"));
    let fault = {
        let mut state = lock(&state);
        *state
            .requests
            .entry(format!("{method} {name}"))
            .or_default() += 1;
        state.faults.pop_front()
    };
    if let Some(LndFault::Error(status, code, message)) = fault {
        return send(&mut stream, status, &error(code, message).to_string()).await;
    }
    let (status, body) = match (method, path, macaroon) {
        (_, _, None) => (500, error(2, "expected 1 macaroon, got 0")),
        (_, _, Some(given)) if !given.eq_ignore_ascii_case(&expected) => {
            let message = "verification failed: signature mismatch after caveat verification";
            (500, error(2, message))
        }
        ("POST", "/v1/invoices", _) => (200, lock(&state).make(&body)),
        ("GET", "/v1/invoices/subscribe", _) => return follow(&state, stream, query).await,
        ("GET", _, _) if hash.is_some() => lock(&state).look_up(hash.unwrap_or_default()),
        _ => (404, error(5, "Not Found")),
    };
    match fault {
        Some(LndFault::Cut) => {}
        Some(LndFault::Nonsense) => send(&mut stream, 200, "<html>not LND</html>").await,
        Some(LndFault::Late(time)) => {
            sleep(time).await;
            send(&mut stream, status, &body.to_string()).await;
        }
        _ => send(&mut stream, status, &body.to_string()).await,
    }
}

async fn read(stream: &mut TlsStream<TcpStream>) -> Option<(String, Value)> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        let count = stream
            .read(&mut part)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.to_ascii_lowercase();
        let length = length
            .lines()
            .find_map(|it| it.strip_prefix("content-length: "));
        let length = length.map_or(0, |it| it.parse().expect("a length"));
        if body.len() >= length {
            let body = serde_json::from_str(body).unwrap_or(Value::Null);
            return Some((head.to_owned(), body));
        }
    }
}

async fn send(stream: &mut TlsStream<TcpStream>, status: u16, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} .\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    // The caller may be gone.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Sends each settlement after `settle_index`, or each that is new if that is 0, and each new invoice.
///
/// As in LND, not even the status comes before the first message.
async fn follow(state: &Shared, mut stream: TlsStream<TcpStream>, query: &str) {
    let after = query
        .split('&')
        .find_map(|it| it.strip_prefix("settle_index="));
    let after: u64 = after.and_then(|it| it.parse().ok()).unwrap_or(0);
    let (mut changes, mut settled, mut added) = {
        let state = lock(state);
        let settled = if after == 0 { state.settled } else { after };
        (state.changed.subscribe(), settled, state.invoices.len())
    };
    let mut has_begun = false;
    loop {
        let (messages, is_broken) = {
            let state = lock(state);
            let new = state.invoices[added..].iter();
            let mut paid: Vec<_> = state.invoices.iter().collect();
            paid.retain(|it| it.settle_index > settled);
            paid.sort_by_key(|it| it.settle_index);
            let messages: Vec<_> = new.chain(paid).map(|it| it.json(&state.invoices)).collect();
            (added, settled) = (state.invoices.len(), state.settled.max(settled));
            (messages, state.is_broken)
        };
        if is_broken {
            return;
        }
        for message in messages {
            let line = json!({ "result": message }).to_string() + "\n";
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
            let text = if has_begun {
                line
            } else {
                format!("{head}{line}")
            };
            has_begun = true;
            if stream.write_all(text.as_bytes()).await.is_err() || stream.flush().await.is_err() {
                return;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
