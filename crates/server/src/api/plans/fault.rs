//! Problems of data that no model can be made of.

use std::error::Error;

use cotrain_indexer::with_sources;

use crate::api::{kinds::Kind, problem::Problem};

/// Maximum length of a message, in characters. Some list all columns of a table.
const MAX_MESSAGE: usize = 4_000;

/// Returns the problem of unfit data, in the names of the body's fields.
pub(in crate::api) fn unfit(error: &(dyn Error + 'static)) -> Problem {
    let message = in_fields(&with_sources(error));
    let cut = message.char_indices().nth(MAX_MESSAGE);
    Problem::new(
        &Kind::INVALID_DATA,
        match cut {
            Some((end, _)) => format!("{}…", &message[..end]),
            None => message,
        },
    )
}

/// Names options of the command line and keys of scenarios as the body does.
fn in_fields(message: &str) -> String {
    /// Text before the name of a scenario's key.
    const KEY: &str = " (in a scenario, data.";
    const NAMES: [(&str, &str); 9] = [
        ("--text-column", "`text`"),
        ("--label-column", "`label`"),
        ("--decimal-comma", "`reading.decimalComma`"),
        ("--separator", "`reading.separator`"),
        ("--encoding", "`reading.encoding`"),
        ("--missing", "`missing`"),
        ("--drop", "`drop`"),
        ("--type", "`types`"),
        ("--features", "`features`"),
    ];
    let mut parts = message.split(KEY);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    for (option, field) in NAMES {
        text = text.replace(option, field);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_fields_names_no_option_of_the_command_line() {
        assert_eq!(
            in_fields(
                "leave it out with --drop (in a scenario, data.drop), or say --type 'a=text' (in a scenario, data.types)"
            ),
            "leave it out with `drop`, or say `types` 'a=text'"
        );
        assert_eq!(in_fields("nothing (of that)"), "nothing (of that)");
    }
}
