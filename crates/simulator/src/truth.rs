//! True labels of a scenario's data, to hold the contributions of its runs against.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use cotrain_learning::encode::Encoder;
use cotrain_protocol::classifier::Classifier;

use crate::{error::SimulateError, prepared::Prepared, scenario::Scenario};

/// Data of a scenario with a seed, as its runs see it.
pub struct Truth {
    data: Prepared,
    /// True labels of each sample to contribute. Equal samples may have several.
    labels: HashMap<Vec<u8>, HashSet<u16>>,
}

impl Truth {
    /// Reads the scenario's data, from `folder` if it is given.
    ///
    /// # Errors
    /// If the data cannot be read or encoded.
    pub fn load(
        scenario: &Scenario,
        seed: u64,
        folder: Option<&Path>,
    ) -> Result<Self, SimulateError> {
        let data = Prepared::load(scenario, seed, folder)?;
        let mut labels: HashMap<Vec<u8>, HashSet<u16>> = HashMap::new();
        for (sample, label) in data.train.iter() {
            labels.entry(sample.to_vec()).or_default().insert(label);
        }
        Ok(Self { data, labels })
    }

    /// Returns the encoder of the samples.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.data.encoder
    }

    /// Returns the names of the classes, by their numbers.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.data.classes
    }

    /// Returns the number of samples that measure accuracies.
    #[must_use]
    pub fn test_samples(&self) -> u64 {
        self.data.test.len() as u64
    }

    /// Returns `true` if the data has this sample with this label. A sample that an agent made up
    /// has no true label.
    #[must_use]
    pub fn is_true(&self, sample: &[u8], label: u16) -> bool {
        self.labels
            .get(sample)
            .is_some_and(|labels| labels.contains(&label))
    }

    /// Returns the model with which a run of the scenario begins.
    ///
    /// # Errors
    /// If the learner cannot be trained.
    pub fn founded(&self, scenario: &Scenario, seed: u64) -> Result<Classifier, SimulateError> {
        let trained = self.data.train(scenario, self.data.initial, seed)?;
        Ok(trained.classifier)
    }

    /// Trains the scenario's learner anew on these samples alone, as `cotrain deploy --from` does.
    /// Returns its accuracy on the scenario's test data, after rounding to the contract's numbers.
    ///
    /// # Errors
    /// If the learner cannot be trained on them.
    pub fn accuracy_of<'a>(
        &self,
        scenario: &Scenario,
        seed: u64,
        samples: impl IntoIterator<Item = (&'a [u8], u16)>,
    ) -> Result<f64, SimulateError> {
        let samples = self.data.encoder.samples(self.data.classes.len(), samples);
        let trained = self.data.train_on(scenario, &samples, seed)?;
        Ok(trained.quantization.accuracy_quantized)
    }
}
