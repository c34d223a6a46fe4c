//! Where a configuration comes from, merged with figment so that each value knows its source.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use figment::{
    Error, Figment, Metadata, Profile, Provider,
    util::nest,
    value::{Dict, Map, Value},
};

use super::{error::ConfigError, keys::KEYS};

/// The file that is read where none is named, if it is in the working directory.
pub const DEFAULT_FILE: &str = "cotrain.toml";

/// What names of environment variables begin with. Two underscores part section and name.
const PREFIX: &str = "COTRAIN_";

/// Where a configuration comes from: defaults, then a file, then environment variables, then flags.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    variables: Vec<(String, String)>,
    flags: Vec<(&'static str, String, String)>,
}

impl Sources {
    /// The environment variables of this process, and [`DEFAULT_FILE`] where it is in the working directory.
    /// A variable whose name or value is no Unicode is passed over.
    #[must_use]
    pub fn from_environment() -> Self {
        let variables = env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let default = PathBuf::from(DEFAULT_FILE);
        Self {
            file: default.exists().then_some(default),
            ..Self::default()
        }
        .with_variables(variables)
    }

    /// With this file, which has to be there, instead of the default one.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// With these environment variables besides; only names that begin with `COTRAIN_` matter.
    #[must_use]
    pub fn with_variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(
            variables
                .into_iter()
                .filter(|(name, _)| name.starts_with(PREFIX)),
        );
        self
    }

    /// With a value that a flag gives: `key` such as `node.url`, the flag's own name such as `--node`, and
    /// the value as it would be in an environment variable.
    #[must_use]
    pub fn with_flag(
        mut self,
        key: impl Into<String>,
        flag: &'static str,
        value: impl Into<String>,
    ) -> Self {
        self.flags.push((flag, key.into(), value.into()));
        self
    }

    /// All of it, merged.
    ///
    /// # Errors
    /// Where the file cannot be read or is no TOML.
    pub fn figment(&self) -> Result<Figment, ConfigError> {
        let mut figment = self.defaults();
        if let Some(path) = &self.file {
            figment = figment.merge(read(path)?);
        }
        // Sorted, so that what is said of two mistakes does not depend on the environment's order.
        let mut variables = self.variables.clone();
        variables.sort();
        for (name, value) in variables {
            let key = name[PREFIX.len()..].to_lowercase().replace("__", ".");
            figment = figment.merge(Layer::one(format!("environment {name}"), &key, &value));
        }
        for (flag, key, value) in &self.flags {
            figment = figment.merge(Layer::one(format!("flag {flag}"), key, value));
        }
        Ok(figment)
    }

    /// What holds where nobody says.
    #[allow(clippy::unused_self, reason = "a method, as `figment` is")]
    pub(super) fn defaults(&self) -> Figment {
        let defaults = KEYS
            .iter()
            .filter_map(|key| Some((key.path, key.default?)))
            .map(|(path, default)| {
                let table: toml::Table = format!("value = {default}")
                    .parse()
                    .expect("every default is TOML, as a test holds");
                (
                    path,
                    Value::serialize(&table["value"]).expect("TOML is plain data"),
                )
            });
        defaults.fold(Figment::new(), |figment, (path, value)| {
            figment.merge(Layer {
                name: "default".to_owned(),
                values: nest(path, value).into_dict().unwrap_or_default(),
            })
        })
    }
}

/// What a file says.
fn read(path: &Path) -> Result<Layer, ConfigError> {
    let syntax = |fault: String| ConfigError::Syntax {
        path: path.to_owned(),
        fault,
    };
    let text = fs::read_to_string(path).map_err(|fault| match fault.kind() {
        io::ErrorKind::InvalidData => syntax("it is not UTF-8".to_owned()),
        _ => ConfigError::Read {
            path: path.to_owned(),
            fault,
        },
    })?;
    let table: toml::Table = text
        .parse()
        .map_err(|fault: toml::de::Error| syntax(fault.to_string()))?;
    let values = Value::serialize(&table).map_err(|fault| syntax(fault.to_string()))?;
    Ok(Layer {
        name: format!("file {}", path.display()),
        values: values.into_dict().unwrap_or_default(),
    })
}

/// Values of one source, whose name says which.
struct Layer {
    name: String,
    values: Dict,
}

impl Layer {
    /// One value, as it is written in an environment variable.
    fn one(name: String, key: &str, value: &str) -> Self {
        let value: Value = value.parse().unwrap_or_else(|never| match never {});
        // A name that is not even of a key's form is kept whole, to be refused with its own name.
        let key = key.trim_matches('.');
        let values = nest(key, value).into_dict();
        Self {
            name,
            values: values.unwrap_or_default(),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok([(Profile::Default, self.values.clone())].into())
    }
}
