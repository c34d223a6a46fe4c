//! Times as text.

use std::time::{Duration, UNIX_EPOCH};

/// Returns a time as text.
pub(crate) fn when(seconds: u64) -> String {
    /// The last second of the year 9999. Later times have no form of RFC 3339.
    const LAST: u64 = 253_402_300_799;
    if seconds > LAST {
        return format!("{seconds} s after 1970");
    }
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_formats_every_time() {
        assert_eq!(when(0), "1970-01-01T00:00:00Z");
        assert_eq!(when(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(when(253_402_300_800), "253402300800 s after 1970");
        assert_eq!(when(u64::MAX), format!("{} s after 1970", u64::MAX));
    }
}
