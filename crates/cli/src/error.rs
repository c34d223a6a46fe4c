//! Failures of the program, with their exit statuses.

use std::{fmt::Display, process::ExitCode};

use cotrain_chain::node::NodeError;
use cotrain_learning::text::{escaped_lines, escaped_to};

/// Maximum length of a node's message, in characters.
const MAX_MESSAGE: usize = 1_000;

/// An error, with the party that can fix it.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// Mistake of the user, who can fix it in the arguments, the files or the scenario.
    Mistake(anyhow::Error),
    /// Any other failure.
    Fault(anyhow::Error),
}

impl CommandError {
    /// Returns a mistake of the user.
    pub(crate) fn mistake(error: impl Into<anyhow::Error>) -> Self {
        Self::Mistake(error.into())
    }

    /// Returns the message for people. It names each cause once, and escapes what a terminal would
    /// obey.
    pub(crate) fn message(&self) -> String {
        let mut told = String::new();
        for cause in self.error().chain() {
            let text = cause.to_string();
            // A node's message becomes one line, even if the node sent several.
            let text = if cause.is::<NodeError>() {
                escaped_to(&text, MAX_MESSAGE).to_string()
            } else {
                escaped_lines(&text).into_owned()
            };
            // Some errors repeat their cause.
            if told.ends_with(&text) {
                continue;
            }
            if !told.is_empty() {
                told += ": ";
            }
            told += &text;
        }
        told
    }

    /// Returns the error itself.
    pub(crate) fn error(&self) -> &anyhow::Error {
        match self {
            Self::Mistake(error) | Self::Fault(error) => error,
        }
    }

    /// Puts words before the failure, such as the failed step or the finished part.
    pub(crate) fn context(self, message: impl Display + Send + Sync + 'static) -> Self {
        match self {
            Self::Mistake(error) => Self::Mistake(error.context(message)),
            Self::Fault(error) => Self::Fault(error.context(message)),
        }
    }

    /// Returns the exit status of the program.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Mistake(_) => ExitCode::from(2),
            Self::Fault(_) => ExitCode::from(1),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn told_names_each_cause_once_and_nothing_that_a_terminal_obeys() {
        let cause = anyhow!("No such file\u{1b}[2J");
        let failure = CommandError::Fault(cause.context("cannot read x: No such file\u{1b}[2J"));
        assert_eq!(failure.message(), "cannot read x: No such file\\u{1b}[2J");
        let failure = CommandError::Mistake(anyhow!("here:\n  line 1").context("cannot do it"));
        assert_eq!(failure.message(), "cannot do it: here:\n  line 1");
        // A node's message becomes one line of bounded length.
        let error = NodeError::Unavailable {
            method: "eth_call",
            message: "no\nverified: yes".repeat(200),
        };
        let failure = CommandError::Fault(anyhow!(error).context("cannot send"));
        let told = failure.message();
        assert!(
            told.starts_with("cannot send: eth_call: the node cannot answer now"),
            "{told}"
        );
        assert!(
            told.contains(r"no\nverified: yes") && !told.contains('\n'),
            "{told}"
        );
        assert!(
            told.chars().count() < 1_100 && told.ends_with('…'),
            "{told}"
        );
    }
}
