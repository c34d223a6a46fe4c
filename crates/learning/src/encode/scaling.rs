use super::EncodeError;
use super::extractor::{Extractor, extract_dense};
use crate::data::Part;

/// Standardization of the dense encodings, which turns values of any size into numbers of about one
/// unit.
#[derive(Clone, Debug)]
pub(super) struct Scaling {
    /// Mean of each feature in the training part.
    pub(super) mean: Vec<f64>,
    /// Standard deviation of each feature there (of the population), or 1 if that is 0. If all
    /// features have one unit, it is the root of the mean variance for each.
    pub(super) deviation: Vec<f64>,
}

impl Scaling {
    /// Computes means and deviations of the training part, in two passes in its order.
    pub(super) fn learn(part: &Part, extractor: &dyn Extractor) -> Result<Self, EncodeError> {
        let features = extractor.features();
        let mut row = Vec::new();
        let mut mean = vec![0.0; features];
        let mut count = 0.0;
        for example in part.examples() {
            let values = extract_dense(extractor, example, &mut row)?;
            for (sum, value) in mean.iter_mut().zip(values) {
                *sum += value;
            }
            count += 1.0;
        }
        for sum in &mut mean {
            *sum /= count;
        }
        let mut variance = vec![0.0; features];
        for example in part.examples() {
            let values = extract_dense(extractor, example, &mut row)?;
            for ((sum, value), mean) in variance.iter_mut().zip(values).zip(&mean) {
                let from_mean = value - mean;
                *sum += from_mean * from_mean;
            }
        }
        if extractor.has_one_unit() {
            // There is at least one feature.
            let width = f64::from(u16::try_from(features).unwrap_or(u16::MAX));
            let mean = variance.iter().sum::<f64>() / width;
            variance.fill(mean);
        }
        let deviation = variance.into_iter().map(|sum| match (sum / count).sqrt() {
            0.0 => 1.0,
            deviation => deviation,
        });
        Ok(Self {
            deviation: deviation.collect(),
            mean,
        })
    }

    /// Returns the values of all features, in standard deviations from the mean.
    pub(super) fn apply(&self, values: &[f64]) -> impl Iterator<Item = f64> + Clone {
        let learned = self.mean.iter().zip(&self.deviation);
        let values = values.iter().zip(learned);
        values.map(|(value, (mean, deviation))| (value - mean) / deviation)
    }
}
