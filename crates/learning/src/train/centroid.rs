//! Nearest centroid by Euclidean distance.

use cotrain_protocol::classifier::{Classifier, Parameters};
use ndarray::Array2;

use super::counts::Counts;
use super::{Floats, Learned, TrainError, learned_by_contract};
use crate::encode::{Row, Samples};

// The numbers of features and classes fit.
#[allow(clippy::cast_possible_truncation)]
pub(super) fn learn(samples: &Samples) -> Result<Learned, TrainError> {
    let layout = samples.layout();
    let (classes, features) = (layout.classes as u16, layout.features as u32);
    let (classifier, scale) = if let Some(bounds) = layout.bounds {
        let parameters = Parameters::DenseNearestCentroid {
            classes,
            features,
            bounds,
        };
        (learned_by_contract(parameters, samples)?, layout.scale)
    } else {
        let parameters = Parameters::SparseNearestCentroid { classes, features };
        let counts = Counts::new(samples);
        let words = counts.words(|count| count * count);
        (Classifier::from_words(parameters, &words)?, counts.scale())
    };
    Ok(Learned {
        floats: Box::new(NearestCentroid::fit(samples)),
        classifier,
        epochs: 1,
        scale,
        max_abs_error: 0.0,
    })
}

/// Centroids in floats.
struct NearestCentroid {
    /// Mean of each class's samples: classes × features.
    means: Array2<f64>,
    /// Squared length of each mean; `None` for a class without samples.
    squares: Vec<Option<f64>>,
}

impl NearestCentroid {
    fn fit(samples: &Samples) -> Self {
        let layout = samples.layout();
        let mut means = Array2::zeros((layout.classes, layout.features));
        for (index, &label) in samples.labels().iter().enumerate() {
            let sums = means.row_mut(usize::from(label));
            samples.row(index).add_to(sums, 1.0);
        }
        let mut squares = Vec::with_capacity(layout.classes);
        for (mut mean, count) in means.rows_mut().into_iter().zip(samples.class_counts()) {
            if count > 0.0 {
                mean /= count;
                squares.push(Some(mean.dot(&mean)));
            } else {
                squares.push(None);
            }
        }
        Self { means, squares }
    }
}

impl Floats for NearestCentroid {
    /// Predicts the class with the smallest `|m|^2 - 2 x m`. This is the squared distance
    /// `|x - m|^2` less `|x|^2`, which is the same for all classes.
    fn predict(&self, row: &Row<'_>) -> u16 {
        let mut nearest = (0, f64::INFINITY);
        for ((class, mean), square) in (0..).zip(self.means.rows()).zip(&self.squares) {
            if let Some(square) = square {
                let distance = square - 2.0 * row.dot(&mean);
                if distance < nearest.1 {
                    nearest = (class, distance);
                }
            }
        }
        nearest.0
    }
}
