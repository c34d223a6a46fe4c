//! Checks the names of the contracts' tests.
//!
//! Each test that docs/security.md names exists, and each test's name begins with the function that
//! it tests.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns `true` if this is the name of a test or a proof of the contracts.
fn is_solidity(name: &str) -> bool {
    let follows = |start, is_first: fn(&char) -> bool| {
        name.strip_prefix(start)
            .is_some_and(|rest| rest.chars().next().is_some_and(|first| is_first(&first)))
    };
    follows("check_", char::is_ascii_uppercase)
        || follows("invariant", char::is_ascii_uppercase)
        || follows("test_", char::is_ascii_lowercase)
        || follows("testFuzz_", char::is_ascii_lowercase)
}

/// Returns the sources that `location` names.
///
/// That is a file of the contracts' tests, in any folder of theirs, or a folder of tests of the
/// crates.
fn sources(location: &str) -> Vec<String> {
    let is_rust = location.starts_with("tests/");
    let folder = if is_rust { location } else { "contracts/test" };
    files_in(&root().join(folder))
        .into_iter()
        .filter(|file| {
            if is_rust {
                file.extension() == Some(OsStr::new("rs"))
            } else {
                file.ends_with(format!("{location}.t.sol"))
            }
        })
        .map(|file| fs::read_to_string(file).expect("text"))
        .collect()
}

/// Returns the files in a folder and in those below it.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files_in(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Returns `true` if `reference`, such as `Relay: test_relay_recordsOneBatch`, names a test or a
/// proof.
///
/// Returns an error if it names one wrongly.
fn look_up(reference: &str) -> Result<bool, String> {
    let Some((location, name)) = reference.split_once(": ") else {
        return if is_solidity(reference) {
            Err(format!(
                "`{reference}` names no file: write `File: {reference}`"
            ))
        } else {
            Ok(false)
        };
    };
    let declaration = if is_solidity(name) {
        format!("function {name}(")
    } else if location.starts_with("tests/") {
        format!("#[test]\nfn {name}(")
    } else {
        return Ok(false);
    };
    let sources = sources(location);
    if sources.is_empty() {
        return Err(format!(
            "`{reference}`: there is no {location} among the tests"
        ));
    }
    if !sources.iter().any(|source| source.contains(&declaration)) {
        return Err(format!("`{reference}`: {location} has no `{name}`"));
    }
    Ok(true)
}

#[test]
fn look_up_finds_every_named_test_and_one_for_every_property() {
    let text = fs::read_to_string(root().join("docs/security.md")).expect("docs/security.md");
    let mut wrong: Vec<_> = quoted(&text).filter_map(|one| look_up(one).err()).collect();
    let table = text.split("| property | proof or test |").nth(1);
    let rows = table.expect("the table of properties").trim_start().lines();
    let rows: Vec<_> = rows
        .skip(1)
        .take_while(|row| row.starts_with('|'))
        .collect();
    assert!(rows.len() >= 20, "{} properties", rows.len());
    for row in rows {
        if !quoted(row).any(|one| look_up(one) == Ok(true)) {
            wrong.push(format!("no test is named for: {row}"));
        }
    }
    assert!(wrong.is_empty(), "docs/security.md:\n{}", wrong.join("\n"));
}

/// Names that stand for a function in the name of a test: the claims together, and functions
/// without a name.
const STAND_INS: [&str; 3] = ["claims", "constructor", "receive"];

/// Returns the names that follow `function ` in the Solidity sources below a folder.
fn functions_in(folder: &str, ending: &str) -> Vec<String> {
    let files = files_in(&root().join(folder)).into_iter();
    files
        .filter(|file| file.to_string_lossy().ends_with(ending))
        .flat_map(|file| {
            let source = fs::read_to_string(file).expect("text");
            let names = source.split("function ").skip(1);
            names
                .filter_map(|rest| rest.split_once('('))
                .map(|(name, _)| name.to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Returns `true` if a test's name begins with one of the functions and adds a condition.
fn names_its_function(test: &str, functions: &HashSet<String>) -> bool {
    let rest = ["test_", "testFuzz_"]
        .iter()
        .find_map(|start| test.strip_prefix(start));
    let named = rest.and_then(|rest| rest.split_once('_'));
    named.is_some_and(|(function, condition)| {
        !condition.is_empty() && (STAND_INS.contains(&function) || functions.contains(function))
    })
}

#[test]
fn names_its_function_is_true_of_each_test_of_the_contracts() {
    let functions = HashSet::from_iter(functions_in("contracts/src", ".sol"));
    let tests: Vec<_> = functions_in("contracts/test", ".t.sol")
        .into_iter()
        .filter(|name| name.starts_with("test"))
        .collect();
    assert!(tests.len() >= 350, "{} tests", tests.len());
    let unnamed: Vec<_> = tests
        .iter()
        .filter(|test| !names_its_function(test, &functions))
        .collect();
    assert!(
        unnamed.is_empty(),
        "name each after its function: {unnamed:?}"
    );
    for wrong in [
        "testRefund",
        "test_refund",
        "test_refund_",
        "test_refunds_pays",
        "testFuzz_Refund_pays",
    ] {
        assert!(!names_its_function(wrong, &functions), "{wrong}");
    }
}

#[test]
fn look_up_refuses_what_does_not_exist() {
    assert_eq!(look_up("Price: check_NotZero"), Ok(true));
    assert_eq!(look_up("tests/differential: sparse_perceptron"), Ok(true));
    assert_eq!(look_up("invariant/Worlds: invariantMoney"), Ok(true));
    assert_eq!(
        look_up("Relay: test_relay_recordsOneBatch"),
        Ok(true),
        "in a folder that it does not name"
    );
    assert_eq!(look_up("Claims: testFuzz_refund_takesAnySubset"), Ok(true));
    assert_eq!(look_up("refundWait"), Ok(false));
    assert_eq!(look_up("testset"), Ok(false));
    for wrong in [
        "check_NotZero",
        "Price: check_NotOne",
        "Prices: check_NotZero",
        "Relay: check_NotZero",
        "test_relay_recordsOneBatch",
        "Relay: test_relay_recordsNone",
        "tests/differential: sparse_perceptrons",
        "tests/indifferent: sparse_perceptron",
    ] {
        assert!(look_up(wrong).is_err(), "{wrong}");
    }
}
