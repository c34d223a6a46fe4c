//! A server that gives prepared answers to expected requests, in order, and an invoice.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{B256, hex};
use bech32::{Bech32, Checksum, Fe32, Hrp, primitives::iter::Fe32IterExt};
use cotrain_payments::macaroon::Macaroon;
use secp256k1::{Message, SECP256K1, SecretKey};
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

/// Amount of the invoice, in millisatoshi.
pub(crate) const INVOICE_MSAT: u64 = 2_000_000;

/// Preimage of the invoice, 32 times the byte 9.
pub(crate) const PREIMAGE: &str =
    "0909090909090909090909090909090909090909090909090909090909090909";

/// Prepared answer.
#[derive(Clone)]
pub(crate) struct Answer {
    text: String,
    body: String,
}

impl Answer {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self {
            text: format!(
                "HTTP/1.1 {status} Some Words\r\nContent-Length: {}\r\nConnection: close\r\n",
                body.len()
            ),
            body: body.to_owned(),
        }
    }

    /// Makes an end of the connection without an answer.
    pub(crate) fn cut() -> Self {
        Self {
            text: String::new(),
            body: String::new(),
        }
    }

    /// Adds a header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        let line = format!("{name}: {value}\r\n");
        self.text.push_str(&line);
        self
    }
}

/// Request that came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    head: String,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

/// Server on its own port, which ends after its last answer.
pub(crate) struct Double {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Double {
    /// Answers requests whose first line begins with the text of each answer.
    pub(crate) fn new<const N: usize>(answers: [(&'static str, Answer); N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let list = asked.clone();
        thread::spawn(move || {
            for (expected, answer) in answers {
                let (mut stream, _) = listener.accept().expect("a client");
                let request = request(&mut stream);
                let matches = request.head.starts_with(expected);
                assert!(matches, "expected {expected}, found {}", request.head);
                list.lock().expect("a list").push(request);
                if !answer.text.is_empty() {
                    let text = format!("{}\r\n{}", answer.text, answer.body);
                    stream.write_all(text.as_bytes()).expect("sent");
                }
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> Url {
        format!("http://{}", self.address)
            .parse()
            .expect("an address")
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a list").clone()
    }
}

/// Reads a request.
fn request(stream: &mut TcpStream) -> Asked {
    let timeout = Some(Duration::from_secs(30));
    stream.set_read_timeout(timeout).expect("a timeout");
    let mut bytes = Vec::new();
    let mut some = [0; 4_096];
    loop {
        let read = stream.read(&mut some).expect("a request");
        assert!(read > 0, "a request that is whole");
        bytes.extend_from_slice(&some[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_length = name.eq_ignore_ascii_case("content-length");
            is_length.then(|| value.parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Asked {
                head: head.to_owned(),
                body: body.to_owned(),
            };
        }
    }
}

fn preimage() -> [u8; 32] {
    [9; 32]
}

fn payment_hash() -> B256 {
    B256::from_slice(&Sha256::digest(preimage()))
}

/// Returns a payment of the invoice as LND tells it.
pub(crate) fn payment(status: &str) -> String {
    let is_paid = status == "SUCCEEDED";
    json!({
        "payment_hash": hex::encode(payment_hash()),
        "payment_preimage": if is_paid { PREIMAGE.to_owned() } else { "00".repeat(32) },
        "status": status,
        "value_msat": INVOICE_MSAT.to_string(),
        "fee_msat": "3",
        "failure_reason": "FAILURE_REASON_NO_ROUTE",
    })
    .to_string()
}

/// Returns the node's list of payments, with the one of the invoice.
pub(crate) fn listed(status: &str) -> Answer {
    let payment = payment(status);
    let body = format!("{{\"payments\":[{payment}],\"last_index_offset\":\"1\"}}");
    Answer::new(200, &body)
}

/// Returns a macaroon in base64, which its bearer need not understand.
pub(crate) fn macaroon() -> String {
    // Version 2, an identifier of a byte, no caveats, and a signature.
    let bytes = [&[2, 2, 1, 7, 0, 0, 6, 32][..], &[3; 32]].concat();
    let text = base64(&bytes);
    let read = Macaroon::from_base64(&text).expect("a macaroon");
    assert_eq!(read.to_base64(), text);
    text
}

fn base64(bytes: &[u8]) -> String {
    cotrain_payments::x402::header::encode(bytes)
}

/// Checksum of invoices, which may be longer than other texts of Bech32.
enum Long {}

impl Checksum for Long {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    type CorrectionField = <Bech32 as Checksum>::CorrectionField;
    const ROOT_GENERATOR: Self::CorrectionField = Bech32::ROOT_GENERATOR;
    const ROOT_EXPONENTS: core::ops::RangeInclusive<usize> = Bech32::ROOT_EXPONENTS;
    const CODE_LENGTH: usize = 7_089;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// Returns bytes as groups of 5 bits.
fn unpack(bytes: &[u8], groups: usize) -> Vec<u8> {
    let bit = |at: usize| {
        let byte = bytes.get(at / 8);
        byte.is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1)
    };
    let group = |group: usize| (0..5).fold(0, |word, at| word << 1 | u8::from(bit(group * 5 + at)));
    (0..groups).map(group).collect()
}

/// Returns groups of 5 bits as bytes, with zeros at the end.
fn pack(words: &[u8]) -> Vec<u8> {
    let bit = |at: usize| {
        let word = words.get(at / 5).copied().unwrap_or(0);
        word >> (4 - at % 5) & 1
    };
    let byte = |index: usize| (0..8).fold(0, |byte, at| byte << 1 | bit(index * 8 + at));
    (0..(words.len() * 5).div_ceil(8)).map(byte).collect()
}

/// Returns an invoice of 2,000 sat on a network of a test, made an hour-long time ago at most.
pub(crate) fn invoice() -> String {
    static INVOICE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    INVOICE.get_or_init(made).clone()
}

fn made() -> String {
    let prefix = "lnbcrt20u";
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = now.expect("a time").as_secs();
    let mut data = unpack(&(time << 29).to_be_bytes(), 7);
    data.extend([1, 1, 20]);
    data.extend(unpack(payment_hash().as_slice(), 52));
    data.extend([16, 1, 20]);
    data.extend(unpack(&[7; 32], 52));
    let digest = Sha256::digest([prefix.as_bytes(), &pack(&data)].concat());
    let secret = SecretKey::from_byte_array([4; 32]).expect("a key");
    let signature = SECP256K1.sign_ecdsa_recoverable(Message::from_digest(digest.into()), &secret);
    let (id, bytes) = signature.serialize_compact();
    let id = u8::try_from(i32::from(id)).expect("at most 3");
    data.extend(unpack(&[&bytes[..], &[id]].concat(), 104));
    let hrp = Hrp::parse(prefix).expect("a prefix");
    let words = data
        .into_iter()
        .map(|it| Fe32::try_from(it).expect("5 bits"));
    words.with_checksum::<Long>(&hrp).chars().collect()
}
