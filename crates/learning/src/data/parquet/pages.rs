//! Sizes of a Parquet column's pages, as their headers claim them.
//!
//! The library takes memory by these claims before it unpacks a page, so a file of a kilobyte could
//! take two gigabytes. The headers are structs of Thrift's compact protocol, whose fields 2 and 3 are
//! the sizes of a page, unpacked and packed.

/// Maximum depth of structs and lists within a header.
const DEPTH: usize = 16;

/// Types of the compact protocol that are values themselves.
const BOOL_TRUE: u8 = 1;
const BOOL_FALSE: u8 = 2;

/// Returns the sum of the unpacked sizes of the pages in a column's bytes; `None` if the headers are
/// malformed, or a page does not end within the bytes.
pub(super) fn unpacked_size(mut bytes: &[u8]) -> Option<u64> {
    let mut sum = 0_u64;
    while !bytes.is_empty() {
        let mut header = Header { bytes };
        let (unpacked, packed) = header.sizes()?;
        sum = sum.checked_add(unpacked)?;
        bytes = header.bytes.get(usize::try_from(packed).ok()?..)?;
    }
    Some(sum)
}

/// Rest of the bytes of a header.
struct Header<'a> {
    bytes: &'a [u8],
}

impl Header<'_> {
    /// Reads a whole header, and returns the sizes of its page.
    fn sizes(&mut self) -> Option<(u64, u64)> {
        let (mut unpacked, mut packed) = (None, None);
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (2, 5) => unpacked = Some(self.size()?),
                (3, 5) => packed = Some(self.size()?),
                _ => self.skip(kind, DEPTH)?,
            }
        }
        Some((unpacked?, packed?))
    }

    /// Reads the start of a field; the inner `None` is the end of the struct.
    #[allow(clippy::option_option, reason = "malformed bytes differ from an end")]
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let start = self.byte()?;
        let (delta, kind) = (start >> 4, start & 15);
        if kind == 0 {
            return Some(None);
        }
        *id = if delta == 0 {
            unzigzag(self.varint()?)
        } else {
            id.checked_add(i64::from(delta))?
        };
        Some(Some(kind))
    }

    /// Skips a value.
    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // The type of a field is the value; in lists, a value has a byte.
            BOOL_TRUE | BOOL_FALSE => Some(()),
            3 => self.take(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.take(8),
            8 => {
                let length = self.varint()?;
                self.take(length)
            }
            9 | 10 => {
                let start = self.byte()?;
                let (short, kind) = (u64::from(start >> 4), start & 15);
                let length = if short == 15 { self.varint()? } else { short };
                // Each element has a byte at least, so the bytes bound the loop.
                for _ in 0..length {
                    match kind {
                        BOOL_TRUE | BOOL_FALSE => self.take(1)?,
                        kind => self.skip(kind, depth)?,
                    }
                }
                Some(())
            }
            12 => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth)?;
                }
                Some(())
            }
            // Headers of pages have no maps.
            _ => None,
        }
    }

    fn size(&mut self) -> Option<u64> {
        u64::try_from(unzigzag(self.varint()?)).ok()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn take(&mut self, length: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(length).ok()?..)?;
        Some(())
    }
}

/// Returns the signed number that a varint stands for.
fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header of a page of 5 bytes, which become 300, and the page.
    fn page() -> Vec<u8> {
        let data_page = [
            0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18, 1, b'a', 0, 0,
        ];
        let header = [
            &[0x15, 0, 0x15, 0xd8, 4, 0x15, 10, 0x2c][..],
            &data_page,
            &[0],
        ];
        [header.concat(), vec![9; 5]].concat()
    }

    #[test]
    fn unpacked_size_sums_the_claims_of_all_pages() {
        assert_eq!(unpacked_size(&[]), Some(0));
        assert_eq!(unpacked_size(&page()), Some(300));
        assert_eq!(unpacked_size(&page().repeat(3)), Some(900));
    }

    #[test]
    fn unpacked_size_refuses_what_is_no_header() {
        let page = page();
        for length in 1..page.len() {
            assert_eq!(unpacked_size(&page[..length]), None, "{length}");
        }
        // A negative size, structs without an end, and a list longer than the bytes.
        assert_eq!(unpacked_size(&[0x25, 1, 0x15, 0, 0]), None);
        assert_eq!(unpacked_size(&[0x5c; 100]), None);
        assert_eq!(
            unpacked_size(&[0x59, 0xf5, 0xff, 0xff, 0xff, 0xff, 9, 0]),
            None
        );
        assert_eq!(unpacked_size(&[0x80; 100]), None);
    }
}
