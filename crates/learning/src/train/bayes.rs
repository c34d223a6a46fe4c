//! Multinomial naive Bayes with additive smoothing (Manning, Raghavan, Schütze: Introduction to
//! Information Retrieval, 13.2), on the presence of features.

use cotrain_protocol::classifier::{Classifier, Parameters};
use ndarray::{Array1, Array2};

use super::counts::Counts;
use super::{Floats, Learned, Options, TrainError};
use crate::encode::{Row, Samples};

/// Smoothing of the contract that stands for 1.
const SMOOTHING_SCALE: f64 = 256.0;

// A smoothing within its bounds fits, as do the numbers of features and classes.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn learn(samples: &Samples, options: &Options) -> Result<Learned, TrainError> {
    let whole = (options.smoothing * SMOOTHING_SCALE).round();
    if !(whole >= 1.0 && whole <= f64::from(u32::MAX)) {
        return Err(TrainError::Smoothing {
            value: options.smoothing,
        });
    }
    let counts = Counts::new(samples);
    // The smoothing is added to counts, so it is divided like them.
    let smoothing_scale = SMOOTHING_SCALE * counts.scale();
    let smoothing = (options.smoothing * smoothing_scale).round().max(1.0);
    let layout = samples.layout();
    let parameters = Parameters::NaiveBayes {
        classes: layout.classes as u16,
        features: layout.features as u32,
        smoothing: smoothing as u32,
    };
    Ok(Learned {
        floats: Box::new(NaiveBayes::fit(samples, options.smoothing)),
        classifier: Classifier::from_words(parameters, &counts.words(|count| count))?,
        epochs: 1,
        scale: counts.scale(),
        max_abs_error: (smoothing / smoothing_scale - options.smoothing).abs(),
    })
}

/// Naive Bayes in floats, without logarithms, whose last bits differ between machines.
struct NaiveBayes {
    /// Share of each class in the samples.
    shares: Array1<f64>,
    /// Probability of each feature in each class: classes × features.
    probabilities: Array2<f64>,
}

impl NaiveBayes {
    // Counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    fn fit(samples: &Samples, smoothing: f64) -> Self {
        let layout = samples.layout();
        let mut counts = Array2::zeros((layout.classes, layout.features));
        for (index, &label) in samples.labels().iter().enumerate() {
            let counts = counts.row_mut(usize::from(label));
            samples.row(index).add_to(counts, 1.0);
        }
        for mut counts in counts.rows_mut() {
            let total = counts.sum() + smoothing * layout.features as f64;
            counts.mapv_inplace(|count| (count + smoothing) / total);
        }
        Self {
            shares: samples.class_counts() / samples.len() as f64,
            probabilities: counts,
        }
    }

    /// Returns a class's share times the probabilities of the present features. The result is the
    /// negated exponent of `2^512`, and a mantissa from `2^-512` to 1.
    fn likelihood(&self, class: usize, row: &Row<'_>) -> (u32, f64) {
        let step = f64::from_bits((1023 + 512) << 52);
        let (mut shifts, mut mantissa) = (0, self.shares[class]);
        let probabilities = self.probabilities.row(class);
        for feature in row.present() {
            mantissa *= probabilities[feature];
            if mantissa < 1.0 / step {
                mantissa *= step;
                shifts += 1;
            }
        }
        (shifts, mantissa)
    }
}

impl Floats for NaiveBayes {
    fn predict(&self, row: &Row<'_>) -> u16 {
        let mut best = None;
        for (class, &share) in (0..).zip(&self.shares) {
            if share > 0.0 {
                let (shifts, mantissa) = self.likelihood(usize::from(class), row);
                let better = best.is_none_or(|(_, least, max)| {
                    shifts < least || (shifts == least && mantissa > max)
                });
                if better {
                    best = Some((class, shifts, mantissa));
                }
            }
        }
        best.map_or(0, |(class, ..)| class)
    }
}

#[cfg(test)]
mod tests {
    use cotrain_protocol::sample::{Encoding, encode_sparse};

    use super::*;
    use crate::encode::Layout;

    /// A sample of 1,000 features has a likelihood of about `2^-10000`, far below any float.
    #[test]
    fn predict_gives_long_samples_the_class_of_most_features() {
        let mut samples = Samples::new(Layout {
            encoding: Encoding::Sparse,
            features: 2_000,
            classes: 2,
            scale: 1.0,
            bounds: None,
            constant: None,
        });
        for (first, label) in [(0, 0), (1_000, 1), (400, 0), (600, 1)] {
            let features: Vec<u16> = (first..first + 1_000).collect();
            samples.push(&encode_sparse(&features), label);
        }
        let learned = learn(&samples.take(0..2), &Options::default()).unwrap();
        for (index, &label) in samples.labels().iter().enumerate() {
            assert_eq!(learned.floats.predict(&samples.row(index)), label);
            assert_eq!(learned.classifier.predict(samples.get(index).0), Ok(label));
        }
    }
}
