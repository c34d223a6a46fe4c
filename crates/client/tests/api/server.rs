//! A server that gives prepared answers, in the order of the requests.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use cotrain_client::api::Client;
use serde_json::Value;

/// Bytes of one answer; then the connection ends.
#[derive(Clone)]
pub(crate) struct Answer {
    bytes: Vec<u8>,
    /// `true` if spaces follow as long as the client reads.
    endless: bool,
}

impl Answer {
    pub(crate) fn raw(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            endless: false,
        }
    }

    pub(crate) fn new(status: u16, body: &str) -> Self {
        let length = body.len();
        Self::raw(
            format!(
                "HTTP/1.1 {status} Some Words\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }

    /// Makes an answer with status 200 whose body is no text.
    pub(crate) fn bytes(body: &[u8]) -> Self {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\
             Connection: close\r\n\r\n"
        );
        Self::raw([head.as_bytes(), body].concat())
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, &body.to_string())
    }

    /// Cuts off the last bytes.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - bytes);
        self
    }

    /// Makes an answer whose body does not end.
    pub(crate) fn endless(status: u16) -> Self {
        let head = format!("HTTP/1.1 {status} Some Words\r\nConnection: close\r\n\r\n");
        Self {
            bytes: head.into_bytes(),
            endless: true,
        }
    }
}

/// Server on its own port, which ends after its last answer.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Server {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked: Arc<Mutex<Vec<_>>> = Arc::default();
        let list = asked.clone();
        let answers: Vec<Answer> = answers.into_iter().collect();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("a client");
                let request = request(&mut stream);
                list.lock().expect("a list").push(request);
                // The client may stop reading early.
                let mut sent = stream.write_all(&answer.bytes);
                while answer.endless && sent.is_ok() {
                    sent = stream.write_all(&[b' '; 8_192]);
                }
            }
        });
        Self { address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url().parse().expect("an address")).expect("a client")
    }

    /// Returns the method and path of each request.
    pub(crate) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("a list");
        asked.iter().map(|(line, _)| line.clone()).collect()
    }

    pub(crate) fn bodies(&self) -> Vec<Value> {
        let asked = self.asked.lock().expect("a list");
        let bodies = asked.iter();
        bodies
            .map(|(_, body)| serde_json::from_str(body).expect("JSON"))
            .collect()
    }
}

/// Reads a request; returns its method and path, and its body.
fn request(stream: &mut TcpStream) -> (String, String) {
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
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            let line = head.lines().next().unwrap_or_default();
            let line = line.trim_end_matches(" HTTP/1.1");
            return (line.to_owned(), body.to_owned());
        }
    }
}
