//! Why a configuration is not taken.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a configuration is not taken.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {fault}; name another file with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        fault: io::Error,
    },
    /// The file is no TOML.
    #[error("`{}` is no TOML: {fault}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, and why.
        fault: String,
    },
    /// A key that means nothing.
    #[error("`{key}` ({source_name}) is no key; did you mean `{nearest}`? Allowed are {allowed}")]
    UnknownKey {
        /// Section and name.
        key: String,
        /// Where it comes from.
        source_name: String,
        /// The known key that is spelled most like it.
        nearest: &'static str,
        /// The keys of its section, or those without a section and the sections.
        allowed: String,
    },
    /// A value that its key does not take.
    #[error("`{key}` is {value} ({source_name}); {wanted} is wanted")]
    Value {
        /// Section and name.
        key: &'static str,
        /// The value, without what is secret of it.
        value: String,
        /// Where it comes from.
        source_name: String,
        /// What the key takes.
        wanted: String,
    },
    /// Keys that do not go together, or one that another needs.
    #[error("{found}; {wanted}")]
    Together {
        /// What is set.
        found: String,
        /// What to set.
        wanted: &'static str,
    },
}
