//! Names of the rules that join the updates of a round, and what each needs.

use std::{fmt, str::FromStr};

/// Rule by which the updates of a round become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Mean of all updates. A single hostile one can move it anywhere.
    Mean,
    /// Median of each parameter.
    Median,
    /// Mean of each parameter without as many smallest and largest numbers as updates may be hostile.
    TrimmedMean,
    /// Mean of the updates that have the nearest neighbors.
    MultiKrum,
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 4] = [Self::Mean, Self::Median, Self::TrimmedMean, Self::MultiKrum];

    /// Returns the name in options and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::TrimmedMean => "trimmed-mean",
            Self::MultiKrum => "multi-krum",
        }
    }

    /// Returns the smallest number of updates with which the rule bears so many hostile ones.
    #[must_use]
    pub fn needed(self, hostile: usize) -> usize {
        let twice = hostile.saturating_mul(2);
        match self {
            Self::Mean => 1,
            Self::Median | Self::TrimmedMean => twice.saturating_add(1),
            Self::MultiKrum => twice.saturating_add(3),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|rule| rule.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown rule `{name}`, expected one of {names}")
        })
    }
}
