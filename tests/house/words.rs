//! Style rules of CONTRIBUTING.md: first words of doc comments, and length of sentences in docs.

use std::fs;

use crate::files::{below, root};

/// Words that no doc comment may begin with.
///
/// They hide the verb of a function, or the noun of a type. "Whether" is missing, because fields
/// may begin with it.
const OPENERS: &[&str] = &[
    "How", "Of", "What", "When", "Where", "Which", "Who", "Whose", "Why",
];

/// Maximum number of words in a sentence of the docs.
const MAX_WORDS: usize = 25;

/// Maximum share of too long sentences in a page, in percent.
const MAX_LONG: usize = 5;

/// Returns the first line of each block of doc comments in Rust, with its number.
fn rust_openings(text: &str) -> Vec<(usize, &str)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        let is_doc = line.starts_with("///") || line.starts_with("//!");
        if is_doc && !inside {
            found.push((index + 1, line[3..].trim()));
        }
        inside = is_doc;
    }
    found
}

/// Returns the first line of each `NatSpec` entry, with its number, without `@inheritdoc`.
fn natspec_openings(text: &str) -> Vec<(usize, &str)> {
    let entry = |line: &'_ str| -> Option<usize> {
        let begun = line.trim_start().strip_prefix("/// @")?;
        let (tag, rest) = begun.split_once(' ')?;
        let rest = match tag {
            "notice" | "dev" | "title" | "return" => rest,
            "param" => rest.split_once(' ')?.1,
            _ => return None,
        };
        Some(line.len() - rest.len())
    };
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| Some((index + 1, &line[entry(line)?..])))
        .collect()
}

/// Returns the first word, without punctuation around it.
fn first_word(text: &str) -> &str {
    let word = text.split_whitespace().next().unwrap_or_default();
    word.trim_matches(|letter: char| !letter.is_alphanumeric())
}

#[test]
fn first_word_of_doc_comments_is_a_verb_or_a_noun() {
    let root = root();
    let mut told = Vec::new();
    let mut seen = 0;
    let sources = [
        ("crates", ".rs"),
        ("tests", ".rs"),
        ("contracts/src", ".sol"),
        ("contracts/test", ".sol"),
    ];
    for (folder, ending) in sources {
        for path in below(&root.join(folder), ending) {
            let name = path.strip_prefix(&root).expect("below").to_string_lossy();
            let text = fs::read_to_string(&path).expect("text");
            let openings = match ending {
                ".rs" => rust_openings(&text),
                _ => natspec_openings(&text),
            };
            seen += openings.len();
            for (line, opening) in openings {
                if OPENERS.contains(&first_word(opening)) {
                    told.push(format!("{name}:{line}: {opening}"));
                }
            }
        }
    }
    assert!(seen > 1_000, "only {seen} doc comments were read");
    assert!(
        told.is_empty(),
        "{} doc comments begin with a question word; begin with a verb or a noun (CONTRIBUTING.md, \"How we write\"):\n{}",
        told.len(),
        told.join("\n")
    );
}

/// Returns the sentences of a page's prose, without code, tables, headings and comments.
fn sentences(page: &str) -> Vec<String> {
    let mut prose = String::new();
    let mut fenced = false;
    for line in page.lines() {
        let text = line.trim();
        if text.starts_with("```") {
            fenced = !fenced;
        }
        let item = text.strip_prefix("- ");
        let is_code =
            fenced || text.starts_with("```") || (line.starts_with("    ") && item.is_none());
        let is_prose = !is_code && !text.starts_with(['|', '#', '<', '!']);
        // An empty line, a heading or a new list item ends a sentence.
        if !is_prose || text.is_empty() || item.is_some() {
            prose.push('\n');
        }
        if is_prose {
            prose.push_str(item.unwrap_or(text));
            prose.push(' ');
        }
    }
    let mut found = Vec::new();
    for paragraph in prose.lines() {
        let mut sentence: Vec<&str> = Vec::new();
        for word in paragraph.split_whitespace() {
            sentence.push(word);
            let bare = word.trim_end_matches([')', '*', '"', '`', '_']);
            if bare.ends_with(['.', '!', '?']) && !matches!(bare, "e.g." | "i.e." | "vs.") {
                found.push(sentence.join(" "));
                sentence.clear();
            }
        }
        if !sentence.is_empty() {
            found.push(sentence.join(" "));
        }
    }
    found
}

/// Returns the number of words. Text between backticks counts as one word.
fn word_count(sentence: &str) -> usize {
    let mut outside = true;
    let mut text = String::new();
    for part in sentence.split('`') {
        text.push_str(if outside { part } else { "code" });
        outside = !outside;
    }
    text.split_whitespace().count()
}

/// Returns the sentences of a page that are too long, and the number of all sentences.
fn long(page: &str) -> (Vec<String>, usize) {
    let all = sentences(page);
    let count = all.len();
    let is_long = |sentence: &String| word_count(sentence) > MAX_WORDS;
    (all.into_iter().filter(is_long).collect(), count)
}

#[test]
fn long_sentences_are_rare_in_docs() {
    let root = root();
    let mut pages = below(&root.join("docs"), ".md");
    pages.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)));
    let mut told = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).expect("text");
        let (long, all) = long(&text);
        if long.len() * 100 > all * MAX_LONG {
            let name = page.strip_prefix(&root).expect("below").display();
            told.push(format!(
                "{name}: {} of {all}:\n  {}",
                long.len(),
                long.join("\n  ")
            ));
        }
    }
    assert!(
        told.is_empty(),
        "more than {MAX_LONG} % of a page's sentences have more than {MAX_WORDS} words; split them:\n{}",
        told.join("\n")
    );
}

#[test]
fn rust_openings_and_sentences_are_found() {
    let rust = "/// What it is.\n/// More.\nfn a() {}\n\n    /// Returns `b`.\n";
    let found = rust_openings(rust);
    assert_eq!(found, [(1, "What it is."), (5, "Returns `b`.")]);
    let natspec = "/// @notice Thrown when it fails.\n/// @param to Who gets it.\n/// @inheritdoc IOwned\n/// more\n";
    let words: Vec<_> = natspec_openings(natspec)
        .into_iter()
        .map(|it| first_word(it.1))
        .collect();
    assert_eq!(words, ["Thrown", "Who"]);
    let page = "# A heading\n\nOne. Two:\n\n    code is not prose\n\n- an item\n  of two lines\n- another\n\n| a | table |\n";
    assert_eq!(
        sentences(page),
        ["One.", "Two:", "an item of two lines", "another"]
    );
    let many = ["word"; MAX_WORDS + 1].join(" ");
    assert_eq!(long(&many).0.len(), 1);
    assert!(long("Short.").0.is_empty());
    assert_eq!(word_count("The sum `a + b * c`, at most."), 5);
}
