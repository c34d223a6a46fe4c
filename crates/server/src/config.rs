//! Configuration of a coordinator from a file, then environment variables, then flags. Later
//! sources win.

mod assets;
mod error;
mod explain;
mod forms;
mod keys;
mod lightning;
mod reader;
mod sections;
mod sources;

use figment2::Figment;

pub use self::{
    assets::AssetSection,
    error::ConfigError,
    explain::Setting,
    lightning::LightningSection,
    sections::{
        ApiSection, Config, EvaluateSection, KeySource, LabelsSection, LogFormat, NodeSection,
        Password, SimulationsSection, X402Section,
    },
    sources::{DEFAULT_FILE, Sources},
};

impl Config {
    /// Reads the configuration from these sources.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or is no TOML. Returns an error if a key is
    /// unknown or does not accept its value.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::extract(&sources.figment()?)
    }

    /// Reads the configuration from the result of [`Sources::figment`].
    ///
    /// # Errors
    /// Returns an error if a key is unknown or does not accept its value.
    pub fn extract(figment: &Figment) -> Result<Self, ConfigError> {
        reader::read(figment)
    }

    /// Returns every key with its value and its source, in the order of [`Config::example`].
    /// Replaces secret parts of values by `***`.
    #[must_use]
    pub fn explain(figment: &Figment) -> Vec<Setting> {
        explain::explain(figment)
    }

    /// Returns a file that sets every key to its default and explains it. Keys without a default
    /// are commented out.
    #[must_use]
    pub fn example() -> &'static str {
        keys::DEFAULTS
    }
}
