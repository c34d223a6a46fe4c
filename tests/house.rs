//! The rules of the house: which crate may use which.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate may use of the others, and of the crates that only one of ours may name.
/// `bindings` and everything above it may use what stands below; nothing uses what stands above.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cotrain-protocol", &["secp256k1"]),
    ("cotrain-bindings", &["cotrain-protocol"]),
    (
        "cotrain-chain",
        &[
            "cotrain-bindings",
            "cotrain-protocol",
            "alloy-provider",
            "reqwest",
            "revm",
            "serde_json",
            "tokio",
        ],
    ),
    // Of `learning`, the escaping of strangers' text; JSON and waiting for the client of the API.
    (
        "cotrain-client",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-learning",
            "cotrain-protocol",
            "reqwest",
            "serde_json",
            "tokio",
            "utoipa",
        ],
    ),
    (
        "cotrain-learning",
        &["cotrain-protocol", "rand", "rand_chacha"],
    ),
    (
        "cotrain-simulator",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-learning",
            "cotrain-protocol",
            "rand",
            "rand_chacha",
        ],
    ),
    // Of `learning`, the escaping of strangers' text.
    (
        "cotrain-report",
        &["cotrain-learning", "cotrain-simulator", "serde_json"],
    ),
    (
        "cotrain-coordinator",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-learning",
            "cotrain-protocol",
            "serde_json",
            "tokio",
            "utoipa",
        ],
    ),
    (
        "cotrain",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-client",
            "cotrain-coordinator",
            "cotrain-learning",
            "cotrain-protocol",
            "cotrain-report",
            "cotrain-simulator",
            "serde_json",
            "tokio",
        ],
    ),
    (
        "cotrain-test-support",
        &[
            "cotrain-bindings",
            "cotrain-chain",
            "cotrain-coordinator",
            "cotrain-protocol",
            "reqwest",
            "serde_json",
            "tokio",
        ],
    ),
    ("cotrain-tests", &[]),
];

/// Crates that only those named above for them may use: the EVM, HTTP, schemas of the API, and the text forms of results.
/// Chance too, which the rules must not know, and signatures, whose one home the rules are.
const GUARDED: &[&str] = &[
    "revm",
    "reqwest",
    "tokio",
    "alloy-provider",
    "serde_json",
    "utoipa",
    "rand",
    "rand_chacha",
    "getrandom",
    "secp256k1",
    "k256",
];

#[test]
fn no_crate_uses_what_it_may_not() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut seen = 0;
    for package in &metadata.packages {
        let name = package.name.as_str();
        let allowed = allowed
            .get(name)
            .unwrap_or_else(|| panic!("say in tests/house.rs what `{name}` may use"));
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal)
        {
            let guarded = dependency.name.starts_with("cotrain")
                || GUARDED.contains(&dependency.name.as_str());
            assert!(
                !guarded || allowed.contains(&dependency.name.as_str()),
                "`{name}` must not use `{}`: it may use {allowed:?}",
                dependency.name
            );
            seen += usize::from(guarded);
        }
    }
    assert!(
        seen >= 8,
        "only {seen} edges were looked at: has the workspace moved?"
    );
}

#[test]
fn only_the_server_links_the_schemas_of_the_api() {
    let metadata = MetadataCommand::new()
        .no_deps()
        .exec()
        .expect("cargo metadata");
    let asking: Vec<_> = metadata
        .packages
        .iter()
        .filter(|package| {
            package.dependencies.iter().any(|dependency| {
                dependency.name == "cotrain-client"
                    && dependency.features.iter().any(|it| it == "openapi")
            })
        })
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(asking, ["cotrain-coordinator"]);
    let client = metadata
        .packages
        .iter()
        .find(|package| package.name.as_str() == "cotrain-client")
        .expect("the client");
    let schemas = client.dependencies.iter().find(|it| it.name == "utoipa");
    assert!(schemas.expect("the feature's crate").optional);
    assert!(!client.features.contains_key("default"));
}
