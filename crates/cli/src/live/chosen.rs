//! Samples that a command contributes, and samples that it leaves out.

use serde::Serialize;

use super::input::Encoded;

/// Counts of the examples of the data that are not contributed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    /// Examples without a feature that the model knows.
    pub(crate) unknown: usize,
    /// Examples that the author has contributed to this model before.
    pub(crate) contributed_before: usize,
}

/// Samples to contribute, and their rows in the data.
pub(crate) struct Chosen {
    pub(crate) samples: Vec<(u16, Encoded)>,
    /// The number of examples of the data before each sample; empty for a single one.
    pub(crate) rows: Vec<usize>,
    /// `--skip` and `--limit`, if the examples are limited.
    pub(crate) window: Option<(usize, usize)>,
    pub(crate) left_out: LeftOut,
}

impl Chosen {
    /// Returns as text how to contribute the samples after the first `done` ones.
    pub(crate) fn go_on(&self, done: usize) -> String {
        let Some(next) = self.rows.get(done) else {
            return "run the same again".to_owned();
        };
        match self.window {
            Some((skip, limit)) => format!(
                "go on with the same and --skip {next} --limit {}",
                (skip + limit).saturating_sub(*next)
            ),
            None => format!("go on with the same and --skip {next}"),
        }
    }

    /// Keeps the samples that `keep` accepts, and returns the number of the others.
    pub(crate) fn keep(&mut self, mut keep: impl FnMut(u16, &Encoded) -> bool) -> usize {
        let before = self.samples.len();
        let mut kept = Vec::with_capacity(before);
        self.samples.retain(|(label, input)| {
            let keeps = keep(*label, input);
            kept.push(keeps);
            keeps
        });
        let mut kept = kept.into_iter();
        self.rows.retain(|_| kept.next().unwrap_or(true));
        before - self.samples.len()
    }
}
