//! Training on data of one's own, and the file of an update.

use std::{fs, io, path::Path};

use alloy_primitives::{Address, Bytes};
use cotrain_learning::{
    data::{self, DataError, Source, TEST_SHARE},
    federated::{CLIP, Examples, ExamplesError, Network, Shape, Training, clip, quantize},
    text::escaped,
};
use cotrain_protocol::federated::{
    FederatedError, Sample, Softmax, add_update, decode_update, encode_update, squared_norm,
};
use serde::{Deserialize, Serialize};

use super::facts::RoundFacts;
use crate::files::write_whole;

const FORMAT: &str = "cotrain-update/1";

/// Examples on this machine: to train on, and to measure on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalData {
    /// Examples to train on.
    pub train: Examples,
    /// Examples to measure on.
    pub test: Examples,
    /// Largest feature, rounded up to a power of two.
    pub max_feature: u8,
    /// Names of the classes, by label.
    pub classes: Vec<String>,
}

/// Failure to use local data or an update.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The data cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data has other inputs than numbers of one byte.
    #[error(transparent)]
    Examples(#[from] ExamplesError),
    /// The rules do not take the update.
    #[error(transparent)]
    Rules(#[from] FederatedError),
    /// The data has another number of features than the model.
    #[error(
        "the data has {found} features, expected the model's {expected}; use the columns that the model takes"
    )]
    Features {
        /// Features of the data.
        found: usize,
        /// Features of the model.
        expected: usize,
    },
    /// The data has larger features than the model takes.
    #[error(
        "the largest feature of the data is above {max}, which is the model's maximum; scale the data as the owner did"
    )]
    FeatureTooLarge {
        /// Largest feature of the model.
        max: u8,
    },
    /// The data has a class that the model lacks.
    #[error(
        "the model has no class `{}`; leave out the examples of it",
        escaped(class)
    )]
    UnknownClass {
        /// Name of the class.
        class: String,
    },
    /// No example is left to train on.
    #[error("of the {count} examples to train on, --skip and --limit leave none")]
    NothingLeft {
        /// Number of examples.
        count: usize,
    },
    /// The file cannot be read or written.
    #[error("cannot {verb} the update {path}")]
    File {
        /// Verb for the message, such as `read`.
        verb: &'static str,
        /// The file.
        path: String,
        /// Failure of the file system.
        source: io::Error,
    },
    /// The file is no update.
    #[error("{path} is no update: {reason}; name the file that `cotrain federated train` wrote")]
    NoUpdate {
        /// The file.
        path: String,
        /// Cause.
        reason: String,
    },
    /// The file has an update of another model.
    #[error(
        "{path} is an update of the trainer {found} on chain {chain_id}, expected {expected} on chain {expected_chain}; \
         train for that model"
    )]
    OtherModel {
        /// The file.
        path: String,
        /// Trainer in the file.
        found: Address,
        /// Chain in the file.
        chain_id: u64,
        /// Trainer of the command.
        expected: Address,
        /// Chain of the command.
        expected_chain: u64,
    },
}

impl LocalData {
    /// Reads a data set, and sets a fifth of it aside to measure on, unless it has test data.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn read(source: &Source, seed: u64) -> Result<Self, LocalError> {
        let set = data::load(source, TEST_SHARE, seed)?;
        let (train, most) = Examples::read(&set.train)?;
        let (test, other) = Examples::read(&set.test)?;
        Ok(Self {
            train,
            test,
            max_feature: most.max(other),
            classes: set.classes,
        })
    }

    /// Fits the data to a model: labels become those of its classes, found by their names. Without
    /// names, the data must have as many classes as the model.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn fit(mut self, model: &Softmax, classes: Option<&[String]>) -> Result<Self, LocalError> {
        if self.train.width != model.features() {
            return Err(LocalError::Features {
                found: self.train.width,
                expected: model.features(),
            });
        }
        let max = model.max_feature();
        if self.max_feature > max {
            return Err(LocalError::FeatureTooLarge { max });
        }
        let labels: Vec<u16> = match classes {
            Some(classes) => {
                let label = |name: &String| {
                    let found = (0..).zip(classes).find(|(_, class)| *class == name);
                    found.map(|(label, _)| label).ok_or_else(|| {
                        let class = name.clone();
                        LocalError::UnknownClass { class }
                    })
                };
                self.classes.iter().map(label).collect::<Result<_, _>>()?
            }
            None if self.classes.len() == model.classes() => (0..).take(model.classes()).collect(),
            None => {
                let class = format!("{} of {}", self.classes.len(), model.classes());
                return Err(LocalError::UnknownClass { class });
            }
        };
        for label in self.train.labels.iter_mut().chain(&mut self.test.labels) {
            *label = labels.get(usize::from(*label)).copied().unwrap_or(*label);
        }
        Ok(self)
    }

    /// Keeps at most `limit` examples to train on, after the first `skip` ones.
    ///
    /// # Errors
    /// [`LocalError::NothingLeft`].
    pub fn window(mut self, skip: usize, limit: Option<usize>) -> Result<Self, LocalError> {
        let count = self.train.len();
        let end = limit.map_or(count, |limit| count.min(skip.saturating_add(limit)));
        let kept: Vec<usize> = (skip..end).collect();
        if kept.is_empty() {
            return Err(LocalError::NothingLeft { count });
        }
        self.train = self.train.chosen(&kept);
        Ok(self)
    }
}

/// Figures of a model on the examples to measure on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measure {
    /// Number of examples.
    pub samples: usize,
    /// Number of examples whose class the model predicts.
    pub correct: usize,
    /// Mean loss in bits.
    pub loss: f64,
}

impl Measure {
    /// Measures weights by the rules of the contract.
    ///
    /// # Errors
    /// [`FederatedError`] if weights and examples do not fit.
    pub fn new(model: &Softmax, weights: &[i16], test: &Examples) -> Result<Self, FederatedError> {
        let (mut correct, mut loss) = (0, 0);
        for (index, &label) in test.labels.iter().enumerate() {
            let features = test.row(index);
            correct += usize::from(model.predict(weights, features)? == label);
            let sample = [Sample { label, features }];
            loss -= model.values(weights, &[], &sample)?.base;
        }
        // Counts and sums of losses are far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let loss = loss as f64 / 256.0 / test.len().max(1) as f64;
        Ok(Self {
            samples: test.len(),
            correct,
            loss,
        })
    }
}

/// Result of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// The update, as small integers.
    pub update: Vec<i16>,
    /// Figures of the model that it is based on.
    pub before: Measure,
    /// Figures of that model with the update alone.
    pub after: Measure,
}

/// Trains a model on local data. The same data, weights and terms give the same update everywhere.
///
/// # Errors
/// [`FederatedError`] if weights and data do not fit the model.
pub fn train(
    facts: &RoundFacts,
    weights: &[i16],
    data: &LocalData,
    terms: &Training,
) -> Result<Trained, FederatedError> {
    let (model, width) = (&facts.model, facts.terms.width);
    let before = Measure::new(model, weights, &data.test)?;
    let shape = Shape {
        features: model.features(),
        hidden: 0,
        classes: model.classes(),
        max_feature: model.max_feature(),
    };
    let network = Network::new(shape, model.scale(), weights);
    let mut change = network.train(&data.train.features, &data.train.labels, terms);
    clip(&mut change, CLIP);
    let mut update = quantize(width, model.scale(), &change);
    // Rounding adds little, so a few turns are enough.
    while squared_norm(&update) > facts.terms.max_squared_norm {
        for number in &mut change {
            *number *= 0.9;
        }
        update = quantize(width, model.scale(), &change);
    }
    let mut after = weights.to_vec();
    add_update(&mut after, &update);
    Ok(Trained {
        before,
        after: Measure::new(model, &after, &data.test)?,
        update,
    })
}

/// An update in a file, with the model that it is based on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateFile {
    format: String,
    /// Id of the chain.
    pub chain_id: u64,
    /// Trainer of the model.
    pub trainer: Address,
    /// Version of the model that the update is based on.
    pub version: u64,
    /// The encoded update.
    pub update: Bytes,
}

impl UpdateFile {
    /// Encodes an update of a version of a model.
    ///
    /// # Errors
    /// [`LocalError::Rules`] if a number does not fit its lane.
    pub fn new(facts: &RoundFacts, version: u64, update: &[i16]) -> Result<Self, LocalError> {
        Ok(Self {
            format: FORMAT.to_owned(),
            chain_id: facts.chain_id,
            trainer: facts.trainer,
            version,
            update: encode_update(facts.terms.width, update)?.into(),
        })
    }

    /// Writes the update to a file, whole or not at all.
    ///
    /// # Errors
    /// [`LocalError::File`].
    pub fn save(&self, path: &Path) -> Result<(), LocalError> {
        let text = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        // A bare file name has an empty parent: it means the current folder.
        let folder = path.parent().filter(|folder| *folder != Path::new(""));
        let whole = folder
            .unwrap_or(Path::new("."))
            .join(path.file_name().unwrap_or_default());
        let written = text.and_then(|text| write_whole(&whole, &text));
        written.map_err(|source| file("write", path, source))
    }

    /// Reads an update of a model from a file, and checks its numbers.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn load(path: &Path, facts: &RoundFacts) -> Result<Self, LocalError> {
        let text = fs::read(path).map_err(|source| file("read", path, source))?;
        let shown = path.display().to_string();
        let no_update = |reason: String| LocalError::NoUpdate {
            path: shown.clone(),
            reason,
        };
        let found: Self =
            serde_json::from_slice(&text).map_err(|error| no_update(error.to_string()))?;
        if found.format != FORMAT {
            let format = escaped(&found.format);
            return Err(no_update(format!(
                "its format is `{format}`, expected `{FORMAT}`"
            )));
        }
        if (found.trainer, found.chain_id) != (facts.trainer, facts.chain_id) {
            return Err(LocalError::OtherModel {
                path: shown,
                found: found.trainer,
                chain_id: found.chain_id,
                expected: facts.trainer,
                expected_chain: facts.chain_id,
            });
        }
        decode_update(facts.terms.width, facts.model.parameters(), &found.update)?;
        Ok(found)
    }
}

fn file(verb: &'static str, path: &Path, source: io::Error) -> LocalError {
    LocalError::File {
        verb,
        path: path.display().to_string(),
        source,
    }
}
