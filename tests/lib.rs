//! An empty library: this package only holds the tests across crates.
