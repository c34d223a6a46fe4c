//! A double of a paid service: it sells openings by x402 `exact`, and passes all else on.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_primitives::Address;
use cotrain_payments::x402::{
    Token, exact, extensions, header,
    wire::{PaymentPayload, PaymentRequired, Resource, SettlementResponse},
};

/// Price of an opening, in atomic units.
pub(crate) const PRICE: u128 = 5_000;

/// Token that is taken.
pub(crate) const TOKEN: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

/// Number of payments after whose answer a session is opened; those before are lost or unknown.
const SETTLED_AT: usize = 3;

/// Service on its own port.
pub(crate) struct Till {
    pub(crate) url: String,
    payments: Arc<Mutex<Vec<String>>>,
    calls: Arc<Mutex<Vec<(String, usize)>>>,
}

impl Till {
    /// Sells the sessions of the coordinator at `behind`.
    pub(crate) fn start(behind: &str) -> Self {
        Self::new(behind, true)
    }

    /// Counts the calls of the coordinator at `behind`, and sells nothing.
    pub(crate) fn counting(behind: &str) -> Self {
        Self::new(behind, false)
    }

    fn new(behind: &str, sells: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let till = Self {
            url,
            payments: Arc::default(),
            calls: Arc::default(),
        };
        let (payments, calls) = (till.payments.clone(), till.calls.clone());
        let behind = behind.trim_start_matches("http://").to_owned();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a client");
                let request = read(&mut stream);
                let (head, body) = request.split_once("\r\n\r\n").expect("a head");
                let path = head.split(' ').nth(1).expect("a path");
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                calls.lock().expect("a list").push((name, body.len()));
                if sells {
                    serve(&mut stream, head, body, &behind, &payments);
                } else {
                    let _ = stream.write_all(&forwarded(head, body, &behind, ""));
                }
            }
        });
        till
    }

    /// Returns the last words of the paths that were called, with the sizes of the bodies.
    pub(crate) fn calls(&self) -> Vec<(String, usize)> {
        self.calls.lock().expect("a list").clone()
    }

    /// Returns the payments that were sent.
    pub(crate) fn payments(&self) -> Vec<String> {
        self.payments.lock().expect("a list").clone()
    }
}

fn offer() -> PaymentRequired {
    let token = Token {
        chain_id: 31_337,
        address: TOKEN.parse().expect("an address"),
        name: "Test".to_owned(),
        version: "1".to_owned(),
    };
    let offer = exact::offer(&token, PRICE, Address::repeat_byte(7), 60);
    let identifier = extensions::offer_identifier(false);
    PaymentRequired {
        x402_version: 2,
        error: None,
        resource: Some(Resource::default()),
        accepts: vec![offer],
        extensions: [(extensions::PAYMENT_IDENTIFIER.to_owned(), identifier)].into(),
    }
}

fn serve(
    stream: &mut TcpStream,
    head: &str,
    body: &str,
    behind: &str,
    payments: &Mutex<Vec<String>>,
) {
    if !head.starts_with("POST /v1/label/sessions HTTP/1.1\r\n") {
        let _ = stream.write_all(&forwarded(head, body, behind, ""));
        return;
    }
    let value = |name: &str| {
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let Some(payment) = value(header::PAYMENT_SIGNATURE) else {
        let offer = header::encode(&serde_json::to_vec(&offer()).expect("JSON"));
        let name = header::PAYMENT_REQUIRED;
        answer(stream, &format!("402 Payment Required\r\n{name}: {offer}"));
        return;
    };
    let json = header::decode(&payment).expect("base64");
    let signed: PaymentPayload = serde_json::from_slice(&json).expect("a payment");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let verified = exact::verify(&signed, &offer().accepts[0], now.as_secs());
    verified.expect("a payment that is right");
    let id = extensions::identifier(&signed.extensions, true).expect("an id");
    assert_eq!(id.map(str::to_owned), value("Idempotency-Key"));
    let count = {
        let mut payments = payments.lock().expect("a list");
        payments.push(payment);
        payments.len()
    };
    if count < SETTLED_AT {
        if count > 1 {
            answer(stream, "503 Service Unavailable\r\nRetry-After: 0");
        }
        return;
    }
    let settled = SettlementResponse {
        success: true,
        transaction: "0x01".to_owned(),
        network: "eip155:31337".to_owned(),
        ..SettlementResponse::default()
    };
    let settled = header::encode(&serde_json::to_vec(&settled).expect("JSON"));
    let more = format!("{}: {settled}\r\n", header::PAYMENT_RESPONSE);
    let _ = stream.write_all(&forwarded(head, body, behind, &more));
}

fn answer(stream: &mut TcpStream, status: &str) {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let _ = stream.write_all(text.as_bytes());
}

/// Passes a request on. Returns the answer, with further headers.
fn forwarded(head: &str, body: &str, behind: &str, more: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(behind).expect("a coordinator");
    let text = format!("{head}\r\nConnection: close\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer
        .windows(2)
        .position(|it| it == b"\r\n")
        .expect("a status")
        + 2;
    let more = format!("Connection: close\r\n{more}");
    [&answer[..end], more.as_bytes(), &answer[end..]].concat()
}

/// Reads a whole request.
fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut some = [0; 4_096];
    loop {
        let read = stream.read(&mut some).expect("a request");
        bytes.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(read > 0, "a request that is whole");
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return text.into_owned();
        }
    }
}
