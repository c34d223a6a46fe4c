//! Node that shows of its chain what a test wants.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use alloy_sol_types::{SolCall, SolEvent, SolValue};
use axum::{Json, Router, extract::State, routing::post};
use cotrain_chain::node::{Node, NodeOptions};
use cotrain_payments::x402::{
    Authorization,
    abi::Erc3009::{AuthorizationUsed, Transfer, authorizationStateCall, balanceOfCall},
};
use cotrain_relayer::clock;
use serde_json::{Value, json};

/// Chain with one token and one transfer of it.
// Each flag is a fault of its own, which a test switches on.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug)]
pub(super) struct World {
    token: Address,
    /// Terms of the transfer.
    pub(super) transfer: Option<Authorization>,
    /// Hash of each block.
    blocks: Vec<B256>,
    /// Transaction and block of the transfer, once it is included.
    pub(super) moved: Option<(B256, u64)>,
    /// `true` if a transaction of somebody else with the transfer is pending.
    pub(super) is_pending: bool,
    /// `true` if the next simulation of the transfer fails.
    pub(super) refuses: bool,
    /// `true` if that simulation is followed by the transfer, which somebody else sends.
    pub(super) is_overtaken: bool,
    /// `true` if the node shows neither receipts nor use of the nonce, as one that lags.
    pub(super) hides: bool,
    /// `true` if transactions are included as soon as they are sent.
    pub(super) includes: bool,
    /// First block that has the token.
    pub(super) token_since: u64,
    /// Time that the node takes for a receipt.
    pub(super) slow: Duration,
    /// Seconds by which the chain's time is ahead.
    pub(super) ahead: u64,
    /// Transactions that were sent.
    pub(super) sent: Vec<B256>,
    /// Number of requests for events.
    pub(super) searches: usize,
}

impl World {
    fn new(token: Address) -> Self {
        let mut world = Self {
            token,
            transfer: None,
            blocks: Vec::new(),
            moved: None,
            is_pending: false,
            refuses: false,
            is_overtaken: false,
            hides: false,
            includes: true,
            token_since: 0,
            slow: Duration::ZERO,
            ahead: 0,
            sent: Vec::new(),
            searches: 0,
        };
        world.mine(3);
        world
    }

    pub(super) fn head(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    pub(super) fn mine(&mut self, blocks: u64) {
        for _ in 0..blocks {
            let hash = keccak256(format!("block {}", self.blocks.len()));
            self.blocks.push(hash);
        }
    }

    /// Includes the transfer in a new block, by a transaction.
    pub(super) fn include(&mut self, transaction: B256) {
        self.mine(1);
        self.moved = Some((transaction, self.head()));
        self.is_pending = false;
    }

    /// Takes the last block away, with the transfer.
    pub(super) fn take_away(&mut self) {
        self.blocks.pop();
        self.moved = None;
    }

    /// Adds a block of another branch.
    pub(super) fn mine_other(&mut self) {
        let hash = keccak256(format!("another block {}", self.blocks.len()));
        self.blocks.push(hash);
    }

    fn answer(&mut self, method: &str, params: &Value) -> Result<Value, (i64, &'static str)> {
        match method {
            "eth_chainId" => Ok(json!("0x7a69")),
            "eth_getBlockByNumber" => Ok(self.block(&params[0])),
            "eth_call" => Ok(self.call(&params[0], &params[1])),
            "eth_estimateGas" => self.estimate(),
            "eth_maxPriorityFeePerGas" => Ok(json!("0x1")),
            "eth_getTransactionCount" => Ok(quantity(u64::from(self.moved.is_some()))),
            "eth_sendRawTransaction" => Ok(self.send(&params[0])),
            "eth_getTransactionReceipt" => Ok(self.receipt(&params[0])),
            "eth_getLogs" => {
                self.searches += 1;
                Ok(json!(self.logs().into_iter().take(1).collect::<Vec<_>>()))
            }
            _ => Err((-32601, "the method does not exist")),
        }
    }

    fn block(&self, tag: &Value) -> Value {
        let next = self.blocks.len() as u64;
        let number = match tag.as_str() {
            Some("latest") => self.head(),
            Some("pending") => next,
            _ => number(tag),
        };
        if number > next {
            return Value::Null;
        }
        let at = |number: u64| self.blocks.get(usize::try_from(number).unwrap());
        let hash = at(number).copied().unwrap_or_default();
        let parent = number.checked_sub(1).and_then(at).copied();
        // A block takes a second, and the last one is of now.
        let age = next - number;
        json!({
            "number": quantity(number),
            "hash": hash,
            "parentHash": parent.unwrap_or_default(),
            "timestamp": quantity(clock::now() + self.ahead - age),
            "baseFeePerGas": "0x1",
        })
    }

    fn call(&self, call: &Value, block: &Value) -> Value {
        let data = call["input"].as_str().or(call["data"].as_str()).unwrap();
        let data = hex::decode(data).unwrap();
        let (block, is_next) = match block.as_str() {
            Some("latest") => (self.head(), false),
            Some("pending") => (self.head(), true),
            _ => (number(block), false),
        };
        if block < self.token_since {
            return json!("0x");
        }
        let has_moved = self.moved.is_some_and(|(_, number)| number <= block);
        let is_used = (has_moved && !self.hides) || (is_next && self.is_pending);
        if data.starts_with(&authorizationStateCall::SELECTOR) {
            json!(Bytes::from(is_used.abi_encode()))
        } else if data.starts_with(&balanceOfCall::SELECTOR) {
            let balance = if is_used { U256::ZERO } else { U256::MAX };
            json!(Bytes::from(balance.abi_encode()))
        } else {
            panic!("{call}");
        }
    }

    fn estimate(&mut self) -> Result<Value, (i64, &'static str)> {
        if self.is_overtaken {
            self.is_overtaken = false;
            self.include(B256::repeat_byte(9));
        }
        if self.refuses || self.is_pending || self.moved.is_some() {
            return Err((3, "execution reverted"));
        }
        Ok(json!("0x13880"))
    }

    fn send(&mut self, raw: &Value) -> Value {
        let raw = hex::decode(raw.as_str().unwrap()).unwrap();
        let hash = keccak256(raw);
        if !self.sent.contains(&hash) {
            self.sent.push(hash);
        }
        if self.includes && self.moved.is_none() {
            self.include(hash);
        }
        json!(hash)
    }

    fn receipt(&self, hash: &Value) -> Value {
        let moved = self.moved.filter(|_| !self.hides);
        let Some((transaction, number)) = moved.filter(|(it, _)| json!(it) == *hash) else {
            return Value::Null;
        };
        json!({
            "type": "0x2",
            "status": "0x1",
            "transactionHash": transaction,
            "transactionIndex": "0x0",
            "blockHash": self.blocks[usize::try_from(number).unwrap()],
            "blockNumber": quantity(number),
            "from": Address::ZERO,
            "to": self.token,
            "contractAddress": null,
            "cumulativeGasUsed": "0x1",
            "gasUsed": "0x1",
            "effectiveGasPrice": "0x1",
            "logsBloom": Bytes::from(vec![0; 256]),
            "logs": self.logs(),
        })
    }

    /// Returns the events of the transaction that made the transfer.
    fn logs(&self) -> Vec<Value> {
        let (Some((transaction, number)), Some(terms)) = (self.moved, &self.transfer) else {
            return Vec::new();
        };
        let used = AuthorizationUsed {
            authorizer: terms.from,
            nonce: terms.nonce,
        };
        let transfer = Transfer {
            from: terms.from,
            to: terms.to,
            value: terms.value.0,
        };
        let logs = [used.encode_log_data(), transfer.encode_log_data()];
        let log = |(index, log): (usize, alloy_primitives::LogData)| {
            json!({
                "address": self.token,
                "topics": log.topics(),
                "data": log.data,
                "blockHash": self.blocks[usize::try_from(number).unwrap()],
                "blockNumber": quantity(number),
                "transactionHash": transaction,
                "transactionIndex": "0x0",
                "logIndex": quantity(index as u64),
                "removed": false,
            })
        };
        logs.into_iter().enumerate().map(log).collect()
    }
}

/// Node over HTTP with a [`World`], which ends with the test.
#[derive(Debug, Clone)]
pub(super) struct Double {
    world: Arc<Mutex<World>>,
    address: SocketAddr,
}

impl Double {
    pub(super) async fn start(token: Address) -> Self {
        let world = Arc::new(Mutex::new(World::new(token)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", post(answer))
            .with_state(Arc::clone(&world));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { world, address }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn node(&self) -> Node {
        let url = format!("http://{}", self.address).parse().unwrap();
        Node::connect(&url, NodeOptions::default()).await.unwrap()
    }
}

async fn answer(State(world): State<Arc<Mutex<World>>>, Json(call): Json<Value>) -> Json<Value> {
    let method = call["method"].as_str().unwrap_or_default();
    let (answer, slow) = {
        let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
        (world.answer(method, &call["params"]), world.slow)
    };
    if method == "eth_getTransactionReceipt" {
        tokio::time::sleep(slow).await;
    }
    Json(match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
        Err((code, message)) => json!({
            "jsonrpc": "2.0",
            "id": call["id"],
            "error": { "code": code, "message": message },
        }),
    })
}

fn quantity(number: u64) -> Value {
    json!(format!("{number:#x}"))
}

fn number(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    u64::from_str_radix(digits.unwrap(), 16).unwrap()
}
