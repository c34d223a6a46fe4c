//! Commands that a page of the documentation shows, with what they print.

/// A command, and its output on the page.
#[derive(Debug, Default)]
pub struct Shown {
    /// Command, as a shell takes it.
    pub command: String,
    /// Lines of the output, which may have wildcards.
    pub output: Vec<String>,
}

/// Returns the commands of all fenced blocks of a page that have this mark. `$ ` begins a command, and
/// `> ` continues it.
#[must_use]
pub fn commands(page: &str, mark: &str) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = fence == mark;
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            found.push(Shown {
                command: command.to_owned(),
                output: Vec::new(),
            });
        } else if let Some(shown) = found.last_mut() {
            match line.strip_prefix("> ") {
                Some(more) => shown.command.extend(["\n", more]),
                None => shown.output.push(line.to_owned()),
            }
        }
    }
    found
}

/// Returns `true` if a line matches the page's line; `[..]` there means any text.
fn line_matches(shown: &str, line: &str) -> bool {
    let Some((first, parts)) = shown.split_once("[..]") else {
        return shown == line;
    };
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let (middle, last) = parts.rsplit_once("[..]").unwrap_or(("", parts));
    for part in middle.split("[..]") {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

/// Returns `true` if lines match the page's lines; a line `...` there means any lines.
#[must_use]
pub fn matches(shown: &[String], lines: &[&str]) -> bool {
    match (shown.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((first, shown)), _) if first == "..." => {
            (0..=lines.len()).any(|passed| matches(shown, &lines[passed..]))
        }
        (Some((first, shown)), Some((line, lines))) => {
            line_matches(first, line) && matches(shown, lines)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_matches_anything_at_a_wildcard() {
        assert!(line_matches("a [..] b", "a long way b"));
        assert!(line_matches("[..]", ""));
        assert!(line_matches("x[..]", "xyz"));
        assert!(line_matches("{[..]}", "{{}}"));
        assert!(line_matches("a[..]b[..]c", "a1b2b3c"));
        assert!(!line_matches("a[..]b[..]c", "a1c"));
        assert!(!line_matches("a [..] b", "a long way c"));
        assert!(!line_matches("a", "a b"));
    }

    #[test]
    fn matches_takes_any_lines_at_dots() {
        let shown = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(matches(&shown(&["a", "...", "z"]), &["a", "b", "c", "z"]));
        assert!(matches(&shown(&["..."]), &[]));
        assert!(!matches(&shown(&["a"]), &["a", "b"]));
    }
}
