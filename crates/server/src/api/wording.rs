//! Faults of a request, as text for its sender: the value seen, the value expected and the next
//! step. The libraries that read paths, queries and JSON would name types of this program.

use axum::extract::path::ErrorKind;
use cotrain_learning::text::escaped;
use url::form_urlencoded;

/// Maximum length of a value in a message, in characters.
const MAX_VALUE: usize = 80;

/// Explains a fault in a part of a path.
pub(super) fn path(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::ParseErrorAtKey {
            key,
            value,
            expected_type,
        } => format!(
            "`{}` is {}, expected {}",
            escaped(key),
            shown(value),
            expected(expected_type)
        ),
        // Messages of our own types contain the value already.
        ErrorKind::DeserializeError { key, message, .. } => {
            format!("`{}`: {}", escaped(key), escaped(message))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => format!(
            "`{}` is not UTF-8 once its % escapes are read, expected text",
            escaped(key)
        ),
        other => escaped(&other.to_string()).to_string(),
    }
}

/// Explains a fault in a query. `message` comes from the reader and begins with the key.
pub(super) fn query(query: &str, message: &str) -> String {
    let message = message
        .strip_prefix("Failed to deserialize query string: ")
        .unwrap_or(message);
    let (key, fault) = match message.split_once(": ") {
        Some((key, fault)) if key.chars().all(char::is_alphanumeric) => (key, fault),
        _ => ("", message),
    };
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let value = pairs.find(|(name, _)| !key.is_empty() && name == key);
    let fault = match fault {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "expected a whole number"
        }
        "number too large to fit in target type" => "expected a smaller whole number",
        "provided string was not `true` or `false`" => "expected true or false",
        // Messages of our own types contain the value already, and serde's name the key.
        fault => {
            let fault = reworded(fault);
            if key.is_empty() || fault.starts_with('`') {
                return with_next_step(&fault);
            }
            return with_next_step(&format!("`{}`: {fault}", escaped(key)));
        }
    };
    match value {
        Some((key, value)) => format!("`{}` is {}, {fault}", escaped(&key), shown(&value)),
        None => with_next_step(fault),
    }
}

/// Explains a fault in the JSON of a body. `path` is the path of the value, as far as the reader
/// got.
pub(super) fn json(path: &str, message: &str) -> String {
    let (fault, line) = match message.rsplit_once(" at line ") {
        Some((fault, line)) => (fault, Some(line)),
        None => (message, None),
    };
    let fault = reworded(fault);
    let path = match path {
        "" | "." | "?" => "the body".to_owned(),
        path => format!("`{}`", escaped(path)),
    };
    match line.and_then(|line| line.split_once(" column ")) {
        Some((line, column)) => format!(
            "{path}: {fault} (line {line}, column {column}); /docs has the form and an example"
        ),
        None => format!("{path}: {fault}; /docs has the form and an example"),
    }
}

fn with_next_step(fault: &str) -> String {
    format!("{fault}; /docs has the keys and values that this path takes")
}

/// Rewrites a message from serde.
fn reworded(message: &str) -> String {
    if let Some(field) = message.strip_prefix("missing field ") {
        return format!("{field} is missing");
    }
    if let Some(field) = message.strip_prefix("duplicate field ") {
        return format!("{field} is there twice, expected once");
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return match rest.split_once(", expected ") {
            Some((field, known)) => {
                let known = known.strip_prefix("one of ").unwrap_or(known);
                format!("{field} is unknown, expected {known}")
            }
            None => format!("{} is unknown", rest.split(", ").next().unwrap_or(rest)),
        };
    }
    let unprefixed = ["invalid type: ", "invalid value: "]
        .into_iter()
        .find_map(|prefix| message.strip_prefix(prefix));
    if let Some(rest) = unprefixed
        && let Some((found, wanted)) = rest.rsplit_once(", expected ")
    {
        return format!("this is {}, expected {}", seen(found), expected(wanted));
    }
    if let Some(rest) = message.strip_prefix("invalid length ")
        && let Some((found, wanted)) = rest.split_once(", expected ")
    {
        return format!(
            "the number of entries is {found}, expected {}",
            expected(wanted)
        );
    }
    escaped(message).to_string()
}

/// Describes a value that serde found, such as "string \"x\"" or "integer `5`".
fn seen(found: &str) -> String {
    for (sort, name) in [
        ("string ", "the text "),
        ("integer ", "the number "),
        ("floating point ", "the number "),
        ("boolean ", ""),
    ] {
        if let Some(value) = found.strip_prefix(sort) {
            let value = value.trim_matches('`');
            return format!("{name}{}", shortened(value));
        }
    }
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "an array".to_owned(),
        "null" | "unit value" => "null".to_owned(),
        other => shortened(other),
    }
}

/// Describes the type that serde or axum expects, such as `u64`.
fn expected(wanted: &str) -> String {
    match wanted {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i32" => "a whole number from -2147483648 to 2147483647",
        "i8" | "i16" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" | "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "an object",
        wanted if wanted.starts_with("struct ") => "an object",
        "a string" | "String" | "str" => "text in quotation marks",
        wanted => return escaped(wanted).to_string(),
    }
    .to_owned()
}

/// Quotes the beginning of a received value.
fn shown(value: &str) -> String {
    format!("`{}`", shortened(value))
}

fn shortened(value: &str) -> String {
    cotrain_learning::text::escaped_to(value, MAX_VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_puts_errors_into_words() {
        for (path, message, wanted) in [
            (
                ".",
                "missing field `author` at line 1 column 2",
                "the body: `author` is missing (line 1, column 2); /docs has the form and an example",
            ),
            (
                "nonce",
                "invalid type: string \"x\", expected u64 at line 3 column 9",
                "`nonce`: this is the text \"x\", expected a whole number, 0 or more (line 3, column 9); /docs has the form and an example",
            ),
            (
                "nonce",
                "invalid value: integer `-1`, expected u64 at line 1 column 2",
                "`nonce`: this is the number -1, expected a whole number, 0 or more (line 1, column 2); /docs has the form and an example",
            ),
            (
                ".",
                "invalid type: sequence, expected struct SignedBatchBody with 7 elements at line 1 column 0",
                "the body: this is an array, expected an object (line 1, column 0); /docs has the form and an example",
            ),
            (
                "features[0]",
                "invalid type: floating point `1.5`, expected i32",
                "`features[0]`: this is the number 1.5, expected a whole number from -2147483648 to 2147483647; /docs has the form and an example",
            ),
            (
                ".",
                "unknown field `x`, expected one of `text`, `row` at line 1 column 4",
                "the body: `x` is unknown, expected `text`, `row` (line 1, column 4); /docs has the form and an example",
            ),
            (
                ".",
                "unknown field `x`, there are no fields",
                "the body: `x` is unknown; /docs has the form and an example",
            ),
            (
                ".",
                "duplicate field `fee` at line 1 column 9",
                "the body: `fee` is there twice, expected once (line 1, column 9); /docs has the form and an example",
            ),
            (
                ".",
                "invalid length 0, expected an object with one of `text` and `row`",
                "the body: the number of entries is 0, expected an object with one of `text` and `row`; /docs has the form and an example",
            ),
            (
                "row",
                "invalid type: map, expected a sequence",
                "`row`: this is an object, expected an array; /docs has the form and an example",
            ),
            (
                "text",
                "invalid type: null, expected a string",
                "`text`: this is null, expected text in quotation marks; /docs has the form and an example",
            ),
            (
                ".",
                "EOF while parsing a value at line 1 column 0",
                "the body: EOF while parsing a value (line 1, column 0); /docs has the form and an example",
            ),
        ] {
            assert_eq!(json(path, message), wanted);
        }
    }

    #[test]
    fn query_names_the_value_that_is_wrong() {
        let prefix = "Failed to deserialize query string: ";
        for (asked, message, wanted) in [
            (
                "n=x",
                "n: invalid digit found in string",
                "`n` is `x`, expected a whole number",
            ),
            (
                "a=1&n=",
                "n: cannot parse integer from empty string",
                "`n` is ``, expected a whole number",
            ),
            (
                "n=99",
                "n: number too large to fit in target type",
                "`n` is `99`, expected a smaller whole number",
            ),
            (
                "open=ye%1Bs",
                "open: provided string was not `true` or `false`",
                "`open` is `ye\\u{1b}s`, expected true or false",
            ),
            (
                "x=1",
                "x: unknown field `x`, expected `after` or `limit`",
                "`x` is unknown, expected `after` or `limit`; /docs has the keys and values that this path takes",
            ),
            (
                "n=1&n=2",
                "n: duplicate field `n`",
                "`n` is there twice, expected once; /docs has the keys and values that this path takes",
            ),
        ] {
            assert_eq!(query(asked, &format!("{prefix}{message}")), wanted);
        }
    }
}
