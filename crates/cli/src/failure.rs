//! Why the program ends without success, and with which exit status.

use std::process::ExitCode;

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

    /// The error itself.
    pub(crate) fn error(&self) -> &anyhow::Error {
        match self {
            Self::Mistake(error) | Self::Fault(error) => error,
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
