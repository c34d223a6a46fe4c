//! Failures of the program, with their exit statuses.

use std::{fmt::Display, process::ExitCode};

use cotrain_chain::node::NodeError;
use cotrain_learning::text::{escaped_lines, escaped_to};

/// Longest message of a node that is shown, in characters.
const MAX_MESSAGE: usize = 1_000;

/// An error, and whose it is.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user's, who can mend it: arguments, files, scenario.
    Mistake(anyhow::Error),
    /// Anything else.
    Fault(anyhow::Error),
}

impl Failure {
    /// The user's mistake, in words.
    pub(crate) fn mistake(error: impl Into<anyhow::Error>) -> Self {
        Self::Mistake(error.into())
    }

    /// Returns the message for people: each cause once, in what a terminal shows as itself.
    pub(crate) fn told(&self) -> String {
        let mut told = String::new();
        for cause in self.error().chain() {
            let text = cause.to_string();
            // What a node says is one message, however many lines it sends.
            let text = if cause.is::<NodeError>() {
                escaped_to(&text, MAX_MESSAGE).to_string()
            } else {
                escaped_lines(&text).into_owned()
            };
            // Some errors repeat what caused them.
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

    /// The error itself.
    pub(crate) fn error(&self) -> &anyhow::Error {
        match self {
            Self::Mistake(error) | Self::Fault(error) => error,
        }
    }

    /// Adds to the failure what was done, in words.
    pub(crate) fn context(self, words: impl Display + Send + Sync + 'static) -> Self {
        match self {
            Self::Mistake(error) => Self::Mistake(error.context(words)),
            Self::Fault(error) => Self::Fault(error.context(words)),
        }
    }

    /// The status that the program exits with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Mistake(_) => ExitCode::from(2),
            Self::Fault(_) => ExitCode::from(1),
        }
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
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
        let failure = Failure::Fault(cause.context("cannot read x: No such file\u{1b}[2J"));
        assert_eq!(failure.told(), "cannot read x: No such file\\u{1b}[2J");
        let failure = Failure::Mistake(anyhow!("here:\n  line 1").context("cannot do it"));
        assert_eq!(failure.told(), "cannot do it: here:\n  line 1");
        // A node's message is one line of bounded length, however it is made.
        let error = NodeError::Unavailable {
            method: "eth_call",
            message: "no\nverified: yes".repeat(200),
        };
        let failure = Failure::Fault(anyhow!(error).context("cannot send"));
        let told = failure.told();
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
