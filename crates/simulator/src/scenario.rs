//! Scenarios: what is simulated, read from TOML into a checked type.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cotrain_learning::data::Source;
use cotrain_protocol::{classifier::Kind, trainer::Waits};

mod check;
mod file;
pub mod settings;

/// Wei in one unit of a scenario's money.
pub const UNIT: u128 = 1_000_000_000_000_000_000;

/// The scenarios that come with cotrain: name and text of the file.
const EMBEDDED: &[(&str, &str)] = &[
    (
        "movie-reviews",
        include_str!("../../../scenarios/movie-reviews.toml"),
    ),
    ("imdb-drt", include_str!("../../../scenarios/imdb-drt.toml")),
    (
        "imdb-drt-naive-bayes",
        include_str!("../../../scenarios/imdb-drt-naive-bayes.toml"),
    ),
    (
        "imdb-drt-nearest-centroid",
        include_str!("../../../scenarios/imdb-drt-nearest-centroid.toml"),
    ),
];

/// A scenario whose every value has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    name: String,
    file: String,
    text: String,
    description: String,
    pub(crate) data: Data,
    pub(crate) model: Model,
    pub(crate) incentive: Incentive,
    pub(crate) gas_price: u128,
    pub(crate) evaluate_every: u64,
    pub(crate) limit: u64,
    pub(crate) agents: Vec<Agent>,
}

impl Scenario {
    /// Names and texts of the scenarios that come with cotrain, the default one first.
    #[must_use]
    pub fn embedded() -> &'static [(&'static str, &'static str)] {
        EMBEDDED
    }

    /// The scenario of that name, or, where `name_or_path` ends in `.toml`, the one in that file.
    ///
    /// # Errors
    /// Where there is none, or it holds an unknown key or an impossible value.
    pub fn find(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some((name, text)) = EMBEDDED.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, &format!("scenarios/{name}.toml"), text, None);
        }
        let path = Path::new(name_or_path);
        if path.extension().is_none_or(|extension| extension != "toml") {
            let known = EMBEDDED
                .iter()
                .map(|(name, _)| *name)
                .collect::<Vec<_>>()
                .join(", ");
            return Err(ScenarioError::Unknown {
                name: name_or_path.to_owned(),
                known,
            });
        }
        let text = fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&name, name_or_path, &text, Some(folder))
    }

    /// A scenario from its text. `file` names it in errors; data files are looked for in `folder`
    /// where it is given.
    ///
    /// # Errors
    /// Where the text holds an unknown key or an impossible value.
    pub fn parse(
        name: &str,
        file: &str,
        text: &str,
        folder: Option<PathBuf>,
    ) -> Result<Self, ScenarioError> {
        check::check(name, file, text, folder)
    }

    /// The scenario's name: that of its file without the ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of its file, as errors give it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Its file, as it was read.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it shows, in a sentence.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The source of its data, with the paths to read: in `data_dir` where it is given, else beside
    /// the scenario's own file.
    pub(crate) fn data_source(&self, data_dir: Option<&Path>) -> Result<Source, ScenarioError> {
        let mut source = self.data.source.clone();
        let (train, test) = match &mut source {
            Source::MovieReviews => return Ok(source),
            Source::Table { train, test, .. } | Source::Libsvm { train, test } => (train, test),
        };
        let Some(folder) = data_dir.or(self.data.folder.as_deref()) else {
            return Err(ScenarioError::NoData {
                name: self.name.clone(),
                files: self.data_summary(),
            });
        };
        for path in std::iter::once(train).chain(test) {
            *path = folder.join(&path);
        }
        Ok(source)
    }

    /// What data it needs, in a few words.
    #[must_use]
    pub fn data_summary(&self) -> String {
        match &self.data.source {
            Source::MovieReviews => "embedded film-review sentences".to_owned(),
            Source::Table { train, test, .. } | Source::Libsvm { train, test } => {
                let test = test
                    .as_ref()
                    .map(|test| format!(" and {}", test.display()))
                    .unwrap_or_default();
                format!("{}{test}", train.display())
            }
        }
    }
}

/// Where the examples come from and how they are divided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Data {
    /// Paths in it are as the scenario's file has them.
    pub(crate) source: Source,
    /// Where to look for them, unless the user names a folder.
    pub(crate) folder: Option<PathBuf>,
    /// The share of the examples kept for testing where there is no separate test file.
    pub(crate) test_share: f64,
    /// The most frequent words or features to keep; none: all there are.
    pub(crate) features: Option<usize>,
    /// The share of the training part that the initial model is trained on.
    pub(crate) initial_share: f64,
}

/// The model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Model {
    pub(crate) kind: Kind,
    /// Additive smoothing of naive Bayes.
    pub(crate) smoothing: f64,
}

/// The incentive mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incentive {
    pub(crate) mechanism: cotrain_protocol::trainer::Incentive,
    pub(crate) waits: Waits,
}

/// One contributor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Agent {
    pub(crate) name: String,
    /// Tells the truth, and works with probability accuracy + 0.15; a bad one always works and
    /// flips every label.
    pub(crate) good: bool,
    /// Wei.
    pub(crate) start_balance: u128,
    /// The deposit it is willing to pay, in units; none under points.
    pub(crate) deposit: Option<Normal>,
    /// Seconds between two of its turns.
    pub(crate) wait: Normal,
    /// The probability of an honest mistake.
    pub(crate) mistakes: f64,
}

/// A normal distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normal {
    pub(crate) mean: f64,
    pub(crate) sd: f64,
}

/// Why there is no scenario to run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a name nor a file.
    #[error(
        "there is no scenario `{name}`; known are {known}; for your own give the path of a .toml file"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
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
        /// Why.
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
        /// What is allowed.
        allowed: String,
    },
    /// A value that cannot be set, as nothing is where its path leads.
    #[error("{file}: cannot set `{path}`: {reason}")]
    Setting {
        /// The file.
        file: String,
        /// The path.
        path: String,
        /// What is there instead.
        reason: String,
    },
    /// Values that were set make no good scenario.
    #[error("with {settings}")]
    With {
        /// All of them.
        settings: String,
        /// What is wrong.
        source: Box<ScenarioError>,
    },
}
