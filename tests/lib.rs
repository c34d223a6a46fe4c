//! Nothing to use: this package holds the checks across crates.
