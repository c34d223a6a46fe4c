use std::ops::Range;

use cotrain_protocol::{classifier::Bounds, sample::Encoding};
use ndarray::{Array1, ArrayView1, ArrayViewMut1};

/// What the samples of one data set have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Layout {
    /// How features become bytes.
    pub(crate) encoding: Encoding,
    /// How many features there are.
    pub(crate) features: usize,
    /// How many classes there are.
    pub(crate) classes: usize,
    /// The number that stands for 1 in a sample: 1 in sparse ones; in dense ones a standard
    /// deviation of a feature is 4,096 (16 bits) or 65,536 (32 bits).
    pub(crate) scale: f64,
    /// What the model may learn from; none in sparse ones.
    pub(crate) bounds: Option<Bounds>,
    /// The number that the last feature has in every sample, through which the model learns its intercept.
    pub(crate) constant: Option<u16>,
}

impl Layout {
    /// Returns the value of the constant as learners in floats see it.
    pub(crate) fn constant_value(&self) -> Option<f64> {
        self.constant.map(|number| f64::from(number) / self.scale)
    }
}

/// Encoded samples with their labels, in one run of bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    layout: Layout,
    bytes: Vec<u8>,
    /// Where each sample ends in `bytes`.
    ends: Vec<usize>,
    labels: Vec<u16>,
}

impl Samples {
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            bytes: Vec::new(),
            ends: Vec::new(),
            labels: Vec::new(),
        }
    }

    /// What they have in common.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// A sample and its label.
    ///
    /// # Panics
    /// Where `index` is not below the length.
    #[must_use]
    pub fn get(&self, index: usize) -> (&[u8], u16) {
        let range = self.start(index)..self.ends[index];
        (&self.bytes[range], self.labels[index])
    }

    /// The labels in order.
    pub(crate) fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The samples with their labels in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u16)> + Clone {
        (0..self.len()).map(|index| self.get(index))
    }

    /// A copy of the samples in `range`.
    ///
    /// # Panics
    /// Where `range` ends beyond the length.
    #[must_use]
    pub fn take(&self, range: Range<usize>) -> Self {
        let (first, last) = (self.start(range.start), self.start(range.end));
        Self {
            layout: self.layout,
            bytes: self.bytes[first..last].to_vec(),
            ends: self.ends[range.clone()]
                .iter()
                .map(|end| end - first)
                .collect(),
            labels: self.labels[range].to_vec(),
        }
    }

    pub(crate) fn push(&mut self, sample: &[u8], label: u16) {
        self.bytes.extend_from_slice(sample);
        self.ends.push(self.bytes.len());
        self.labels.push(label);
    }

    /// A sample as learners in floats see it.
    pub(crate) fn row(&self, index: usize) -> Row<'_> {
        let (sample, _) = self.get(index);
        let scale = self.layout.scale;
        match self.layout.encoding {
            Encoding::Sparse => Row::Present(sample),
            Encoding::Dense16 => Row::Values(
                numbers(sample)
                    .map(|bytes| f64::from(i16::from_be_bytes(bytes)) / scale)
                    .collect(),
            ),
            Encoding::Dense32 => Row::Values(
                numbers(sample)
                    .map(|bytes| f64::from(i32::from_be_bytes(bytes)) / scale)
                    .collect(),
            ),
        }
    }

    /// How many samples each class has.
    pub(crate) fn class_counts(&self) -> Array1<f64> {
        let mut counts = Array1::zeros(self.layout.classes);
        for &label in &self.labels {
            counts[usize::from(label)] += 1.0;
        }
        counts
    }

    /// Where a sample starts in `bytes`; the end of all for the sample after the last.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// A sample as learners in floats see it.
pub(crate) enum Row<'a> {
    /// The numbers of the features with value 1, as `u16` big-endian; the others are 0.
    Present(&'a [u8]),
    /// The value of each feature.
    Values(Array1<f64>),
}

impl Row<'_> {
    /// The numbers of the present features of a sparse sample; none of a dense one.
    pub(crate) fn present(&self) -> impl Iterator<Item = usize> {
        let sample = match self {
            Self::Present(sample) => sample,
            Self::Values(_) => &[][..],
        };
        numbers(sample).map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// The sum of `weights`, times the values of their features, in a fixed order.
    pub(crate) fn dot(&self, weights: &ArrayView1<'_, f64>) -> f64 {
        match self {
            Self::Present(_) => self.present().map(|feature| weights[feature]).sum(),
            Self::Values(values) => weights.dot(values),
        }
    }

    /// Adds `amount` times the values of the features to `sums`.
    pub(crate) fn add_to(&self, mut sums: ArrayViewMut1<'_, f64>, amount: f64) {
        match self {
            Self::Present(_) => self.present().for_each(|feature| sums[feature] += amount),
            Self::Values(values) => sums.scaled_add(amount, values),
        }
    }
}

fn numbers<const BYTES: usize>(sample: &[u8]) -> impl Iterator<Item = [u8; BYTES]> {
    sample.as_chunks().0.iter().copied()
}
