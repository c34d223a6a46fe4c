//! Reasons to reject a configuration.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Reason to reject a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {fault}; name another file with --config", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        #[source]
        fault: io::Error,
    },
    /// The file is no TOML.
    #[error("`{}` is no TOML: {fault}", path.display())]
    Syntax {
        /// Path of the file.
        path: PathBuf,
        /// Line and cause of the fault.
        fault: String,
    },
    /// A key is unknown.
    #[error("`{key}` ({source_name}) is no key; did you mean `{nearest}`? Allowed are {allowed}")]
    UnknownKey {
        /// Section and name of the key.
        key: String,
        /// Source that sets the key.
        source_name: String,
        /// Known key with the closest spelling.
        nearest: &'static str,
        /// Keys of the section, or the sections and the keys without one.
        allowed: String,
    },
    /// A key does not accept its value.
    #[error("`{key}` is {value} ({source_name}), expected {expected}")]
    Value {
        /// Section and name of the key.
        key: String,
        /// Value without secrets.
        value: String,
        /// Source of the value.
        source_name: String,
        /// Values that the key accepts.
        expected: String,
    },
    /// Keys contradict each other, or one lacks another that it needs.
    #[error("{found}; {wanted}")]
    Together {
        /// Settings that are in conflict.
        found: String,
        /// Settings that would be valid.
        wanted: String,
    },
}
