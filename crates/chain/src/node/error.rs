//! Errors of a node, recognized by its messages. Every client words them differently.

use std::{error::Error, time::Duration};

use alloy_primitives::{Address, B256, Bytes, hex};
use alloy_transport::{RpcError, TransportError, TransportErrorKind};
use cotrain_bindings::Revert;
use serde_json::{Value, value::RawValue};

use super::METHOD_LOGS;

/// Reason why a node did not do what the client asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The address is not one of a node.
    #[error(
        "{url} is not the address of a node; expected one that begins with http:// or https://"
    )]
    BadUrl {
        /// Address without user, path and query.
        url: String,
    },
    /// The node could not be reached, or went away while it answered.
    #[error(
        "{method}: the node at {url} cannot be reached: {reason}; does it run, and is the address right?"
    )]
    Unreachable {
        /// Requested method.
        method: &'static str,
        /// Address of the node without user, path and query.
        url: String,
        /// Message of the operating system.
        reason: String,
    },
    /// The node did not answer in time.
    #[error("{method}: the node at {url} did not answer within {} s; try again, or allow more time", after.as_secs_f64())]
    TimedOut {
        /// Requested method.
        method: &'static str,
        /// Address of the node without user, path and query.
        url: String,
        /// Timeout of the request.
        after: Duration,
    },
    /// The node limits the rate of requests.
    #[error(
        "{method}: the node limits how much it is asked: {message}; wait, or use a node that allows more"
    )]
    RateLimited {
        /// Requested method.
        method: &'static str,
        /// Message of the node.
        message: String,
    },
    /// The node, or a gateway in front of it, has a fault that may pass.
    #[error("{method}: the node cannot answer now: {message}; try again later")]
    Unavailable {
        /// Requested method.
        method: &'static str,
        /// Message of the node.
        message: String,
    },
    /// The node denies access.
    #[error(
        "{method}: the node denies access (HTTP status {status}); is the key in its address right?"
    )]
    Denied {
        /// Requested method.
        method: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The client asked for more logs than the node gives at once.
    #[error("{method}: that is more than the node gives at once: {message}; ask for fewer blocks")]
    TooMuch {
        /// Requested method.
        method: &'static str,
        /// Message of the node.
        message: String,
    },
    /// The node does not have the block: it was never part of its chain, or is no more.
    #[error("{method}: the node does not have the block: {message}; ask for one that it has")]
    UnknownBlock {
        /// Requested method.
        method: &'static str,
        /// Message of the node, or the block.
        message: String,
    },
    /// The node has the block, but has forgotten the state after it.
    #[error(
        "{method}: the node has forgotten the state at that block: {message}; ask for a later block, or an archive node"
    )]
    StateGone {
        /// Requested method.
        method: &'static str,
        /// Message of the node.
        message: String,
    },
    /// The node has deleted the blocks or events of that time.
    #[error(
        "{method}: the node has deleted what is asked for: {message}; use a node that keeps the events of all blocks"
    )]
    HistoryGone {
        /// Requested method.
        method: &'static str,
        /// Message of the node.
        message: String,
    },
    /// The node's answer contradicts another answer of its own, as a lagging node's may.
    #[error("{method}: the node contradicts itself: {message}; it may pass, or use another node")]
    Contradictory {
        /// Requested method.
        method: &'static str,
        /// Description of the contradiction.
        message: String,
    },
    /// The node does not know the method.
    #[error("{method}: the node does not offer this method: {message}; use a node that does")]
    Unsupported {
        /// Requested method.
        method: &'static str,
        /// Message of the node.
        message: String,
    },
    /// Another transaction with this nonce is part of the chain already.
    #[error("the nonce of the transaction is used; sign it with the account's next nonce")]
    NonceTooLow,
    /// The fees are too low to be accepted, or to replace a transaction with the same nonce.
    #[error("the gas price of the transaction is too low; sign it with a higher one")]
    Underpriced,
    /// The node has the same transaction already. [`Node::broadcast`](super::Node::broadcast)
    /// treats this as success.
    #[error("the node has this transaction already; wait for its receipt")]
    AlreadyKnown,
    /// The sender cannot pay for value and gas.
    #[error("the sender cannot pay for the transaction: {message}; send it money")]
    InsufficientFunds {
        /// Message of the node.
        message: String,
    },
    /// The contract reverted.
    #[error("the contract refused: {0}")]
    Reverted(Revert),
    /// The proof of storage values does not prove them.
    #[error(
        "the node's proof for the storage of {address} at block {block} does not hold: {reason}; do not trust this node"
    )]
    NotProved {
        /// Contract with the storage.
        address: Address,
        /// Hash of the block.
        block: B256,
        /// Reason why the proof is wrong.
        reason: String,
    },
    /// The node serves another chain.
    #[error(
        "the node at {url} is of chain {found}, expected chain {wanted}; give the address of another node"
    )]
    WrongChain {
        /// Address of the node without user, path and query.
        url: String,
        /// Chain id of the node.
        found: u64,
        /// Expected chain id.
        wanted: u64,
    },
    /// The answer does not have the format of the method.
    #[error(
        "{method}: the answer is not what a node gives: {message}; is there a node at that address?"
    )]
    Malformed {
        /// Requested method.
        method: &'static str,
        /// Description of the defect.
        message: String,
    },
    /// Any other error of the node.
    #[error("{method}: the node says: {message} (code {code})")]
    Other {
        /// Requested method.
        method: &'static str,
        /// JSON-RPC's code of the error, or the HTTP status.
        code: i64,
        /// Message of the node.
        message: String,
    },
}

impl NodeError {
    /// Returns `true` if the same request may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::RateLimited { .. }
                | Self::Unavailable { .. }
                | Self::Malformed { .. }
                | Self::Contradictory { .. }
        )
    }

    /// Returns `true` if the node has the block but no state for it.
    #[must_use]
    pub fn is_state_gone(&self) -> bool {
        matches!(self, Self::StateGone { .. })
    }

    /// Returns `true` if a request for the logs of fewer blocks may succeed.
    ///
    /// Nodes refuse wide ranges in their own words. So every refusal counts unless its reason is
    /// known to be another one.
    pub(super) fn may_be_of_width(&self) -> bool {
        matches!(
            self,
            Self::TooMuch { .. }
                | Self::Unsupported { .. }
                | Self::Other { .. }
                | Self::Underpriced
                | Self::InsufficientFunds { .. }
        )
    }

    /// Returns `true` if a request about the pending block may succeed for the latest one.
    ///
    /// For the other reasons, the same node would fail again.
    pub(super) fn may_be_of_pending(&self) -> bool {
        !matches!(
            self,
            Self::Reverted(_)
                | Self::InsufficientFunds { .. }
                | Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::RateLimited { .. }
                | Self::Denied { .. }
        )
    }
}

/// Node that received the request, for error messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Address without user, path and query.
    pub(super) url: String,
    /// Timeout of a request.
    pub(super) timeout: Duration,
}

/// Constructor of an error from a method and the node's message.
type Meaning = fn(&'static str, String) -> NodeError;

/// Meanings of words, for every method. The first match counts.
///
/// They are compared without spaces and in lower case, because Nethermind writes `AlreadyKnown` for
/// `already known`.
const WORDS: &[(&[&str], Meaning)] = &[
    (
        &[
            "nonce too low",
            "nonce is too low",
            "old nonce",
            "nonce has already been used",
        ],
        |_, _| NodeError::NonceTooLow,
    ),
    (
        &[
            "already known",
            "already imported",
            "known transaction",
            "same hash",
        ],
        |_, _| NodeError::AlreadyKnown,
    ),
    (
        &[
            "underpriced",
            "fee too low",
            "replacement not allowed",
            "could not replace existing",
            "less than block base fee",
            "gas price below minimum",
            "gas price too low",
        ],
        |_, _| NodeError::Underpriced,
    ),
    (
        &["insufficient funds", "insufficient balance"],
        |_, message| NodeError::InsufficientFunds { message },
    ),
    (
        &[
            "rate limit",
            "rate exceeded",
            "too many requests",
            "request count exceeded",
            "request limit",
            "concurrent requests",
            "compute units",
            "per second",
            "credits",
        ],
        |method, message| NodeError::RateLimited { method, message },
    ),
    (
        &[
            "unknown block",
            "header not found",
            "block not found",
            "header for hash not found",
            "could not find block",
            "not currently canonical",
        ],
        |method, message| NodeError::UnknownBlock { method, message },
    ),
    (
        &[
            "missing trie node",
            "historical state",
            "state not available",
            "state is not available",
            "state already discarded",
            "state unavailable",
            "no state available",
            "no state found",
            "state for block",
            "state at block",
            "pruned",
            "pruning",
            "proof window",
            "block is too old",
            "BlockOutOfRange",
            "requires an archive",
            "archive node",
        ],
        state_or_history_gone,
    ),
    (
        &[
            "method not found",
            "method not supported",
            "is not available",
            "unsupported method",
        ],
        |method, message| NodeError::Unsupported { method, message },
    ),
    (
        &[
            "temporarily",
            "try again",
            "at this time",
            "no available",
            "bad gateway",
        ],
        |method, message| NodeError::Unavailable { method, message },
    ),
];

/// Words of refusals of requests for more logs than the node gives.
const TOO_MUCH: &[&str] = &[
    "more than",
    "block range",
    "range limit",
    "range is too",
    "range too",
    "exceeds limit of",
    "too many",
    "response size",
    "too large",
    "max results",
    "limit exceeded",
    "query timeout",
    "query exceeds",
    "limited to",
    "exceeds the limit",
    "blocks range",
    "blocks distance",
    "must be smaller than",
    "ranges over",
    "allowedrange",
];

/// Methods that need no state. For them, old means that the node has deleted blocks and events.
const STATELESS: &[&str] = &[
    "eth_getLogs",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getTransactionReceipt",
];

fn state_or_history_gone(method: &'static str, message: String) -> NodeError {
    if STATELESS.contains(&method) {
        return NodeError::HistoryGone { method, message };
    }
    // anvil uses the same words for a block that does not exist yet.
    let mut numbers = message
        .split(|letter: char| !letter.is_ascii_digit())
        .filter_map(|number| number.parse::<u64>().ok());
    if message.starts_with("BlockOutOfRange")
        && let (Some(height), Some(asked)) = (numbers.next(), numbers.next())
        && asked > height
    {
        return NodeError::UnknownBlock { method, message };
    }
    NodeError::StateGone { method, message }
}

/// Returns the error of a failed request for `method`.
pub(super) fn classify(method: &'static str, asked: &Asked, error: TransportError) -> NodeError {
    match error {
        RpcError::ErrorResp(payload) => said(
            method,
            payload.code,
            &payload.message,
            payload.data.as_deref(),
        ),
        RpcError::Transport(kind) => transport(method, asked, &kind),
        RpcError::NullResp => NodeError::Malformed {
            method,
            message: "nothing".to_owned(),
        },
        RpcError::DeserError { err, .. } => NodeError::Malformed {
            method,
            message: err.to_string(),
        },
        error => NodeError::Other {
            method,
            code: 0,
            message: error.to_string(),
        },
    }
}

fn transport(method: &'static str, asked: &Asked, kind: &TransportErrorKind) -> NodeError {
    if let Some(answer) = kind.as_http_error() {
        return status(method, answer.status, &answer.body);
    }
    let url = asked.url.clone();
    let cause = kind
        .as_custom()
        .and_then(|error| error.downcast_ref::<reqwest::Error>());
    match cause {
        Some(error) if error.is_timeout() => NodeError::TimedOut {
            method,
            url,
            after: asked.timeout,
        },
        Some(error) => NodeError::Unreachable {
            method,
            url,
            reason: innermost(error),
        },
        None => NodeError::Other {
            method,
            code: 0,
            message: kind.to_string(),
        },
    }
}

/// Returns the operating system's message. The outer errors show the whole address, which may hold
/// a key.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if cause.is::<reqwest::Error>() {
        return "the connection was cut".to_owned();
    }
    cause.to_string()
}

fn status(method: &'static str, status: u16, body: &str) -> NodeError {
    // Gateways wrap JSON-RPC errors in HTTP statuses. An error with a known meaning counts more
    // than the status.
    if !matches!(status, 401 | 403 | 429)
        && let Some(error) = refusal_in(method, body)
    {
        return error;
    }
    let message = format!("HTTP status {status}: {}", beginning(body));
    match status {
        401 | 403 => NodeError::Denied { method, status },
        408 | 500.. => NodeError::Unavailable { method, message },
        413 => NodeError::TooMuch { method, message },
        429 => NodeError::RateLimited { method, message },
        _ => NodeError::Other {
            method,
            code: status.into(),
            message,
        },
    }
}

/// Returns the JSON-RPC error in a body, if its meaning is known or it may concern a range of logs.
fn refusal_in(method: &'static str, body: &str) -> Option<NodeError> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        #[serde(default)]
        code: i64,
        message: String,
        data: Option<Box<RawValue>>,
    }
    #[derive(serde::Deserialize)]
    struct Body {
        error: Refusal,
    }
    let refusal = serde_json::from_str::<Body>(body)
        .map(|body| body.error)
        .or_else(|_| serde_json::from_str::<Refusal>(body))
        .ok()?;
    match said(
        method,
        refusal.code,
        &refusal.message,
        refusal.data.as_deref(),
    ) {
        NodeError::Other { .. } if method != METHOD_LOGS => None,
        error => Some(error),
    }
}

/// Returns the first 200 characters, enough to recognize a page of HTML.
fn beginning(body: &str) -> String {
    body.chars().take(200).collect()
}

/// Returns the error that a node's message means.
pub(super) fn said(
    method: &'static str,
    code: i64,
    message: &str,
    data: Option<&RawValue>,
) -> NodeError {
    let words = together(message);
    let says = |known: &&str| words.contains(&together(known));
    let executes = matches!(
        method,
        "eth_call" | "eth_estimateGas" | "eth_sendRawTransaction" | "eth_sendTransaction"
    );
    if executes && (code == 3 || ["revert", "vm execution error"].iter().any(says)) {
        return NodeError::Reverted(Revert::decode(&revert_data(data)));
    }
    let logs = method == METHOD_LOGS;
    let named = WORDS.iter().find(|(known, _)| known.iter().any(says));
    // Some gateways answer `invalid params` and put the reason into the data.
    // For executions the data comes from the contract, which may return anything.
    let more = data.filter(|_| !executes).map(RawValue::get);
    let reason = together(more.unwrap_or_default());
    let in_data = |known: &&str| reason.contains(&together(known));
    let by_data = || WORDS.iter().find(|(known, _)| known.iter().any(in_data));
    let message = match more {
        Some(more) if more != "null" => format!("{message}: {}", beginning(more)),
        _ => message.to_owned(),
    };
    let too_much = logs && TOO_MUCH.iter().any(|known| says(known) || in_data(known));
    match named.or_else(|| by_data().filter(|_| !too_much)) {
        Some((_, meaning)) => meaning(method, message),
        None if too_much => NodeError::TooMuch { method, message },
        None if matches!(code, 429 | -32005) => NodeError::RateLimited { method, message },
        // EIP-4444: the node keeps no blocks that old.
        None if code == 4444 => state_or_history_gone(method, message),
        // "Resource not found" (EIP-1474), which is a block for all methods that this client calls.
        None if code == -32001 => NodeError::UnknownBlock { method, message },
        None if code == -32601 => NodeError::Unsupported { method, message },
        None => NodeError::Other {
            method,
            code,
            message,
        },
    }
}

/// Returns a message in the form for comparison: lower case and without spaces.
fn together(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_whitespace());
    letters.flat_map(char::to_lowercase).collect()
}

/// Returns the data of a revert. Clients nest it, and Nethermind puts a word before it.
fn revert_data(data: Option<&RawValue>) -> Bytes {
    let value = data.and_then(|data| serde_json::from_str(data.get()).ok());
    value.as_ref().and_then(hexadecimal).unwrap_or_default()
}

fn hexadecimal(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(text) => {
            let (_, digits) = text.split_once("0x")?;
            hex::decode(digits.trim()).ok().map(Into::into)
        }
        Value::Array(values) => values.iter().find_map(hexadecimal),
        Value::Object(values) => values.values().find_map(hexadecimal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).expect("JSON")
    }

    fn kind(method: &'static str, code: i64, message: &str) -> String {
        let error = said(method, code, message, None);
        let name = format!("{error:?}");
        let end = name.find([' ', '(']).unwrap_or(name.len());
        name[..end].to_owned()
    }

    #[test]
    fn said_understands_what_clients_say_of_transactions() {
        let cases = [
            // geth, with the details after its words.
            (
                -32000,
                "nonce too low: next nonce 5, tx nonce 4",
                "NonceTooLow",
            ),
            (-32000, "already known", "AlreadyKnown"),
            (-32000, "replacement transaction underpriced", "Underpriced"),
            (
                -32000,
                "transaction underpriced: tip needed 1, tip permitted 0",
                "Underpriced",
            ),
            (
                -32000,
                "max fee per gas less than block base fee: address 0x, maxFeePerGas: 1, baseFee: 7",
                "Underpriced",
            ),
            (
                -32000,
                "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1",
                "InsufficientFunds",
            ),
            // anvil.
            (
                -32003,
                "Insufficient funds for gas * price + value",
                "InsufficientFunds",
            ),
            (-32003, "nonce too low", "NonceTooLow"),
            (-32003, "transaction already imported", "AlreadyKnown"),
            (
                -32003,
                "max fee per gas less than block base fee",
                "Underpriced",
            ),
            // Nethermind.
            (-32000, "AlreadyKnown", "AlreadyKnown"),
            (-32010, "OldNonce, Current nonce: 5", "NonceTooLow"),
            (-32010, "FeeTooLow, Fee too low", "Underpriced"),
            (-32010, "FeeTooLowToCompete", "Underpriced"),
            (-32000, "ReplacementNotAllowed", "Underpriced"),
            (
                -32010,
                "InsufficientFunds, Balance is 0",
                "InsufficientFunds",
            ),
            // Erigon.
            (
                -32000,
                "INTERNAL_ERROR: could not replace existing tx",
                "Underpriced",
            ),
            (-32000, "existing tx with same hash", "AlreadyKnown"),
            // Refusals without a name here.
            (-32000, "intrinsic gas too low", "Other"),
            (
                -32601,
                "the method eth_sendRawTransaction does not exist",
                "Unsupported",
            ),
        ];
        for (code, message, wanted) in cases {
            assert_eq!(
                kind("eth_sendRawTransaction", code, message),
                wanted,
                "{message}"
            );
        }
    }

    #[test]
    fn said_understands_what_nodes_say_of_too_many_logs() {
        let cases = [
            (-32005, "query returned more than 10000 results", "TooMuch"),
            (-32602, "range 1000000 exceeds limit of 10000", "TooMuch"),
            (
                -32602,
                "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
                "TooMuch",
            ),
            (-32602, "query exceeds max block range 100000", "TooMuch"),
            (
                -32602,
                "query exceeds max results 20000, retry with the range 1-2",
                "TooMuch",
            ),
            (-32000, "query timeout exceeded", "TooMuch"),
            (-32005, "limit exceeded", "TooMuch"),
            (
                429,
                "Your app has exceeded its compute units per second capacity",
                "RateLimited",
            ),
            (
                -32005,
                "daily request count exceeded, request rate limited",
                "RateLimited",
            ),
            (-32000, "unknown block", "UnknownBlock"),
            (-32001, "Block not found", "UnknownBlock"),
            (-32001, "Resource not found", "UnknownBlock"),
            (-32000, "invalid block range params", "TooMuch"),
        ];
        for (code, message, wanted) in cases {
            assert_eq!(kind("eth_getLogs", code, message), wanted, "{message}");
        }
        let unknown = kind(METHOD_LOGS, 77, "nothing that we have ever heard of");
        assert_eq!(unknown, "Other");
        let payload = raw(r#"{"payload":"range 9009594 is bigger than range limit 2000"}"#);
        let error = said("eth_getLogs", -32602, "invalid params", Some(&payload));
        assert!(matches!(error, NodeError::TooMuch { .. }), "{error:?}");
    }

    /// Refusals of wide ranges by real nodes: code, message, data.
    const WIDE: [(i64, &str, &str); 10] = [
        (-32614, "eth_getLogs is limited to a 10,000 range", "null"),
        (
            -32602,
            "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range",
            "null",
        ),
        (
            -32602,
            "eth_getLogs is limited to 0 - 50 blocks range",
            "null",
        ),
        (
            -32602,
            "invalid params",
            r#""Query returned more than 50000 results. Try a smaller range.""#,
        ),
        (
            -32602,
            "Invalid params",
            r#""requested block range 999 exceeds the limit of 200; see the docs""#,
        ),
        (-32000, "maximum [from, to] blocks distance: 2000", "null"),
        (-32000, "too wide blocks range, the limit is 100", "null"),
        (
            -32000,
            "GetLogs query must be smaller than size 1024",
            "null",
        ),
        (
            35,
            "ranges over 10000 blocks are not supported on freetier",
            "null",
        ),
        (
            -32012,
            "Invalid request",
            r#"{"details":{"maxAllowedRange":1000}}"#,
        ),
    ];

    #[test]
    fn said_and_status_understand_a_refusal_of_a_wide_range() {
        for (code, message, data) in WIDE {
            let payload = raw(data);
            let error = said(METHOD_LOGS, code, message, Some(&payload));
            assert!(matches!(error, NodeError::TooMuch { .. }), "{error:?}");
            assert!(error.may_be_of_width() && !error.is_transient());
            let error = format!(
                r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"{message}","data":{data}}}}}"#
            );
            let bare = format!(r#"{{"code":{code},"message":"{message}","data":{data}}}"#);
            for body in [error, bare] {
                for code in [400, 413, 500] {
                    let error = status(METHOD_LOGS, code, &body);
                    assert!(
                        matches!(error, NodeError::TooMuch { .. }),
                        "{code}: {error:?}"
                    );
                }
                let denied = status(METHOD_LOGS, 403, &body);
                assert!(!denied.may_be_of_width(), "{denied:?}");
                assert!(status(METHOD_LOGS, 429, &body).is_transient());
            }
        }
        // An unknown refusal may concern the width, but a known one does not.
        let unheard = said(METHOD_LOGS, 1, "no", None);
        assert!(unheard.may_be_of_width(), "{unheard:?}");
        for (code, message) in [
            (-32000, "unknown block"),
            (-32005, "rate limit exceeded"),
            (4444, "pruned history unavailable"),
            (-32000, "missing trie node"),
        ] {
            let other = said(METHOD_LOGS, code, message, None);
            assert!(!other.may_be_of_width(), "{other:?}");
        }
        let behind = status(METHOD_LOGS, 500, r#"{"error":{"code":1,"message":"no"}}"#);
        assert!(behind.may_be_of_width(), "{behind:?}");
        assert!(status("eth_call", 500, r#"{"error":{"code":1,"message":"no"}}"#).is_transient());
    }

    #[test]
    fn said_understands_what_nodes_say_of_blocks_and_states() {
        let cases = [
            (-32000, "header not found", "UnknownBlock"),
            (
                -32000,
                "missing trie node 0a (path ) state 0x0a is not available",
                "StateGone",
            ),
            (
                -32000,
                "distance to target block exceeds maximum proof window",
                "StateGone",
            ),
            (-32000, "historical state 0a is not available", "StateGone"),
            (-32000, "old data not available due to pruning", "StateGone"),
            // anvil, for a state that it has forgotten and for a future block.
            (
                -32602,
                "BlockOutOfRangeError: block height is 20 but requested was 3",
                "StateGone",
            ),
            (
                -32602,
                "BlockOutOfRangeError: block height is 20 but requested was 99",
                "UnknownBlock",
            ),
            // Erigon, Nethermind, Besu.
            (
                -32000,
                "state unavailable for block 7, it was pruned",
                "StateGone",
            ),
            (-32002, "No state available for block 0x07", "StateGone"),
            (
                -32000,
                "world state unavailable: requires an archive node",
                "StateGone",
            ),
            (-32005, "limit exceeded", "RateLimited"),
            (
                -32603,
                "Unable to complete request at this time.",
                "Unavailable",
            ),
            (-32000, "gas required exceeds allowance (0)", "Other"),
        ];
        for (code, message, wanted) in cases {
            assert_eq!(kind("eth_getProof", code, message), wanted, "{message}");
        }
        for message in ["pruned history unavailable", "receipts are pruned"] {
            assert_eq!(kind(METHOD_LOGS, -32000, message), "HistoryGone");
        }
        assert_eq!(kind("eth_getBlockByHash", 4444, "gone"), "HistoryGone");
    }

    #[test]
    fn said_finds_the_data_of_a_revert_wherever_it_is() {
        let wanted = said(
            "eth_call",
            3,
            "execution reverted",
            Some(&raw(r#""0xabcdef01""#)),
        );
        assert_eq!(
            wanted,
            NodeError::Reverted(Revert::Unknown(Bytes::from_static(&[0xab, 0xcd, 0xef, 1])))
        );
        for (code, message, data) in [
            (-32000, "execution reverted", r#""0xabcdef01""#),
            (-32015, "VM execution error.", r#""Reverted 0xabcdef01""#),
            (
                -32603,
                "execution reverted",
                r#"{"originalError":{"data":"0xabcdef01"}}"#,
            ),
        ] {
            assert_eq!(
                said("eth_call", code, message, Some(&raw(data))),
                wanted,
                "{data}"
            );
        }
        let silent = said("eth_call", -32000, "execution reverted", None);
        assert_eq!(silent, NodeError::Reverted(Revert::Unknown(Bytes::new())));
    }

    #[test]
    fn status_distinguishes_http_statuses() {
        let transient =
            [429, 500, 502, 503, 504].map(|code| status("eth_call", code, "").is_transient());
        assert_eq!(transient, [true; 5]);
        assert!(matches!(
            status("eth_call", 401, ""),
            NodeError::Denied { .. }
        ));
        assert!(matches!(
            status("eth_getLogs", 413, ""),
            NodeError::TooMuch { .. }
        ));
        assert!(!status("eth_call", 404, "").is_transient());
    }
}
