//! How a coordinator is set up: from a file, then environment variables, then flags; what comes later wins.

mod error;
mod example;
mod explain;
mod keys;
mod reader;
mod sections;
mod sources;

use figment::Figment;

use self::reader::Reader;

pub use self::{
    error::ConfigError,
    explain::Setting,
    sections::{ApiSection, Config, EvaluateSection, KeySource, LogFormat, NodeSection, Password},
    sources::{DEFAULT_FILE, Sources},
};

impl Config {
    /// The configuration of these sources.
    ///
    /// # Errors
    /// Where the file cannot be read or is no TOML, a key is unknown, or a value is not what its key takes.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::extract(&sources.figment()?)
    }

    /// The configuration of what [`Sources::figment`] has merged.
    ///
    /// # Errors
    /// Where a key is unknown or a value is not what its key takes.
    pub fn extract(figment: &Figment) -> Result<Self, ConfigError> {
        let reader = Reader::new(figment);
        reader.refuse_unknown_keys()?;
        reader.config()
    }

    /// Every key with its value and where that comes from, in the order of [`Config::example`]. What is
    /// secret of a value is replaced by `***`.
    #[must_use]
    pub fn explain(figment: &Figment) -> Vec<Setting> {
        explain::explain(figment)
    }

    /// A file that sets every key to its default, and explains it. Keys without a default are commented out.
    #[must_use]
    pub fn example() -> String {
        example::example()
    }
}
