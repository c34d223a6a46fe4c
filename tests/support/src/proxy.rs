//! A proxy before a node, which fails on request.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use reqwest::Url;
use serde_json::{Value, json};

/// Timeout for a part of a request or an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Treatment of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The proxy passes it on.
    Pass,
    /// The proxy answers after this time.
    Delay(Duration),
    /// The proxy closes the connection at once.
    Refuse,
    /// The node gets the request, and the client gets half of the answer.
    Cut,
    /// The proxy answers with this HTTP status and nothing else.
    Status(u16),
    /// The proxy answers with this JSON-RPC error.
    RpcError {
        /// Code of the error.
        code: i64,
        /// Message of the error.
        message: String,
    },
    /// The proxy answers with this JSON-RPC error, which has data, and an HTTP status.
    Refusal {
        /// HTTP status.
        status: u16,
        /// Code of the error.
        code: i64,
        /// Message of the error.
        message: String,
        /// Data of the error.
        data: Value,
    },
    /// Requests for the logs of more blocks than this meet this fault.
    Wide(u64, Box<Fault>),
    /// The connection ends well, but the JSON is cut in half.
    Torn,
    /// A list is empty.
    Empty,
    /// Each entry of a list comes twice.
    Twice,
    /// The entries of a list come in reverse order.
    Backwards,
    /// A block has only the fields that cotrain needs.
    Bare,
    /// A block is from another branch, with another hash.
    OtherBranch,
    /// The latest block is one this many blocks back.
    Lag(u64),
    /// The states of all blocks except the latest are forgotten, with this error.
    Pruned(Box<Fault>),
    /// Requests of these methods meet this fault.
    On(&'static [&'static str], Box<Fault>),
    /// Each request meets one of these faults, drawn at random.
    Mix(Vec<Fault>),
    /// A request meets all of these faults that concern it, in order. The first that answers
    /// counts.
    All(Vec<Fault>),
}

impl Fault {
    /// Returns a fault for requests of these methods.
    #[must_use]
    pub fn on(methods: &'static [&'static str], fault: Self) -> Self {
        Self::On(methods, Box::new(fault))
    }

    /// Creates a JSON-RPC error.
    #[must_use]
    pub fn rpc(code: i64, message: &str) -> Self {
        Self::RpcError {
            code,
            message: message.to_owned(),
        }
    }
}

/// A proxy before a node, over HTTP, that fails on request. Dropping it ends it.
#[derive(Debug)]
pub struct FaultyProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    /// Host and port of the node.
    node: String,
    script: Mutex<Script>,
    requests: AtomicUsize,
    ended: AtomicBool,
}

#[derive(Debug)]
struct Script {
    fault: Fault,
    /// Number of requests that still meet the fault; `None` if there is no limit.
    left: Option<usize>,
    chance: u64,
}

impl FaultyProxy {
    /// Creates a proxy on a free port before the node at `node`. It passes everything at first.
    ///
    /// `seed` decides the random draws.
    ///
    /// # Panics
    /// If there is no free port, or no host in the address.
    #[must_use]
    pub fn new(node: &Url, seed: u64) -> Self {
        let host = node.host_str().expect("a host");
        let port = node.port_or_known_default().expect("a port");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            node: format!("{host}:{port}"),
            script: Mutex::new(Script {
                fault: Fault::Pass,
                left: None,
                chance: seed,
            }),
            requests: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if serving.ended.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&serving);
                // A client that has left needs no answer.
                thread::spawn(move || shared.serve(client));
            }
        });
        Self { shared, address }
    }

    /// Returns the address at which the proxy listens.
    ///
    /// # Panics
    /// Never: the text is always a valid address.
    #[must_use]
    pub fn url(&self) -> Url {
        let text = format!("http://{}", self.address);
        text.parse().expect("an address")
    }

    /// Sets the fault that all requests meet from now on.
    pub fn set(&self, fault: Fault) {
        let mut script = self.shared.script();
        (script.fault, script.left) = (fault, None);
    }

    /// Sets the fault that the next `requests` requests meet. Later ones pass.
    pub fn set_for(&self, requests: usize, fault: Fault) {
        let mut script = self.shared.script();
        (script.fault, script.left) = (fault, Some(requests));
    }

    /// Returns the number of requests so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // The thread waits for a connection. If none can be made, it has already ended.
        let _ = TcpStream::connect(self.address);
    }
}

impl Script {
    fn next(&mut self) -> Fault {
        let fault = match &mut self.left {
            None => self.fault.clone(),
            Some(0) => Fault::Pass,
            Some(left) => {
                *left -= 1;
                self.fault.clone()
            }
        };
        self.drawn(fault)
    }

    /// Replaces each choice among faults by a drawn one.
    fn drawn(&mut self, fault: Fault) -> Fault {
        match fault {
            Fault::Mix(faults) if !faults.is_empty() => {
                let index = self.draw() % faults.len() as u64;
                let index = usize::try_from(index).unwrap_or_default();
                self.drawn(faults[index].clone())
            }
            Fault::All(faults) => {
                Fault::All(faults.into_iter().map(|fault| self.drawn(fault)).collect())
            }
            Fault::On(methods, fault) => Fault::On(methods, Box::new(self.drawn(*fault))),
            Fault::Wide(blocks, fault) => Fault::Wide(blocks, Box::new(self.drawn(*fault))),
            Fault::Pruned(fault) => Fault::Pruned(Box::new(self.drawn(*fault))),
            fault => fault,
        }
    }

    /// Draws a number by `SplitMix64`.
    fn draw(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Shared {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves one request. Every answer closes its connection.
    fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        client.set_read_timeout(Some(PATIENCE))?;
        let body = read_body(&mut client)?;
        self.requests.fetch_add(1, Ordering::SeqCst);
        let fault = self.script().next();
        let call: Value = serde_json::from_slice(&body).unwrap_or_default();
        let fault = self.concerning(fault, &call)?;
        match fault {
            Fault::Refuse => Ok(()),
            Fault::Status(status) => client.write_all(&response(status, b"")),
            Fault::RpcError { code, message } => client.write_all(&response(
                200,
                &refusal(&body, code, &message, &Value::Null),
            )),
            Fault::Refusal {
                status,
                code,
                message,
                data,
            } => client.write_all(&response(status, &refusal(&body, code, &message, &data))),
            Fault::Cut => {
                let answer = self.forward(&body)?;
                client.write_all(&answer[..answer.len() / 2])
            }
            Fault::Delay(time) => {
                thread::sleep(time);
                client.write_all(&self.forward(&body)?)
            }
            Fault::Torn => {
                let answer = self.ask(&call)?.to_string();
                client.write_all(&response(200, &answer.as_bytes()[..answer.len() / 2]))
            }
            Fault::Empty | Fault::Twice | Fault::Backwards | Fault::Bare | Fault::OtherBranch => {
                let mut answer = self.ask(&call)?;
                if let Some(result) = answer.get_mut("result") {
                    distort(&fault, result);
                }
                client.write_all(&response(200, answer.to_string().as_bytes()))
            }
            Fault::Lag(blocks) => {
                let answer = self.ask(&self.later(&call, blocks)?)?;
                client.write_all(&response(200, answer.to_string().as_bytes()))
            }
            Fault::Pass
            | Fault::Mix(_)
            | Fault::All(_)
            | Fault::On(..)
            | Fault::Wide(..)
            | Fault::Pruned(_) => client.write_all(&self.forward(&body)?),
        }
    }

    /// Returns the fault that this request meets.
    fn concerning(&self, fault: Fault, call: &Value) -> io::Result<Fault> {
        let method = call["method"].as_str().unwrap_or_default();
        match fault {
            Fault::All(faults) => {
                for fault in faults {
                    let fault = self.concerning(fault, call)?;
                    if fault != Fault::Pass {
                        return Ok(fault);
                    }
                }
                Ok(Fault::Pass)
            }
            Fault::On(methods, fault) if methods.contains(&method) => self.concerning(*fault, call),
            Fault::On(..) => Ok(Fault::Pass),
            Fault::Wide(max, fault) => {
                let filter = &call["params"][0];
                let (from, to) = (number(&filter["fromBlock"]), number(&filter["toBlock"]));
                let wide = from
                    .zip(to)
                    .is_some_and(|(from, to)| to.saturating_sub(from) >= max);
                if wide {
                    self.concerning(*fault, call)
                } else {
                    Ok(Fault::Pass)
                }
            }
            Fault::Pruned(fault) => {
                if self.is_of_the_past(call)? {
                    self.concerning(*fault, call)
                } else {
                    Ok(Fault::Pass)
                }
            }
            fault => Ok(fault),
        }
    }

    /// Returns `true` if a request needs the state after a block other than the latest.
    fn is_of_the_past(&self, call: &Value) -> io::Result<bool> {
        let hash = match call["method"].as_str() {
            Some("eth_call" | "eth_getBalance") => call["params"][1].get("blockHash"),
            _ => None,
        };
        let Some(hash) = hash else {
            return Ok(false);
        };
        let latest = self.ask(&block_request("latest"))?;
        Ok(latest["result"]["hash"] != *hash)
    }

    /// Returns the same request, but for an older block if it is for the latest one.
    fn later(&self, call: &Value, blocks: u64) -> io::Result<Value> {
        let mut call = call.clone();
        if call["params"][0] == "latest" {
            let latest = self.ask(&block_request("latest"))?;
            let head = number(&latest["result"]["number"]).unwrap_or_default();
            call["params"][0] = json!(format!("{:#x}", head.saturating_sub(blocks)));
        }
        Ok(call)
    }

    /// Sends a request to the node and decodes the answer.
    fn ask(&self, call: &Value) -> io::Result<Value> {
        let answer = self.forward(call.to_string().as_bytes())?;
        let text = String::from_utf8_lossy(&answer);
        let body = text.find('{').zip(text.rfind('}'));
        let (from, to) = body.ok_or(io::ErrorKind::InvalidData)?;
        Ok(serde_json::from_str(&text[from..=to])?)
    }

    /// Returns the node's whole answer.
    fn forward(&self, body: &[u8]) -> io::Result<Vec<u8>> {
        let mut node = TcpStream::connect(&self.node)?;
        node.set_read_timeout(Some(PATIENCE))?;
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            self.node,
            body.len()
        );
        node.write_all(head.as_bytes())?;
        node.write_all(body)?;
        let mut answer = Vec::new();
        node.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// Reads the body of a request whose length is in its head, as JSON-RPC clients send it.
fn read_body(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    let mut part = [0; 16_384];
    loop {
        let n = client.read(&mut part)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&part[..n]);
        let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&read[..end]).to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|length| length.trim().parse().ok())
            .ok_or(io::ErrorKind::InvalidData)?;
        let mut body = read.split_off(end + 4);
        let here = body.len().min(length);
        body.resize(length, 0);
        client.read_exact(&mut body[here..])?;
        return Ok(body);
    }
}

fn response(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Fault\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Returns an answer with an error for each call of the request.
fn refusal(body: &[u8], code: i64, message: &str, data: &Value) -> Vec<u8> {
    let mut error = json!({ "code": code, "message": message });
    if !data.is_null() {
        error["data"] = data.clone();
    }
    let refuse = |call: &Value| json!({ "jsonrpc": "2.0", "id": call["id"], "error": error });
    let answer = match serde_json::from_slice(body).unwrap_or_default() {
        Value::Array(calls) => calls.iter().map(refuse).collect(),
        call => refuse(&call),
    };
    answer.to_string().into_bytes()
}

/// Fields of a block that cotrain needs.
const NEEDED: [&str; 5] = ["number", "hash", "parentHash", "timestamp", "baseFeePerGas"];

fn distort(fault: &Fault, result: &mut Value) {
    match (fault, result) {
        (Fault::Empty, Value::Array(list)) => list.clear(),
        (Fault::Backwards, Value::Array(list)) => list.reverse(),
        (Fault::Twice, Value::Array(list)) => {
            *list = list
                .iter()
                .flat_map(|one| [one.clone(), one.clone()])
                .collect();
        }
        (Fault::Bare, Value::Object(block)) => {
            block.retain(|field, _| NEEDED.contains(&field.as_str()));
        }
        (Fault::OtherBranch, Value::Object(block)) => {
            block.insert("hash".to_owned(), json!(format!("0x{}", "77".repeat(32))));
        }
        _ => {}
    }
}

fn block_request(tag: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 0, "method": "eth_getBlockByNumber", "params": [tag, false] })
}

fn number(value: &Value) -> Option<u64> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    u64::from_str_radix(digits, 16).ok()
}
