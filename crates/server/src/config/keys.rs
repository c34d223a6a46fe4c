//! Every key of the configuration, once: what it means, its default, and what is hidden of it when it is shown.

/// What is hidden of a value when it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    /// Nothing.
    None,
    /// The password in a URL.
    Password,
    /// Everything of a URL that may let its reader in: user, password, path and query.
    Access,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// Section and name with a point between, or the name alone.
    pub(super) path: &'static str,
    /// What it means, with the unit.
    pub(super) doc: &'static str,
    /// What holds where nobody says, as TOML; none where that is "not at all".
    pub(super) default: Option<&'static str>,
    /// For the example file, of a key without a default.
    pub(super) example: &'static str,
    pub(super) secret: Secret,
}

const fn key(path: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key {
        path,
        doc,
        default: Some(default),
        example: default,
        secret: Secret::None,
    }
}

/// A key that says something only where it is set.
const fn optional(path: &'static str, example: &'static str, doc: &'static str) -> Key {
    Key {
        path,
        doc,
        default: None,
        example,
        secret: Secret::None,
    }
}

const fn secret(key: Key, secret: Secret) -> Key {
    Key { secret, ..key }
}

/// What each section is about, in the order of the example file. Keys without a section come first.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("node", "The node of the chain."),
    (
        "key",
        "The key that sends transactions: a keystore with its password, or a variable, or one of a development \
         chain's. Never the key itself.",
    ),
    ("relay", "Sending what contributors sign."),
    ("keep", "Claiming for authors and reporters."),
    ("evaluate", "Measuring how good the models are."),
    ("api", "The HTTP API."),
];

/// Every key, by section.
pub(super) const KEYS: &[Key] = &[
    key(
        "listen",
        r#""127.0.0.1:8080""#,
        "IP address and port that the HTTP API listens at; port 0 takes a free one.",
    ),
    key(
        "log",
        r#""text""#,
        "How logs are written to stderr: `text` or `json`.",
    ),
    secret(
        key(
            "database",
            r#""cotrain.sqlite""#,
            "Where everything is stored: a path of an SQLite file, or a URL that begins with postgres://.",
        ),
        Secret::Password,
    ),
    optional(
        "registry",
        r#""0x5FbDB2315678afecb367f032d93F642f64180aa3""#,
        "Address of a registry: every model that is registered there is followed.",
    ),
    key(
        "models",
        "[]",
        "Addresses of trainers that are followed besides those of the registry.",
    ),
    optional(
        "from_block",
        "0",
        "Number of the block from which events are read; left out, that in which each model was closed.",
    ),
    secret(
        key(
            "node.url",
            r#""http://127.0.0.1:8545""#,
            "URL of the node's JSON-RPC, http or https.",
        ),
        Secret::Access,
    ),
    key(
        "node.timeout",
        r#""10 s""#,
        "How long one request may take.",
    ),
    key(
        "node.retries",
        "5",
        "How often a request that failed on the way is sent again, 0 to 100.",
    ),
    key(
        "node.poll",
        r#""2 s""#,
        "How often the node is asked for new blocks.",
    ),
    optional(
        "key.keystore",
        r#""relayer.json""#,
        "Path of an encrypted keystore (Web3 Secret Storage).",
    ),
    optional(
        "key.password_file",
        r#""/run/secrets/relayer""#,
        "Path of a file whose first line is the keystore's password.",
    ),
    optional(
        "key.password_env",
        r#""RELAYER_PASSWORD""#,
        "Name of the environment variable that holds the keystore's password.",
    ),
    optional(
        "key.key_env",
        r#""RELAYER_KEY""#,
        "Name of the environment variable that holds the private key, 32 bytes in hexadecimal.",
    ),
    optional(
        "key.development",
        "0",
        "Number of a development chain's account, 0 to 9; only for chain 31337.",
    ),
    key(
        "relay.enabled",
        "false",
        "Whether signed batches are accepted and sent.",
    ),
    key(
        "relay.max_batch",
        "100",
        "The most contributions that one transaction relays, 1 to 10000.",
    ),
    key(
        "relay.max_age",
        r#""30 s""#,
        "How long the first of some contributions waits for others to share a transaction with.",
    ),
    key(
        "relay.min_fee",
        "0",
        "The least fee, in wei for each contribution of a batch, for which a batch is accepted.",
    ),
    optional(
        "relay.max_gas_price",
        r#""50 gwei""#,
        "Maximum price of a unit of gas, in wei: above it nothing is relayed, and no transaction offers more. Left out: any price, and at most four times what the chain asks for if a transaction waits for long.",
    ),
    key(
        "relay.max_waiting",
        "100000",
        "How many signed batches may wait at a time; further ones are refused.",
    ),
    key(
        "relay.bump_after",
        r#""30 s""#,
        "After how long a transaction that is in no block is sent again with a higher fee.",
    ),
    key(
        "relay.confirmations",
        "12",
        "After how many further blocks a transaction is taken for final, 0 to 10000.",
    ),
    key(
        "keep.enabled",
        "false",
        "Whether refunds are pushed for authors, and reports made for those who delegate them.",
    ),
    key(
        "keep.interval",
        r#""60 s""#,
        "How often claims are looked for.",
    ),
    optional(
        "keep.max_gas_price",
        r#""50 gwei""#,
        "Maximum price of a unit of gas, in wei: above it nothing is claimed, and no transaction offers more. Left out: any price, and at most four times what the chain asks for if a transaction waits for long.",
    ),
    key(
        "keep.max_claims",
        "100",
        "The most claims of one transaction, 1 to 10000.",
    ),
    key(
        "keep.min_gain",
        "0",
        "How many wei the claims of a transaction must bring above its gas.",
    ),
    optional(
        "evaluate.data",
        r#""movie-reviews""#,
        "What models are measured on: `movie-reviews`, or a file that ends in .csv or .tsv (tables with a header) \
         or in .libsvm, and .gz, where it is packed; left out, nothing is measured.",
    ),
    key(
        "evaluate.label",
        r#""label""#,
        "The column of a table that has the class.",
    ),
    optional(
        "evaluate.text",
        r#""text""#,
        "The column of a table that has the text; left out, every other column is a number.",
    ),
    key(
        "evaluate.every",
        "100",
        "After how many further contributions a model is measured again.",
    ),
    key(
        "api.cors",
        "[]",
        "Origins whose web pages may use the API, such as \"https://example.org\"; \"*\" for any.",
    ),
    key(
        "api.max_body",
        "1048576",
        "The most bytes of a request's body, 1024 to 268435456.",
    ),
    key(
        "api.timeout",
        r#""10 s""#,
        "How long a request may take; streams of events may take longer.",
    ),
    key(
        "api.header_timeout",
        r#""10 s""#,
        "How long a client may take to send a request's headers; then its connection is closed.",
    ),
    key(
        "api.idle_timeout",
        r#""60 s""#,
        "How long a connection may stay open without a request, or with an answer that its client does not read.",
    ),
    key(
        "api.max_connections",
        "800",
        "How many connections may be open at a time, 1 to 1000000; further ones are refused. Keep it below the limit \
         of open files (`ulimit -n`, often 1024).",
    ),
    key(
        "api.shutdown_timeout",
        r#""10 s""#,
        "How long requests may take once the coordinator is told to end; then their connections are closed.",
    ),
    key(
        "api.rate",
        "50",
        "How many requests a second each client may make over time, 0 to 1000000; 0 for any number.",
    ),
    key(
        "api.burst",
        "200",
        "How many requests each client may make at once, 1 to 1000000.",
    ),
    key(
        "api.concurrency",
        "512",
        "How many requests are worked on at a time, 1 to 1000000.",
    ),
    key(
        "api.max_streams",
        "1024",
        "How many streams of events may be open at a time, 1 to 1000000.",
    ),
    key(
        "api.max_page",
        "1000",
        "The most rows of an answer, 1 to 10000.",
    ),
    key(
        "api.metrics",
        "true",
        "Whether /metrics is served, for Prometheus.",
    ),
    key(
        "api.trust_forwarded_for",
        "false",
        "Whether the last address of X-Forwarded-For is the client's: only behind a proxy that sets it.",
    ),
];

/// The key of that path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The known key that is spelled most like `path`.
pub(super) fn nearest(path: &str) -> &'static str {
    KEYS.iter()
        .map(|key| key.path)
        .min_by_key(|known| {
            // A name in the wrong section, or without one, is nearer than any misspelling.
            let same = name(known) == name(path);
            (!same, distance(known, path))
        })
        .unwrap_or_default()
}

fn name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// How many characters have to be added, left out or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (at, b) in other.chars().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_key_is_found() {
        assert_eq!(nearest("relay.max_bach"), "relay.max_batch");
        assert_eq!(nearest("max_batch"), "relay.max_batch");
        assert_eq!(nearest("listne"), "listen");
        assert_eq!(nearest("api.max_claims"), "keep.max_claims");
    }

    #[test]
    fn every_section_is_described() {
        for key in KEYS {
            if let Some((section, _)) = key.path.split_once('.') {
                assert!(
                    SECTIONS.iter().any(|(known, _)| *known == section),
                    "say in SECTIONS what {section} is about"
                );
            }
        }
    }
}
