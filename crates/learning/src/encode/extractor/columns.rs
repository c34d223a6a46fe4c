use super::{Extracted, Extractor, Sort, once};
use crate::data::{Column, ColumnKind, Dataset, Example, ModelColumns, Schema};
use crate::encode::spec::{FeatureSpec, SpecError};
use crate::encode::{EncodeError, ReserveFault};
use crate::text::escaped_list;

/// Extractor of the numbers that stand for a table's row: each number is a feature.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Columns with their types, in the order of their features.
    schema: Schema,
    /// Name of each number.
    names: Vec<String>,
    /// Number of columns, the last ones, that a row may leave out together. These are 0 then.
    reserved: usize,
}

impl Columns {
    fn new(schema: Schema, reserved: usize) -> Self {
        Self {
            names: schema.features(),
            schema,
            reserved,
        }
    }

    /// Takes the columns of a data set.
    pub(super) fn learn(dataset: &Dataset, features: Option<usize>) -> Result<Self, EncodeError> {
        let columns = dataset.schema.width();
        match features {
            Some(features) if features != columns => Err(EncodeError::NotTheColumns {
                path: dataset.train.path().to_owned(),
                columns,
                features,
            }),
            _ => Ok(Self::new(dataset.schema.clone(), 0)),
        }
    }

    /// Checks the columns of numbers of a card.
    pub(super) fn read(names: Vec<String>, reserved: usize) -> Result<Self, SpecError> {
        once(&names)?;
        Ok(Self::new(Schema::numbers(names)?, reserved))
    }

    /// Checks the typed columns of a card, of which the last ones may be reserved.
    pub(super) fn typed(columns: Vec<Column>, reserved: usize) -> Result<Self, SpecError> {
        let known = columns.len().saturating_sub(reserved);
        let plain = |column: &Column| *column == Column::numeric(column.name.clone());
        if let Some(column) = columns[known..].iter().find(|it| !plain(it)) {
            return Err(SpecError::ReservedType(column.name.clone()));
        }
        Ok(Self::new(Schema::new(columns)?, reserved))
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
        let unseen = self.schema.unseen(values);
        let values = (0..=u16::MAX).zip(values.iter().copied());
        Ok(Extracted::new(values.collect()).with_unseen(unseen))
    }

    fn numbers<'a>(&self, example: Example<'a>) -> Option<&'a [f64]> {
        match example {
            Example::Numbers(values) if values.len() == self.names.len() => Some(values),
            _ => None,
        }
    }

    fn reserve(&mut self, name: &str) -> Result<(), ReserveFault> {
        if self.names.iter().any(|known| known == name) {
            return Err(ReserveFault::Known);
        }
        let category = |column: &Column| {
            let value = name.strip_prefix(&column.name)?.strip_prefix('=')?;
            matches!(column.kind, ColumnKind::Categorical { .. }).then(|| ReserveFault::Category {
                column: column.name.clone(),
                value: value.to_owned(),
            })
        };
        if let Some(fault) = self.schema.columns().iter().find_map(category) {
            return Err(fault);
        }
        let columns = self.schema.columns().iter().cloned();
        let column = Column::numeric(name.to_owned());
        let columns = columns.chain(std::iter::once(column)).collect();
        // The only fault that a further column of numbers can have is its name.
        let schema = Schema::new(columns).map_err(|_| ReserveFault::Known)?;
        *self = Self::new(schema, self.reserved + 1);
        Ok(())
    }

    fn columns(&self) -> Option<ModelColumns<'_>> {
        Some(ModelColumns {
            schema: &self.schema,
            reserved: self.reserved,
        })
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(if self.schema.is_plain() {
            FeatureSpec::Columns(self.names.clone())
        } else {
            FeatureSpec::Table(self.schema.columns().to_vec())
        })
    }
}
