use super::{Extracted, Extractor, Sort, once};
use crate::data::{Dataset, Example, ModelColumns};
use crate::encode::spec::{FeatureSpec, SpecError};
use crate::encode::{EncodeError, ReserveFault};
use crate::text::escaped_list;

/// Extractor of a table's numbers: each column is a feature.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Names of the columns, in the order of their features.
    names: Vec<String>,
    /// Number of columns, the last ones, that a row may leave out together. These are 0 then.
    reserved: usize,
}

impl Columns {
    /// Takes the columns of a data set.
    pub(super) fn learn(dataset: &Dataset, features: Option<usize>) -> Result<Self, EncodeError> {
        let names = dataset.columns.clone();
        match features {
            Some(features) if features != names.len() => Err(EncodeError::NotTheColumns {
                path: dataset.train.path().to_owned(),
                columns: names.len(),
                features,
            }),
            _ => Ok(Self { names, reserved: 0 }),
        }
    }

    /// Checks the columns of a card.
    pub(super) fn read(names: Vec<String>, reserved: usize) -> Result<Self, SpecError> {
        once(&names)?;
        Ok(Self { names, reserved })
    }
}

impl Extractor for Columns {
    fn takes(&self) -> Sort {
        Sort::Numbers
    }

    fn features(&self) -> usize {
        self.names.len()
    }

    fn name(&self, feature: usize) -> Option<String> {
        self.names.get(feature).cloned()
    }

    fn noun(&self) -> &'static str {
        "column"
    }

    /// Extracts all numbers. In a row, 0 is a value like any other.
    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Numbers(values) = example else {
            return Err(self.takes().mismatch(example));
        };
        let wanted = self.names.len();
        if values.len() != wanted && values.len() + self.reserved != wanted {
            return Err(EncodeError::WrongWidth {
                found: values.len(),
                wanted,
                reserved: self.reserved,
                columns: escaped_list(&self.names),
            });
        }
        let values = (0..=u16::MAX).zip(values.iter().copied());
        Ok(Extracted::new(values.collect()))
    }

    fn reserve(&mut self, name: &str) -> Result<(), ReserveFault> {
        if self.names.iter().any(|known| known == name) {
            return Err(ReserveFault::Known);
        }
        self.names.push(name.to_owned());
        self.reserved += 1;
        Ok(())
    }

    fn columns(&self) -> Option<ModelColumns<'_>> {
        Some(ModelColumns {
            names: &self.names,
            reserved: self.reserved,
        })
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(FeatureSpec::Columns(self.names.clone()))
    }
}
