//! Data of a run, encoded for learning and contributing.

use std::path::Path;

use cotrain_learning::{
    data,
    encode::{self, Encoder, Samples},
    train,
};

use crate::{error::SimulateError, scenario::Scenario};

/// Encoded data in two parts: training samples, for the initial model and contributions, and test
/// samples for the accuracy.
pub(crate) struct Prepared {
    pub(crate) train: Samples,
    pub(crate) test: Samples,
    /// Number of samples at the start of `train` that train the initial model.
    pub(crate) initial: usize,
    /// Encoder of the samples.
    pub(crate) encoder: Encoder,
    /// Name of each class, by its label.
    pub(crate) classes: Vec<String>,
    /// Columns of a table with their types, in words; none if all are plain numbers.
    pub(crate) columns: Vec<(String, String)>,
    /// Columns of a table that seem to number or name the rows.
    pub(crate) row_numbers: Vec<String>,
    /// Doubts about a table that its owner can settle, in words.
    pub(crate) doubts: Vec<String>,
    /// Number of examples of libsvm data with a query, which was left out.
    pub(crate) queries: usize,
    /// Number of texts in `train` of which the encoder knows nothing.
    pub(crate) unknown: usize,
    /// Number of values that the encoding moved to its bounds.
    pub(crate) clamped: usize,
}

impl Prepared {
    /// Reads the scenario's data, from `folder` if it is given.
    pub(crate) fn load(
        scenario: &Scenario,
        seed: u64,
        folder: Option<&Path>,
    ) -> Result<Self, SimulateError> {
        let file = || scenario.file().to_owned();
        let source = scenario.data_source(folder)?;
        let vectors = scenario.table(folder)?;
        let dataset = data::load(&source, scenario.data.test_share, seed).map_err(|source| {
            SimulateError::Data {
                file: file(),
                source: Box::new(source),
            }
        })?;
        let model = &scenario.model;
        let options = encode::Options {
            features: scenario.data.features,
            text: scenario.data.text.clone(),
            vectors,
            limits: model.limits,
            fixed_intercept: model.fixed_intercept,
            ..encode::Options::default()
        };
        let encoded = encode::encode_with(&dataset, model.kind, &options).map_err(|source| {
            SimulateError::Encode {
                file: file(),
                source,
            }
        })?;
        let wanted = scenario.data.train_samples.unwrap_or(usize::MAX);
        let unknown = encoded.unknown_in(wanted);
        let train = if wanted < encoded.train.len() {
            encoded.train.take(0..wanted)
        } else {
            encoded.train
        };
        let initial = share(train.len(), scenario.data.initial_share);
        if initial == 0 || initial == train.len() {
            return Err(SimulateError::NothingToDo {
                file: file(),
                samples: train.len(),
                initial,
            });
        }
        Ok(Self {
            train,
            test: encoded.test,
            initial,
            encoder: encoded.encoder,
            classes: encoded.classes,
            columns: dataset.schema.describe_unless_plain(),
            row_numbers: dataset.row_numbers(),
            doubts: dataset.doubts().iter().map(ToString::to_string).collect(),
            queries: dataset.train.queries() + dataset.test.queries(),
            unknown,
            clamped: encoded.clamped,
        })
    }

    /// Returns the number of classes. Data sets have at most 256.
    pub(crate) fn class_count(&self) -> u16 {
        u16::try_from(self.classes.len()).unwrap_or(u16::MAX)
    }

    /// Trains the scenario's learner on the first `samples` of the training part.
    pub(crate) fn train(
        &self,
        scenario: &Scenario,
        samples: usize,
        seed: u64,
    ) -> Result<train::Trained, SimulateError> {
        self.train_on(scenario, &self.train.take(0..samples), seed)
    }

    /// Trains the scenario's learner on samples of the same encoder.
    pub(crate) fn train_on(
        &self,
        scenario: &Scenario,
        samples: &Samples,
        seed: u64,
    ) -> Result<train::Trained, SimulateError> {
        let options = train::Options {
            smoothing: scenario.model.smoothing,
            seed,
        };
        train::train(scenario.model.kind, samples, &options, &self.test).map_err(|source| {
            SimulateError::Train {
                file: scenario.file().to_owned(),
                source: source.naming(&self.classes),
            }
        })
    }
}

/// Returns `share` times `of`, rounded down.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss
)]
fn share(of: usize, share: f64) -> usize {
    // Data sets are far below 2^52 samples, and the share is in [0, 1].
    (of as f64 * share) as usize
}
