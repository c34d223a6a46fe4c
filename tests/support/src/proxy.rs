//! A node that fails when it is told to.

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

/// How long anybody may take for a part of a request or an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is answered.
    Pass,
    /// It is answered after this time.
    Delay(Duration),
    /// The connection is closed at once.
    Refuse,
    /// The node gets it, and half of its answer comes back.
    Cut,
    /// It is answered with this HTTP status and nothing else.
    Status(u16),
    /// It is answered with this error of JSON-RPC.
    RpcError {
        /// The error's code.
        code: i64,
        /// The node's words.
        message: String,
    },
    /// It is answered with this error of JSON-RPC, which has data, behind an HTTP status.
    Refusal {
        /// The HTTP status.
        status: u16,
        /// The error's code.
        code: i64,
        /// The node's words.
        message: String,
        /// The error's data.
        data: Value,
    },
    /// Logs of more blocks than this are refused with this fault.
    Wide(u64, Box<Fault>),
    /// The connection ends well, and the JSON is cut in half.
    Torn,
    /// A list has nothing in it.
    Empty,
    /// Each entry of a list comes twice.
    Twice,
    /// The entries of a list come the other way round.
    Backwards,
    /// A block has no fields but those that cotrain needs.
    Bare,
    /// A block is of another branch: its hash is another one.
    OtherBranch,
    /// The latest block is one that is so many blocks old.
    Lag(u64),
    /// The state of all blocks but the latest is forgotten, with this error.
    Pruned(Box<Fault>),
    /// This fault, for requests of these methods.
    On(&'static [&'static str], Box<Fault>),
    /// One of these, drawn for each request.
    Mix(Vec<Fault>),
    /// All of these, one after another, as far as each concerns the request. The first that answers counts.
    All(Vec<Fault>),
}

impl Fault {
    /// Returns a fault for requests of these methods.
    #[must_use]
    pub fn on(methods: &'static [&'static str], fault: Self) -> Self {
        Self::On(methods, Box::new(fault))
    }

    /// An error of JSON-RPC.
    #[must_use]
    pub fn rpc(code: i64, message: &str) -> Self {
        Self::RpcError {
            code,
            message: message.to_owned(),
        }
    }
}

/// A proxy before a node, over HTTP, that fails as it is told to. It ends with this value.
#[derive(Debug)]
pub struct FaultyProxy {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    /// Of the node: host and port.
    node: String,
    script: Mutex<Script>,
    requests: AtomicUsize,
    ended: AtomicBool,
}

#[derive(Debug)]
struct Script {
    fault: Fault,
    /// For how many requests more; none: until it is told otherwise.
    left: Option<usize>,
    chance: u64,
}

impl FaultyProxy {
    /// A proxy on a free port before the node at `node`, which passes everything. `seed` is of what is drawn.
    ///
    /// # Panics
    /// Where there is no port, or no host in the address.
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
                // Whoever has gone needs no answer.
                thread::spawn(move || shared.serve(client));
            }
        });
        Self { shared, address }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Never: it is an address.
    #[must_use]
    pub fn url(&self) -> Url {
        let text = format!("http://{}", self.address);
        text.parse().expect("an address")
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        let mut script = self.shared.script();
        (script.fault, script.left) = (fault, None);
    }

    /// For so many requests; those after them pass.
    pub fn set_for(&self, requests: usize, fault: Fault) {
        let mut script = self.shared.script();
        (script.fault, script.left) = (fault, Some(requests));
    }

    /// How many requests have come.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // It waits for a connection. Where none can be made, it has ended.
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

    /// Draws wherever there is a choice.
    fn drawn(&mut self, fault: Fault) -> Fault {
        match fault {
            Fault::Mix(faults) if !faults.is_empty() => {
                let place = self.draw() % faults.len() as u64;
                let place = usize::try_from(place).unwrap_or_default();
                self.drawn(faults[place].clone())
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

    /// `SplitMix64`.
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

    /// One request: every answer closes its connection.
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

    /// Returns what becomes of this very request.
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
            Fault::Wide(most, fault) => {
                let filter = &call["params"][0];
                let (from, to) = (number(&filter["fromBlock"]), number(&filter["toBlock"]));
                let wide = from
                    .zip(to)
                    .is_some_and(|(from, to)| to.saturating_sub(from) >= most);
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

    /// Checks whether a request needs the state after a block that is not the latest one.
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

    /// Returns the same request, about an older block if it is about the latest one.
    fn later(&self, call: &Value, blocks: u64) -> io::Result<Value> {
        let mut call = call.clone();
        if call["params"][0] == "latest" {
            let latest = self.ask(&block_request("latest"))?;
            let head = number(&latest["result"]["number"]).unwrap_or_default();
            call["params"][0] = json!(format!("{:#x}", head.saturating_sub(blocks)));
        }
        Ok(call)
    }

    /// Asks the node.
    fn ask(&self, call: &Value) -> io::Result<Value> {
        let answer = self.forward(call.to_string().as_bytes())?;
        let text = String::from_utf8_lossy(&answer);
        let body = text.find('{').zip(text.rfind('}'));
        let (from, to) = body.ok_or(io::ErrorKind::InvalidData)?;
        Ok(serde_json::from_str(&text[from..=to])?)
    }

    /// The node's whole answer.
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

/// The body of a request whose length is in its head, as JSON-RPC clients send it.
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

/// An error for each call of the request.
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
