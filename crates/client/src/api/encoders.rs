//! Tables of word vectors.

use cotrain_learning::vectors::Table;
use serde::{Deserialize, Serialize};

/// Table of word vectors that a coordinator has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EncoderView {
    /// SHA-256 of the table's file, 64 hexadecimal digits in lower case. A model's card names its
    /// table by it.
    #[cfg_attr(feature = "openapi", schema(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Number of dimensions: the features of a text.
    pub dimensions: usize,
    /// Number of words and parts of words.
    pub pieces: usize,
    /// Size of the table's file, in bytes.
    pub bytes: usize,
    /// Source of the vectors, and their license.
    pub notice: String,
}

impl EncoderView {
    /// Describes a table whose file has so many bytes.
    #[must_use]
    pub fn new(table: &Table, bytes: usize) -> Self {
        Self {
            sha256: table.id().hexadecimal(),
            dimensions: table.dimensions(),
            pieces: table.pieces(),
            bytes,
            notice: table.notice().to_owned(),
        }
    }
}
