use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use flate2::read::MultiGzDecoder;

use super::content::Place;
use super::error::shown;
use super::options::Charset;
use super::{DataError, MAX_BYTES};

/// Reads the bytes of a text file, unpacked and decoded to UTF-8.
///
/// It removes the byte order mark that spreadsheets write at the start of a text. The mark of
/// UTF-16 decides the encoding. Otherwise the encoding is `charset`, and nothing is decoded if
/// there is none.
pub(super) fn read(path: &Path, charset: Option<Charset>) -> Result<Vec<u8>, DataError> {
    decoded(path, packed(Place::Path(path))?, charset, MAX_BYTES)
}

/// Reads the bytes of a file, and unpacks them if they are gzipped.
pub(super) fn packed(place: Place<'_>) -> Result<Vec<u8>, DataError> {
    packed_within(place, place.bounds().bytes)
}

fn packed_within(place: Place<'_>, max: u64) -> Result<Vec<u8>, DataError> {
    let path = place.path();
    let open = match place {
        Place::Path(path) => File::open(path).and_then(|file| limited(file, max)),
        Place::Content(content) => limited(content.bytes.as_ref(), max),
    };
    let bytes = open.map_err(|source| DataError::Read {
        path: path.to_owned(),
        source,
    })?;
    match bytes {
        Some(bytes) => unpacked(path, bytes, max),
        None => Err(too_large(path, max)),
    }
}

/// Returns the bytes, unpacked if they start like a gzip file (RFC 1952, 2.3.1).
pub(super) fn unpacked(path: &Path, bytes: Vec<u8>, max: u64) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    match limited(MultiGzDecoder::new(bytes.as_slice()), max) {
        Ok(Some(plain)) => Ok(plain),
        Ok(None) => Err(too_large(path, max)),
        Err(source) => Err(DataError::Unpack {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Reads everything; `None` if there are more than `max` bytes.
pub(crate) fn limited(source: impl Read, max: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source.take(max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= max).then_some(bytes))
}

fn too_large(path: &Path, max: u64) -> DataError {
    DataError::TooLarge {
        path: path.to_owned(),
        max,
    }
}

/// Returns a text as UTF-8 without its byte order mark.
///
/// Only an encoding that is named or marked is decoded.
pub(super) fn decoded(
    path: &Path,
    mut bytes: Vec<u8>,
    charset: Option<Charset>,
    max: u64,
) -> Result<Vec<u8>, DataError> {
    let marked = Encoding::for_bom(&bytes);
    if let Some((encoding, mark)) = marked
        && encoding == UTF_8
    {
        bytes.drain(..mark);
        return Ok(bytes);
    }
    let (encoding, mark) = match (marked, charset) {
        (Some(marked), _) => marked,
        (None, Some(charset)) => (charset.encoding(), 0),
        (None, None) => return Ok(bytes),
    };
    let text = encoding
        .decode_without_bom_handling_and_without_replacement(&bytes[mark..])
        .ok_or_else(|| DataError::NotDecoded {
            path: path.to_owned(),
            encoding: encoding.name(),
        })?;
    if text.len() as u64 > max {
        return Err(too_large(path, max));
    }
    Ok(text.into_owned().into_bytes())
}

/// Checks that a file is a text, and UTF-8. The error has the line, and the encoding that the text
/// seems to have.
///
/// No text is decoded by a guess: another code page gives other letters without an error.
pub(super) fn check_utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, DataError> {
    if let Some(found) = other_contents(bytes) {
        return Err(DataError::NoText {
            path: path.to_owned(),
            found,
        });
    }
    let text = str::from_utf8(bytes);
    // UTF-16 of ASCII letters is UTF-8, too, with a zero after each.
    let at = match text {
        Ok(text) if utf16(bytes).is_none() => return Ok(text),
        Ok(_) => 0,
        Err(error) => error.valid_up_to(),
    };
    Err(not_utf8(path, bytes, at))
}

/// Returns the error that a text is no UTF-8 at an offset.
fn not_utf8(path: &Path, bytes: &[u8], at: usize) -> DataError {
    let before = &bytes[..at];
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let start = before.iter().rposition(ends).map_or(0, |end| end + 1);
    let rest = &bytes[at..];
    let end = rest.iter().position(ends).unwrap_or(rest.len());
    let (line, utf16) = (&bytes[start..at + end], utf16(bytes));
    let encoding = utf16.unwrap_or_else(|| guessed(&bytes[start..]));
    // The line feeds of UTF-16 are not single bytes.
    let value = match utf16 {
        Some(_) => shown(line),
        None => shown(encoding.decode_without_bom_handling(line).0.as_bytes()),
    };
    DataError::NotUtf8 {
        path: path.to_owned(),
        line: lines(before),
        value,
        encoding: encoding.name(),
    }
}

/// Returns what a file has that begins unlike any text; `None` if it may be a text.
fn other_contents(bytes: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 7] = [
        (
            b"PK\x03\x04",
            "it seems to be a zip archive or a spreadsheet",
        ),
        (b"\xfd7zXZ\0", "it seems to be packed by xz"),
        (b"\x28\xb5\x2f\xfd", "it seems to be packed by Zstandard"),
        (b"BZh", "it seems to be packed by bzip2"),
        (b"7z\xbc\xaf\x27\x1c", "it seems to be a 7z archive"),
        (b"PAR1", "it seems to be Parquet"),
        (b"\x89PNG\r\n", "it seems to be a picture"),
    ];
    /// Start of the file that tells what it is.
    const START: usize = 4_096;
    let start = &bytes[..bytes.len().min(START)];
    let strange = |byte: &&u8| **byte < b' ' && !b"\t\n\r\x0c\x1b".contains(byte);
    let strange = start.iter().filter(strange).count();
    // A text may begin with any letters, but has no control characters.
    let found = BEGINNINGS
        .iter()
        .find(|(begin, _)| start.starts_with(begin));
    match found {
        Some((_, found)) if strange > 0 => Some(found),
        _ if strange * 20 <= start.len() || utf16(bytes).is_some() => None,
        _ if str::from_utf8(bytes).is_ok() => None,
        _ => Some("it has many bytes that no text has"),
    }
}

/// Returns the number of the line, from 1, that follows some bytes.
fn lines(before: &[u8]) -> u64 {
    let ends = before.iter().enumerate().filter(|(at, byte)| {
        **byte == b'\n' || (**byte == b'\r' && before.get(at + 1) != Some(&b'\n'))
    });
    1 + ends.count() as u64
}

/// Guesses the encoding of a text that is no UTF-8 from its first mebibyte.
fn guessed(bytes: &[u8]) -> &'static Encoding {
    const ENOUGH: usize = 1 << 20;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[..bytes.len().min(ENOUGH)], bytes.len() <= ENOUGH);
    detector.guess(None, Utf8Detection::Deny)
}

/// Returns UTF-16 if every second byte at the start is 0, as in most such texts.
fn utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let start = &bytes[..bytes.len().min(64)];
    let zeros = |odd: usize| start.iter().skip(odd).step_by(2).all(|byte| *byte == 0);
    if start.len() < 4 {
        return None;
    }
    if zeros(1) {
        Some(UTF_16LE)
    } else {
        zeros(0).then_some(UTF_16BE)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    #[test]
    fn read_refuses_a_small_file_that_unpacks_to_more_than_the_maximum() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![b'a'; 1 << 20]).expect("packed");
        let bytes = packed.finish().expect("packed");
        assert!(bytes.len() < 2_000, "{}", bytes.len());
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.csv.gz");
        std::fs::write(&path, bytes).expect("written");
        let read = |max| packed_within(Place::Path(&path), max);
        assert_eq!(
            read(1 << 20).expect("as large as the maximum").len(),
            1 << 20
        );
        let refused = read((1 << 20) - 1).expect_err("too large");
        let DataError::TooLarge { max, .. } = refused else {
            panic!("{refused}");
        };
        assert_eq!(max, (1 << 20) - 1);
        // The maximum of files that users name.
        assert_eq!(Place::Path(&path).bounds().bytes, MAX_BYTES);
    }

    #[test]
    fn limited_reads_no_more_than_the_maximum() {
        assert_eq!(limited(&b"abc"[..], 3).unwrap(), Some(b"abc".to_vec()));
        assert_eq!(limited(&b"abcd"[..], 3).unwrap(), None);
        // An endless source ends, too.
        assert_eq!(limited(io::repeat(7), 1_000).unwrap(), None);
    }
}
