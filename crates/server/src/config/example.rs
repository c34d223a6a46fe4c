//! A file that explains every key.

use std::fmt::Write;

use super::keys::{KEYS, Key, SECTIONS};

/// The most characters of a line.
const WIDTH: usize = 100;

pub(super) fn example() -> String {
    let mut text = comment(
        "A coordinator's configuration. Every value is the default. Environment variables win over this file: \
         COTRAIN_RELAY__MAX_BATCH is max_batch of [relay]. Durations are written as \"30 s\" or \"5 min\", wei as a \
         number or as \"0.01 ether\" or \"5 gwei\".",
    );
    for key in keys_of(None) {
        write(&mut text, key);
    }
    for (section, about) in SECTIONS {
        let _ = write!(text, "\n\n{}[{section}]\n", comment(about));
        for key in keys_of(Some(section)) {
            write(&mut text, key);
        }
    }
    text
}

fn keys_of(section: Option<&str>) -> impl Iterator<Item = &'static Key> {
    KEYS.iter()
        .filter(move |key| key.path.split_once('.').map(|(section, _)| section) == section)
}

fn write(text: &mut String, key: &Key) {
    let name = key.path.rsplit('.').next().unwrap_or(key.path);
    let off = if key.default.is_none() { "# " } else { "" };
    let _ = write!(
        text,
        "\n{}{off}{name} = {}\n",
        comment(key.doc),
        key.example
    );
}

/// Lines that begin with `#`.
fn comment(doc: &str) -> String {
    let mut text = String::new();
    let mut line = String::from("#");
    for word in doc.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
    text
}
