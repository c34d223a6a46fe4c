//! Search for files that name a mechanism, outside the mechanisms' own files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::files::below;

/// Files that every new mechanism must change, beside its own. `docs/extending.md` explains them.
pub(crate) const SHARED: &[&str] = &[
    "crates/bindings/src/code.rs",
    "crates/client/src/api/models.rs",
    "crates/client/src/initial.rs",
    "crates/indexer/src/contract.rs",
    "crates/protocol/src/mechanism.rs",
    "crates/protocol/src/mechanism/terms.rs",
    "crates/server/src/api/plans/body.rs",
    "crates/simulator/src/scenario/incentive.rs",
    "crates/simulator/src/scenario/payment.rs",
    "crates/simulator/src/simulation.rs",
];

/// Parts of the paths of files that belong to one mechanism.
///
/// They include the command line, because each command is for one mechanism, or for trainers.
const OWN: &[&str] = &[
    "/cli/",
    "/log/",
    "/market/",
    "/market.rs",
    "/trainer/",
    "/trainer.rs",
];

/// Names of enums, each with those of its variants that stand for a mechanism.
const VARIANTS: &[(&str, &[&str])] = &[
    (
        "Mechanism",
        &["DepositRefundTake", "Points", "PredictionMarket"],
    ),
    ("Terms", &["Trainer", "Market"]),
    (
        "Incentive",
        &["DepositRefundTake", "Points", "Trainer", "Market"],
    ),
];

/// Returns the paths of files in `crates` that name a mechanism and do not belong to one.
///
/// The paths begin at the repository's root.
pub(crate) fn naming(root: &Path) -> BTreeSet<String> {
    let files = below(&root.join("crates"), ".rs");
    let is_shared = |path: &PathBuf| {
        let path = path.strip_prefix(root).expect("a file of the repository");
        let path = path.to_string_lossy().into_owned();
        let is_code = path.contains("/src/") && !OWN.iter().any(|own| path.contains(own));
        is_code.then_some(path)
    };
    let mut found = BTreeSet::new();
    for file in &files {
        let Some(path) = is_shared(file) else {
            continue;
        };
        let text = fs::read_to_string(file).expect("a file of code");
        if names_one(&text) {
            found.insert(path);
        }
    }
    found
}

/// Returns `true` if the code names a mechanism outside comments and its own tests.
pub(crate) fn names_one(text: &str) -> bool {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| {
            VARIANTS.iter().any(|(name, variants)| {
                let name = format!("{name}::");
                line.split(&name).skip(1).any(|rest| {
                    let end = rest.find(|letter: char| !letter.is_alphanumeric());
                    variants.contains(&&rest[..end.unwrap_or(rest.len())])
                })
            })
        })
}
