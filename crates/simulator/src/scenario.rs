//! Scenarios: descriptions of simulated economies, read from TOML into a checked type.

use std::{
    fs,
    path::{Path, PathBuf},
};

use cotrain_learning::{
    data::Source,
    encode::{Limits, TextOptions},
    text::escaped,
    vectors::{Table, embedded},
};
use cotrain_protocol::classifier::Kind;
use serde::Deserialize;
use toml::Spanned;

mod check;
mod error;
mod file;
mod incentive;
pub mod numbers;
mod payment;
pub mod settings;
mod strategy;
pub(crate) mod values;

pub(crate) use self::{
    check::Check,
    payment::{Incentive, Offer},
};
pub use self::{error::ScenarioError, strategy::Strategy};
pub use crate::money::UNIT;
use crate::{agent::Habits, agents::Target};

/// Name and kind of the scenario of federated rounds, which is no economy of contributors.
pub const FEDERATED: &str = "federated";

/// Expands to pairs of a scenario's name and the text of its file.
macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../scenarios/", $name, ".toml")))),+]
    };
}

/// Embedded scenarios: name and text of the file.
const EMBEDDED: &[(&str, &str)] = &embedded![
    "movie-reviews",
    "callers",
    "market",
    "copycat",
    "sybil",
    "takeover",
    "targeted-poisoner",
    "lazy",
    "self-reporter",
    "last-minute",
    "rational",
    "flip-and-report",
    "outlier",
    "digits",
    "young-model",
    "imdb-drt",
    "imdb-drt-naive-bayes",
    "imdb-drt-nearest-centroid",
    "imdb-market",
];

/// A scenario with checked values.
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
    pub(crate) agents: Vec<Participant>,
}

impl Scenario {
    /// Returns names and texts of the embedded scenarios, the default one first.
    #[must_use]
    pub fn embedded() -> &'static [(&'static str, &'static str)] {
        EMBEDDED
    }

    /// Returns the embedded scenario with a name.
    /// If `name_or_path` ends with `.toml`, reads that file instead.
    ///
    /// # Errors
    /// If there is no such scenario, or it has an unknown key or an impossible value.
    pub fn find(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some((name, text)) = EMBEDDED.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, &format!("scenarios/{name}.toml"), text, None);
        }
        if name_or_path == FEDERATED {
            return Err(ScenarioError::Federated {
                file: format!("scenarios/{FEDERATED}.toml"),
            });
        }
        let path = Path::new(name_or_path);
        if path.extension().is_none_or(|extension| extension != "toml") {
            let known = EMBEDDED
                .iter()
                .map(|(name, _)| *name)
                .chain([FEDERATED])
                .collect::<Vec<_>>()
                .join(", ");
            return Err(ScenarioError::Unknown {
                name: name_or_path.to_owned(),
                nearest: nearest(name_or_path),
                known,
            });
        }
        let text = fs::read_to_string(path).map_err(|source| ScenarioError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let kind = toml::from_str::<toml::Table>(&text).ok();
        if kind.is_some_and(|table| is_federated(&table)) {
            return Err(ScenarioError::Federated {
                file: name_or_path.to_owned(),
            });
        }
        let name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&name, name_or_path, &text, Some(folder))
    }

    /// Parses a scenario from its text.
    ///
    /// `file` names the file in errors.
    /// `folder` contains its data files; `None` if the caller has to name a folder later.
    ///
    /// # Errors
    /// If the text has an unknown key or an impossible value.
    pub fn parse(
        name: &str,
        file: &str,
        text: &str,
        folder: Option<PathBuf>,
    ) -> Result<Self, ScenarioError> {
        check::check(name, file, text, folder)
    }

    /// Returns the scenario's name: its file's name without the extension.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the name of its file, as errors show it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the text of its file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text of its file with absolute paths of the data files.
    ///
    /// So it can be run again from any directory.
    /// The paths are those that a run with `data_dir` reads.
    #[must_use]
    pub fn text_to_run_again(&self, data_dir: Option<&Path>) -> String {
        #[derive(Deserialize)]
        struct Paths {
            data: DataPaths,
        }
        #[derive(Deserialize)]
        struct DataPaths {
            train: Option<Spanned<PathBuf>>,
            test: Option<Spanned<PathBuf>>,
            encoder: Option<Spanned<PathBuf>>,
        }
        let mut text = self.text.clone();
        let folder = data_dir.or(self.data.folder.as_deref());
        let (Some(folder), Ok(paths)) = (folder, toml::from_str::<Paths>(&text)) else {
            return text;
        };
        let vectors = self.data.vectors.as_ref().and_then(Vectors::file);
        let encoder = paths.data.encoder.filter(|_| vectors.is_some());
        let mut paths: Vec<_> = [paths.data.train, paths.data.test, encoder]
            .into_iter()
            .flatten()
            .collect();
        // Replace from the last path to the first, so that the ranges of earlier paths stay valid.
        paths.sort_by_key(|path| std::cmp::Reverse(path.span().start));
        for path in paths {
            let Ok(whole) = std::path::absolute(folder.join(path.get_ref())) else {
                continue;
            };
            if let Some(whole) = whole.to_str() {
                let quoted = toml::Value::from(whole).to_string();
                text.replace_range(path.span(), &quoted);
            }
        }
        text
    }

    /// Returns the purpose of the scenario, in a sentence.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Returns `true` if a run reads no file: its data and its table of word vectors are part of the
    /// program.
    #[must_use]
    pub fn reads_no_file(&self) -> bool {
        let embedded = matches!(self.data.source, Source::MovieReviews | Source::Digits);
        embedded && self.data.vectors.as_ref().and_then(Vectors::file).is_none()
    }

    /// Returns the number of accounts that its agents act with.
    #[must_use]
    pub fn accounts(&self) -> usize {
        let accounts = |agent: &Participant| match agent.strategy {
            Strategy::Sybil { identities } => identities,
            _ => 1,
        };
        self.agents.iter().map(accounts).sum()
    }

    /// Returns the limits on its features: of the vocabulary, and of hashing.
    #[must_use]
    pub fn features(&self) -> Option<usize> {
        self.data.features.max(self.data.text.hashed)
    }

    /// Returns its agents: name and kind of each.
    pub fn agents(&self) -> impl Iterator<Item = (&str, &Strategy)> {
        let agents = self.agents.iter();
        agents.map(|agent| (agent.name.as_str(), &agent.strategy))
    }

    /// Returns the source of its data, with the paths to read.
    ///
    /// They are in `data_dir`, or beside the scenario's own file if `data_dir` is `None`.
    pub(crate) fn data_source(&self, data_dir: Option<&Path>) -> Result<Source, ScenarioError> {
        let mut source = self.data.source.clone();
        let (train, test) = match &mut source {
            // Bytes are never in a scenario.
            Source::MovieReviews | Source::Digits | Source::Content { .. } => return Ok(source),
            Source::Table { train, test, .. }
            | Source::Libsvm { train, test }
            | Source::Pictures { train, test, .. } => (train, test),
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

    /// Returns the table of word vectors that turns texts into numbers; `None` if words do.
    ///
    /// Its file is in `data_dir`, or beside the scenario's own file if `data_dir` is `None`.
    pub(crate) fn table(&self, data_dir: Option<&Path>) -> Result<Option<Table>, ScenarioError> {
        let path = match &self.data.vectors {
            None => return Ok(None),
            Some(Vectors::Embedded) => return Ok(Some(embedded().clone())),
            Some(Vectors::File(path)) => path,
        };
        let folder = data_dir.or(self.data.folder.as_deref());
        let folder = folder.ok_or_else(|| ScenarioError::NoData {
            name: self.name.clone(),
            files: self.data_summary(),
        })?;
        let table = Table::open(&folder.join(path));
        let table = table.map_err(|source| ScenarioError::Vectors {
            file: self.file.clone(),
            name: escaped(&path.to_string_lossy()).to_string(),
            source,
        });
        table.map(Some)
    }

    /// Checks that the data has every class that an agent targets; only the data tells its classes.
    pub(crate) fn check_targets(&self, classes: u16) -> Result<(), ScenarioError> {
        for (index, agent) in self.agents.iter().enumerate() {
            if let Strategy::TargetedPoisoner {
                target: Target::Class(class),
                ..
            } = agent.strategy
                && class >= classes
            {
                return Err(ScenarioError::Impossible {
                    file: self.file.clone(),
                    key: format!("agents[{index}].target_class"),
                    value: class.to_string(),
                    allowed: format!(
                        "the data has the classes 0 to {}",
                        classes.saturating_sub(1)
                    ),
                });
            }
        }
        Ok(())
    }

    /// Returns a short description of the data that the scenario needs.
    #[must_use]
    pub fn data_summary(&self) -> String {
        let data = match &self.data.source {
            Source::MovieReviews => "embedded film-review sentences".to_owned(),
            Source::Digits => "embedded pictures of digits".to_owned(),
            Source::Content { content, .. } => content.name.display().to_string(),
            Source::Table { train, test, .. }
            | Source::Libsvm { train, test }
            | Source::Pictures { train, test, .. } => {
                let test = test
                    .as_ref()
                    .map(|test| format!(" and {}", test.display()))
                    .unwrap_or_default();
                format!("{}{test}", train.display())
            }
        };
        match self.data.vectors.as_ref().and_then(Vectors::file) {
            Some(table) => format!("{data} and {}", table.display()),
            None => data,
        }
    }
}

/// Source of the examples, and their division.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Data {
    /// Source of the examples, with the paths as in the scenario's file.
    pub(crate) source: Source,
    /// Folder of the data files, unless the user names another one.
    pub(crate) folder: Option<PathBuf>,
    /// Share of the examples kept for testing, if there is no separate test file.
    pub(crate) test_share: f64,
    /// Number of the most frequent words or features to keep; `None` for all.
    pub(crate) features: Option<usize>,
    /// Rules by which texts are read.
    pub(crate) text: TextOptions,
    /// Table of word vectors that turns texts into numbers.
    pub(crate) vectors: Option<Vectors>,
    /// Number of training samples, from the first one on; `None` for all.
    pub(crate) train_samples: Option<usize>,
    /// Share of the training samples that the initial model learns from.
    pub(crate) initial_share: f64,
}

/// Table of word vectors of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Vectors {
    /// Table that is part of the program.
    Embedded,
    /// File of a table, with the path as in the scenario's file.
    File(PathBuf),
}

impl Vectors {
    /// Name of the table that is part of the program.
    pub(crate) const EMBEDDED: &str = "table";

    /// Returns the path of the file; `None` for the table that is part of the program.
    fn file(&self) -> Option<&Path> {
        match self {
            Self::Embedded => None,
            Self::File(path) => Some(path),
        }
    }
}

/// Model of a scenario.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Model {
    pub(crate) kind: Kind,
    /// Additive smoothing of naive Bayes.
    pub(crate) smoothing: f64,
    /// Limits of the numbers that a dense model learns from.
    pub(crate) limits: Limits,
    /// Whether a dense perceptron keeps the intercept that it is created with.
    pub(crate) fixed_intercept: bool,
}

/// One participant of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Participant {
    pub(crate) name: String,
    /// Money at the start, in wei.
    pub(crate) start_balance: u128,
    pub(crate) habits: Habits,
    pub(crate) strategy: Strategy,
}

/// Returns `true` if a scenario's table is one of federated rounds.
pub(crate) fn is_federated(table: &toml::Table) -> bool {
    table.get("kind").and_then(toml::Value::as_str) == Some(FEDERATED)
}

/// Returns the name of the embedded scenario most similar to a text; `None` if none is similar.
fn nearest(text: &str) -> Option<&'static str> {
    let likeness = |name: &str| strsim::jaro_winkler(&text.to_lowercase(), name);
    let names = EMBEDDED.iter().map(|(name, _)| *name).chain([FEDERATED]);
    names
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
