//! Keys of the configuration, with meanings and defaults from `default.toml`.

use std::sync::LazyLock;

/// Configuration that sets every key to its default and explains it. Keys without a default are
/// commented out.
pub(super) const DEFAULTS: &str = include_str!("default.toml");

/// Key of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Section and name, joined by a dot, or the name alone.
    pub(super) path: String,
    /// Meaning, with the unit.
    pub(super) doc: String,
}

/// All keys, in the order of the file.
pub(super) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| read(DEFAULTS));

/// Returns the keys of a file. Each line that sets a key, even behind `#`, gives one; the comment
/// before it is its meaning.
fn read(text: &str) -> Vec<Key> {
    let (mut keys, mut section, mut doc) = (Vec::new(), String::new(), Vec::new());
    for line in text.lines() {
        let comment = line.strip_prefix("# ");
        let name = comment.unwrap_or(line).split_once(" = ");
        let is_name = |name: &str| name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        if let Some((name, _)) = name.filter(|(name, _)| is_name(name)) {
            keys.push(Key {
                path: format!("{section}{name}"),
                doc: std::mem::take(&mut doc).join(" "),
            });
        } else if let Some(comment) = comment {
            doc.push(comment);
        } else {
            doc.clear();
            if let Some(name) = line.strip_prefix('[') {
                section = format!("{}.", name.trim_end_matches(']'));
            }
        }
    }
    keys
}

/// Returns `true` if `path` is a known key.
pub(super) fn is_key(path: &str) -> bool {
    KEYS.iter().any(|key| key.path == path)
}

/// Returns the section of a path; `None` for a name alone.
pub(super) fn section(path: &str) -> Option<&str> {
    path.split_once('.').map(|(section, _)| section)
}

/// Returns the known key whose spelling is closest to `path`.
pub(super) fn nearest(path: &str) -> &'static str {
    let name = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    KEYS.iter()
        .map(|key| key.path.as_str())
        .min_by_key(|known| {
            // A name in the wrong section, or without one, is closer than any misspelling.
            (name(known) != name(path), strsim::levenshtein(known, path))
        })
        .unwrap_or_default()
}

/// Lists the keys of the section of `path`, as text. If `path` has no section, lists the keys
/// without one and the sections.
pub(super) fn allowed(path: &str) -> String {
    let of = section(path).filter(|of| KEYS.iter().any(|key| section(&key.path) == Some(of)));
    let keys = KEYS.iter().filter(|key| section(&key.path) == of);
    let mut names: Vec<_> = keys.map(|key| format!("`{}`", key.path)).collect();
    if of.is_none() {
        let mut sections: Vec<_> = KEYS.iter().filter_map(|key| section(&key.path)).collect();
        sections.dedup();
        names.extend(sections.iter().map(|section| format!("[{section}]")));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_and_wrong_sections() {
        assert_eq!(nearest("relay.max_bach"), "relay.max_batch");
        assert_eq!(nearest("max_batch"), "relay.max_batch");
        assert_eq!(nearest("listne"), "listen");
        assert_eq!(nearest("api.max_claims"), "keep.max_claims");
    }

    #[test]
    fn read_finds_keys_that_are_commented_out_and_their_meaning() {
        let text = "# A file. It = nothing.\n\n# One of\n# two lines.\none = 1\n\n# About.\n[part]\n\n# Two.\n# two = [2]\n";
        let key = |path: &str, doc: &str| Key {
            path: path.to_owned(),
            doc: doc.to_owned(),
        };
        assert_eq!(
            read(text),
            [key("one", "One of two lines."), key("part.two", "Two.")]
        );
        assert_eq!(KEYS.len(), 111);
        for key in &*KEYS {
            assert!(key.doc.ends_with('.'), "{key:?}");
        }
    }

    #[test]
    fn allowed_names_a_section_or_what_has_none() {
        assert!(allowed("keep.x").starts_with("`keep.enabled`, `keep.interval`, "));
        let without = allowed("x.y");
        assert!(without.starts_with("`listen`, `log`, "), "{without}");
        assert!(without.ends_with(
            "`from_block`, [node], [key], [relay], [keep], [score], [evaluate], [encoders], [simulations], [labels], [x402], [lightning], [api]"
        ));
    }
}
