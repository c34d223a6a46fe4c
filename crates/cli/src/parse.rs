//! Parses the command line. Errors about values use this program's own words, and texts below a
//! help wrap at the terminal's width.

use std::{
    env,
    error::Error as _,
    num::{IntErrorKind, ParseFloatError, ParseIntError},
};

use alloy_primitives::hex::FromHexError;
use clap::{
    Command, CommandFactory, Error, FromArgMatches,
    error::{ContextKind, ContextValue, ErrorKind},
};
use cotrain_learning::text::escaped;

use crate::args::Cli;

/// Returns the arguments. Ends the program if they are wrong, or ask for a help or the version.
pub(crate) fn parse() -> Cli {
    let mut command = command();
    let read = command
        .try_get_matches_from_mut(env::args_os())
        .and_then(|matches| Cli::from_arg_matches(&matches));
    read.unwrap_or_else(|error| {
        let error = error.format(&mut command);
        reworded(error, &command).exit()
    })
}

/// Returns all commands, with the text below each help joined into paragraphs.
pub(crate) fn command() -> Command {
    footed(Cli::command())
}

fn footed(mut command: Command) -> Command {
    if let Some(text) = command.get_after_help().map(ToString::to_string) {
        command = command.after_help(paragraphs(&text));
    }
    if let Some(text) = command.get_after_long_help().map(ToString::to_string) {
        command = command.after_long_help(paragraphs(&text));
    }
    command.mut_subcommands(footed)
}

/// Joins the lines of each paragraph. Indented lines and headings, which end with a colon, stay
/// separate lines.
fn paragraphs(text: &str) -> String {
    let mut joined = String::new();
    let mut before = "";
    for line in text.lines() {
        let apart = line.is_empty() || line.starts_with(' ') || before.is_empty();
        let apart = apart || before.starts_with(' ') || before.ends_with(':');
        if !joined.is_empty() {
            joined.push(if apart { '\n' } else { ' ' });
        }
        joined += line;
        before = line;
    }
    joined
}

/// Replaces a library's message about a value.
fn reworded(error: Error, command: &Command) -> Error {
    let (Some(message), Some(argument), Some(value)) = (
        expected(&error),
        context(&error, ContextKind::InvalidArg),
        context(&error, ContextKind::InvalidValue),
    ) else {
        return error;
    };
    // clap names arguments only after a build, and parsing builds only the parsed command.
    let mut command = command.clone();
    command.build();
    let from = match variable(&command, argument, value) {
        Some(name) => format!(" (of the variable {name})"),
        None => String::new(),
    };
    let message = format!(
        "invalid value '{}' for '{argument}'{from}: {message}\n\nFor more information, try '--help'.\n",
        escaped(value)
    );
    Error::raw(ErrorKind::ValueValidation, message)
}

fn context(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// Returns the expected form of a value, if its parser gave a reason.
fn expected(error: &Error) -> Option<String> {
    let source = error.source()?;
    if let Some(error) = source.downcast_ref::<ParseIntError>() {
        return Some(
            match error.kind() {
                IntErrorKind::Zero => "expected a whole number, 1 or more",
                IntErrorKind::PosOverflow => "expected a smaller whole number",
                IntErrorKind::NegOverflow => "expected a larger whole number",
                _ => "expected a whole number",
            }
            .to_owned(),
        );
    }
    if source.is::<ParseFloatError>() {
        return Some("expected a number".to_owned());
    }
    if source.is::<url::ParseError>() {
        return Some("expected an address such as http://127.0.0.1:8545".to_owned());
    }
    if source.is::<FromHexError>() {
        return Some("expected an address, 0x and 40 hexadecimal digits".to_owned());
    }
    source
        .is::<humantime::DurationError>()
        .then(|| format!("expected a time such as 90s, 2h or 1day ({source})"))
}

/// Returns the environment variable that gave a value; `None` if the command line gave it.
fn variable(command: &Command, argument: &str, value: &str) -> Option<String> {
    if env::args().any(|given| given.ends_with(value)) {
        return None;
    }
    let own = command
        .get_arguments()
        .find(|it| it.to_string() == argument)
        .and_then(|it| it.get_env())
        .filter(|name| env::var_os(name).is_some_and(|set| set == value));
    own.map(|name| name.to_string_lossy().into_owned())
        .or_else(|| {
            let mut below = command.get_subcommands();
            below.find_map(|command| variable(command, argument, value))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn paragraphs_joins_the_lines_of_each_and_keeps_examples() {
        let text = "Examples:\n  cotrain a\n      b\n\nOne\ntwo\nthree.\n\nFour\nfive.";
        assert_eq!(
            paragraphs(text),
            "Examples:\n  cotrain a\n      b\n\nOne two three.\n\nFour five."
        );
    }

    /// Checks that no help text has a line end in the middle of a sentence: it would not wrap.
    #[test]
    fn command_has_no_help_that_is_broken_by_hand() {
        fn check(command: &Command) {
            for help in [command.get_after_help(), command.get_after_long_help()] {
                let help = help.map(ToString::to_string).unwrap_or_default();
                for pair in help.lines().collect::<Vec<_>>().windows(2) {
                    let sentence = |line: &str| !line.is_empty() && !line.starts_with(' ');
                    assert!(
                        !(sentence(pair[0]) && sentence(pair[1])),
                        "{}: {pair:?}",
                        command.get_name()
                    );
                }
            }
            command.get_subcommands().for_each(check);
        }
        check(&command());
    }

    #[test]
    fn reworded_says_what_was_expected_of_a_value() {
        let said = |arguments: &[&str]| {
            let mut command = command();
            let error = command
                .try_get_matches_from_mut([&["cotrain"], arguments].concat())
                .expect_err("refused");
            let message = reworded(error.format(&mut command), &command).to_string();
            message.lines().next().unwrap_or_default().to_owned()
        };
        for (arguments, wanted) in [
            (
                &["simulate", "--seed", "abc"][..],
                "error: invalid value 'abc' for '--seed <N>': expected a whole number",
            ),
            (
                &["simulate", "--seed", "-1"],
                "error: invalid value '-1' for '--seed <N>': expected a whole number",
            ),
            (
                &["simulate", "--seed", "99999999999999999999"],
                "error: invalid value '99999999999999999999' for '--seed <N>': expected a smaller whole number",
            ),
            (
                &["sweep", "--jobs", "0"],
                "error: invalid value '0' for '--jobs <N>': expected a whole number, 1 or more",
            ),
            (
                &["delegate", "--relay", "foo"],
                "error: invalid value 'foo' for '--relay <URL>': expected an address such as http://127.0.0.1:8545",
            ),
            (
                &["models", "--rpc", "fo\u{1b}o"],
                "error: invalid value 'fo\\u{1b}o' for '--rpc <URL>': expected an address such as http://127.0.0.1:8545",
            ),
            (
                &["up", "--port", "x"],
                "error: invalid value 'x' for '--port <PORT>': expected a whole number",
            ),
            (
                &["watch", "--interval", "soon"],
                "error: invalid value 'soon' for '--interval <TIME>': expected a time such as 90s, 2h or 1day (expected number at 0)",
            ),
        ] {
            assert_eq!(said(arguments), wanted);
        }
    }

    /// Every option that takes a value refuses nonsense without the words of a library.
    #[test]
    fn reworded_names_no_type_for_any_option() {
        fn check(root: &mut Command, path: &[String], command: &Command, checked: &mut u32) {
            for argument in command
                .get_arguments()
                .filter(|it| it.get_action().takes_values())
            {
                let Some(long) = argument.get_long() else {
                    continue;
                };
                let mut given = path.to_owned();
                given.push(format!("--{long}=§"));
                let Err(error) = root.try_get_matches_from_mut(&given) else {
                    continue;
                };
                if error.kind() != ErrorKind::ValueValidation {
                    continue;
                }
                let message = reworded(error, root).to_string();
                for leak in [
                    "digit found",
                    "non-zero type",
                    "relative URL",
                    "string length",
                ] {
                    assert!(!message.contains(leak), "{given:?}: {message}");
                }
                *checked += 1;
            }
            for below in command.get_subcommands() {
                let path = [path, &[below.get_name().to_owned()]].concat();
                check(root, &path, below, checked);
            }
        }
        let (mut root, mut checked) = (command(), 0);
        root.build();
        let all = root.clone();
        check(&mut root, &["cotrain".to_owned()], &all, &mut checked);
        assert!(checked > 20, "{checked} options were checked");
    }
}
