//! Headers of x402: JSON text in base64.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};

/// Header of a 402 answer, with a [`PaymentRequired`](super::wire::PaymentRequired).
pub const PAYMENT_REQUIRED: &str = "PAYMENT-REQUIRED";
/// Header of a request, with a [`PaymentPayload`](super::wire::PaymentPayload).
pub const PAYMENT_SIGNATURE: &str = "PAYMENT-SIGNATURE";
/// Header of an answer, with a [`SettlementResponse`](super::wire::SettlementResponse).
pub const PAYMENT_RESPONSE: &str = "PAYMENT-RESPONSE";

/// Maximum length of a header's value. Common servers take 16 KiB for all headers together.
pub const MAX_LENGTH: usize = 16 * 1024;

/// Base64 with or without padding: clients send both.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reason why a header's value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It is too long.
    #[error("cannot read the header: expected at most {MAX_LENGTH} characters, found {0}")]
    TooLong(usize),
    /// It is no base64.
    #[error(
        "cannot read the header as base64: {0}; encode the JSON text with the standard alphabet"
    )]
    NotBase64(#[from] base64::DecodeError),
}

/// Returns the value of a header for this JSON text.
#[must_use]
pub fn encode(json: &[u8]) -> String {
    STANDARD.encode(json)
}

/// Returns the JSON text of a header's value.
///
/// # Errors
///
/// Fails if the value is too long or no base64.
pub fn decode(value: &str) -> Result<Vec<u8>, HeaderError> {
    if value.len() > MAX_LENGTH {
        return Err(HeaderError::TooLong(value.len()));
    }
    Ok(LENIENT.decode(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_reads_what_encode_wrote_and_bounds_it() {
        assert_eq!(decode(&encode(b"{\"a\":1}")), Ok(b"{\"a\":1}".to_vec()));
        assert_eq!(decode("eyJhIjoxfQ"), Ok(b"{\"a\":1}".to_vec()));
        assert!(matches!(decode("e{}"), Err(HeaderError::NotBase64(_))));
        let long = "A".repeat(MAX_LENGTH + 4);
        assert_eq!(decode(&long), Err(HeaderError::TooLong(MAX_LENGTH + 4)));
    }
}
