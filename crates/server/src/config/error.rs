//! Reasons why a configuration is not taken.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Reason why a configuration is not taken.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {fault}; name another file with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        #[source]
        fault: io::Error,
    },
    /// The file is no TOML.
    #[error("`{}` is no TOML: {fault}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line and cause.
        fault: String,
    },
    /// A key that means nothing.
    #[error("`{key}` ({source_name}) is no key; did you mean `{nearest}`? Allowed are {allowed}")]
    UnknownKey {
        /// Section and name.
        key: String,
        /// Its source.
        source_name: String,
        /// The known key that is spelled most like it.
        nearest: &'static str,
        /// The keys of its section, or those without a section and the sections.
        allowed: String,
    },
    /// A value that its key does not take.
    #[error("`{key}` is {value} ({source_name}), expected {expected}")]
    Value {
        /// Section and name.
        key: String,
        /// The value, without what is secret of it.
        value: String,
        /// Its source.
        source_name: String,
        /// Values that the key takes.
        expected: String,
    },
    /// Keys that do not go together, or one that another needs.
    #[error("{found}; {wanted}")]
    Together {
        /// Settings that contradict each other.
        found: String,
        /// Settings that would fit.
        wanted: &'static str,
    },
}
