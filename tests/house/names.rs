//! Names of tests: each begins with the function, type or contract that it tests.

use std::{collections::BTreeSet, fs, path::Path};

use crate::files::{below, root};

/// Keywords that stand before a name in Rust or Solidity.
const KEYWORDS: &[&str] = &[
    "contract", "enum", "error", "event", "fn", "function", "library", "struct", "trait", "type",
];

/// Words that may stand before a keyword.
const MODIFIERS: &[&str] = &[
    "abstract",
    "async",
    "const",
    "default",
    "pub",
    "pub(crate)",
    "pub(super)",
];

/// Words that begin sentences about anything; no test is about a function of such a name.
const PLAIN: &[&str] = &[
    "a", "all", "an", "and", "any", "another", "both", "each", "every", "here", "if", "it", "no",
    "none", "nothing", "of", "on", "one", "only", "same", "some", "that", "the", "to", "what",
    "where", "which", "who", "whose", "why", "without",
];

/// Returns the paths and texts of the workspace's Rust sources.
fn rust() -> Vec<(String, String)> {
    let root = root();
    let files = ["crates", "tests"].map(|folder| below(&root.join(folder), ".rs"));
    let read = |path: &Path| {
        let text = fs::read_to_string(path).expect("a source");
        let path = path.strip_prefix(&root).expect("a file of the repository");
        (path.to_string_lossy().into_owned(), text)
    };
    files.iter().flatten().map(|path| read(path)).collect()
}

/// Returns the longest beginning of `text` that is a name.
fn name(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Returns a name in snake case.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|before| letters[before]);
        let starts_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                let next_is_small = letters
                    .get(index + 1)
                    .is_some_and(|next| next.is_lowercase());
                before != '_' && (!before.is_uppercase() || next_is_small)
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// Returns the names of the tests in a Rust source.
fn tests(text: &str) -> BTreeSet<&str> {
    let mut found = BTreeSet::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some((_, after)) = line.split_once("fn ").filter(|_| is_test) {
            found.insert(name(after));
            is_test = false;
        }
    }
    found
}

/// Returns the names that a source declares outside its unit tests, in snake case.
fn declared(text: &str) -> BTreeSet<String> {
    let code = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let name_in = |line: &str| {
        let words = line.trim_start().split(' ');
        let mut words = words.skip_while(|word| MODIFIERS.contains(word));
        let keyword = words.next()?;
        let declared = name(words.next()?);
        (KEYWORDS.contains(&keyword) && declared.len() > 1).then(|| snake(declared))
    };
    code.lines().filter_map(name_in).collect()
}

/// Returns `true` if a test's name is a known name, or begins with one and an underscore.
fn begins_with_one(test: &str, known: &BTreeSet<String>) -> bool {
    let ends = test.match_indices('_').map(|(end, _)| end);
    ends.chain([test.len()])
        .any(|end| known.contains(&test[..end]))
}

#[test]
fn begins_with_one_holds_for_all_tests() {
    let rust = rust();
    let mut known: BTreeSet<String> = BTreeSet::from(["up".to_owned()]);
    for (_, text) in &rust {
        let of_tests = tests(text);
        let names = declared(text);
        known.extend(
            names
                .into_iter()
                .filter(|name| !of_tests.contains(name.as_str())),
        );
    }
    for path in below(&root().join("contracts/src"), ".sol") {
        known.extend(declared(&fs::read_to_string(path).expect("a contract")));
    }
    known.retain(|name| !PLAIN.contains(&name.as_str()));
    for test in [
        "what_is_no_card_is_told",
        "nothing_is_lost",
        "a_price_halves",
    ] {
        assert!(!begins_with_one(test, &known), "{test}");
    }
    let mut count = 0;
    let mut wrong = Vec::new();
    for (path, text) in &rust {
        // The rules of the house are about the repository, not about a function.
        if path.starts_with("tests/house") {
            continue;
        }
        let names = tests(text);
        count += names.len();
        let others = names
            .into_iter()
            .filter(|test| !begins_with_one(test, &known));
        wrong.extend(others.map(|test| format!("{path}: {test}")));
    }
    assert!(count > 500, "only {count} tests were found");
    assert!(
        wrong.is_empty(),
        "{} of {count} tests do not begin with the function, type or contract that they test: {wrong:#?}",
        wrong.len()
    );
}

#[test]
fn begins_with_one_needs_a_whole_name() {
    let known = BTreeSet::from(["price".to_owned(), "parse_batch".to_owned()]);
    for test in ["price", "price_halves", "parse_batch_names_the_fault"] {
        assert!(begins_with_one(test, &known), "{test}");
    }
    for test in ["prices_halve", "parse", "a_price_halves", ""] {
        assert!(!begins_with_one(test, &known), "{test}");
    }
}

#[test]
fn tests_and_declared_names_are_found() {
    let text = "pub fn price() {}\nstruct EIPDomain;\n// fn none()\n    let error = \"error if\";\n\
                #[cfg(test)]\nmod tests {\n    #[test]\n    fn price_falls() {}\n\
                #[tokio::test]\nasync fn wait_ends() {}\n";
    assert_eq!(tests(text), BTreeSet::from(["price_falls", "wait_ends"]));
    assert_eq!(
        declared(text),
        ["eip_domain", "price"].map(ToOwned::to_owned).into()
    );
    let text = "function pushRefund(uint256 a) external;\nlibrary Roots {\n";
    let names = ["push_refund", "roots"].map(ToOwned::to_owned);
    assert_eq!(declared(text), names.into());
}
