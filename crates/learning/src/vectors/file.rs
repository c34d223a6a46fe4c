//! Form of a table as bytes (`docs/spec.md`).

use thiserror::Error;

use super::codes::CODES;
use super::{MAX_CODE_WIDTH, MAX_DIMENSIONS, MAX_NOTICE_BYTES, MAX_PIECE_BYTES, MAX_PIECES, words};
use crate::text::escaped;

/// First bytes of every table; the last one is the version.
const MAGIC: &[u8; 8] = b"cotvec\x00\x01";

/// Bytes of dimensions, width of a code, number of pieces and length of the notice.
const HEAD_BYTES: usize = 11;

/// Contents of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) dimensions: usize,
    /// Number of neighboring dimensions that one byte of a row stands for; it divides `dimensions`.
    pub(super) width: usize,
    pub(super) notice: String,
    /// Distinct pieces, in the order of their bytes.
    pub(super) pieces: Vec<String>,
    /// One codebook for every `width` dimensions: 256 times `width` numbers.
    pub(super) books: Vec<i8>,
    /// One row a piece: a code for every `width` dimensions.
    pub(super) codes: Vec<u8>,
}

/// Reason why bytes are no table of word vectors.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file has another sort of contents, or a newer version.
    #[error(
        "cannot read the table: it begins with {found}, expected {}; make one with `cotrain encoder make`",
        hexadecimal(MAGIC)
    )]
    Magic {
        /// First bytes of the file, as hexadecimal digits.
        found: String,
    },
    /// The file ends within its contents.
    #[error("cannot read the table: it ends at byte {length}, within its {part}; fetch it again")]
    Short {
        /// Length of the file, in bytes.
        length: usize,
        /// Name of the part.
        part: &'static str,
    },
    /// Bytes follow the last row.
    #[error(
        "cannot read the table: {count} bytes follow the last row, expected none; fetch it again"
    )]
    Long {
        /// Number of these bytes.
        count: usize,
    },
    /// A number of the head is out of its range.
    #[error("cannot read the table: its {name} is {value}, expected {min} to {max}")]
    Count {
        /// Name of the number.
        name: &'static str,
        /// Value in the file.
        value: usize,
        /// Smallest value.
        min: usize,
        /// Largest value.
        max: usize,
    },
    /// Codes do not fill the dimensions.
    #[error(
        "cannot read the table: a code stands for {width} of {dimensions} dimensions, expected a width that divides them"
    )]
    Width {
        /// Number of dimensions.
        dimensions: usize,
        /// Number of dimensions of a code.
        width: usize,
    },
    /// A text is not UTF-8.
    #[error("cannot read the table: its {part} is not UTF-8, from byte {at} of the file")]
    NotUtf8 {
        /// Name of the text.
        part: &'static str,
        /// Place in the file, in bytes.
        at: usize,
    },
    /// A piece cannot occur in a text.
    #[error(
        "cannot read the table: piece {number} is `{}`, expected one word of 1 to {MAX_PIECE_BYTES} bytes in lower case and without marks, or `##` and the rest of such a word",
        escaped(piece)
    )]
    Piece {
        /// Number of the piece, from 0.
        number: usize,
        /// Text of the piece.
        piece: String,
    },
    /// The pieces are not in order, or one is there twice.
    #[error(
        "cannot read the table: piece {number} is `{}`, expected pieces in the order of their bytes, each once",
        escaped(piece)
    )]
    Order {
        /// Number of the piece, from 0.
        number: usize,
        /// Text of the piece.
        piece: String,
    },
}

fn hexadecimal(bytes: &[u8]) -> String {
    alloy_primitives::hex::encode_prefixed(bytes)
}

impl Contents {
    /// Returns the bytes of the table.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(number::<2>(self.dimensions));
        bytes.extend(number::<1>(self.width));
        bytes.extend(number::<4>(self.pieces.len()));
        bytes.extend(number::<4>(self.notice.len()));
        bytes.extend(self.notice.as_bytes());
        for piece in &self.pieces {
            bytes.extend(number::<1>(piece.len()));
            bytes.extend(piece.as_bytes());
        }
        bytes.extend(self.books.iter().map(|number| number.cast_unsigned()));
        bytes.extend(&self.codes);
        bytes
    }

    /// Returns the rows: `dimensions` numbers a piece.
    pub(super) fn rows(&self) -> Vec<i8> {
        let blocks = self.dimensions / self.width;
        let mut rows = Vec::with_capacity(self.pieces.len() * self.dimensions);
        for codes in self.codes.chunks_exact(blocks) {
            for (&code, book) in codes
                .iter()
                .zip(self.books.chunks_exact(CODES * self.width))
            {
                rows.extend(&book[usize::from(code) * self.width..][..self.width]);
            }
        }
        rows
    }

    /// Reads and checks the bytes of a table.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let mut reader = Reader { bytes, at: 0 };
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if magic != MAGIC {
            return Err(TableError::Magic {
                found: hexadecimal(magic),
            });
        }
        reader.at = MAGIC.len();
        let head = reader.take(HEAD_BYTES, "head")?;
        let dimensions = within("number of dimensions", &head[..2], 1, MAX_DIMENSIONS)?;
        let width = within("width of a code", &head[2..3], 1, MAX_CODE_WIDTH)?;
        if dimensions % width != 0 {
            return Err(TableError::Width { dimensions, width });
        }
        let count = within("number of pieces", &head[3..7], 1, MAX_PIECES)?;
        let length = within("length of the notice", &head[7..], 0, MAX_NOTICE_BYTES)?;
        let notice = reader.text(length, "notice")?.to_owned();
        // A piece has two bytes at least, so the file's size bounds the list.
        let mut pieces: Vec<String> = Vec::with_capacity(count.min(bytes.len() / 2));
        for number in 0..count {
            let length = usize::from(reader.take(1, "pieces")?[0]);
            let piece = reader.text(length, "pieces")?;
            if !is_piece(piece) {
                return Err(TableError::Piece {
                    number,
                    piece: piece.to_owned(),
                });
            }
            if pieces.last().is_some_and(|last| last.as_str() >= piece) {
                return Err(TableError::Order {
                    number,
                    piece: piece.to_owned(),
                });
            }
            pieces.push(piece.to_owned());
        }
        let books = reader.take(CODES * dimensions, "codebooks")?;
        let books = books.iter().map(|byte| byte.cast_signed()).collect();
        let codes = reader.take(count * (dimensions / width), "rows")?.to_vec();
        match bytes.len() - reader.at {
            0 => Ok(Self {
                dimensions,
                width,
                notice,
                pieces,
                books,
                codes,
            }),
            count => Err(TableError::Long { count }),
        }
    }
}

/// Returns `true` if a piece can occur in a text: a word, or `##` and the rest of a word.
pub(super) fn is_piece(piece: &str) -> bool {
    if !(1..=MAX_PIECE_BYTES).contains(&piece.len()) {
        return false;
    }
    let (word, continues) = match piece.strip_prefix("##") {
        Some(rest) => (rest, true),
        None => (piece, false),
    };
    let plain = words::plain(word);
    let mut read = words::words(&plain);
    let single = read.next() == Some(word) && read.next().is_none();
    // Only words of letters and digits have more than one character.
    single && (!continues || word.starts_with(words::joins))
}

/// Returns the last bytes of a number, the highest first.
fn number<const BYTES: usize>(number: usize) -> [u8; BYTES] {
    let all = (number as u64).to_be_bytes();
    std::array::from_fn(|at| all[all.len() - BYTES + at])
}

fn within(name: &'static str, bytes: &[u8], min: usize, max: usize) -> Result<usize, TableError> {
    let value = bytes
        .iter()
        .fold(0, |value, &byte| value << 8 | usize::from(byte));
    if (min..=max).contains(&value) {
        Ok(value)
    } else {
        Err(TableError::Count {
            name,
            value,
            min,
            max,
        })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize, part: &'static str) -> Result<&'a [u8], TableError> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or(TableError::Short {
            length: self.bytes.len(),
            part,
        })?;
        self.at += count;
        Ok(taken)
    }

    fn text(&mut self, count: usize, part: &'static str) -> Result<&'a str, TableError> {
        let at = self.at;
        str::from_utf8(self.take(count, part)?).map_err(|error| TableError::NotUtf8 {
            part,
            at: at + error.valid_up_to(),
        })
    }
}
