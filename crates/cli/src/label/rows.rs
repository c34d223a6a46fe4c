//! Rows of numbers, made of data of any sort.

use std::num::NonZeroUsize;

use anyhow::anyhow;
use cotrain_active::learner::MAX_NUMBERS;
use cotrain_learning::{
    data::{Dataset, Example, Source, TEST_SHARE, load},
    text::escaped,
    vectors::embedded,
};
use cotrain_results::format::left_out_queries;
use ndarray::{Array2, ArrayView1, Axis};

use crate::{error::CommandError, output::Narrator};

/// Minimum number of columns that vary and have one unit.
const ONE_UNIT: usize = 16;

/// Share of the largest number that a column of the same unit reaches.
const NEAR: f64 = 0.9;

/// Rows with their labels, in the order of their file.
#[derive(Debug)]
pub(super) struct Examples {
    pub(super) rows: Array2<f64>,
    pub(super) labels: Vec<usize>,
    pub(super) classes: Vec<String>,
    /// Number of examples of libsvm data with a query, which is left out.
    queries: usize,
    /// Columns that seem to number the rows.
    row_numbers: Vec<String>,
}

impl Examples {
    /// Reads all examples of a source, or as many as the limit allows, drawn at random.
    ///
    /// Levels of grey are divided by the highest one, and so are the numbers of a table whose columns
    /// have one unit. Other columns, and the numbers that word vectors give a text, get the mean 0 and
    /// the standard deviation 1. Values of libsvm data are divided by the largest size at their index,
    /// so that those that are 0 stay so.
    pub(super) fn read(
        source: &Source,
        name: &str,
        limit: Option<NonZeroUsize>,
    ) -> Result<Self, CommandError> {
        // All examples are used, whichever part they are in. The seed draws those of a limit.
        let dataset = load(source, TEST_SHARE, 0).map_err(CommandError::mistake)?;
        let mut drawn: Vec<(u64, usize, Example<'_>)> = Vec::new();
        for part in [&dataset.train, &dataset.test] {
            let labels = part.labels().iter().map(|&label| usize::from(label));
            let examples = part.lines().iter().zip(labels).zip(part.examples());
            drawn.extend(examples.map(|((&line, label), example)| (line, label, example)));
        }
        drawn.truncate(limit.map_or(usize::MAX, NonZeroUsize::get));
        drawn.sort_by_key(|&(line, ..)| line);
        let labels: Vec<usize> = drawn.iter().map(|&(_, label, _)| label).collect();
        if labels.iter().all(|&label| label == labels[0]) {
            return Err(CommandError::Mistake(anyhow!(
                "cannot count labels: the {} drawn examples of `{}` have one class; expected two \
                 or more, so give a larger --limit",
                labels.len(),
                escaped(name)
            )));
        }
        let width = drawn.iter().map(|(.., example)| width(*example)).max();
        let width = width.unwrap_or(0);
        if drawn.len().saturating_mul(width) > MAX_NUMBERS {
            return Err(CommandError::Mistake(anyhow!(
                "cannot count labels: `{}` has {} rows of {width} numbers; expected at most \
                 {MAX_NUMBERS} numbers, so give --limit {} or less",
                escaped(name),
                drawn.len(),
                MAX_NUMBERS / width
            )));
        }
        let mut rows = Array2::zeros((drawn.len(), width));
        for (mut row, (.., example)) in rows.rows_mut().into_iter().zip(&drawn) {
            if let Some(row) = row.as_slice_mut() {
                fill(row, *example);
            }
        }
        scale(&mut rows, &dataset);
        let queries = dataset.train.queries() + dataset.test.queries();
        let row_numbers = dataset.row_numbers();
        Ok(Self {
            rows,
            labels,
            classes: dataset.classes,
            queries,
            row_numbers,
        })
    }

    /// Tells what a user should know of the data.
    pub(super) fn tell(&self, narrator: &Narrator) {
        if let Some(told) = left_out_queries(self.queries) {
            narrator.say(told);
        }
        for column in &self.row_numbers {
            narrator.say(format_args!(
                "the column `{}` seems to number the rows; leave it out with --drop",
                escaped(column)
            ));
        }
    }
}

/// Returns the number of numbers that an example needs.
fn width(example: Example<'_>) -> usize {
    match example {
        Example::Text(_) => embedded().dimensions(),
        Example::Numbers(numbers) => numbers.len(),
        // Indices count from 0 and increase.
        Example::Indexed { indices, .. } => indices.last().map_or(0, |&last| last as usize + 1),
    }
}

/// Writes the numbers of an example to a row of zeros.
fn fill(row: &mut [f64], example: Example<'_>) {
    match example {
        Example::Text(text) => {
            let vector = embedded().encode(text);
            for (number, &of_text) in row.iter_mut().zip(&vector.numbers) {
                *number = f64::from(of_text);
            }
        }
        Example::Numbers(numbers) => row.copy_from_slice(numbers),
        Example::Indexed { indices, values } => {
            for (at, &index) in indices.iter().enumerate() {
                row[index as usize] = values.map_or(1.0, |values| values[at]);
            }
        }
    }
}

/// Brings the numbers of all columns to similar sizes.
fn scale(rows: &mut Array2<f64>, dataset: &Dataset) {
    if let Some(form) = dataset.pictures {
        let highest = f64::from(form.levels() - 1);
        rows.mapv_inplace(|level| level / highest);
        return;
    }
    let is_indexed = matches!(
        dataset.train.examples().next(),
        Some(Example::Indexed { .. })
    );
    match of_one_unit(rows).filter(|_| !is_indexed) {
        Some(largest) => rows.mapv_inplace(|it| it / largest),
        None => drop(standardized(rows, is_indexed)),
    }
}

/// Returns the largest number if the columns seem to have one unit, such as pixels of pictures.
///
/// Then 16 columns or more vary, no number is negative, and three of four of these columns reach nine
/// tenths of the largest number. With a standard deviation of 1 each, a pixel that is rarely dark
/// would outweigh all others in distances.
fn of_one_unit(rows: &Array2<f64>) -> Option<f64> {
    if rows.iter().any(|&it| it < 0.0) {
        return None;
    }
    let highest = |column: ArrayView1<'_, f64>| column.iter().copied().fold(0.0, f64::max);
    let varies =
        |column: &ArrayView1<'_, f64>| column.iter().any(|it| it.total_cmp(&column[0]).is_ne());
    let columns = rows.axis_iter(Axis(1)).filter(varies);
    let highest: Vec<f64> = columns.map(highest).collect();
    let largest = highest.iter().copied().fold(0.0, f64::max);
    let near = highest.iter().filter(|&&it| it >= NEAR * largest).count();
    (highest.len() >= ONE_UNIT && 4 * near >= 3 * highest.len()).then_some(largest)
}

/// Brings the numbers of all columns to the mean 0 and the standard deviation 1, or with `is_indexed`
/// to the largest size 1. Returns what was subtracted from each column, and then divided by.
pub(super) fn standardized(rows: &mut Array2<f64>, is_indexed: bool) -> Vec<(f64, f64)> {
    let mut scales = Vec::with_capacity(rows.ncols());
    for mut column in rows.axis_iter_mut(Axis(1)) {
        let (mean, size) = if is_indexed {
            let size = column.iter().fold(0.0_f64, |size, it| size.max(it.abs()));
            (0.0, size)
        } else {
            let count = column.len().max(1);
            // A file has far fewer rows than 2^52.
            #[allow(clippy::cast_precision_loss)]
            let count = count as f64;
            let mean = column.iter().sum::<f64>() / count;
            let squares = column.iter().map(|it| (it - mean) * (it - mean));
            (mean, (squares.sum::<f64>() / count).sqrt())
        };
        // A column of equal numbers says nothing, and keeps its size.
        let size = if size > 0.0 { size } else { 1.0 };
        column.mapv_inplace(|it| (it - mean) / size);
        scales.push((mean, size));
    }
    scales
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_unit_needs_many_columns_that_reach_the_same_numbers() {
        // Each column reaches 200 to 215, but for one that is always 0.
        let pixels = Array2::from_shape_fn((40, 17), |(row, at)| match (row, at) {
            (_, 16) => 0.0,
            (0, _) => 200.0 + f64::from(u8::try_from(at).expect("small")),
            _ => f64::from(u8::try_from(row * at % 90).expect("small")),
        });
        assert_eq!(of_one_unit(&pixels), Some(215.0));
        let mut other = pixels.clone();
        other[(3, 2)] = -1.0;
        assert_eq!(of_one_unit(&other), None);
        // Another unit in one column, and too few columns.
        let mut other = pixels.clone();
        other[(3, 2)] = 1_000.0;
        assert_eq!(of_one_unit(&other), None);
        let few = pixels.slice_axis(Axis(1), (2..).into()).to_owned();
        assert_eq!(of_one_unit(&few), None);
    }
}
