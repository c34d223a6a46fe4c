//! Errors of scenarios.

use std::path::PathBuf;

use cotrain_learning::{text::escaped, vectors::OpenError};

/// Reason why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is neither a scenario's name nor a file.
    #[error(
        "there is no scenario `{}`{}; known are {known}; for your own give the path of a .toml file",
        escaped(name), mean(*nearest)
    )]
    Unknown {
        /// Requested name.
        name: String,
        /// Most similar existing name; `None` if none is similar.
        nearest: Option<&'static str>,
        /// Names of all scenarios.
        known: String,
    },
    /// The user must name the folder of the scenario's data, as it is not embedded.
    #[error("scenario `{name}` needs {files}: say with `--data DIR` in which folder they are")]
    NoData {
        /// Name of the scenario.
        name: String,
        /// Description of the needed files.
        files: String,
    },
    /// The table of word vectors cannot be read.
    #[error(
        "{file}: `data.encoder` is `{name}`, which is neither `table`, for the table that comes with cotrain, nor a file with one"
    )]
    Vectors {
        /// The scenario's file.
        file: String,
        /// Value of the key, escaped.
        name: String,
        /// Cause of the failure.
        source: OpenError,
    },
    /// The file cannot be read.
    #[error("cannot read the scenario {}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The file is not TOML, or has an unknown key, or a value of the wrong type.
    #[error("{file}: {message}")]
    Malformed {
        /// Name of the file.
        file: String,
        /// Message of the parser, with the line.
        message: String,
    },
    /// A value is outside its allowed range.
    #[error("{file}: `{key}` is {value}; {allowed}")]
    Impossible {
        /// Name of the file.
        file: String,
        /// Key, with the tables that contain it.
        key: String,
        /// Value in the file.
        value: String,
        /// Description of the allowed values.
        allowed: String,
    },
    /// A value cannot be set, because its path leads nowhere.
    #[error("{file}: cannot set `{path}`: {reason}")]
    Setting {
        /// Name of the file.
        file: String,
        /// Path of the setting.
        path: String,
        /// Cause.
        reason: String,
    },
    /// The scenario is one of federated rounds, and economies are expected.
    #[error(
        "{file} has federated rounds, expected an economy of contributors; play it with `cotrain simulate`"
    )]
    Federated {
        /// Name of the file.
        file: String,
    },
    /// The scenario is invalid after values were changed.
    #[error("with {settings}")]
    With {
        /// All changed values.
        settings: String,
        /// Cause.
        source: Box<ScenarioError>,
    },
}

fn mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
