use std::sync::Arc;

use super::{Extracted, Extractor, Sort};
use crate::data::Example;
use crate::encode::EncodeError;
use crate::encode::spec::{FeatureSpec, SpecError, VectorsSpec};
use crate::vectors::{MAX_DIMENSIONS, Table, TableId, embedded};

/// Extractor of the numbers that a table of word vectors gives a text: one feature a dimension.
#[derive(Clone, Debug)]
pub(super) struct Vectors {
    id: TableId,
    /// The table, unless the encoder was read from a card and nobody has given it yet.
    table: Option<Table>,
}

impl Vectors {
    pub(super) fn new(table: Table) -> Self {
        Self {
            id: table.id(),
            table: Some(table),
        }
    }

    /// Checks the table that a card names. The one that is part of the program is there at once.
    pub(super) fn read(spec: &VectorsSpec) -> Result<Self, SpecError> {
        let VectorsSpec { sha256, dimensions } = spec;
        let id = TableId::parse(sha256, *dimensions);
        let id = id.ok_or_else(|| SpecError::Sha256(sha256.clone()))?;
        if id.dimensions > MAX_DIMENSIONS {
            return Err(SpecError::Dimensions(id.dimensions));
        }
        let table = embedded();
        // A card that names the table with other dimensions waits for a table that nobody has.
        let table = (table.id() == id).then(|| table.clone());
        Ok(Self { id, table })
    }
}

impl Extractor for Vectors {
    fn takes(&self) -> Sort {
        Sort::Text
    }

    fn features(&self) -> usize {
        self.id.dimensions
    }

    fn name(&self, feature: usize) -> Option<String> {
        (feature < self.id.dimensions).then(|| (feature + 1).to_string())
    }

    fn noun(&self) -> &'static str {
        "dimension"
    }

    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Text(text) = example else {
            return Err(self.takes().mismatch(example));
        };
        let table = self.table.as_ref();
        let vector = table
            .ok_or(EncodeError::NoTable { id: self.id })?
            .encode(text);
        let numbers = vector.numbers.into_iter().map(f64::from);
        Ok(Extracted::new((0..=u16::MAX).zip(numbers).collect()).with_known(vector.known))
    }

    fn missing_table(&self) -> Option<TableId> {
        self.table.is_none().then_some(self.id)
    }

    fn with_table(&self, table: &Table) -> Option<Arc<dyn Extractor>> {
        (table.id() == self.id).then(|| Arc::new(Self::new(table.clone())) as Arc<dyn Extractor>)
    }

    fn summary(&self) -> Option<String> {
        let sha256 = self.id.hexadecimal();
        Some(format!("dimensions of the word vectors {}", &sha256[..8]))
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(FeatureSpec::Vectors(VectorsSpec {
            sha256: self.id.hexadecimal(),
            dimensions: self.id.dimensions,
        }))
    }
}
