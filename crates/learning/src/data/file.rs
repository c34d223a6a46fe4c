use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::DataError;

/// The bytes of a file, unpacked where they are gzipped.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    fs::read(path)
        .and_then(unpacked)
        .map_err(|source| DataError::Read {
            path: path.to_owned(),
            source,
        })
}

/// The bytes as they are, or unpacked where they start as gzip does (RFC 1952, 2.3.1).
pub(super) fn unpacked(bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len() * 6);
    MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain)?;
    Ok(plain)
}
