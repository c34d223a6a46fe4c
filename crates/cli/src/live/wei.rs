//! Amounts of money in arguments and output.

use std::{fmt, str::FromStr};

use cotrain_protocol::Amount;

/// Amount in wei, shown in the form of [`Amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wei(pub(crate) u128);

/// Units of an amount, each with its number of decimal places.
const UNITS: [(&str, usize); 4] = [("gwei", 9), ("wei", 0), ("ether", 18), ("eth", 18)];

impl FromStr for Wei {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is no amount; expected a number of wei, or one with a unit: 5gwei, 0.1ether"
            )
        };
        let (number, digits) = UNITS
            .into_iter()
            .find_map(|(unit, digits)| Some((text.strip_suffix(unit)?.trim_end(), digits)))
            .unwrap_or((text, 0));
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(part) || part.len() > digits {
            return Err(wrong());
        }
        format!("{whole}{part:0<digits$}")
            .parse()
            .map(Self)
            .map_err(|_| wrong())
    }
}

/// Returns an amount as text if the text is a number of wei, and otherwise the text unchanged.
pub(crate) fn format_wei(wei: &str) -> String {
    wei.parse()
        .map_or_else(|_| wei.to_owned(), |wei| Wei(wei).to_string())
}

impl fmt::Display for Wei {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Amount(self.0).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_str_reads_amounts_to_the_wei() {
        let read = |text: &str| text.parse::<Wei>().map(|wei| wei.0);
        assert_eq!(read("7"), Ok(7));
        assert_eq!(read("7wei"), Ok(7));
        assert_eq!(read("1.5 gwei"), Ok(1_500_000_000));
        assert_eq!(read("0.000000000000000001ether"), Ok(1));
        assert_eq!(read("2eth"), Ok(2_000_000_000_000_000_000));
        for wrong in [
            "",
            "ether",
            "1.5",
            "-1",
            "1e3",
            "0.0000000000000000001ether",
            ".5eth",
        ] {
            read(wrong).unwrap_err();
        }
    }

    #[test]
    fn format_wei_gives_amounts_a_unit() {
        assert_eq!(format_wei("1500000000000000000"), "1.5 ether");
        assert_eq!(format_wei("7"), "7 wei");
        assert_eq!(format_wei("-1"), "-1");
    }
}
