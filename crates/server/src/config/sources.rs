//! Sources of a configuration. Figment merges them, so that each value knows its source.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use figment2::{
    Error, Figment, Metadata, Profile, Provider,
    util::nest,
    value::{Dict, Map, Value},
};

use super::{
    error::ConfigError,
    keys::{DEFAULTS, is_key},
};

/// Default file; it is read if it is in the working directory and no other file is named.
pub const DEFAULT_FILE: &str = "cotrain.toml";

/// Prefix of environment variables. Two underscores separate section and name.
const PREFIX: &str = "COTRAIN_";

/// Sources of a configuration: defaults, then a file, then environment variables, then flags.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    variables: Vec<(String, String)>,
    flags: Vec<(&'static str, String, String)>,
}

impl Sources {
    /// Adds a file that must exist, in place of the default one.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Adds environment variables. Only names that begin with `COTRAIN_` matter.
    #[must_use]
    pub fn with_variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.variables.extend(
            variables
                .into_iter()
                .filter(|(name, _)| name.starts_with(PREFIX)),
        );
        self
    }

    /// Adds the value of a flag. `key` is a name such as `node.url`, and `flag` one such as
    /// `--node`. The value has the form of an environment variable.
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

    /// Returns all sources, merged.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is no TOML.
    pub fn figment(&self) -> Result<Figment, ConfigError> {
        let file = self.file.as_deref().map(read).transpose()?;
        let all = self.joined(file.clone(), |_| true);
        // A variable that holds a password or key may have a name with our prefix.
        let named: Vec<_> = ["key.password_env", "key.key_env"]
            .iter()
            .filter_map(|key| all.extract_inner::<String>(key).ok())
            .collect();
        Ok(self.joined(file, |name| {
            is_key(&key_of(name)) || !named.iter().any(|secret| secret == name)
        }))
    }

    /// Joins all layers, with the variables that `is_ours` accepts. The first layer wins. In the
    /// other order, Figment's merge would keep the source of a list that another one replaces.
    fn joined(&self, file: Option<Layer>, is_ours: impl Fn(&str) -> bool) -> Figment {
        let mut figment = Figment::new();
        for (flag, key, value) in self.flags.iter().rev() {
            figment = figment.join(Layer::one(format!("flag {flag}"), key, value));
        }
        // The order is fixed, so that errors about two mistakes do not depend on the environment's
        // order.
        let mut variables = self.variables.clone();
        variables.sort();
        for (name, value) in variables.iter().rev().filter(|(name, _)| is_ours(name)) {
            let layer = Layer::one(format!("environment {name}"), &key_of(name), value);
            figment = figment.join(layer);
        }
        let files = file.into_iter();
        files.fold(figment, Figment::join).join(Self::defaults())
    }

    /// Returns the defaults of all keys.
    pub(super) fn defaults() -> Figment {
        let table = DEFAULTS.parse().expect("it is TOML, as a test holds");
        let layer = Layer::of("default".to_owned(), &table);
        Figment::from(layer.expect("TOML is plain data"))
    }
}

/// Reads the layer of a file.
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
    Layer::of(format!("file {}", path.display()), &table).map_err(syntax)
}

/// Returns the key that an environment variable sets.
fn key_of(variable: &str) -> String {
    let name = variable.strip_prefix(PREFIX).unwrap_or(variable);
    name.to_lowercase().replace("__", ".")
}

/// Values of one source, with its name.
#[derive(Clone)]
struct Layer {
    name: String,
    values: Dict,
}

impl Layer {
    /// Creates a layer from all values of a file.
    fn of(name: String, table: &toml::Table) -> Result<Self, String> {
        let values = Value::serialize(table).map_err(|fault| fault.to_string())?;
        let values = values.into_dict();
        Ok(Self {
            name,
            values: values.unwrap_or_default(),
        })
    }

    /// Creates a layer of one value, in the form of an environment variable.
    fn one(name: String, key: &str, value: &str) -> Self {
        let value: Value = value.parse().unwrap_or_else(|never| match never {});
        // A malformed name is kept whole, so that the error shows it unchanged.
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
