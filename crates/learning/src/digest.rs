//! Text form of SHA-256 digests, by which cards and paths name files.

use alloy_primitives::hex;

/// Reads a SHA-256 from 64 hexadecimal digits in lower case; `None` for anything else, so that each
/// digest has one text.
#[must_use]
pub fn digest(sha256: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(sha256, &mut bytes).ok()?;
    (hex::encode(bytes) == sha256).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_takes_one_text_alone() {
        let text = format!("{}ab", "0".repeat(62));
        assert_eq!(digest(&text).map(|bytes| bytes[31]), Some(0xab));
        let wrong = [
            text.to_uppercase(),
            format!("0x{text}"),
            format!("0x{}", &text[2..]),
            text[2..].to_owned(),
            format!("{text}00"),
            text.replace('a', "g"),
            String::new(),
        ];
        for wrong in wrong {
            assert_eq!(digest(&wrong), None, "{wrong}");
        }
    }
}
