//! Display of amounts of money. All crates show money by these types.

use std::fmt;

/// Number of wei in an ether.
const ETHER: u128 = 1_000_000_000_000_000_000;
/// Number of wei in a gwei.
const GWEI: u128 = 1_000_000_000;

/// Amount in wei. It is shown in ether with every digit, or in wei if it is below a gwei.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub u128);

/// Price of a unit of gas in wei. It is shown in gwei with every digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GasPrice(pub u128);

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1..GWEI => write!(formatter, "{} wei", self.0),
            _ => show(formatter, self.0, ETHER, "ether"),
        }
    }
}

impl fmt::Display for GasPrice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(formatter, self.0, GWEI, "gwei")
    }
}

fn show(formatter: &mut fmt::Formatter<'_>, wei: u128, base: u128, unit: &str) -> fmt::Result {
    let (whole, part) = (wei / base, wei % base);
    write!(formatter, "{whole}")?;
    if part > 0 {
        let width = base.ilog10() as usize;
        let digits = format!("{part:0width$}");
        write!(formatter, ".{}", digits.trim_end_matches('0'))?;
    }
    write!(formatter, " {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amount_is_shown_in_one_unit_with_all_digits() {
        let shown = |wei| Amount(wei).to_string();
        assert_eq!(shown(0), "0 ether");
        assert_eq!(shown(1), "1 wei");
        assert_eq!(shown(999_999_999), "999999999 wei");
        assert_eq!(shown(1_000_000_000), "0.000000001 ether");
        assert_eq!(shown(236_240_672_360), "0.00000023624067236 ether");
        assert_eq!(shown(50_000_000_000_000_000), "0.05 ether");
        assert_eq!(
            shown(1_000_000_000_000_000_001),
            "1.000000000000000001 ether"
        );
        assert_eq!(
            shown(u128::MAX),
            "340282366920938463463.374607431768211455 ether"
        );
    }

    #[test]
    fn gas_price_is_shown_in_gwei() {
        assert_eq!(GasPrice(0).to_string(), "0 gwei");
        assert_eq!(GasPrice(1_000_007).to_string(), "0.001000007 gwei");
        assert_eq!(GasPrice(30 * GWEI).to_string(), "30 gwei");
    }
}
