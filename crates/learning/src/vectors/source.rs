//! Word vectors in text form.

use std::collections::HashSet;
use std::io::{BufRead, Read};

use thiserror::Error;

use super::MAX_PIECES;
use super::file::is_piece;
use crate::data::in_bounds;
use crate::text::escaped;

/// Largest size of a line, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Largest number of numbers of a vector.
const MAX_WIDTH: usize = 4_096;

/// Vectors of words and word pieces, the most frequent first.
#[derive(Debug, Clone, PartialEq)]
pub struct WordVectors {
    /// Words, and word pieces with `##` before them.
    pub(super) pieces: Vec<String>,
    /// Vectors of `width` numbers, in the same order.
    pub(super) numbers: Vec<f32>,
    pub(super) width: usize,
    passed_over: usize,
}

/// Failure to read word vectors.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file cannot be read.
    #[error("cannot read the word vectors: line {line}")]
    Read {
        /// Number of the line, from 1.
        line: usize,
        /// Cause of the failure.
        source: std::io::Error,
    },
    /// A line is too long.
    #[error(
        "cannot read the word vectors: line {line} has more than {MAX_LINE_BYTES} bytes, expected a word and its numbers; is it a text file of word2vec or GloVe?"
    )]
    Long {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A line is not UTF-8.
    #[error(
        "cannot read the word vectors: line {line} is not UTF-8; convert the file, and write vectors as text, not in binary form"
    )]
    NotUtf8 {
        /// Number of the line, from 1.
        line: usize,
    },
    /// A line has no numbers, or too many.
    #[error(
        "cannot read the word vectors: line {line} has {found} numbers, expected 1 to {MAX_WIDTH} after a word"
    )]
    Width {
        /// Number of the line, from 1.
        line: usize,
        /// Number of fields after the word.
        found: usize,
    },
    /// A vector has another length than the first one.
    #[error(
        "cannot read the word vectors: line {line} has {found} numbers, expected {expected} as in the first vector"
    )]
    Uneven {
        /// Number of the line, from 1.
        line: usize,
        /// Number of its numbers.
        found: usize,
        /// Number of numbers of the first vector.
        expected: usize,
    },
    /// A number is none.
    #[error(
        "cannot read the word vectors: line {line} has `{}`, expected a finite number",
        escaped(field)
    )]
    Number {
        /// Number of the line, from 1.
        line: usize,
        /// Text of the number.
        field: String,
    },
    /// A number of pieces is out of its range.
    #[error("cannot keep {0} pieces, expected 1 to {MAX_PIECES}")]
    Pieces(usize),
    /// No word can be a piece.
    #[error(
        "cannot read the word vectors: none of {lines} lines begins with a word in lower case, or with `##` and the rest of one"
    )]
    Nothing {
        /// Number of lines with vectors.
        lines: usize,
    },
}

impl WordVectors {
    /// Reads the first `max` usable vectors of a text in the form of word2vec or `GloVe`: a line
    /// has a word and its numbers, with white space between. A first line with exactly two whole
    /// numbers is passed over; word2vec writes such a line. Lines stand in the order of falling
    /// frequency.
    ///
    /// Words that no text can contain after its conversion to lower case are passed over and
    /// counted, and so are repeated ones.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn read(mut lines: impl BufRead, max: usize) -> Result<Self, SourceError> {
        if !(1..=MAX_PIECES).contains(&max) {
            return Err(SourceError::Pieces(max));
        }
        let mut read = Self {
            pieces: Vec::new(),
            numbers: Vec::new(),
            width: 0,
            passed_over: 0,
        };
        let mut seen = HashSet::new();
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let limited = lines
                .by_ref()
                .take(MAX_LINE_BYTES + 1)
                .read_until(b'\n', &mut bytes);
            match limited {
                Err(source) => return Err(SourceError::Read { line, source }),
                Ok(0) => break,
                Ok(length) if length as u64 > MAX_LINE_BYTES => {
                    return Err(SourceError::Long { line });
                }
                Ok(_) => {}
            }
            let text = str::from_utf8(&bytes).map_err(|_| SourceError::NotUtf8 { line })?;
            let mut fields = text.split_ascii_whitespace();
            let Some(piece) = fields.next() else {
                continue;
            };
            if line == 1 && is_head(text) {
                continue;
            }
            let before = read.numbers.len();
            for field in fields {
                // A binary file may have a line of nothing but numbers.
                if read.numbers.len() - before == MAX_WIDTH {
                    return Err(SourceError::Width {
                        line,
                        found: text.split_ascii_whitespace().count() - 1,
                    });
                }
                let number = field.parse().ok().filter(|&it: &f32| in_bounds(it.into()));
                read.numbers.push(number.ok_or_else(|| SourceError::Number {
                    line,
                    field: field.to_owned(),
                })?);
            }
            let found = read.numbers.len() - before;
            if found == 0 {
                return Err(SourceError::Width { line, found });
            }
            if read.width == 0 {
                read.width = found;
            } else if read.width != found {
                return Err(SourceError::Uneven {
                    line,
                    found,
                    expected: read.width,
                });
            }
            if is_piece(piece) && seen.insert(piece.to_owned()) {
                read.pieces.push(piece.to_owned());
                if read.pieces.len() == max {
                    break;
                }
            } else {
                read.numbers.truncate(before);
                read.passed_over += 1;
            }
        }
        if read.pieces.is_empty() {
            return Err(SourceError::Nothing {
                lines: read.passed_over,
            });
        }
        Ok(read)
    }

    /// Returns the number of pieces.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Returns `true` if there are no pieces, which reading never returns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Returns the vectors in order.
    pub(super) fn vectors(&self) -> impl Iterator<Item = &[f32]> {
        self.numbers.chunks_exact(self.width)
    }

    /// Returns the number of numbers of each vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of vectors that were read and passed over, as no text can contain their
    /// words, or an earlier line has the same word.
    #[must_use]
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }
}

/// Returns `true` for word2vec's first line: the numbers of words and dimensions.
fn is_head(line: &str) -> bool {
    let mut fields = line.split_ascii_whitespace().map(str::parse::<u64>);
    matches!(
        (fields.next(), fields.next(), fields.next()),
        (Some(Ok(_)), Some(Ok(_)), None)
    )
}
