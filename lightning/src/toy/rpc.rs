//! JSON-RPC of the toy chain: what a Lightning node asks of bitcoind, and `generatetoaddress`.

use std::{
    convert::Infallible,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::{Method, Response, StatusCode, body::Bytes};
use ldk_node::bitcoin::{
    Address, BlockHash, Network, Transaction, Txid,
    consensus::encode::{deserialize_hex, serialize_hex},
    hex::DisplayHex as _,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Refusal, Toy};
use crate::http::{self, Body};

/// Maximum number of blocks that one call mines: each is written to disk.
const MAX_BLOCKS: u64 = 2000;
/// Fee rate that the chain asks for, in bitcoin per 1,000 bytes; twice the least that nodes accept.
const FEE_RATE: f64 = 0.000_02;

/// Error of a call, with bitcoind's number.
struct Error(i32, String);

const NOT_FOUND: i32 = -5;
const INVALID_PARAMETER: i32 = -8;
const REJECTED: i32 = -26;
const IN_CHAIN: i32 = -27;
const METHOD_NOT_FOUND: i32 = -32601;
const MISC: i32 = -1;

fn parameter<T: FromStr>(parameters: &Value, index: usize, name: &str) -> Result<T, Error> {
    parameters[index]
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| {
            Error(
                INVALID_PARAMETER,
                format!("expected {name}, found {}", parameters[index]),
            )
        })
}

fn not_found(name: &str) -> Error {
    Error(NOT_FOUND, format!("{name} not found"))
}

impl Toy {
    fn height_of(&self, parameters: &Value) -> Result<u32, Error> {
        let hash: BlockHash = parameter(parameters, 0, "a block hash")?;
        self.heights
            .get(&hash)
            .copied()
            .ok_or_else(|| not_found("Block"))
    }

    fn header(&self, height: u32) -> Value {
        let (hash, block, work) = &self.blocks[height as usize];
        let mut header = json!({
            "hash": hash,
            "height": height,
            "confirmations": self.height() - height + 1,
            "version": block.header.version.to_consensus(),
            "merkleroot": block.header.merkle_root,
            "time": block.header.time,
            "mediantime": block.header.time,
            "nonce": block.header.nonce,
            "bits": format!("{:08x}", block.header.bits.to_consensus()),
            "chainwork": work.to_be_bytes().to_lower_hex_string(),
            "nTx": block.txdata.len(),
        });
        if height > 0 {
            header["previousblockhash"] = json!(block.header.prev_blockhash);
        }
        header
    }

    fn transaction(&self, id: Txid) -> Option<&Transaction> {
        let found = |transaction: &&Transaction| transaction.compute_txid() == id;
        match self.confirmed.get(&id) {
            Some(&height) => self.blocks[height as usize].1.txdata.iter().find(found),
            None => self
                .waiting
                .iter()
                .map(|entry| &entry.transaction)
                .find(found),
        }
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value, Error> {
        Ok(match method {
            "getblockchaininfo" => json!({
                "chain": "regtest",
                "blocks": self.height(),
                "headers": self.height(),
                "bestblockhash": self.tip().0,
                "chainwork": self.tip().2.to_be_bytes().to_lower_hex_string(),
                "initialblockdownload": false,
            }),
            "getblockcount" => json!(self.height()),
            "getbestblockhash" => json!(self.tip().0),
            "getblockhash" => parameters[0]
                .as_u64()
                .and_then(|height| self.blocks.get(usize::try_from(height).ok()?))
                .map(|block| json!(block.0))
                .ok_or_else(|| Error(INVALID_PARAMETER, "Block height out of range".to_owned()))?,
            "getblockheader" => self.header(self.height_of(parameters)?),
            "getblock" => {
                let height = self.height_of(parameters)?;
                if parameters[1].as_u64() != Some(0) {
                    return Err(Error(INVALID_PARAMETER, "expected verbosity 0".to_owned()));
                }
                json!(serialize_hex(&self.blocks[height as usize].1))
            }
            "getrawmempool" => self
                .waiting
                .iter()
                .map(|entry| json!(entry.transaction.compute_txid()))
                .collect(),
            "getmempoolentry" => {
                let id: Txid = parameter(parameters, 0, "a transaction id")?;
                self.waiting
                    .iter()
                    .find(|entry| entry.transaction.compute_txid() == id)
                    .map(|entry| json!({ "time": entry.time, "height": entry.height }))
                    .ok_or_else(|| not_found("Transaction"))?
            }
            "getmempoolinfo" => {
                json!({ "size": self.waiting.len(), "mempoolminfee": FEE_RATE / 2.0 })
            }
            "estimatesmartfee" => json!({ "feerate": FEE_RATE, "blocks": parameters[0] }),
            "getrawtransaction" => {
                let id = parameter(parameters, 0, "a transaction id")?;
                self.transaction(id)
                    .map(|transaction| json!(serialize_hex(transaction)))
                    .ok_or_else(|| not_found("Transaction"))?
            }
            "gettxout" => self.unspent_output(parameters)?,
            "sendrawtransaction" => {
                let transaction = parameters[0]
                    .as_str()
                    .and_then(|hex| deserialize_hex(hex).ok())
                    .ok_or_else(|| Error(-22, "TX decode failed".to_owned()))?;
                let id = self.submit(transaction).map_err(|refusal| {
                    let code = if refusal == Refusal::Known {
                        IN_CHAIN
                    } else {
                        REJECTED
                    };
                    Error(code, refusal.to_string())
                })?;
                json!(id)
            }
            "generatetoaddress" => self.generate(parameters)?,
            _ => {
                return Err(Error(
                    METHOD_NOT_FOUND,
                    format!("Method not found: {method}"),
                ));
            }
        })
    }

    /// Answers with an output if it is unspent in the chain, or with null.
    fn unspent_output(&self, parameters: &Value) -> Result<Value, Error> {
        let txid: Txid = parameter(parameters, 0, "a transaction id")?;
        let vout = parameters[1]
            .as_u64()
            .and_then(|vout| u32::try_from(vout).ok());
        let vout = vout.ok_or_else(|| Error(INVALID_PARAMETER, "expected an output".to_owned()))?;
        let coin = ldk_node::bitcoin::OutPoint { txid, vout };
        let height = self
            .confirmed
            .get(&txid)
            .filter(|_| self.unspent.contains_key(&coin));
        let output = self
            .transaction(txid)
            .and_then(|found| found.output.get(vout as usize));
        Ok(height.zip(output).map_or(Value::Null, |(height, output)| {
            json!({
                "bestblock": self.tip().0,
                "confirmations": self.height() - height + 1,
                "value": output.value.to_btc(),
                "scriptPubKey": { "hex": output.script_pubkey.to_hex_string() },
                "coinbase": self.blocks[*height as usize].1.txdata[0].compute_txid() == txid,
            })
        }))
    }

    fn generate(&mut self, parameters: &Value) -> Result<Value, Error> {
        let count = parameters[0].as_u64().filter(|&count| count <= MAX_BLOCKS);
        let count = count.ok_or_else(|| {
            Error(
                INVALID_PARAMETER,
                format!("expected at most {MAX_BLOCKS} blocks"),
            )
        })?;
        let address: Address<_> = parameter(parameters, 1, "an address")?;
        let address = address
            .require_network(Network::Regtest)
            .map_err(|error| Error(NOT_FOUND, format!("Invalid address: {error}")))?;
        (0..count)
            .map(|_| self.mine(&address).map(|hash| json!(hash)))
            .collect::<Result<_, _>>()
            .map_err(|error| Error(MISC, format!("cannot keep the block: {error}")))
    }

    /// Answers one request.
    fn answer(&mut self, body: &[u8]) -> (StatusCode, Value) {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let method = request["method"].as_str().unwrap_or_default();
        match self.call(method, &request["params"]) {
            Ok(result) => (
                StatusCode::OK,
                json!({ "result": result, "error": null, "id": request["id"] }),
            ),
            Err(Error(code, message)) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                json!({
                    "result": null,
                    "error": { "code": code, "message": message },
                    "id": request["id"],
                }),
            ),
        }
    }
}

/// Serves the JSON-RPC of a toy chain until the process ends. Any user and password will do.
pub(crate) async fn serve(toy: Toy, listener: TcpListener) {
    let toy = Arc::new(Mutex::new(toy));
    http::serve(listener, None, move |request: hyper::Request<Bytes>| {
        let toy = Arc::clone(&toy);
        async move {
            let (status, answer) = if request.method() == Method::POST {
                toy.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .answer(request.body())
            } else {
                (StatusCode::METHOD_NOT_ALLOWED, Value::Null)
            };
            let mut response = Response::new(Body::from(answer.to_string()));
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    })
    .await;
}
