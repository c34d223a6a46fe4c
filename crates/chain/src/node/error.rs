//! Why a node did not do what was asked, told from what nodes say: every client has words of its own.

use std::{error::Error, time::Duration};

use alloy_primitives::{Address, B256, Bytes, hex};
use alloy_transport::{RpcError, TransportError, TransportErrorKind};
use cotrain_bindings::Revert;
use serde_json::{Value, value::RawValue};

/// Why a node did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The address is not one that a node can be asked at.
    #[error(
        "{url} is not the address of a node; one that begins with http:// or https:// is wanted"
    )]
    BadUrl {
        /// The address, without user, path and query.
        url: String,
    },
    /// The node could not be reached, or went away while it answered.
    #[error(
        "{method}: the node at {url} cannot be reached: {reason}; does it run, and is the address right?"
    )]
    Unreachable {
        /// The method asked for.
        method: &'static str,
        /// The node's address, without user, path and query.
        url: String,
        /// The system's words.
        reason: String,
    },
    /// The node took too long.
    #[error("{method}: the node at {url} did not answer within {} s; try again, or allow more time", after.as_secs_f64())]
    TimedOut {
        /// The method asked for.
        method: &'static str,
        /// The node's address, without user, path and query.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// The node answers no more for now.
    #[error(
        "{method}: the node limits how much it is asked: {message}; wait, or use a node that allows more"
    )]
    RateLimited {
        /// The method asked for.
        method: &'static str,
        /// The node's words.
        message: String,
    },
    /// The node, or what stands before it, has a fault that may pass.
    #[error("{method}: the node cannot answer now: {message}; try again later")]
    Unavailable {
        /// The method asked for.
        method: &'static str,
        /// The node's words.
        message: String,
    },
    /// The node does not let us in.
    #[error(
        "{method}: the node denies access (HTTP status {status}); is the key in its address right?"
    )]
    Denied {
        /// The method asked for.
        method: &'static str,
        /// The HTTP status.
        status: u16,
    },
    /// More logs were asked for than the node gives at once.
    #[error("{method}: that is more than the node gives at once: {message}; ask for fewer blocks")]
    TooMuch {
        /// The method asked for.
        method: &'static str,
        /// The node's words.
        message: String,
    },
    /// The node does not have the block: it was never part of its chain, or is no more.
    #[error("{method}: the node does not have the block: {message}; ask for one that it has")]
    UnknownBlock {
        /// The method asked for.
        method: &'static str,
        /// The node's words, or the block.
        message: String,
    },
    /// The node has the block and has forgotten the state after it.
    #[error(
        "{method}: the node has forgotten the state at that block: {message}; ask for a later block, or an archive node"
    )]
    StateGone {
        /// The method asked for.
        method: &'static str,
        /// The node's words.
        message: String,
    },
    /// The node does not know the method.
    #[error("{method}: the node does not offer this method: {message}; use a node that does")]
    Unsupported {
        /// The method asked for.
        method: &'static str,
        /// The node's words.
        message: String,
    },
    /// A transaction with this nonce is part of the chain already, and it is another one.
    #[error("the nonce of the transaction is used; sign it with the account's next nonce")]
    NonceTooLow,
    /// The fees are too low to be accepted, or to replace a transaction with the same nonce.
    #[error("the fees of the transaction are too low; sign it with higher ones")]
    Underpriced,
    /// The node holds the same transaction already. [`Node::broadcast`](super::Node::broadcast) takes this for success.
    #[error("the node has this transaction already; wait for its receipt")]
    AlreadyKnown,
    /// The sender cannot pay for value and gas.
    #[error("the sender cannot pay for the transaction: {message}; send it money")]
    InsufficientFunds {
        /// The node's words.
        message: String,
    },
    /// The contract refuses.
    #[error("the contract refused: {0}")]
    Reverted(Revert),
    /// The proof that came with values of the storage does not prove them.
    #[error(
        "the node's proof for the storage of {address} at block {block} does not hold: {reason}; do not trust this node"
    )]
    NotProved {
        /// Whose storage.
        address: Address,
        /// The block's hash.
        block: B256,
        /// What does not hold.
        reason: String,
    },
    /// The node is one of another chain.
    #[error(
        "the node at {url} is of chain {found}, and chain {wanted} is wanted; give the address of another node"
    )]
    WrongChain {
        /// The node's address, without user, path and query.
        url: String,
        /// The node's chain.
        found: u64,
        /// The one wanted.
        wanted: u64,
    },
    /// The node's answer is not what the method gives.
    #[error(
        "{method}: the answer is not what a node gives: {message}; is there a node at that address?"
    )]
    Malformed {
        /// The method asked for.
        method: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Anything else that the node says.
    #[error("{method}: the node says: {message} (code {code})")]
    Other {
        /// The method asked for.
        method: &'static str,
        /// JSON-RPC's code of the error, or the HTTP status.
        code: i64,
        /// The node's words.
        message: String,
    },
}

impl NodeError {
    /// Whether the same request is worth sending again later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::RateLimited { .. }
                | Self::Unavailable { .. }
        )
    }
}

/// The node that was asked, for errors to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Without user, path and query.
    pub(super) url: String,
    /// How long an answer may take.
    pub(super) timeout: Duration,
}

/// The error of a method and what the node says.
type Meaning = fn(&'static str, String) -> NodeError;

/// What words mean, whichever method they come from. They are compared without spaces and in lower
/// case, because Nethermind says `AlreadyKnown` where others say `already known`. The first that fits counts.
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
            "no state available",
            "pruned",
            "pruning",
            "proof window",
            "block is too old",
        ],
        |method, message| NodeError::StateGone { method, message },
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

/// What a node says to a request for more logs than it gives.
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
];

/// The error of a request for `method`.
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

/// What the system says. The outer errors name the whole address, which may hold a key.
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

/// Enough of a page of HTML to see what it is.
fn beginning(body: &str) -> String {
    body.chars().take(200).collect()
}

/// The meaning of what a node says.
pub(super) fn said(
    method: &'static str,
    code: i64,
    message: &str,
    data: Option<&RawValue>,
) -> NodeError {
    let words = together(message);
    let says = |known: &&str| words.contains(&together(known));
    // Data comes with the errors of executions only, but for those of limits, which echo the request.
    let executes = matches!(
        method,
        "eth_call" | "eth_estimateGas" | "eth_sendRawTransaction" | "eth_sendTransaction"
    );
    if executes && (code == 3 || ["revert", "vm execution error"].iter().any(says)) {
        return NodeError::Reverted(Revert::decode(&revert_data(data)));
    }
    let logs = method == "eth_getLogs";
    let named = WORDS.iter().find(|(known, _)| known.iter().any(says));
    let message = message.to_owned();
    match named {
        Some((_, meaning)) => meaning(method, message),
        None if logs && (TOO_MUCH.iter().any(says) || payload_says_range(data)) => {
            NodeError::TooMuch { method, message }
        }
        None if matches!(code, 429 | -32005) => NodeError::RateLimited { method, message },
        // A resource is not found (EIP-1474), which is a block for all methods that are asked here.
        None if code == -32001 => NodeError::UnknownBlock { method, message },
        None if code == -32601 => NodeError::Unsupported { method, message },
        None => NodeError::Other {
            method,
            code,
            message,
        },
    }
}

/// The letters of a message as they are compared.
fn together(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_whitespace());
    letters.flat_map(char::to_lowercase).collect()
}

/// Some gateways say `invalid params` and put the reason into the data.
fn payload_says_range(data: Option<&RawValue>) -> bool {
    data.is_some_and(|data| data.get().contains("range limit"))
}

/// The data of a revert: clients nest it, and Nethermind puts a word before it.
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
    fn what_clients_say_of_transactions_is_understood() {
        let cases = [
            // geth, and what follows its words.
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
            // Not ours to name.
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
    fn what_nodes_say_of_too_many_logs_is_understood() {
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
        let payload = raw(r#"{"payload":"range 9009594 is bigger than range limit 2000"}"#);
        let error = said("eth_getLogs", -32602, "invalid params", Some(&payload));
        assert!(matches!(error, NodeError::TooMuch { .. }), "{error:?}");
    }

    #[test]
    fn what_nodes_say_of_blocks_and_states_is_understood() {
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
    }

    #[test]
    fn the_data_of_a_revert_is_found_wherever_it_is() {
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
    fn http_statuses_are_told_apart() {
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
