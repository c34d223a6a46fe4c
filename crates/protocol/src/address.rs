//! Parser for addresses as people write them. All crates read addresses by this parser.

use alloy_primitives::Address;
use thiserror::Error;

/// Reason to refuse a text as an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The text is not 0x and 40 hexadecimal digits.
    #[error("{text:?} is no address; expected 0x and 40 hexadecimal digits")]
    NotAnAddress {
        /// Text, cut after 80 characters.
        text: String,
    },
    /// The case of the digits is a checksum (EIP-55) that does not fit them.
    /// A digit is probably wrong.
    #[error(
        "the checksum of the address {text} does not fit: a digit or its case is wrong; copy the address again \
         from where it is from"
    )]
    Checksum {
        /// Address as written. The error does not show the right case: that would hide the mistake.
        text: String,
    },
    /// The zero address, to which nobody has the key.
    #[error(
        "the zero address belongs to nobody, and what is sent there is lost; name another address"
    )]
    Zero,
}

/// Parses an address: 0x and 40 hexadecimal digits.
///
/// Digits in mixed case must be those of the checksum (EIP-55). The zero address is refused.
///
/// # Errors
/// [`AddressError`].
pub fn parse_address(text: &str) -> Result<Address, AddressError> {
    let not_an_address = || AddressError::NotAnAddress {
        text: text.chars().take(80).collect(),
    };
    let digits = text
        .strip_prefix("0x")
        .filter(|digits| digits.len() == 40 && digits.bytes().all(|it| it.is_ascii_hexdigit()))
        .ok_or_else(not_an_address)?;
    let address: Address = digits.parse().map_err(|_| not_an_address())?;
    let has = |case: fn(&u8) -> bool| digits.as_bytes().iter().any(case);
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    if mixed && address.to_checksum(None) != text {
        return Err(AddressError::Checksum {
            text: text.to_owned(),
        });
    }
    if address.is_zero() {
        return Err(AddressError::Zero);
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_address_checks_any_checksum() {
        let right = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
        let address = parse_address(right).expect("an address");
        assert_eq!(address.to_checksum(None), right);
        let upper = format!("0x{}", right[2..].to_uppercase());
        for same in [right.to_lowercase(), upper] {
            assert_eq!(parse_address(&same), Ok(address));
        }
        // Each letter in the other case, and each digit another one.
        for at in 2..right.len() {
            let mut bytes = right.as_bytes().to_vec();
            bytes[at] = match bytes[at] {
                letter if letter.is_ascii_alphabetic() => letter ^ 0x20,
                b'9' => b'0',
                digit => digit + 1,
            };
            let wrong = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(
                parse_address(&wrong),
                Err(AddressError::Checksum {
                    text: wrong.clone()
                })
            );
        }
    }

    #[test]
    fn parse_address_refuses_what_names_no_account() {
        let zero = format!("0x{}", "0".repeat(40));
        assert_eq!(parse_address(&zero), Err(AddressError::Zero));
        for wrong in [
            "",
            "0x",
            "0x12",
            "films",
            "70997970C51812dc3A010C7d01b50e0d17dc79C8",
            "0xé",
        ] {
            assert!(matches!(
                parse_address(wrong),
                Err(AddressError::NotAnAddress { .. })
            ));
        }
        let long = "x".repeat(1_000);
        assert!(parse_address(&long).unwrap_err().to_string().len() < 200);
    }
}
