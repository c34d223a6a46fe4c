use std::ops::Range;

use cotrain_protocol::{classifier::Bounds, sample::Encoding};
use ndarray::{Array1, ArrayView1, ArrayViewMut1};

/// Properties common to all samples of a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Layout {
    /// Encoding of features as bytes.
    pub(crate) encoding: Encoding,
    /// Number of features.
    pub(crate) features: usize,
    /// Number of classes.
    pub(crate) classes: usize,
    /// Number that stands for 1 in a sample. It is 1 in sparse samples. In dense ones a standard
    /// deviation of a feature is 4,096 (16 bits) or 65,536 (32 bits).
    pub(crate) scale: f64,
    /// Bounds of the samples that the model learns from; `None` for sparse ones.
    pub(crate) bounds: Option<Bounds>,
    /// Value of the last feature in every sample, through which the model learns its intercept;
    /// `None` if there is no such feature.
    pub(crate) constant: Option<u16>,
}

impl Layout {
    /// Returns the constant's value for learners in floats.
    pub(crate) fn constant_value(&self) -> Option<f64> {
        self.constant.map(|number| f64::from(number) / self.scale)
    }
}

/// Encoded samples with their labels, in one sequence of bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    layout: Layout,
    bytes: Vec<u8>,
    /// Offset of each sample's end in `bytes`.
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

    /// Creates a list with memory for so many samples, which have one length if they are dense.
    pub(super) fn with_capacity(layout: Layout, samples: usize) -> Self {
        let number = match layout.encoding {
            Encoding::Sparse => 0,
            Encoding::Dense16 => 2,
            Encoding::Dense32 => 4,
        };
        Self {
            layout,
            bytes: Vec::with_capacity(samples * layout.features * number),
            ends: Vec::with_capacity(samples),
            labels: Vec::with_capacity(samples),
        }
    }

    /// Returns the properties common to all samples.
    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Replaces the properties common to all samples, of which only bounds may differ.
    pub(crate) fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
    }

    /// Returns the number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns `true` if there are no samples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns a sample and its label.
    ///
    /// # Panics
    /// Panics if `index` is not below the length.
    #[must_use]
    pub fn get(&self, index: usize) -> (&[u8], u16) {
        let range = self.start(index)..self.ends[index];
        (&self.bytes[range], self.labels[index])
    }

    /// Returns the labels, in order.
    pub(crate) fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Returns the samples with their labels, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u16)> + Clone {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Returns a copy of the samples in `range`.
    ///
    /// # Panics
    /// Panics if `range` ends beyond the length.
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

    /// Returns a sample for learners in floats.
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

    /// Returns the number of samples in each class.
    pub(crate) fn class_counts(&self) -> Array1<f64> {
        let mut counts = Array1::zeros(self.layout.classes);
        for &label in &self.labels {
            counts[usize::from(label)] += 1.0;
        }
        counts
    }

    /// Returns the offset of a sample's start in `bytes`; the end of all bytes for the index after
    /// the last.
    fn start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}

/// Sample for learners in floats.
pub(crate) enum Row<'a> {
    /// Numbers of the features with value 1, as `u16` big-endian; the others are 0.
    Present(&'a [u8]),
    /// Value of each feature.
    Values(Array1<f64>),
}

impl Row<'_> {
    /// Returns the numbers of the present features of a sparse sample; none for a dense one.
    pub(crate) fn present(&self) -> impl Iterator<Item = usize> {
        let sample = match self {
            Self::Present(sample) => sample,
            Self::Values(_) => &[][..],
        };
        numbers(sample).map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// Returns the sum of `weights` times their features' values, added in a fixed order.
    pub(crate) fn dot(&self, weights: &ArrayView1<'_, f64>) -> f64 {
        match self {
            Self::Present(_) => self.present().map(|feature| weights[feature]).sum(),
            Self::Values(values) => weights.dot(values),
        }
    }

    /// Adds `amount` times the features' values to `sums`.
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
