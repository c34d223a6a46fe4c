//! Binary form of macaroons, version 2.
//!
//! A field is a number for its type, a number for its length, and bytes; 0 ends a section.

use thiserror::Error;

use super::MAX_BYTES;

const VERSION: u8 = 2;
const END: u64 = 0;
const LOCATION: u64 = 1;
const IDENTIFIER: u64 = 2;
const VERIFICATION: u64 = 4;
const SIGNATURE: u64 = 6;
/// Caveats of a macaroon that is read.
const MAX_CAVEATS: usize = 64;

/// Fault of a macaroon's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// The first byte is another one, as in version 1.
    #[error("expected version {VERSION} in binary")]
    Version,
    /// It has too many bytes or caveats.
    #[error("expected at most {MAX_BYTES} bytes and {MAX_CAVEATS} caveats")]
    TooLong,
    /// It ends inside of a field.
    #[error("the bytes end too early")]
    End,
    /// A field is missing, has the wrong length, or stands where none may.
    #[error("a field is missing, has a wrong length, or follows the end")]
    Field,
    /// A third party is to discharge a caveat.
    #[error("it has a caveat of a third party, which nobody here can discharge")]
    ThirdParty,
}

/// Parts of a macaroon: identifier, caveats and signature.
type Parts = (Vec<u8>, Vec<Vec<u8>>, [u8; 32]);

pub(super) fn write(identifier: &[u8], caveats: &[Vec<u8>], signature: &[u8; 32]) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    field(&mut bytes, IDENTIFIER, identifier);
    number(&mut bytes, END);
    for caveat in caveats {
        field(&mut bytes, IDENTIFIER, caveat);
        number(&mut bytes, END);
    }
    number(&mut bytes, END);
    field(&mut bytes, SIGNATURE, signature);
    bytes
}

fn field(bytes: &mut Vec<u8>, kind: u64, contents: &[u8]) {
    number(bytes, kind);
    number(bytes, contents.len() as u64);
    bytes.extend(contents);
}

/// Appends a number, 7 bits a byte, the lowest first.
fn number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        bytes.push(low | 0x80);
        number >>= 7;
    }
    bytes.extend(&number.to_le_bytes()[..1]);
}

pub(super) fn read(bytes: &[u8]) -> Result<Parts, WireError> {
    if bytes.len() > MAX_BYTES {
        return Err(WireError::TooLong);
    }
    let rest = bytes.strip_prefix(&[VERSION]).ok_or(WireError::Version)?;
    let mut reader = Reader(rest);
    let identifier = reader.section()?.ok_or(WireError::Field)?;
    let mut caveats = Vec::new();
    while let Some(caveat) = reader.section()? {
        if caveats.len() == MAX_CAVEATS {
            return Err(WireError::TooLong);
        }
        caveats.push(caveat);
    }
    if reader.number()? != SIGNATURE {
        return Err(WireError::Field);
    }
    let signature = reader.contents()?;
    let signature = signature.try_into().map_err(|_| WireError::Field)?;
    if reader.0.is_empty() {
        Ok((identifier, caveats, signature))
    } else {
        Err(WireError::Field)
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Returns the identifier of a section, or `None` if it has no field.
    fn section(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        let mut kind = self.number()?;
        if kind == END {
            return Ok(None);
        }
        if kind == LOCATION {
            // A location is a hint, and no signature covers it.
            self.contents()?;
            kind = self.number()?;
        }
        if kind != IDENTIFIER {
            return Err(WireError::Field);
        }
        let identifier = self.contents()?.to_vec();
        match self.number()? {
            END => Ok(Some(identifier)),
            VERIFICATION => Err(WireError::ThirdParty),
            _ => Err(WireError::Field),
        }
    }

    fn contents(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.number()?).map_err(|_| WireError::End)?;
        let (contents, rest) = self.0.split_at_checked(length).ok_or(WireError::End)?;
        self.0 = rest;
        Ok(contents)
    }

    fn number(&mut self) -> Result<u64, WireError> {
        let mut number = 0;
        // No number here needs more than 28 bits.
        for shift in [0, 7, 14, 21] {
            let (&byte, rest) = self.0.split_first().ok_or(WireError::End)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(WireError::Field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn read_refuses_what_is_no_macaroon() {
        let good = write(b"id", &[b"a=1".to_vec()], &[7; 32]);
        assert!(read(&good).is_ok());
        for end in 0..good.len() {
            let expected = if end == 0 {
                WireError::Version
            } else {
                WireError::End
            };
            assert_eq!(read(&good[..end]), Err(expected), "{end}");
        }
        assert_eq!(read(&[&good[..], &[0]].concat()), Err(WireError::Field));
        assert_eq!(read(&[0; MAX_BYTES + 1]), Err(WireError::TooLong));
        assert_eq!(read(b"MDAx"), Err(WireError::Version));
        // A signature of 31 bytes.
        let short = [&good[..good.len() - 33], &[31][..], &[7; 31]].concat();
        assert_eq!(read(&short), Err(WireError::Field));
        let third = [2, 2, 1, b'i', 0, 2, 1, b'c', 4, 1, b'v', 0, 0];
        assert_eq!(read(&third), Err(WireError::ThirdParty));
        let many = write(b"", &vec![Vec::new(); MAX_CAVEATS + 1], &[0; 32]);
        assert_eq!(read(&many), Err(WireError::TooLong));
        // A number that never ends.
        assert_eq!(
            read(&[2, 0xff, 0xff, 0xff, 0xff, 0xff]),
            Err(WireError::Field)
        );
    }

    #[test]
    fn read_skips_locations() {
        let text = [
            2, 1, 1, b'l', 2, 1, b'i', 0, 1, 1, b'l', 2, 1, b'c', 0, 0, 6, 32,
        ];
        let bytes = [&text[..], &[9; 32]].concat();
        let expected = (b"i".to_vec(), vec![b"c".to_vec()], [9; 32]);
        assert_eq!(read(&bytes), Ok(expected));
    }

    proptest! {
        #[test]
        fn read_takes_what_write_made(
            identifier in prop::collection::vec(any::<u8>(), 0..300),
            caveats in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..9),
            signature in any::<[u8; 32]>(),
        ) {
            let bytes = write(&identifier, &caveats, &signature);
            prop_assert_eq!(read(&bytes), Ok((identifier, caveats, signature)));
        }

        #[test]
        fn read_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), start in any::<bool>()) {
            let bytes = if start { [&[VERSION, 2][..], &bytes].concat() } else { bytes };
            let _ = read(&bytes);
        }
    }
}
