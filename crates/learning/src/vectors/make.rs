//! Making of a table from word vectors.

use std::ops::Range;

use thiserror::Error;

use super::codes::{Coded, coded};
use super::file::Contents;
use super::{MAX_CODE_WIDTH, MAX_DIMENSIONS, MAX_NOTICE_BYTES, Table, WordVectors};
use crate::eigen::{Eigen, difference, eigen, scatter};

/// Choices of how a table is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Making {
    /// Number of dimensions of the table.
    pub dimensions: usize,
    /// Number of dimensions that share a byte in the table: 1 for the most exact and largest table.
    /// It divides the number of dimensions.
    pub width: usize,
    /// Rank whose piece has half of the largest weight. Rank `r`, from 1 for the most frequent
    /// piece, has the weight `r / (r + half)`, so that frequent words count little. 0 weights all
    /// pieces equally.
    pub half: f64,
    /// Source of the vectors, their license, and what was changed.
    pub notice: String,
}

/// Reason why a table cannot be made.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The number of dimensions is out of its range.
    #[error(
        "cannot make a table of {asked} dimensions, expected 1 to {max}: the vectors have {width} numbers, and there are {pieces} of them"
    )]
    Dimensions {
        /// Number of dimensions that were asked for.
        asked: usize,
        /// Largest number of dimensions.
        max: usize,
        /// Number of numbers of each vector.
        width: usize,
        /// Number of vectors.
        pieces: usize,
    },
    /// The width of a code is out of its range.
    #[error(
        "cannot put {width} of {dimensions} dimensions into a byte, expected 1 to {MAX_CODE_WIDTH} and a divisor"
    )]
    Width {
        /// Number of dimensions.
        dimensions: usize,
        /// Number of dimensions that share a byte.
        width: usize,
    },
    /// The rank of half the weight is out of its range.
    #[error("cannot weight pieces with {0} as the rank of half the weight, expected 0 to 1e9")]
    Half(f64),
    /// The notice is too long.
    #[error("the notice has {0} bytes, expected at most {MAX_NOTICE_BYTES}")]
    Notice(usize),
    /// All vectors are equal, so that no direction tells pieces apart.
    #[error("cannot make a table: all vectors are equal; is it the right file?")]
    Equal,
}

impl Table {
    /// Makes a table from word vectors.
    ///
    /// 1. The mean of all vectors is subtracted from each.
    /// 2. The vectors are projected on the directions in which they vary most (principal component
    ///    analysis).
    /// 3. Each vector is multiplied by the weight of its rank.
    /// 4. For every [`width`](Making::width) neighboring dimensions, the vectors are replaced by
    ///    the nearest of 256 ones (Lloyd's algorithm).
    /// 5. All numbers are multiplied by one factor, so that the largest is 127, and rounded.
    ///
    /// It also returns the share of the vectors' variance that the dimensions keep, before weights
    /// and rounding. The same input makes the same bytes on every machine.
    ///
    /// # Errors
    /// [`MakeError`].
    pub fn make(source: &WordVectors, making: &Making) -> Result<(Self, f64), MakeError> {
        let (width, dimensions) = (source.width(), making.dimensions);
        let max = MAX_DIMENSIONS.min(width).min(source.len());
        if !(1..=max).contains(&dimensions) {
            return Err(MakeError::Dimensions {
                asked: dimensions,
                max,
                width,
                pieces: source.len(),
            });
        }
        let code = making.width;
        if !(1..=MAX_CODE_WIDTH).contains(&code) || dimensions % code != 0 {
            return Err(MakeError::Width {
                dimensions,
                width: code,
            });
        }
        if !(0.0..=1e9).contains(&making.half) {
            return Err(MakeError::Half(making.half));
        }
        if making.notice.len() > MAX_NOTICE_BYTES {
            return Err(MakeError::Notice(making.notice.len()));
        }
        let mean = mean(source);
        let eigen = eigen(scatter(source.vectors(), &mean));
        let total: f64 = eigen.values.iter().sum();
        if total == 0.0 {
            return Err(MakeError::Equal);
        }
        let kept = eigen.values[..dimensions].iter().sum::<f64>() / total;
        let coded: Vec<Coded> = (0..dimensions)
            .step_by(code)
            .map(|from| {
                let vectors = weighted(source, making.half, &mean, &eigen, from..from + code);
                coded(&vectors, code)
            })
            .collect();
        let numbers = coded.iter().flat_map(|it| &it.book);
        let largest = numbers
            .clone()
            .fold(0.0_f64, |largest, number| largest.max(number.abs()));
        let mut order: Vec<usize> = (0..source.len()).collect();
        order.sort_by_key(|&at| &source.pieces[at]);
        let contents = Contents {
            dimensions,
            width: code,
            notice: making.notice.clone(),
            pieces: order.iter().map(|&at| source.pieces[at].clone()).collect(),
            books: numbers
                .map(|number| round(number / largest * 127.0))
                .collect(),
            codes: order
                .iter()
                .flat_map(|&at| coded.iter().map(move |it| it.codes[at]))
                .collect(),
        };
        Ok((Self::new(contents), kept))
    }
}

/// Returns the numbers of all vectors along some of the axes, times the weights of their ranks.
fn weighted(
    source: &WordVectors,
    half: f64,
    mean: &[f64],
    eigen: &Eigen,
    axes: Range<usize>,
) -> Vec<f64> {
    let mut numbers = Vec::with_capacity(source.len() * axes.len());
    let mut rank = 0.0;
    for vector in source.vectors() {
        rank += 1.0;
        let weight = rank / (rank + half);
        let from_mean = difference(vector, mean);
        let axes = &eigen.vectors[axes.clone()];
        numbers.extend(axes.iter().map(|axis| weight * product(axis, &from_mean)));
    }
    numbers
}

/// Returns the mean of all vectors.
fn mean(source: &WordVectors) -> Vec<f64> {
    let mut mean = vec![0.0; source.width()];
    let mut count = 0.0;
    for vector in source.vectors() {
        for (sum, &number) in mean.iter_mut().zip(vector) {
            *sum += f64::from(number);
        }
        count += 1.0;
    }
    for sum in &mut mean {
        *sum /= count;
    }
    mean
}

/// Returns the sum of the products, from the first to the last.
fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// Rounds a number of at most 127 either way.
#[allow(clippy::cast_possible_truncation)]
fn round(number: f64) -> i8 {
    number.round() as i8
}
