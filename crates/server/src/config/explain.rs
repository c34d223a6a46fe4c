//! Values in force, with their sources.

use figment2::{
    Figment, Metadata,
    value::{Num, Value},
};
use url::Url;

use super::keys::KEYS;

/// Part of a value that is hidden in output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    None,
    /// The password in a URL.
    Password,
    /// Everything in a URL that may give access: user, password, path and query.
    Access,
}

/// Returns the hidden part of a key's value.
fn secret(path: &str) -> Secret {
    match path {
        "database" => Secret::Password,
        "node.url" => Secret::Access,
        _ => Secret::None,
    }
}

/// Key of a configuration with its value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Section and name, such as `relay.max_batch`.
    pub key: &'static str,
    /// Value as the file would have it, without secrets; `None` if it is not set.
    pub value: Option<String>,
    /// Source: `default`, `file cotrain.toml`, `environment COTRAIN_LISTEN` or `flag --listen`.
    pub source: String,
    /// Meaning of the key.
    pub doc: &'static str,
}

pub(super) fn explain(figment: &Figment) -> Vec<Setting> {
    KEYS.iter()
        .map(|key| Setting {
            key: &key.path,
            value: figment
                .find_value(&key.path)
                .ok()
                .map(|value| shown(&key.path, &value)),
            source: source(figment, &key.path),
            doc: &key.doc,
        })
        .collect()
}

/// Returns the source of the value of a key.
pub(super) fn source(figment: &Figment, path: &str) -> String {
    source_name(figment.find_metadata(path))
}

/// Returns the name of a source.
pub(super) fn source_name(metadata: Option<&Metadata>) -> String {
    metadata.map_or_else(
        || "default".to_owned(),
        |metadata| metadata.name.to_string(),
    )
}

/// Returns a value as the file would have it, without secrets.
pub(super) fn shown(path: &str, value: &Value) -> String {
    match (secret(path), value.as_str()) {
        (Secret::None, _) => toml(value),
        (_, None) => "***".to_owned(),
        (secret, Some(text)) => toml(&Value::from(masked(secret, text))),
    }
}

/// Returns `true` if a text can only be a host that lacks `http://`. That is `localhost`, a name or
/// IP address with dots, or a name with a port, all in lower case. A name alone might be a key or a
/// password.
fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (text, None),
    };
    let is_label = |label: &str| {
        let fits =
            |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
        !label.is_empty() && label.bytes().all(fits)
    };
    text.len() <= 60
        && name.split('.').all(is_label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
        && (port.is_some() || name == "localhost" || name.contains('.'))
}

fn masked(secret: Secret, text: &str) -> String {
    if secret == Secret::Access && is_host(text) {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else {
        // A path has no password. Any other text that is no URL may be one with a typo.
        let path = secret == Secret::Password && !text.contains("://") && !text.contains('@');
        let host = secret == Secret::Access && is_host(text);
        return if path || host { text } else { "***" }.to_owned();
    };
    // The parser takes a name before a colon for a scheme, and the rest may be a password.
    let hidden = match secret {
        Secret::Access => !is_host(text),
        Secret::None | Secret::Password => text.contains('@'),
    };
    if url.cannot_be_a_base() && hidden {
        return "***".to_owned();
    }
    if url.password().is_some() {
        let _ = url.set_password(Some("***"));
    }
    if url.query().is_some() {
        url.set_query(Some("***"));
    }
    if secret == Secret::Access {
        if !url.username().is_empty() {
            let _ = url.set_username("***");
        }
        if url.path().len() > 1 {
            url.set_path("***");
        }
    }
    url.to_string()
}

/// Returns a value as TOML.
fn toml(value: &Value) -> String {
    match value {
        Value::String(_, text) => toml::Value::from(text.as_str()).to_string(),
        Value::Char(_, one) => toml::Value::from(one.to_string()).to_string(),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, number) => match (number.to_u128(), number.to_i128()) {
            (Some(number), _) => number.to_string(),
            (_, Some(number)) => number.to_string(),
            _ => Num::to_f64(number).unwrap_or_default().to_string(),
        },
        Value::Empty(..) => "\"\"".to_owned(),
        Value::Array(_, values) => {
            let values: Vec<_> = values.iter().map(toml).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Dict(_, values) => {
            let values: Vec<_> = values
                .iter()
                .map(|(name, value)| format!("{name} = {}", toml(value)))
                .collect();
            format!("{{ {} }}", values.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_hides_what_gives_access() {
        for (secret, text, wanted) in [
            (
                Secret::Access,
                "https://eth.example/v2/abc?key=1",
                "https://eth.example/***?***",
            ),
            (
                Secret::Access,
                "http://me:pass@node:8545",
                "http://***:***@node:8545/",
            ),
            (
                Secret::Access,
                "http://127.0.0.1:8545",
                "http://127.0.0.1:8545/",
            ),
            (Secret::Access, "ht!tp:/secret", "***"),
            (Secret::Access, "abcdef", "***"),
            (Secret::Access, "me:hunter2", "***"),
            (Secret::Access, "1me:hunter2", "***"),
            (Secret::Access, "eyJhbGciOi.eyJzdWIiOi", "***"),
            (Secret::Access, "localhost", "localhost"),
            (Secret::Access, "node:8545", "node:8545"),
            (Secret::Access, "10.0.0.7:8545", "10.0.0.7:8545"),
            (Secret::Access, "eth.example", "eth.example"),
            (
                Secret::Password,
                "postgres://me:pass@db/cotrain",
                "postgres://me:***@db/cotrain",
            ),
            (
                Secret::Password,
                "postgres://me@db/x?password=y",
                "postgres://me@db/x?***",
            ),
            (
                Secret::Password,
                "data/cotrain.sqlite",
                "data/cotrain.sqlite",
            ),
            (Secret::Password, "me:pass@db", "***"),
        ] {
            assert_eq!(masked(secret, text), wanted, "{text}");
        }
    }
}
