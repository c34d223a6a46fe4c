//! Tables of word vectors, which turn a text into a few numbers, by integers alone.
//!
//! A model that learns from these numbers needs fewer examples than one that learns from words: it
//! knows what a word is near to before its first example. [`Table::encode`] states the rule, and
//! `docs/spec.md` the bytes of a table and test vectors. [`make`](Table::make) makes a table from
//! word vectors in text form, such as those of word2vec, `GloVe` or a sentence encoder.

mod codes;
mod embedded;
mod file;
mod make;
mod named;
mod open;
mod source;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use alloy_primitives::hex;
use sha2::{Digest, Sha256};

use crate::digest;

pub use embedded::embedded;
pub use file::TableError;
pub use make::{MakeError, Making};
pub use named::NamedTableError;
pub use open::OpenError;
pub use source::{SourceError, WordVectors};

use file::Contents;

/// Largest number of dimensions of a table.
pub const MAX_DIMENSIONS: usize = 1_024;

/// Largest number of dimensions that share a byte.
pub const MAX_CODE_WIDTH: usize = 16;

/// Largest number of pieces of a table.
pub const MAX_PIECES: usize = 1 << 20;

/// Largest size of a piece, in bytes.
pub const MAX_PIECE_BYTES: usize = 64;

/// Largest size of a table's notice, in bytes.
pub const MAX_NOTICE_BYTES: usize = 1 << 14;

/// Largest size of a table's file, in bytes.
pub const MAX_TABLE_BYTES: u64 = 256 << 20;

/// Length of a vector of a text, before each of its numbers is rounded toward zero.
pub const LENGTH: i16 = i16::MAX;

/// Table of word vectors.
///
/// It is cheap to clone: clones share the contents.
#[derive(Clone)]
pub struct Table(Arc<Inner>);

struct Inner {
    digest: [u8; 32],
    contents: Contents,
    /// Rows of the pieces: one number a dimension.
    rows: Vec<i8>,
    /// Numbers of the pieces that begin a word.
    first: HashMap<Box<str>, u32>,
    /// Numbers of the pieces that go on with a word, without their `##`.
    rest: HashMap<Box<str>, u32>,
    /// Size of the largest piece, in bytes, without its `##`.
    longest: usize,
}

/// Identity of a table: nothing else has the same SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TableId {
    /// SHA-256 of the table's file.
    pub sha256: [u8; 32],
    /// Number of dimensions.
    pub dimensions: usize,
}

impl TableId {
    /// Reads the SHA-256 from 64 hexadecimal digits in lower case; `None` for anything else.
    #[must_use]
    pub fn parse(sha256: &str, dimensions: usize) -> Option<Self> {
        digest(sha256).map(|sha256| Self { sha256, dimensions })
    }

    /// Returns the SHA-256 as 64 hexadecimal digits in lower case.
    #[must_use]
    pub fn hexadecimal(&self) -> String {
        hex::encode(self.sha256)
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dimensions = self.dimensions;
        write!(
            formatter,
            "SHA-256 {} and {dimensions} dimensions",
            self.hexadecimal()
        )
    }
}

/// Vector of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextVector {
    /// One number a dimension. Its length as a vector is at most [`LENGTH`]; all numbers are 0 if
    /// `known` is 0.
    pub numbers: Vec<i16>,
    /// Number of words, with repetitions, that the table knows, without punctuation.
    pub known: usize,
    /// Number of words, with repetitions, that the table does not know, without punctuation. They
    /// are left out.
    pub unknown: usize,
}

/// Piece near to another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Near {
    /// Text of the piece.
    pub piece: String,
    /// Cosine of the angle between the rows, from -1 to 1.
    pub cosine: f64,
}

impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Table")
            .field("sha256", &self.id().hexadecimal())
            .field("dimensions", &self.dimensions())
            .field("pieces", &self.pieces())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Table {
    /// Reads a table from the bytes of its file.
    ///
    /// # Errors
    /// [`TableError`] if the bytes are not exactly what the form says.
    pub fn read(bytes: &[u8]) -> Result<Self, TableError> {
        let contents = Contents::parse(bytes)?;
        Ok(Self::with_digest(contents, Sha256::digest(bytes).into()))
    }

    /// Returns the table with these contents.
    fn new(contents: Contents) -> Self {
        let digest = Sha256::digest(contents.to_bytes()).into();
        Self::with_digest(contents, digest)
    }

    fn with_digest(contents: Contents, digest: [u8; 32]) -> Self {
        let mut first: HashMap<Box<str>, u32> = HashMap::new();
        let mut rest: HashMap<Box<str>, u32> = HashMap::new();
        for (piece, number) in contents.pieces.iter().zip(0..) {
            match piece.strip_prefix("##") {
                Some(piece) => rest.insert(piece.into(), number),
                None => first.insert(piece.as_str().into(), number),
            };
        }
        let sizes = first.keys().chain(rest.keys()).map(|piece| str::len(piece));
        Self(Arc::new(Inner {
            digest,
            rows: contents.rows(),
            longest: sizes.max().unwrap_or(0),
            first,
            rest,
            contents,
        }))
    }

    /// Returns the bytes of the table's file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.contents.to_bytes()
    }

    /// Returns the identity of the table.
    #[must_use]
    pub fn id(&self) -> TableId {
        TableId {
            sha256: self.0.digest,
            dimensions: self.dimensions(),
        }
    }

    /// Returns the number of dimensions.
    #[must_use]
    pub fn dimensions(&self) -> usize {
        self.0.contents.dimensions
    }

    /// Returns the number of pieces.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.0.contents.pieces.len()
    }

    /// Returns the notice: the source of the vectors, their license, and what was changed.
    #[must_use]
    pub fn notice(&self) -> &str {
        &self.0.contents.notice
    }

    /// Encodes a text.
    ///
    /// 1. The text becomes words: lower case, without accents, runs of letters and digits. Every
    ///    ideograph and every other character is a word, too, except white space.
    /// 2. A word becomes pieces, from its beginning: each is the longest one of the table that
    ///    fits. After the first one, only the pieces with `##` fit. If at some place none does,
    ///    the word is unknown and left out.
    /// 3. The rows of all pieces are added, also those of punctuation. But if no other word is
    ///    known, the text is unknown, and all its numbers are 0.
    /// 4. Each sum is multiplied by 32,767 × 256 and divided by the square root of 65,536 times
    ///    the sum of the squared sums. The root is rounded up, and the quotient toward zero.
    #[must_use]
    pub fn encode(&self, text: &str) -> TextVector {
        let mut sums = vec![0_i64; self.dimensions()];
        let (mut known, mut unknown) = (0, 0);
        let mut pieces = Vec::new();
        for word in words::words(&words::plain(text)) {
            pieces.clear();
            let counted = usize::from(words::says_something(word));
            if self.split(word, &mut pieces) {
                known += counted;
                for &piece in &pieces {
                    for (sum, &number) in sums.iter_mut().zip(self.row(piece)) {
                        *sum += i64::from(number);
                    }
                }
            } else {
                unknown += counted;
            }
        }
        if known == 0 {
            sums.fill(0);
        }
        TextVector {
            numbers: normalized(&sums),
            known,
            unknown,
        }
    }

    /// Returns the pieces of a word, as [`encode`](Self::encode) finds them; `None` if the text is
    /// not one word, or the table does not know the word.
    #[must_use]
    pub fn pieces_of(&self, word: &str) -> Option<Vec<&str>> {
        let plain = words::plain(word);
        let mut read = words::words(&plain);
        let (word, None) = (read.next()?, read.next()) else {
            return None;
        };
        let mut pieces = Vec::new();
        let known = self.split(word, &mut pieces);
        known.then(|| pieces.into_iter().map(|piece| self.piece(piece)).collect())
    }

    /// Returns at most `count` other pieces whose rows are nearest to that of a text, the nearest
    /// first. Returns none if the text has no known word. The pieces of the text are left out.
    #[must_use]
    pub fn nearest(&self, text: &str, count: usize) -> Vec<Near> {
        let vector = self.encode(text);
        if vector.known == 0 {
            return Vec::new();
        }
        let mut own = Vec::new();
        for word in words::words(&words::plain(text)) {
            self.split(word, &mut own);
        }
        let others = (0..).zip(&self.0.contents.pieces);
        let mut near: Vec<Near> = others
            .filter(|(number, _)| !own.contains(number))
            .map(|(number, piece)| Near {
                piece: piece.clone(),
                cosine: cosine(&vector.numbers, self.row(number)),
            })
            .collect();
        near.sort_by(|a, b| {
            b.cosine
                .total_cmp(&a.cosine)
                .then_with(|| a.piece.cmp(&b.piece))
        });
        near.truncate(count);
        near
    }

    /// Adds the numbers of a word's pieces. Returns `false`, and adds none, if the table does not
    /// know the word.
    fn split(&self, word: &str, pieces: &mut Vec<u32>) -> bool {
        let before = pieces.len();
        let mut at = 0;
        while at < word.len() {
            let table = if at == 0 { &self.0.first } else { &self.0.rest };
            let ends = at + 1..=word.len().min(at + self.0.longest);
            let longest = ends.rev().find_map(|end| {
                let piece = table.get(word.get(at..end)?)?;
                Some((*piece, end))
            });
            let Some((piece, end)) = longest else {
                pieces.truncate(before);
                return false;
            };
            pieces.push(piece);
            at = end;
        }
        true
    }

    fn piece(&self, number: u32) -> &str {
        &self.0.contents.pieces[number as usize]
    }

    fn row(&self, number: u32) -> &[i8] {
        let dimensions = self.dimensions();
        &self.0.rows[number as usize * dimensions..][..dimensions]
    }
}

/// Scales sums to the length [`LENGTH`], each rounded toward zero. Zeros stay zeros.
fn normalized(sums: &[i64]) -> Vec<i16> {
    let squares = sums
        .iter()
        .map(|&sum| u128::from(sum.unsigned_abs()).pow(2));
    let length = match squares.sum::<u128>() {
        0 => return vec![0; sums.len()],
        square => ((square << 16) - 1).isqrt() + 1,
    };
    // The length is rounded up, so a quotient is at most 32,767 either way. Memory bounds
    // the pieces of a text far below 2^32, so that the products stay below 2^63.
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let factor = i64::from(LENGTH) << 8;
    sums.iter()
        .map(|sum| i16::try_from(sum * factor / length).unwrap_or(0))
        .collect()
}

/// Returns the cosine of the angle between two vectors; 0 if one is zero.
fn cosine(a: &[i16], b: &[i8]) -> f64 {
    let (mut product, mut a_square, mut b_square) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a), f64::from(b));
        product += a * b;
        a_square += a * a;
        b_square += b * b;
    }
    match f64::sqrt(a_square) * f64::sqrt(b_square) {
        0.0 => 0.0,
        lengths => product / lengths,
    }
}
