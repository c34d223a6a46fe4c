use std::io::Read as _;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

use super::Table;

/// File of the embedded table, gzipped. `data/NOTICE.md` says how it was made.
static FILE: &[u8] = include_bytes!("../../data/words-128.cotvec.gz");

/// Returns the table that is part of the program.
///
/// # Panics
/// Panics if the embedded file is no table, which a test excludes.
#[must_use]
pub fn embedded() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        let mut bytes = Vec::new();
        let unpacked = GzDecoder::new(FILE).read_to_end(&mut bytes);
        unpacked.expect("the embedded file is gzipped");
        Table::read(&bytes).expect("the embedded file is a table")
    });
    &TABLE
}
