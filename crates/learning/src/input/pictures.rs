use std::path::{Path, PathBuf};

use super::{Encoded, InputError};
use crate::data::{Example, picture, pictures};
use crate::encode::Encoder;
use crate::pictures::Grey;

/// Encodes a file with a picture.
///
/// # Errors
/// If the model did not learn from pictures, or the file cannot be read as a picture.
pub fn encode_picture(encoder: &Encoder, path: &Path) -> Result<Encoded, InputError> {
    let form = encoder.pictures().ok_or(InputError::NoPictures)?;
    let levels = picture(path, form)?;
    Ok(encoder.encode_noting(Example::Numbers(&levels))?.into())
}

/// Encodes the bytes of a PNG or JPEG with at most `max_pixels` pixels, and returns the number of its
/// pixels, too.
///
/// # Errors
/// If the model did not learn from pictures, or the bytes are no such picture.
pub fn encode_picture_bytes(
    encoder: &Encoder,
    bytes: &[u8],
    max_pixels: u64,
) -> Result<(Encoded, u64), InputError> {
    let form = encoder.pictures().ok_or(InputError::NoPictures)?;
    let picture = Grey::read(bytes, max_pixels)?;
    let sample = encoder.encode_noting(Example::Numbers(&form.apply(&picture)))?;
    let pixels = u64::from(picture.width()) * u64::from(picture.height());
    Ok((sample.into(), pixels))
}

/// Encodes all pictures in a folder and in the folders below it, each with its path, in the order of
/// the paths.
///
/// # Errors
/// If the model did not learn from pictures, or there are none, or one cannot be read.
pub fn encode_pictures(
    encoder: &Encoder,
    folder: &Path,
) -> Result<Vec<(PathBuf, Encoded)>, InputError> {
    let form = encoder.pictures().ok_or(InputError::NoPictures)?;
    let all = pictures(folder, form)?;
    let encode = |(path, levels): (PathBuf, Vec<f64>)| {
        let noted = encoder.encode_noting(Example::Numbers(&levels))?;
        Ok((path, noted.into()))
    };
    all.into_iter().map(encode).collect()
}
