//! What the accuracy of a model is measured on.

use std::sync::Arc;

use cotrain_learning::{
    data::Dataset,
    encode::{EncodeError, Encoder},
};
use cotrain_protocol::classifier::Classifier;

/// Test data, and how often a model is measured on them.
#[derive(Debug, Clone)]
pub(crate) struct Evaluation {
    pub(crate) samples: Arc<TestSamples>,
    /// Contributions between two measurements.
    pub(crate) every: u64,
}

/// Samples with the labels that are right.
#[derive(Debug)]
pub(crate) struct TestSamples(Vec<(Vec<u8>, u16)>);

impl TestSamples {
    /// The test part of a data set, as a model's encoder has it. Examples of classes that the model does not know are
    /// left out.
    pub(crate) fn new(
        data: &Dataset,
        encoder: &Encoder,
        classes: &[String],
    ) -> Result<Self, EncodeError> {
        let mut samples = Vec::with_capacity(data.test.labels().len());
        for (example, class) in data.test.examples().zip(data.test.labels()) {
            let name = &data.classes[usize::from(*class)];
            let Some(label) = classes.iter().position(|known| known == name) else {
                continue;
            };
            // There are 256 classes at the most.
            samples.push((
                encoder.encode(example)?,
                u16::try_from(label).unwrap_or(u16::MAX),
            ));
        }
        Ok(Self(samples))
    }

    /// How many the model predicts right.
    pub(crate) fn correct(&self, classifier: &Classifier) -> u64 {
        let right = |(sample, label): &&(Vec<u8>, u16)| {
            classifier
                .predict(sample)
                .is_ok_and(|predicted| predicted == *label)
        };
        self.0.iter().filter(right).count() as u64
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}
