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
    /// One of these, drawn for each request.
    Mix(Vec<Fault>),
}

impl Fault {
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

    fn drawn(&mut self, fault: Fault) -> Fault {
        match fault {
            Fault::Mix(faults) if !faults.is_empty() => {
                let place = self.draw() % faults.len() as u64;
                let place = usize::try_from(place).unwrap_or_default();
                self.drawn(faults[place].clone())
            }
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
        match fault {
            Fault::Refuse => Ok(()),
            Fault::Status(status) => client.write_all(&response(status, b"")),
            Fault::RpcError { code, message } => {
                client.write_all(&response(200, &refusal(&body, code, &message)))
            }
            Fault::Cut => {
                let answer = self.forward(&body)?;
                client.write_all(&answer[..answer.len() / 2])
            }
            Fault::Delay(time) => {
                thread::sleep(time);
                client.write_all(&self.forward(&body)?)
            }
            Fault::Pass | Fault::Mix(_) => client.write_all(&self.forward(&body)?),
        }
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
fn refusal(body: &[u8], code: i64, message: &str) -> Vec<u8> {
    let refuse = |call: &Value| json!({ "jsonrpc": "2.0", "id": call["id"], "error": { "code": code, "message": message } });
    let answer = match serde_json::from_slice(body).unwrap_or_default() {
        Value::Array(calls) => calls.iter().map(refuse).collect(),
        call => refuse(&call),
    };
    answer.to_string().into_bytes()
}
