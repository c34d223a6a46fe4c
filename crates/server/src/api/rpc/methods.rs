//! The methods that are forwarded to the node, and the bounds of their parameters.

use alloy_primitives::Address;
use cotrain_chain::TRANSACTION_GAS_LIMIT;
use cotrain_learning::text::escaped_to;
use serde_json::{Map, Value};

/// Maximum number of blocks of one `eth_getLogs`. Nodes that many people share allow about as many.
pub(super) const MAX_BLOCKS: u64 = 2_000;

/// Maximum number of contracts of one `eth_getLogs`.
const MAX_ADDRESSES: usize = 16;

/// Maximum number of values of all topics of one `eth_getLogs`.
const MAX_TOPICS: usize = 64;

/// Maximum number of storage slots of one `eth_getProof`.
const MAX_SLOTS: usize = 256;

/// Maximum number of blocks of one `eth_feeHistory`.
const MAX_FEE_BLOCKS: u64 = 128;

/// Maximum number of percentiles of one `eth_feeHistory`.
const MAX_PERCENTILES: usize = 16;

/// Maximum length of one parameter that is a number, a hash or the name of a block: 32 bytes.
const MAX_WORD: usize = 66;

/// Fields of a call. Others, such as blobs and authorizations, would not change what is read.
const CALL: [&str; 13] = [
    "from",
    "to",
    "gas",
    "gasPrice",
    "maxFeePerGas",
    "maxPriorityFeePerGas",
    "value",
    "data",
    "input",
    "nonce",
    "type",
    "chainId",
    "accessList",
];

/// Fields of a filter of logs. Some nodes also read other spellings, such as `fromblock`, which would
/// not be checked.
const FILTER: [&str; 5] = ["address", "topics", "fromBlock", "toBlock", "blockHash"];

/// Form of a method's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// No parameters.
    Nothing,
    /// A call, and a block.
    Call,
    /// An address, slots, and a block.
    Proof,
    /// A filter.
    Logs,
    /// A hash.
    Hash,
    /// An address, and a block.
    Account,
    /// A number of blocks, the last one, and percentiles.
    Fees,
}

/// A method that is forwarded.
#[derive(Debug)]
pub(super) struct Method {
    /// Name of the method.
    pub(super) name: &'static str,
    form: Form,
}

macro_rules! methods {
    ($($name:literal $form:ident),* $(,)?) => {
        /// All methods that are forwarded. None of them changes the chain or the node.
        pub(super) const METHODS: &[Method] = &[$(Method { name: $name, form: Form::$form }),*];
    };
}

methods! {
    "eth_blockNumber" Nothing,
    "eth_call" Call,
    "eth_chainId" Nothing,
    "eth_estimateGas" Call,
    "eth_feeHistory" Fees,
    "eth_gasPrice" Nothing,
    "eth_getLogs" Logs,
    "eth_getProof" Proof,
    "eth_getTransactionByHash" Hash,
    "eth_getTransactionCount" Account,
    "eth_getTransactionReceipt" Hash,
    "eth_maxPriorityFeePerGas" Nothing,
}

/// Returns the method of a name; `None` if it is not forwarded.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

impl Method {
    /// Checks parameters against the bounds, and limits the gas of calls. `head` is the number of the
    /// latest block; `is_followed` is `true` of contracts whose logs may be read. The error says what
    /// is expected.
    pub(super) fn bounded(
        &self,
        mut given: Vec<Value>,
        head: u64,
        is_followed: impl Fn(Address) -> bool,
    ) -> Result<Vec<Value>, String> {
        let (least, most) = match self.form {
            Form::Nothing => (0, 0),
            Form::Call | Form::Account => (1, 2),
            Form::Proof => (3, 3),
            Form::Logs | Form::Hash => (1, 1),
            Form::Fees => (2, 3),
        };
        if !(least..=most).contains(&given.len()) {
            let expected = if least == most {
                least.to_string()
            } else {
                format!("{least} or {most}")
            };
            return Err(format!(
                "{} has {} parameters, expected {expected}",
                self.name,
                given.len()
            ));
        }
        match (self.form, given.as_mut_slice()) {
            (Form::Call, [call, block @ ..]) => {
                limit_gas(call)?;
                block.iter().try_for_each(block_of)?;
            }
            (Form::Proof, [address, slots, block]) => {
                word("the address", address)?;
                words("the slots", slots, MAX_SLOTS)?;
                block_of(block)?;
            }
            (Form::Logs, [filter]) => check_filter(filter, head, is_followed)?,
            (Form::Hash, [hash]) => word("the hash", hash)?,
            (Form::Account, [address, block @ ..]) => {
                word("the address", address)?;
                block.iter().try_for_each(block_of)?;
            }
            (Form::Fees, [count, block, percentiles @ ..]) => {
                let blocks = count.as_u64().or_else(|| number(count));
                if blocks.is_none_or(|blocks| blocks > MAX_FEE_BLOCKS) {
                    return Err(format!(
                        "expected a number of blocks of at most {MAX_FEE_BLOCKS}"
                    ));
                }
                block_of(block)?;
                for percentiles in percentiles {
                    let list = percentiles.as_array();
                    let fits = |list: &Vec<Value>| {
                        list.len() <= MAX_PERCENTILES && list.iter().all(Value::is_number)
                    };
                    if !list.is_some_and(fits) {
                        return Err(format!(
                            "expected a list of at most {MAX_PERCENTILES} percentiles"
                        ));
                    }
                }
            }
            _ => {}
        }
        Ok(given)
    }
}

/// Returns the number that a text of hexadecimal digits such as `0x1f` means.
fn number(value: &Value) -> Option<u64> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok())?
}

/// Checks a text that is at most 32 bytes in hexadecimal.
fn word(what: &str, value: &Value) -> Result<(), String> {
    let fits = |text: &str| text.len() <= MAX_WORD && text.starts_with("0x");
    if value.as_str().is_some_and(fits) {
        return Ok(());
    }
    Err(format!(
        "{what} is malformed, expected 0x and at most 64 hexadecimal digits"
    ))
}

/// Checks a list of such texts.
fn words(what: &str, value: &Value, max: usize) -> Result<(), String> {
    let list = value
        .as_array()
        .ok_or_else(|| format!("{what} are no list"))?;
    if list.len() > max {
        return Err(format!(
            "{what} are {}, expected at most {max}; ask for fewer at a time",
            list.len()
        ));
    }
    list.iter().try_for_each(|value| word(what, value))
}

/// Checks a block: a number or name, or an object with its number or hash (EIP-1898).
fn block_of(value: &Value) -> Result<(), String> {
    let short = |text: &str| text.len() <= MAX_WORD;
    let fits = match value {
        Value::String(text) => short(text),
        Value::Object(fields) => fields.iter().all(|(name, value)| match name.as_str() {
            "blockHash" | "blockNumber" => value.as_str().is_some_and(short),
            "requireCanonical" => value.is_boolean(),
            _ => false,
        }),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err("the block is malformed, expected a number such as 0x1f, a name such as latest, or an object with blockHash or blockNumber".to_owned())
}

/// Checks an object that has no other fields than these.
fn object<'a>(
    what: &str,
    value: &'a mut Value,
    fields: &[&str],
) -> Result<&'a mut Map<String, Value>, String> {
    let object = value.as_object_mut();
    let object = object.ok_or_else(|| format!("{what} is no object"))?;
    match object.keys().find(|name| !fields.contains(&name.as_str())) {
        None => Ok(object),
        Some(other) => Err(format!(
            "{what} has a field `{}`, expected only {}",
            escaped_to(other, MAX_WORD),
            fields.join(", ")
        )),
    }
}

/// Sets the gas of a call to that of the largest transaction, if it has none or more.
fn limit_gas(call: &mut Value) -> Result<(), String> {
    let call = object("the call", call, &CALL)?;
    let gas = match call.get("gas") {
        None | Some(Value::Null) => TRANSACTION_GAS_LIMIT,
        Some(given) => number(given)
            .ok_or("the call's gas is malformed, expected a number such as 0x5208")?
            .min(TRANSACTION_GAS_LIMIT),
    };
    call.insert("gas".to_owned(), format!("{gas:#x}").into());
    Ok(())
}

/// Checks a filter of logs: of which contracts, and of how many blocks.
fn check_filter(
    filter: &mut Value,
    head: u64,
    is_followed: impl Fn(Address) -> bool,
) -> Result<(), String> {
    let filter = object("the filter", filter, &FILTER)?;
    let addresses = match filter.get("address") {
        Some(address @ Value::String(_)) => std::slice::from_ref(address),
        Some(list @ Value::Array(addresses)) if !addresses.is_empty() => {
            words("the addresses", list, MAX_ADDRESSES)?;
            addresses
        }
        _ => {
            return Err(
                "the filter has no address, expected one contract or a list of them".to_owned(),
            );
        }
    };
    for address in addresses {
        let parsed = address.as_str().and_then(|text| text.parse().ok());
        let parsed =
            parsed.ok_or("the address is malformed, expected 0x and 40 hexadecimal digits")?;
        if !is_followed(parsed) {
            return Err(format!(
                "the logs of {parsed} are not forwarded, only those of contracts that are followed here; use a node of your own, or a wallet's"
            ));
        }
    }
    if let Some(topics) = filter.get("topics") {
        check_topics(topics)?;
    }
    if let Some(hash) = filter.get("blockHash") {
        return word("the hash of the block", hash);
    }
    let block = |name: &str| match filter.get(name) {
        None | Some(Value::Null) => Some(head),
        Some(Value::String(tag)) if tag == "earliest" => Some(0),
        Some(Value::String(tag))
            if ["latest", "safe", "finalized", "pending"].contains(&tag.as_str()) =>
        {
            Some(head)
        }
        Some(other) => number(other),
    };
    let (Some(from), Some(to)) = (block("fromBlock"), block("toBlock")) else {
        return Err(
            "fromBlock or toBlock is malformed, expected a number such as 0x1f, or a name such as latest"
                .to_owned(),
        );
    };
    let blocks = to.saturating_sub(from).saturating_add(1);
    if blocks > MAX_BLOCKS {
        return Err(format!(
            "the filter takes {blocks} blocks, expected at most {MAX_BLOCKS}; ask for fewer at a time"
        ));
    }
    Ok(())
}

fn check_topics(topics: &Value) -> Result<(), String> {
    let mut left = MAX_TOPICS;
    for topic in topics.as_array().ok_or("the topics are no list")? {
        match topic {
            Value::Null => {}
            Value::Array(list) => {
                words("the topics", topic, left)?;
                left -= list.len();
            }
            topic => word("the topic", topic)?,
        }
    }
    let places = topics.as_array().map_or(0, Vec::len);
    if places > 4 {
        return Err(format!(
            "the filter has {places} topics, expected at most 4"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bounded(name: &str, given: &Value) -> Result<Value, String> {
        let method = find(name).expect("a method");
        let given = given.as_array().expect("a list").clone();
        let followed = Address::with_last_byte(1);
        let bounded = method.bounded(given, 5_000, |address| address == followed);
        bounded.map(Value::Array)
    }

    #[test]
    fn find_knows_methods_that_read_and_no_others() {
        assert_eq!(METHODS.len(), 12);
        for name in [
            "eth_sendRawTransaction",
            "eth_sendTransaction",
            "eth_sign",
            "eth_accounts",
            "eth_newFilter",
            "eth_subscribe",
            "debug_traceCall",
            "anvil_setBalance",
            "evm_mine",
            "admin_peers",
            "ETH_CALL",
            " eth_call",
            "",
        ] {
            assert!(find(name).is_none(), "{name}");
        }
    }

    #[test]
    fn bounded_limits_the_gas_of_calls() {
        let most = format!("{TRANSACTION_GAS_LIMIT:#x}");
        for (given, expected) in [
            (json!({"to": "0x1"}), most.as_str()),
            (json!({"to": "0x1", "gas": null}), &most),
            (json!({"to": "0x1", "gas": "0xffffffffffff"}), &most),
            (json!({"to": "0x1", "gas": "0x5208"}), "0x5208"),
        ] {
            for method in ["eth_call", "eth_estimateGas"] {
                let bounded = bounded(method, &json!([given, "latest"])).expect("a call");
                assert_eq!(bounded[0]["gas"], expected);
                assert_eq!(
                    (&bounded[0]["to"], &bounded[1]),
                    (&json!("0x1"), &json!("latest"))
                );
            }
        }
    }

    #[test]
    fn bounded_refuses_other_parameters_and_says_what_is_expected() {
        let one = Address::with_last_byte(1).to_string();
        let zeros = |n: usize| vec!["0x0"; n];
        for (method, given, reason) in [
            ("eth_chainId", json!([1]), "1 parameters, expected 0"),
            ("eth_call", json!([]), "0 parameters, expected 1 or 2"),
            // State that the caller makes up.
            (
                "eth_call",
                json!([{"to": one}, "latest", {}]),
                "expected 1 or 2",
            ),
            ("eth_call", json!(["x"]), "the call is no object"),
            ("eth_call", json!([{"gas": 5}]), "gas is malformed"),
            ("eth_call", json!([{"gas": "0x+5"}]), "gas is malformed"),
            (
                "eth_call",
                json!([{"gas": "0x10000000000000000"}]),
                "gas is malformed",
            ),
            ("eth_call", json!([{"blobs": []}]), "a field `blobs`"),
            ("eth_call", json!([{}, 5]), "the block is malformed"),
            (
                "eth_call",
                json!([{}, {"x": "y"}]),
                "the block is malformed",
            ),
            (
                "eth_getProof",
                json!([one, zeros(257), "latest"]),
                "at most 256",
            ),
            (
                "eth_getProof",
                json!([one, "0x0", "latest"]),
                "the slots are no list",
            ),
            (
                "eth_getTransactionReceipt",
                json!(["x"]),
                "the hash is malformed",
            ),
            (
                "eth_getTransactionCount",
                json!([7, "latest"]),
                "the address is malformed",
            ),
            (
                "eth_feeHistory",
                json!(["0x81", "latest", []]),
                "at most 128",
            ),
            (
                "eth_feeHistory",
                json!([8, "latest", vec![1; 17]]),
                "at most 16",
            ),
            ("eth_feeHistory", json!([8, "latest", ["a"]]), "at most 16"),
        ] {
            let refused = bounded(method, &given).expect_err("a refusal");
            assert!(refused.contains(reason), "{method}: {refused}");
        }
    }

    #[test]
    fn bounded_refuses_logs_of_other_contracts_and_of_many_blocks() {
        let one = Address::with_last_byte(1).to_string();
        let zeros = |n: usize| vec!["0x0"; n];
        for (method, given, reason) in [
            ("eth_getLogs", json!([{}]), "no address"),
            ("eth_getLogs", json!([{"address": []}]), "no address"),
            ("eth_getLogs", json!([{"address": zeros(17)}]), "at most 16"),
            (
                "eth_getLogs",
                json!([{"address": "0x1"}]),
                "address is malformed",
            ),
            (
                "eth_getLogs",
                json!([{"address": [one, Address::ZERO]}]),
                "0x0000000000000000000000000000000000000000 are not forwarded",
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "fromBlock": "earliest"}]),
                "5001 blocks",
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "fromBlock": "0x1", "toBlock": "0x7d1"}]),
                "2001 blocks",
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "fromBlock": "0x0", "toBlock": "0xffffffffffffffff"}]),
                "blocks, expected at most 2000",
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "fromBlock": 1}]),
                "malformed",
            ),
            // A node written in Go takes these for `fromBlock` and `address`, and the last one counts.
            (
                "eth_getLogs",
                json!([{"address": one, "fromBloc\u{212a}": "0x0"}]),
                "a field `fromBloc",
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "addreſs": Address::ZERO}]),
                "a field `addre",
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "topics": [zeros(40), zeros(25)]}]),
                "at most 24",
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "topics": [null, null, null, null, null]}]),
                "5 topics",
            ),
        ] {
            let refused = bounded(method, &given).expect_err("a refusal");
            assert!(refused.contains(reason), "{method}: {refused}");
        }
    }

    #[test]
    fn bounded_takes_what_pages_and_wallets_ask_for() {
        let one = Address::with_last_byte(1).to_string();
        let zeros = |n: usize| vec!["0x0"; n];
        for (method, given) in [
            ("eth_blockNumber", json!([])),
            (
                "eth_getProof",
                json!([one, zeros(256), {"blockHash": one, "requireCanonical": true}]),
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "fromBlock": "0x1", "toBlock": "0x7d0", "topics": [null, zeros(64)]}]),
            ),
            (
                "eth_getLogs",
                json!([{"address": vec![&one; 16], "blockHash": one}]),
            ),
            (
                "eth_getLogs",
                json!([{"address": one, "fromBlock": "0xbb9"}]),
            ),
            ("eth_getTransactionCount", json!([one, "pending"])),
            ("eth_feeHistory", json!([4, "latest", [10, 50.5]])),
            ("eth_feeHistory", json!(["0x80", "latest"])),
        ] {
            assert_eq!(bounded(method, &given).as_ref(), Ok(&given), "{method}");
        }
    }
}
