use super::{Extracted, Extractor, Sort, most_frequent, once};
use crate::data::{Dataset, Example, MAX_INDEX, Part};
use crate::encode::spec::{FeatureSpec, SpecError};
use crate::encode::{EncodeError, ReserveFault};

/// Extractor of values at indices, as libsvm files have them. Values at other indices are left out.
#[derive(Clone, Debug)]
pub(super) struct Indices {
    /// Indices from 0, in the order of their features.
    all: Vec<u32>,
    /// Feature of each index from 0; `None` for an index that is no feature.
    numbers: Vec<Option<u16>>,
    /// `true` if files and people count the indices from 0, `false` if from 1.
    zero_based: bool,
}

impl Indices {
    fn new(indices: Vec<u32>, zero_based: bool) -> Self {
        let mut new = Self {
            all: Vec::with_capacity(indices.len()),
            numbers: Vec::new(),
            zero_based,
        };
        for index in indices {
            new.push(index);
        }
        new
    }

    fn push(&mut self, index: u32) {
        let at = index as usize;
        if at >= self.numbers.len() {
            self.numbers.resize(at + 1, None);
        }
        // No classifier has more than 65,536 features.
        self.numbers[at] = u16::try_from(self.all.len()).ok();
        self.all.push(index);
    }

    /// Chooses the most frequent indices; all up to the largest if no number of features is given.
    pub(super) fn learn(dataset: &Dataset, features: Option<usize>) -> Self {
        let counts = (0..).zip(counts(&dataset.train));
        let indices = match features {
            Some(features) => most_frequent(counts, features),
            None => counts.map(|(index, _)| index).collect(),
        };
        Self::new(indices, dataset.zero_based)
    }

    /// Returns the first index, as people write it.
    fn first(&self) -> u32 {
        u32::from(!self.zero_based)
    }

    /// Checks the indices of a card, which count from 1.
    pub(super) fn read(indices: &[u32], zero_based: bool) -> Result<Self, SpecError> {
        for (feature, &index) in indices.iter().enumerate() {
            if !(1..=MAX_INDEX).contains(&index) {
                return Err(SpecError::Index { feature, index });
            }
        }
        once(indices)?;
        let indices = indices.iter().map(|index| index - 1).collect();
        Ok(Self::new(indices, zero_based))
    }

    /// Takes all indices from 1 to `last`.
    pub(super) fn up_to(last: u32, zero_based: bool) -> Self {
        Self::new((0..last).collect(), zero_based)
    }
}

impl Extractor for Indices {
    fn takes(&self) -> Sort {
        Sort::Indexed
    }

    fn features(&self) -> usize {
        self.all.len()
    }

    /// Returns the index, as the training data counted.
    fn name(&self, feature: usize) -> Option<String> {
        let index = self.all.get(feature);
        index.map(|index| (index + self.first()).to_string())
    }

    fn noun(&self) -> &'static str {
        "index"
    }

    /// Extracts the values that are not 0: libsvm files may leave out any 0.
    fn extract(&self, example: Example<'_>) -> Result<Extracted, EncodeError> {
        let Example::Indexed { indices, values } = example else {
            return Err(self.takes().mismatch(example));
        };
        let mut found = Vec::with_capacity(indices.len());
        let mut unseen = 0;
        for (at, &index) in indices.iter().enumerate() {
            let value = values.map_or(Some(1.0), |values| values.get(at).copied());
            let Some(value) = value.filter(|value| *value != 0.0) else {
                continue;
            };
            match self.numbers.get(index as usize) {
                Some(&Some(number)) => found.push((number, value)),
                _ => unseen += 1,
            }
        }
        Ok(Extracted::new(found).with_unseen(unseen))
    }

    fn reserve(&mut self, name: &str) -> Result<(), ReserveFault> {
        let index: Option<u32> = name.parse().ok();
        let index = index.and_then(|index| index.checked_sub(self.first()));
        let index = index.filter(|index| *index < MAX_INDEX);
        let index = index.ok_or(ReserveFault::NoIndex)?;
        if self.all.contains(&index) {
            return Err(ReserveFault::Known);
        }
        self.push(index);
        Ok(())
    }

    fn is_zero_based(&self) -> bool {
        self.zero_based
    }

    fn spec(&self) -> Option<FeatureSpec> {
        Some(match u32::try_from(self.all.len()) {
            Ok(count) if self.all.iter().copied().eq(0..count) => FeatureSpec::IndicesUpTo(count),
            _ => FeatureSpec::Indices(self.all.iter().map(|index| index + 1).collect()),
        })
    }
}

/// Counts the examples that contain each index, from 0 to the largest.
fn counts(part: &Part) -> Vec<u32> {
    let mut counts = Vec::new();
    for example in part.examples() {
        if let Example::Indexed { indices, .. } = example {
            if let Some(&last) = indices.last() {
                counts.resize(counts.len().max(last as usize + 1), 0);
            }
            for &index in indices {
                counts[index as usize] += 1;
            }
        }
    }
    counts
}
