use std::fs;
use std::io::Read as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::DataError;

/// The bytes of a file, unpacked where they are gzipped.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = fs::read(path).map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    unpacked(path, bytes)
}

/// The bytes as they are, or unpacked where they start as gzip does (RFC 1952, 2.3.1).
pub(super) fn unpacked(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len() * 6);
    match MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain) {
        Ok(_) => Ok(plain),
        Err(source) => Err(DataError::Unpack {
            path: path.to_owned(),
            source,
        }),
    }
}
