use ndarray::Array1;

use super::EncodeError;
use super::extractor::{Extractor, extract};
use crate::data::Part;

/// Standardization of the dense encodings, which turns values of any size into numbers of about one
/// unit.
#[derive(Clone, Debug)]
pub(super) struct Scaling {
    /// Mean of each feature in the training part.
    pub(super) mean: Array1<f64>,
    /// Standard deviation of each feature there (of the population), or 1 if that is 0.
    pub(super) deviation: Array1<f64>,
}

impl Scaling {
    /// Computes means and deviations of the training part, in two passes in its order.
    pub(super) fn learn(part: &Part, extractor: &dyn Extractor) -> Result<Self, EncodeError> {
        let features = extractor.features();
        let mut mean = Array1::zeros(features);
        let mut count = 0.0;
        for example in part.examples() {
            mean += &dense(extract(extractor, example)?.values(), features);
            count += 1.0;
        }
        mean /= count;
        let mut variance = Array1::<f64>::zeros(features);
        for example in part.examples() {
            let from_mean = dense(extract(extractor, example)?.values(), features) - &mean;
            variance += &(&from_mean * &from_mean);
        }
        variance /= count;
        let deviation = variance.mapv(|variance| match variance.sqrt() {
            0.0 => 1.0,
            deviation => deviation,
        });
        Ok(Self { mean, deviation })
    }

    /// Returns the values of all features, in standard deviations from the mean.
    pub(super) fn apply(&self, features: &[(u16, f64)]) -> Array1<f64> {
        (dense(features, self.mean.len()) - &self.mean) / &self.deviation
    }
}

/// Returns the values of all features; 0 for those that are not given.
fn dense(features: &[(u16, f64)], width: usize) -> Array1<f64> {
    let mut row = Array1::zeros(width);
    for &(feature, value) in features {
        row[usize::from(feature)] = value;
    }
    row
}
