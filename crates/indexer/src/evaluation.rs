//! Test data that the accuracy of a model is measured on.

use std::sync::Arc;

use cotrain_learning::{
    data::{DataError, Dataset},
    encode::{EncodeError, Encoder},
};
use cotrain_protocol::classifier::Classifier;

/// Test data, and the interval between two measurements of a model's accuracy.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Samples that the model predicts.
    pub samples: Arc<TestSamples>,
    /// Number of contributions between two measurements.
    pub every: u64,
}

/// Samples with their right labels.
#[derive(Debug)]
pub struct TestSamples(Vec<(Vec<u8>, u16)>);

/// Reason why a model cannot be measured on a data set.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The data set's columns are not the model's.
    #[error(transparent)]
    Columns(DataError),
    /// The data set has a class that the model does not have.
    #[error(
        "the data has the classes {found}, but the model has {wanted}; name data of the model's classes"
    )]
    Classes {
        /// The data's classes, separated by commas.
        found: String,
        /// The model's classes, separated by commas.
        wanted: String,
    },
    /// The model's encoder cannot encode an example.
    #[error(transparent)]
    Encode(EncodeError),
}

impl TestSamples {
    /// Encodes the test part of a data set with the encoder of a model.
    ///
    /// # Errors
    /// [`EvaluationError`].
    pub fn new(
        data: &Dataset,
        encoder: &Encoder,
        classes: &[String],
    ) -> Result<Self, EvaluationError> {
        let test = data
            .test_for(encoder.columns())
            .map_err(EvaluationError::Columns)?;
        let label = |name: &String| {
            let label = classes.iter().position(|known| known == name)?;
            u16::try_from(label).ok()
        };
        let labels: Option<Vec<u16>> = data.classes.iter().map(label).collect();
        let labels = labels.ok_or_else(|| EvaluationError::Classes {
            found: data.classes.join(", "),
            wanted: classes.join(", "),
        })?;
        let mut samples = Vec::with_capacity(test.labels().len());
        let (mut unknown, mut clipped) = (0_usize, 0_usize);
        for (example, class) in test.examples().zip(test.labels()) {
            let noted = encoder
                .encode_noting(example)
                .map_err(EvaluationError::Encode)?;
            unknown += usize::from(noted.known == 0);
            clipped += usize::from(noted.clamped > 0);
            samples.push((noted.sample, labels[usize::from(*class)]));
        }
        if unknown + clipped > 0 {
            let of = samples.len();
            tracing::warn!(
                unknown,
                clipped,
                of,
                "the model knows nothing of some test data, or they are outside its range"
            );
        }
        Ok(Self(samples))
    }

    /// Returns how many of the samples a classifier predicts right.
    #[must_use]
    pub fn correct(&self, classifier: &Classifier) -> u64 {
        let right = |(sample, label): &&(Vec<u8>, u16)| {
            classifier
                .predict(sample)
                .is_ok_and(|predicted| predicted == *label)
        };
        self.0.iter().filter(right).count() as u64
    }

    /// Returns the number of samples.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use cotrain_learning::data::{Columns, Reading, Source, TableFormat, load};

    use super::*;

    #[test]
    fn test_samples_have_the_columns_and_classes_of_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.csv");
        let encoder: Encoder = serde_json::from_str(
            r#"{"classifier":"dense-perceptron","features":{"columns":["x","y"]},
                "scaling":{"mean":[0,0],"deviation":[1,1]}}"#,
        )
        .unwrap();
        let classes = ["a", "b"].map(ToOwned::to_owned);
        let message = |text: &str| {
            fs::write(&path, text).unwrap();
            let source = Source::Table {
                format: TableFormat::Csv,
                train: path.clone(),
                test: Some(path.clone()),
                label: "class".to_owned(),
                text: None,
                reading: Reading::default(),
                columns: Columns::default(),
            };
            let data = load(&source, 0.5, 0).unwrap();
            TestSamples::new(&data, &encoder, &classes)
        };
        assert_eq!(message("x,y,class\n1,2,a\n3,4,b\n").unwrap().count(), 2);
        let straight = message("x,y,class\n1,2,a\n3,4,b\n").unwrap();
        let turned = message("y,x,class\n2,1,a\n4,3,b\n").unwrap();
        assert_eq!(turned.0, straight.0);
        let columns = message("z,x,class\n1,2,a\n3,4,b\n")
            .unwrap_err()
            .to_string();
        assert!(
            columns
                .contains("has the columns z, x, but the model has x, y: unknown z and missing y"),
            "{columns}"
        );
        let classes = message("x,y,class\n1,2,a\n3,4,c\n")
            .unwrap_err()
            .to_string();
        assert!(
            classes.contains("the data has the classes a, c, but the model has a, b"),
            "{classes}"
        );
    }
}
