use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};

use super::Raw;

/// Raw example, before encoding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Example<'a> {
    /// A text of any length.
    Text(&'a str),
    /// Numbers of a table's row, one for each column.
    Numbers(&'a [f64]),
    /// Entries of a libsvm line that are not 0.
    Indexed {
        /// Increasing indices from 0, each one less than in the file.
        indices: &'a [u32],
        /// Value at each index; `None` if all are 1.
        values: Option<&'a [f64]>,
    },
}

/// Examples with their classes.
#[derive(Clone, Debug)]
pub struct Part {
    inputs: Inputs,
    labels: Vec<u16>,
    path: PathBuf,
    /// Line of the file where each example starts, from 1.
    lines: Vec<u64>,
}

impl Part {
    /// Creates a part from the examples of a file and the class number of each.
    pub(super) fn new(raw: Raw, labels: Vec<u16>) -> Self {
        debug_assert_eq!(raw.inputs.len(), labels.len());
        Self {
            inputs: raw.inputs,
            labels,
            path: raw.path,
            lines: raw.lines,
        }
    }

    /// Returns the file of the examples.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the lines of the file where the examples start, from 1; files of a folder count as
    /// lines.
    #[must_use]
    pub fn lines(&self) -> &[u64] {
        &self.lines
    }

    fn example(&self, index: usize) -> Example<'_> {
        match &self.inputs {
            Inputs::Text(texts) => Example::Text(&texts[index]),
            Inputs::Numbers(rows) => {
                let width = rows.ncols();
                let numbers = rows.as_slice().unwrap_or_default();
                Example::Numbers(&numbers[index * width..(index + 1) * width])
            }
            Inputs::Indexed(rows) => rows.row(index),
        }
    }

    /// Returns the number of examples of libsvm data with a query, which was left out.
    #[must_use]
    pub fn queries(&self) -> usize {
        match &self.inputs {
            Inputs::Indexed(rows) => rows.queries.iter().filter(|it| **it).count(),
            Inputs::Text(_) | Inputs::Numbers(_) => 0,
        }
    }

    /// Returns the class number of each example.
    #[must_use]
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// Returns the examples in order.
    #[must_use]
    pub fn examples(&self) -> impl ExactSizeIterator<Item = Example<'_>> {
        (0..self.labels.len()).map(|index| self.example(index))
    }

    /// Returns the examples with only these columns of numbers, in this order.
    pub(super) fn arranged(&self, columns: &[usize]) -> Self {
        Self {
            inputs: self.inputs.arranged(columns),
            labels: self.labels.clone(),
            path: self.path.clone(),
            lines: self.lines.clone(),
        }
    }
}

/// Rows of a file, some of which become the examples of a part.
pub(super) trait Choose {
    /// Returns the inputs at the indices `rows`, in that order.
    fn chosen(&self, rows: &[usize]) -> Inputs;
}

impl<I: Choose> Raw<I> {
    /// Returns the examples at the indices `rows`, in that order. `labels` has the class number of
    /// each example of the file.
    pub(super) fn part(&self, labels: &[u16], rows: &[usize]) -> Part {
        Part {
            inputs: self.inputs.chosen(rows),
            labels: rows.iter().map(|&row| labels[row]).collect(),
            path: self.path.clone(),
            lines: rows.iter().map(|&row| self.lines[row]).collect(),
        }
    }
}

/// Inputs of examples, by their sort.
#[derive(Clone, Debug)]
pub(super) enum Inputs {
    Text(Vec<String>),
    /// Examples × columns, in standard (row-major) layout.
    Numbers(Array2<f64>),
    Indexed(SparseRows),
}

impl Inputs {
    fn len(&self) -> usize {
        match self {
            Self::Text(texts) => texts.len(),
            Self::Numbers(rows) => rows.nrows(),
            Self::Indexed(rows) => rows.ends.len(),
        }
    }

    /// Returns the inputs with only these columns of numbers, in this order.
    pub(super) fn arranged(&self, columns: &[usize]) -> Self {
        match self {
            Self::Numbers(rows) => {
                let shape = (rows.nrows(), columns.len());
                // It makes the standard layout, which a selection of columns would not have.
                let arranged =
                    Array2::from_shape_fn(shape, |(row, column)| rows[[row, columns[column]]]);
                Self::Numbers(arranged)
            }
            other => other.clone(),
        }
    }
}

impl Choose for Inputs {
    fn chosen(&self, rows: &[usize]) -> Inputs {
        match self {
            Self::Text(texts) => Self::Text(rows.iter().map(|&row| texts[row].clone()).collect()),
            Self::Numbers(all) => Self::Numbers(all.select(Axis(0), rows)),
            Self::Indexed(all) => {
                let mut selected = SparseRows::default();
                for &row in rows {
                    if let Example::Indexed { indices, values } = all.row(row) {
                        for (at, &index) in indices.iter().enumerate() {
                            selected.push(index, values.map_or(1.0, |values| values[at]));
                        }
                    }
                    selected.end_row(all.queries[row]);
                }
                Self::Indexed(selected)
            }
        }
    }
}

/// Rows of entries that are not 0.
#[derive(Clone, Debug, Default)]
pub(super) struct SparseRows {
    indices: Vec<u32>,
    /// Values parallel to `indices`; `None` as long as all are 1, which saves memory for most data.
    values: Option<Vec<f64>>,
    /// End of each row, as an offset in `indices`.
    ends: Vec<usize>,
    /// `true` for each row with a query, which is left out.
    queries: Vec<bool>,
}

impl SparseRows {
    /// Adds an entry to the unfinished row. It drops an entry of 0.
    // A value that the data writes as 1 is exactly 1.
    #[allow(clippy::float_cmp)]
    pub(super) fn push(&mut self, index: u32, value: f64) {
        if value == 0.0 {
            return;
        }
        if value != 1.0 && self.values.is_none() {
            self.values = Some(vec![1.0; self.indices.len()]);
        }
        self.indices.push(index);
        if let Some(values) = &mut self.values {
            values.push(value);
        }
    }

    /// Lets indices that count from 1 count from 0. None of them may be 0.
    pub(super) fn count_from_zero(&mut self) {
        for index in &mut self.indices {
            *index -= 1;
        }
    }

    /// Ends the unfinished row. `has_query` says that it has a query.
    pub(super) fn end_row(&mut self, has_query: bool) {
        self.ends.push(self.indices.len());
        self.queries.push(has_query);
    }

    fn row(&self, index: usize) -> Example<'_> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let range = start..self.ends[index];
        Example::Indexed {
            indices: &self.indices[range.clone()],
            values: self.values.as_ref().map(|values| &values[range]),
        }
    }
}
