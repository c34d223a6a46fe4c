//! The rules of the house: which crate may use which.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate may use of the others, and of the crates that only one of ours may name.
/// `bindings` and everything above it may use what stands below; nothing uses what stands above.
const ALLOWED: &[(&str, &[&str])] = &[
    ("cotrain-protocol", &[]),
    ("cotrain-bindings", &["cotrain-protocol"]),
    (
        "cotrain-chain",
        &[
            "cotrain-bindings",
            "cotrain-protocol",
            "alloy-provider",
            "revm",
            "serde_json",
            "tokio",
        ],
    ),
    ("cotrain-client", &["cotrain-chain", "cotrain-protocol"]),
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
            "serde_json",
            "tokio",
        ],
    ),
    ("cotrain-tests", &[]),
];

/// Crates that only those named above for them may use: the EVM, and the text forms of results.
/// And chance, which the rules must not know.
const GUARDED: &[&str] = &[
    "revm",
    "tokio",
    "alloy-provider",
    "serde_json",
    "rand",
    "rand_chacha",
    "getrandom",
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
