//! Shape of LND's messages: `messages.json` lists the fields of its published proto definitions
//! (lnd 90ea05d), and JSON follows the rules of protobuf.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// Checks that `value` is a message of LND: each field, no others, each of its type.
pub(crate) fn check(message: &str, value: &Value) {
    if let Err(error) = deviation(message, value) {
        panic!("{message}{error}\nin {value:#}");
    }
}

fn deviation(message: &str, value: &Value) -> Result<(), String> {
    let lists: Value = serde_json::from_str(include_str!("messages.json")).expect("lists");
    field(&lists, message, value)
}

fn field(lists: &Value, kind: &str, value: &Value) -> Result<(), String> {
    let good = match kind {
        "string" => value.is_string(),
        "bool" => value.is_boolean(),
        "uint32" => value
            .as_u64()
            .is_some_and(|number| u32::try_from(number).is_ok()),
        "int64" => value
            .as_str()
            .is_some_and(|text| text.parse::<i64>().is_ok()),
        "uint64" => value
            .as_str()
            .is_some_and(|text| text.parse::<u64>().is_ok()),
        "bytes" => value
            .as_str()
            .is_some_and(|text| STANDARD.decode(text).is_ok()),
        _ => return composite(lists, kind, value),
    };
    if good {
        Ok(())
    } else {
        Err(format!(": expected {kind}, found {value}"))
    }
}

fn composite(lists: &Value, kind: &str, value: &Value) -> Result<(), String> {
    let wrong = || format!(": expected {kind}, found {value}");
    if let Some(kind) = kind.strip_prefix('[') {
        let kind = kind.trim_end_matches(']');
        let entries = value.as_array().ok_or_else(wrong)?;
        return entries
            .iter()
            .try_for_each(|entry| field(lists, kind, entry).map_err(|error| format!("[]{error}")));
    }
    if let Some(kind) = kind.strip_prefix('{') {
        let kind = kind.trim_end_matches('}');
        let entries = value.as_object().ok_or_else(wrong)?;
        return entries.values().try_for_each(|entry| {
            field(lists, kind, entry).map_err(|error| format!("{{}}{error}"))
        });
    }
    if let Some(names) = lists["enums"][kind].as_array() {
        return if names.contains(value) {
            Ok(())
        } else {
            Err(wrong())
        };
    }
    let Some(fields) = lists["messages"][kind].as_object() else {
        // A message that is only ever absent here.
        return if value.is_null() {
            Ok(())
        } else {
            Err(wrong())
        };
    };
    let found = value.as_object().ok_or_else(wrong)?;
    for (name, kind) in fields {
        let kind = kind.as_str().ok_or_else(wrong)?;
        match (found.get(name), kind.strip_suffix('?')) {
            // One of several fields that exclude each other.
            (None, Some(_)) => {}
            (None, None) => return Err(format!(".{name}: missing")),
            (Some(value), optional) => field(lists, optional.unwrap_or(kind), value)
                .map_err(|error| format!(".{name}{error}"))?,
        }
    }
    match found.keys().find(|name| !fields.contains_key(*name)) {
        Some(name) => Err(format!(".{name}: not in LND's definition")),
        None => Ok(()),
    }
}

#[test]
fn check_finds_each_deviation() {
    let good = serde_json::json!({ "sat": "1", "msat": "1000" });
    check("Amount", &good);
    for bad in [
        serde_json::json!({ "sat": "1" }),
        serde_json::json!({ "sat": 1, "msat": "1000" }),
        serde_json::json!({ "sat": "-1", "msat": "1000" }),
        serde_json::json!({ "sat": "1", "msat": "1000", "more": 1 }),
        serde_json::json!([]),
    ] {
        assert!(deviation("Amount", &bad).is_err(), "{bad}");
    }
}
