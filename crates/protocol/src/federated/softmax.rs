//! Softmax regression over small integers, and the value of updates by leaving one out.

use super::{FederatedError, loss};

/// Fraction bits of a logit.
const FRACTION: u32 = 4;

/// Sample with its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample<'a> {
    /// Index of the class.
    pub label: u16,
    /// Features from 0 to the model's maximum.
    pub features: &'a [u8],
}

/// Shape of a softmax regression: its weights are in units of `2^-scale`.
///
/// Parameters are rows of weights, a row a class, and then a bias a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax {
    features: usize,
    classes: usize,
    max_feature: u8,
    scale: u32,
    shift: u32,
}

/// Values of coalitions of updates: negative losses over the same samples, in 1/256 bit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Value of the base model alone.
    pub base: i64,
    /// Value with all updates.
    pub all: i64,
    /// Values with all updates but one, in the order of the updates.
    pub without: Vec<i64>,
}

impl Values {
    /// Returns what each update adds to the others: its leave-one-out value.
    #[must_use]
    pub fn leave_one_out(&self) -> Vec<i64> {
        self.without.iter().map(|value| self.all - value).collect()
    }

    /// Returns what all updates together add to the base model.
    #[must_use]
    pub fn improvement(&self) -> i64 {
        self.all - self.base
    }
}

impl Softmax {
    /// Creates the shape of a model.
    ///
    /// # Errors
    /// [`FederatedError::InvalidModel`] if one of these holds:
    /// - There are no features, or more than 65,536.
    /// - There are fewer than 2 classes, or more than 256.
    /// - `max_feature` is not a power of two.
    /// - `scale` is above 15, or so small that logits would have no fraction.
    pub fn new(
        features: usize,
        classes: usize,
        max_feature: u8,
        scale: u32,
    ) -> Result<Self, FederatedError> {
        let invalid = |name, value, expected| FederatedError::InvalidModel {
            name,
            value,
            expected,
        };
        if !(1..=1 << 16).contains(&features) {
            return Err(invalid("the number of features", features, "1 to 65536"));
        }
        if !(2..=256).contains(&classes) {
            return Err(invalid("the number of classes", classes, "2 to 256"));
        }
        if !max_feature.is_power_of_two() {
            let value = usize::from(max_feature);
            return Err(invalid("the largest feature", value, "a power of two"));
        }
        let bits = scale.saturating_add(max_feature.ilog2());
        if scale > 15 || bits < FRACTION {
            return Err(invalid(
                "the scale",
                scale as usize,
                "at most 15, and with the bits of the largest feature at least 4",
            ));
        }
        Ok(Self {
            features,
            classes,
            max_feature,
            scale,
            shift: bits - FRACTION,
        })
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.features
    }

    /// Returns the largest feature, which is a power of two.
    #[must_use]
    pub fn max_feature(&self) -> u8 {
        self.max_feature
    }

    /// Returns the number of bits that weights have after the point.
    #[must_use]
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Returns the number of weights and biases.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.classes * (self.features + 1)
    }

    /// Returns the raw logits of a sample: `sum of weight * feature + max_feature * bias`, a class each.
    ///
    /// # Errors
    /// [`FederatedError::WrongLength`], [`FederatedError::SampleLength`] or
    /// [`FederatedError::FeatureTooLarge`].
    pub fn raw_logits(
        &self,
        parameters: &[i16],
        features: &[u8],
    ) -> Result<Vec<i64>, FederatedError> {
        self.check_parameters(0, parameters)?;
        self.check_features(0, features)?;
        Ok(self.raw(parameters, features))
    }

    /// Returns the class with the largest logit; of equal ones the first.
    ///
    /// # Errors
    /// Those of [`raw_logits`](Self::raw_logits).
    pub fn predict(&self, parameters: &[i16], features: &[u8]) -> Result<u16, FederatedError> {
        let logits = self.raw_logits(parameters, features)?;
        let best = (0_u16..)
            .zip(logits)
            .max_by(|a, b| (a.1, b.0).cmp(&(b.1, a.0)));
        Ok(best.map_or(0, |(class, _)| class))
    }

    /// Returns the loss of raw logits for a label, in units of 1/256 bit.
    #[must_use]
    pub fn loss(&self, raw: &[i64], label: u16) -> u64 {
        let logits: Vec<i64> = raw.iter().map(|logit| logit >> self.shift).collect();
        loss(&logits, label)
    }

    /// Returns the values of the coalitions that leave-one-out needs, over the same samples.
    ///
    /// The logits of a coalition are those of the base and the mean of its updates', rounded down.
    ///
    /// # Errors
    /// [`FederatedError::WrongLength`], [`FederatedError::SampleLength`],
    /// [`FederatedError::FeatureTooLarge`] or [`FederatedError::LabelOutOfRange`].
    pub fn values(
        &self,
        base: &[i16],
        updates: &[&[i16]],
        samples: &[Sample<'_>],
    ) -> Result<Values, FederatedError> {
        self.check_parameters(0, base)?;
        for (index, update) in updates.iter().enumerate() {
            self.check_parameters(index, update)?;
        }
        let mut values = Values {
            base: 0,
            all: 0,
            without: vec![0; updates.len()],
        };
        for (index, sample) in samples.iter().enumerate() {
            self.check_features(index, sample.features)?;
            if usize::from(sample.label) >= self.classes {
                return Err(FederatedError::LabelOutOfRange {
                    sample: index,
                    label: sample.label,
                    classes: self.classes,
                });
            }
            self.add_values(&mut values, base, updates, *sample);
        }
        Ok(values)
    }

    fn add_values(
        &self,
        values: &mut Values,
        base: &[i16],
        updates: &[&[i16]],
        Sample { label, features }: Sample<'_>,
    ) {
        let base = self.raw(base, features);
        let each: Vec<Vec<i64>> = updates
            .iter()
            .map(|update| self.raw(update, features))
            .collect();
        let sums: Vec<i64> = (0..self.classes)
            .map(|class| each.iter().map(|logits| logits[class]).sum())
            .collect();
        let zeros = vec![0; self.classes];
        // A loss is at most 1,536.
        let value = |left_out: &[i64], count: usize| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let joined = base.iter().zip(sums.iter().zip(left_out));
            let logits: Vec<i64> = joined
                .map(|(base, (sum, out))| base + (sum - out).checked_div_euclid(count).unwrap_or(0))
                .collect();
            -self.loss(&logits, label).cast_signed()
        };
        values.base -= self.loss(&base, label).cast_signed();
        values.all += value(&zeros, updates.len());
        for (without, own) in values.without.iter_mut().zip(&each) {
            *without += value(own, updates.len() - 1);
        }
    }

    fn raw(&self, parameters: &[i16], features: &[u8]) -> Vec<i64> {
        let (weights, biases) = parameters.split_at(self.classes * self.features);
        let unit = i64::from(self.max_feature);
        weights
            .chunks_exact(self.features)
            .zip(biases)
            .map(|(row, &bias)| {
                let product = |(&weight, &feature)| i64::from(weight) * i64::from(feature);
                let sum: i64 = row.iter().zip(features).map(product).sum::<i64>();
                sum + unit * i64::from(bias)
            })
            .collect()
    }

    fn check_parameters(&self, update: usize, parameters: &[i16]) -> Result<(), FederatedError> {
        if parameters.len() == self.parameters() {
            return Ok(());
        }
        Err(FederatedError::WrongLength {
            update,
            found: parameters.len(),
            expected: self.parameters(),
        })
    }

    fn check_features(&self, sample: usize, features: &[u8]) -> Result<(), FederatedError> {
        if features.len() != self.features {
            return Err(FederatedError::SampleLength {
                sample,
                found: features.len(),
                expected: self.features,
            });
        }
        let above = features.iter().position(|&value| value > self.max_feature);
        match above {
            Some(feature) => Err(FederatedError::FeatureTooLarge {
                sample,
                feature,
                value: features[feature],
                max: self.max_feature,
            }),
            None => Ok(()),
        }
    }
}
