//! Addresses, hashes, bytes, wei and choices as JSON has them, each with its schema.

use std::{fmt, str::FromStr};

use alloy_primitives::{Address, B256, Bytes, hex};
use cotrain_learning::text::escaped_to;
use cotrain_protocol::{AddressError, parse_address};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Maximum length of a value in a message, in characters.
const MAX_VALUE: usize = 80;

/// A type of JSON that is a string of a certain form.
macro_rules! text {
    ($name:ident, $inner:ty, $pattern:literal, $max:expr, $example:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(
            /// The value itself.
            pub $inner,
        );

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .pattern(Some($pattern))
                    .max_length($max)
                    .description(Some($doc))
                    .examples([$example])
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(D::Error::custom)
            }
        }
    };
}

/// Defines an enum whose variants are texts in JSON. A text of a newer server that this release
/// does not know is kept unchanged.
macro_rules! choice {
    ($name:ident, $doc:literal, $($variant:ident = $text:literal),+ $(,)?) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            $(
                #[doc = concat!("`", $text, "`.")]
                $variant,
            )+
            /// Text of a newer server that this release does not know.
            Other(String),
        }

        impl $name {
            /// Returns the text in JSON.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($doc))
                    .enum_values(Some([$($text),+]))
                    .into()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Ok(match text.as_str() {
                    $($text => Self::$variant,)+
                    _ => Self::Other(text),
                })
            }
        }
    };
}

pub(super) use choice;

text!(
    Account,
    Address,
    "^0x[0-9a-fA-F]{40}$",
    Some(42),
    "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    "Address: 0x and 40 hexadecimal digits, not all 0. Answers have the checksum of EIP-55 in their case. So must requests that use both cases."
);
text!(
    Relayer,
    Address,
    "^0x[0-9a-fA-F]{40}$",
    Some(42),
    "0x5FbDB2315678afecb367f032d93F642f64180aa3",
    "Address of the only account that may send a signed batch, in the form of other addresses. If all its 40 digits are 0, anyone may."
);
text!(
    Hash,
    B256,
    "^0x[0-9a-fA-F]{64}$",
    Some(66),
    "0x6c3fb0ba9ef0c3e5a1c0f3e5f1d0a8f5a1b5a4f0e6a5b0c1d2e3f4a5b6c7d8e9",
    "Hash: 0x and 64 hexadecimal digits, in lower case in answers."
);
text!(
    Data,
    Bytes,
    "^0x([0-9a-fA-F]{2})*$",
    None,
    "0x00010004000a0014",
    "Bytes: 0x and two hexadecimal digits for each byte."
);
text!(
    Wei,
    u128,
    "^(0|[1-9][0-9]{0,38})$",
    Some(39),
    "1000000000000000",
    "Amount in wei, in decimal digits: it may be too large for a JSON number."
);

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_checksum(None))
    }
}

impl fmt::Display for Relayer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_checksum(None))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Display for Data {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", hex::encode(&self.0))
    }
}

impl fmt::Display for Wei {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Reads an address that may be zero: that of an account which only a contract names.
pub(super) fn any_account<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Account, D::Error> {
    Relayer::deserialize(deserializer).map(|address| Account(address.0))
}

/// Quotes the beginning of a value from a request.
fn shown(value: &str) -> String {
    format!("`{}`", escaped_to(value, MAX_VALUE))
}

/// Returns the digits after 0x if there are exactly `length` of them or, without a length, an even
/// number.
fn digits(text: &str, length: Option<usize>) -> Option<&str> {
    text.strip_prefix("0x").filter(|digits| {
        length.map_or(digits.len() % 2 == 0, |length| digits.len() == length)
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_address(text)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

impl FromStr for Relayer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match parse_address(text) {
            Ok(address) => Ok(Self(address)),
            // The contract reads zero as anyone, and no money is sent to this address.
            Err(AddressError::Zero) => Ok(Self(Address::ZERO)),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        digits(text, Some(64))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "{} is no hash; expected 0x and 64 hexadecimal digits",
                    shown(text)
                )
            })
    }
}

impl FromStr for Data {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        digits(text, None)
            .and_then(|digits| hex::decode(digits).ok())
            .map(|bytes| Self(bytes.into()))
            .ok_or_else(|| {
                format!(
                    "{} is no bytes; expected 0x and two hexadecimal digits each",
                    shown(text)
                )
            })
    }
}

impl FromStr for Wei {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let canonical = text == "0" || !text.starts_with(['0', '+']);
        Some(text)
            .filter(|_| canonical)
            .and_then(|text| text.parse().ok())
            .map(Self)
            .ok_or_else(|| {
                format!(
                    "{} is no number of wei; expected decimal digits alone",
                    shown(text)
                )
            })
    }
}

impl From<Address> for Account {
    fn from(address: Address) -> Self {
        Self(address)
    }
}

impl From<B256> for Hash {
    fn from(hash: B256) -> Self {
        Self(hash)
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<u128> for Wei {
    fn from(wei: u128) -> Self {
        Self(wei)
    }
}
