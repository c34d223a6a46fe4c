//! Whole numbers as decimal strings.

use std::fmt;

use alloy_primitives::U256;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Maximum number of digits of a number of 256 bits.
const MAX_DIGITS: usize = 78;

/// Whole number of 256 bits that travels as a decimal string, such as an amount in atomic units.
///
/// A string has digits only, and no zero before another digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Decimal(pub U256);

impl Decimal {
    /// Reads a decimal string. Returns `None` if it has another form or does not fit 256 bits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let has_form = (1..=MAX_DIGITS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'));
        if !has_form {
            return None;
        }
        U256::from_str_radix(text, 10).ok().map(Self)
    }

    /// Returns the number, or `None` if it does not fit 128 bits.
    #[must_use]
    pub fn to_u128(self) -> Option<u128> {
        self.0.try_into().ok()
    }

    /// Returns the number, or `None` if it does not fit 64 bits.
    #[must_use]
    pub fn to_u64(self) -> Option<u64> {
        self.0.try_into().ok()
    }
}

impl From<u128> for Decimal {
    fn from(number: u128) -> Self {
        Self(U256::from(number))
    }
}

impl From<u64> for Decimal {
    fn from(number: u64) -> Self {
        Self(U256::from(number))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = Decimal;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a decimal string of at most 256 bits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                let number = Decimal::parse(text);
                number.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_has_one_form_for_each_number() {
        assert_eq!(Decimal::parse("0"), Some(Decimal::default()));
        assert_eq!(Decimal::parse("10"), Some(Decimal::from(10_u64)));
        let largest = U256::MAX.to_string();
        assert_eq!(Decimal::parse(&largest), Some(Decimal(U256::MAX)));
        let next = format!("{}6", &largest[..77]);
        for text in ["", "00", "07", "-1", "+1", "1 ", "0x1", "1_0", "1e3", &next] {
            assert_eq!(Decimal::parse(text), None, "{text:?}");
        }
        assert_eq!(Decimal(U256::MAX).to_u128(), None);
        assert_eq!(Decimal::from(u128::MAX).to_u128(), Some(u128::MAX));
    }
}
