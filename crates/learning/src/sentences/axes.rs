//! Axes on which the vectors of a model's training texts vary most: principal components, each rounded
//! to a few bits so that a card can have them.

use thiserror::Error;

use crate::eigen::{eigen, scatter};

/// Largest size of a rounded number.
const LARGEST: i8 = 7;

/// Axes of a model: one a dimension, each of as many small numbers as a vector has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Axes(Vec<Vec<i8>>);

/// Reason why texts are no axes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum AxesError {
    /// There are no axes, or more than a vector has numbers.
    #[error("there are {axes} axes, expected 1 to {width}, as many as a vector has numbers")]
    Count { axes: usize, width: usize },
    /// An axis does not consist of as many digits as a vector has numbers.
    #[error(
        "axis {axis} has not {width} hexadecimal digits in lower case, one a number of a vector"
    )]
    Digits { axis: usize, width: usize },
    /// All numbers of an axis are 0.
    #[error("all numbers of axis {0} are 0, expected another one among them")]
    Zero(usize),
}

impl Axes {
    /// Computes the first axes of vectors of `width` numbers, by their covariance. Vectors are
    /// given twice, in the same order.
    pub(crate) fn learn<'a, I: Iterator<Item = &'a [f32]>>(
        vectors: impl Fn() -> I,
        width: usize,
        axes: usize,
    ) -> Self {
        let mut mean = vec![0.0; width];
        let mut count = 0.0;
        for vector in vectors() {
            count += 1.0;
            for (sum, &number) in mean.iter_mut().zip(vector) {
                *sum += f64::from(number);
            }
        }
        for sum in &mut mean {
            *sum /= count;
        }
        let vectors = eigen(scatter(vectors(), &mean)).vectors;
        Self(vectors.iter().take(axes).map(|it| rounded(it)).collect())
    }

    /// Reads axes as [`digits`](Self::digits) writes them, for vectors of `width` numbers.
    pub(crate) fn parse(texts: &[String], width: usize) -> Result<Self, AxesError> {
        let axes = texts.len();
        if !(1..=width).contains(&axes) {
            return Err(AxesError::Count { axes, width });
        }
        let parse = |(axis, text): (usize, &String)| {
            let numbers: Option<Vec<i8>> = text.bytes().map(number).collect();
            let numbers = numbers.filter(|numbers| numbers.len() == width);
            let numbers = numbers.ok_or(AxesError::Digits { axis, width })?;
            if numbers.iter().all(|number| *number == 0) {
                return Err(AxesError::Zero(axis));
            }
            Ok(numbers)
        };
        texts
            .iter()
            .enumerate()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Returns each axis as hexadecimal digits in lower case: one a number, which has 4 bits in two's
    /// complement.
    pub(crate) fn digits(&self) -> Vec<String> {
        let digit = |number: &i8| {
            let bits = number.cast_unsigned() & 0xf;
            char::from_digit(bits.into(), 16).unwrap_or_default()
        };
        self.0
            .iter()
            .map(|axis| axis.iter().map(digit).collect())
            .collect()
    }

    /// Returns the number of axes.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns the length of a vector's shadow on each axis. Sums are from the first number on.
    pub(crate) fn project(&self, vector: &[f32]) -> Vec<f64> {
        let project = |axis: &Vec<i8>| {
            let terms = axis.iter().zip(vector);
            let sum: f64 = terms
                .map(|(&of, &number)| f64::from(of) * f64::from(number))
                .sum();
            let square: i32 = axis.iter().map(|&of| i32::from(of) * i32::from(of)).sum();
            sum / f64::from(square).sqrt()
        };
        self.0.iter().map(project).collect()
    }
}

/// Rounds an axis so that its number of largest size becomes [`LARGEST`].
// The numbers are at most `LARGEST` in size.
#[allow(clippy::cast_possible_truncation)]
fn rounded(axis: &[f64]) -> Vec<i8> {
    let largest = axis
        .iter()
        .fold(0.0_f64, |largest, it| largest.max(it.abs()));
    let scale = f64::from(LARGEST) / largest;
    axis.iter().map(|it| (it * scale).round() as i8).collect()
}

/// Returns the number of a digit.
fn number(digit: u8) -> Option<i8> {
    let bits = match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => return None,
    };
    // The highest of 4 bits is the sign.
    Some((bits << 4).cast_signed() >> 4)
}
