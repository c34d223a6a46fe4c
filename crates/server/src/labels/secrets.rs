//! Random numbers that only a session's opener knows.

use std::fmt;

use alloy_primitives::{B256, hex};

use super::refusal::Refusal;

/// 32 bytes that nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Secret([u8; 32]);

impl Secret {
    /// Draws a secret from the system's random numbers.
    pub(super) fn new() -> Result<Self, Refusal> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| {
            tracing::error!(%error, "the system gives no random numbers");
            Refusal::Failed
        })?;
        Ok(Self(bytes))
    }

    /// Reads 64 hexadecimal digits; `None` if they are others.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = (text.len() == 64).then(|| hex::decode(text).ok()).flatten();
        bytes?.try_into().ok().map(Self)
    }

    /// Returns the bytes.
    pub(super) fn bytes(self) -> B256 {
        B256::from(self.0)
    }

    /// Returns 64 hexadecimal digits.
    pub(super) fn text(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_read_from_its_text_and_from_no_other() {
        let secret = Secret::new().unwrap();
        let text = secret.text();
        assert_eq!(Secret::read(&text), Some(secret));
        assert_ne!(Secret::new().unwrap(), secret);
        for wrong in [
            "",
            &text[1..],
            &format!("0x{}", &text[2..]),
            &"x".repeat(64),
        ] {
            assert_eq!(Secret::read(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{secret:?}"), "***");
    }
}
