//! Learners to keep: as one type that serde writes and reads, and as ONNX.
//!
//! # Format
//!
//! [`AnyLearner`] is written as an object of `format`, which is `cotrain-learner/1`, and `learner`.
//! `learner` has one key, the kind, whose value has all numbers:
//!
//! - `logistic`: `features`, `cost`, `seen`, `weights` (class after class), `intercepts`.
//! - `forest`: `features`, `seed`, `seen`, `count` (of trees), `trees`.
//! - `boosted`: `features`, `seed`, `seen`, `rounds`, `base` (a score a seen class), `trees`
//!   (one a seen class, round after round).
//!
//! A calibrated model has `temperature` beside `learner`: the divisor of the logarithms of the
//! probabilities, which are at least `1e-6` then.
//!
//! `seen` has `classes`, those that have a label, `all`, the number of classes, and `labels`, the
//! number of labels.
//! A tree is a list of nodes from the root on.
//! A split is `[feature, threshold, right child]`: a row goes left, to the next node, if the
//! feature's value is at most the threshold.
//! A leaf is `[[class, number], …]`, whose classes are indices of the seen ones.
//!
//! A `Deployable` has a form already: the words of its contract and its encoder.
//!
//! A format that keeps floats to the bit, such as JSON by `serde_json` with `float_roundtrip`, gives
//! a model whose answers are equal to the bit.

mod onnx;
mod protobuf;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::calibration::Temperature;
use crate::learner::tree::Tree;
use crate::learner::{Boosted, Forest, LearnError, Learner, Logistic};

/// Any learner, to be written and read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum AnyLearner {
    /// Logistic regression.
    Logistic(Logistic),
    /// Random forest.
    Forest(Forest),
    /// Gradient-boosted trees.
    Boosted(Boosted),
}

/// Reason why a learner has no form in another format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The learner has learned nothing.
    #[error("cannot export a learner that has no label; train it with one row at least")]
    Untrained,
}

impl AnyLearner {
    /// Returns the learner as an ONNX file, which gives `label` and `probabilities` of `rows`.
    ///
    /// # Errors
    ///
    /// The learner has learned nothing.
    pub fn to_onnx(&self) -> Result<Vec<u8>, ExportError> {
        self.onnx(Temperature::ONE)
    }

    /// Returns the learner as an ONNX file whose probabilities have a temperature.
    fn onnx(&self, temperature: Temperature) -> Result<Vec<u8>, ExportError> {
        let seen = match self {
            Self::Logistic(model) => model.seen(),
            Self::Forest(model) => model.seen(),
            Self::Boosted(model) => model.seen(),
        };
        if seen.classes().is_empty() {
            return Err(ExportError::Untrained);
        }
        Ok(match self {
            Self::Logistic(model) => onnx::logistic(model, seen),
            Self::Forest(model) => onnx::forest(model, seen, self.features()),
            Self::Boosted(model) => onnx::boosted(model, seen, self.features()),
        }
        .finish(temperature))
    }

    /// Returns `true` if another learner has the same kind, sizes and options.
    pub(crate) fn is_made_like(&self, other: &Self) -> bool {
        let same_options = match (self, other) {
            (Self::Logistic(one), Self::Logistic(other)) => one.cost().eq(&other.cost()),
            (Self::Forest(one), Self::Forest(other)) => one.options() == other.options(),
            (Self::Boosted(one), Self::Boosted(other)) => one.options() == other.options(),
            _ => false,
        };
        same_options && self.classes() == other.classes() && self.features() == other.features()
    }

    /// Returns the number of nodes of the largest tree; 0 without trees.
    pub(crate) fn nodes(&self) -> usize {
        let trees = match self {
            Self::Logistic(_) => &[],
            Self::Forest(model) => model.trees(),
            Self::Boosted(model) => model.trees(),
        };
        trees.iter().map(Tree::len).max().unwrap_or(0)
    }

    fn learner(&self) -> &dyn Learner {
        match self {
            Self::Logistic(model) => model,
            Self::Forest(model) => model,
            Self::Boosted(model) => model,
        }
    }

    fn learner_mut(&mut self) -> &mut dyn Learner {
        match self {
            Self::Logistic(model) => model,
            Self::Forest(model) => model,
            Self::Boosted(model) => model,
        }
    }
}

impl Learner for AnyLearner {
    fn classes(&self) -> usize {
        self.learner().classes()
    }

    fn features(&self) -> usize {
        self.learner().features()
    }

    fn fit(&mut self, rows: ArrayView2<'_, f64>, labels: &[usize]) -> Result<(), LearnError> {
        self.learner_mut().fit(rows, labels)
    }

    fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError> {
        self.learner().probabilities(rows)
    }

    fn members(&self, rows: ArrayView2<'_, f64>) -> Result<Vec<Array2<f64>>, LearnError> {
        self.learner().members(rows)
    }

    fn copy(&self) -> Box<dyn Learner> {
        Box::new(self.clone())
    }
}

/// Learner with the temperature of its probabilities, as a file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Export {
    learner: AnyLearner,
    temperature: Temperature,
}

impl Export {
    /// Returns a learner with the temperature of its probabilities.
    #[must_use]
    pub fn new(learner: AnyLearner, temperature: Temperature) -> Self {
        Self {
            learner,
            temperature,
        }
    }

    /// Returns the probabilities (`n x classes`) of rows (`n x features`), with the temperature.
    ///
    /// # Errors
    ///
    /// The rows do not fit the learner, or a number is not finite.
    pub fn probabilities(&self, rows: ArrayView2<'_, f64>) -> Result<Array2<f64>, LearnError> {
        let mut found = self.learner.probabilities(rows)?;
        self.temperature.apply(&mut found);
        Ok(found)
    }

    /// Returns an ONNX file, which gives `label` and `probabilities` of `rows`, with the temperature.
    ///
    /// # Errors
    ///
    /// The learner has learned nothing.
    pub fn to_onnx(&self) -> Result<Vec<u8>, ExportError> {
        self.learner.onnx(self.temperature)
    }
}

/// Name and version of the format.
const FORMAT: &str = "cotrain-learner/1";

/// Learner as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    learner: WrittenLearner,
    /// Temperature of the probabilities, if they are calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenLearner {
    Logistic(Logistic),
    Forest(Forest),
    Boosted(Boosted),
}

impl From<AnyLearner> for Written {
    fn from(model: AnyLearner) -> Self {
        Export::new(model, Temperature::ONE).into()
    }
}

impl From<Export> for Written {
    fn from(model: Export) -> Self {
        let Export {
            learner,
            temperature,
        } = model;
        Self {
            format: FORMAT.to_owned(),
            learner: match learner {
                AnyLearner::Logistic(model) => WrittenLearner::Logistic(model),
                AnyLearner::Forest(model) => WrittenLearner::Forest(model),
                AnyLearner::Boosted(model) => WrittenLearner::Boosted(model),
            },
            temperature: (temperature != Temperature::ONE).then(|| temperature.get()),
        }
    }
}

impl TryFrom<Written> for AnyLearner {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Export {
            learner,
            temperature,
        } = written.try_into()?;
        if temperature != Temperature::ONE {
            let found = temperature.get();
            return Err(format!(
                "the probabilities have the temperature {found}; expected none, so read an `Export`"
            ));
        }
        Ok(learner)
    }
}

impl TryFrom<Written> for Export {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        if written.format != FORMAT {
            let found = written.format;
            return Err(format!("the format is `{found}`; expected `{FORMAT}`"));
        }
        let temperature = written.temperature.map_or(Ok(Temperature::ONE), |found| {
            Temperature::from_number(found)
                .ok_or_else(|| format!("the temperature is {found}; expected one from 0.05 to 20"))
        })?;
        let learner = match written.learner {
            WrittenLearner::Logistic(model) => AnyLearner::Logistic(model),
            WrittenLearner::Forest(model) => AnyLearner::Forest(model),
            WrittenLearner::Boosted(model) => AnyLearner::Boosted(model),
        };
        Ok(Self::new(learner, temperature))
    }
}
