//! Errors of scenarios.

use std::path::PathBuf;

use cotrain_learning::text::escaped;

/// Reason why there is no scenario to run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a name nor a file.
    #[error(
        "there is no scenario `{}`{}; known are {known}; for your own give the path of a .toml file",
        escaped(name), mean(*nearest)
    )]
    Unknown {
        /// Name that was asked for.
        name: String,
        /// The known name that is most like it, if one is.
        nearest: Option<&'static str>,
        /// Names that exist.
        known: String,
    },
    /// The scenario's data is not part of cotrain.
    #[error("scenario `{name}` needs {files}: say with `--data DIR` in which folder they are")]
    NoData {
        /// The scenario.
        name: String,
        /// The files.
        files: String,
    },
    /// The file cannot be read.
    #[error("cannot read the scenario {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong kind.
    #[error("{file}: {message}")]
    Malformed {
        /// The file.
        file: String,
        /// The parser's words, with the line.
        message: String,
    },
    /// A value that cannot be.
    #[error("{file}: `{key}` is {value}; {allowed}")]
    Impossible {
        /// The file.
        file: String,
        /// The key, with the tables it lies in.
        key: String,
        /// The value seen.
        value: String,
        /// Values that are allowed.
        allowed: String,
    },
    /// A value that cannot be set, as nothing is where its path leads.
    #[error("{file}: cannot set `{path}`: {reason}")]
    Setting {
        /// The file.
        file: String,
        /// The path.
        path: String,
        /// Cause.
        reason: String,
    },
    /// Values that were set make no good scenario.
    #[error("with {settings}")]
    With {
        /// All of them.
        settings: String,
        /// Cause.
        source: Box<ScenarioError>,
    },
}

fn mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
