//! Tokens that labeling work is sold for, each as one text.

use alloy_primitives::Address;
use cotrain_payments::price::UnitPrice;
use serde::{Deserializer, de::Error};

use super::forms;

/// Token that labeling work is sold for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetSection {
    /// Address of the token.
    pub address: Address,
    /// Name in the token's EIP-712 domain.
    pub name: String,
    /// Version in the token's EIP-712 domain.
    pub version: String,
    /// Decimals of the token.
    pub decimals: u8,
    /// Price of units, in the token's smallest unit.
    pub price: UnitPrice,
    /// Fee of a refund, in the token's smallest unit.
    pub refund_fee: u128,
}

/// Reads tokens with their prices.
pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<AssetSection>, D::Error> {
    let read = |value| forms::list(value)?.iter().map(|text| asset(text)).collect();
    let expected = "a list of tokens such as \"0x036C…CF7e; USDC; 2; 6; 100/1000; 50\": address, \
                    name, version, decimals, amount for a number of units, and fee of a refund";
    let assets: Vec<AssetSection> = forms::form(from, read, expected)?;
    let is_new = |index: usize| {
        let mut before = assets[..index].iter();
        before.all(|asset| asset.address != assets[index].address)
    };
    if (0..assets.len()).all(is_new) {
        Ok(assets)
    } else {
        Err(D::Error::custom("each token once"))
    }
}

/// Reads one token; `None` if it has another form.
fn asset(text: &str) -> Option<AssetSection> {
    let parts: Vec<_> = text.split(';').map(str::trim).collect();
    let [token, name, version, decimals, price, fee] = parts[..] else {
        return None;
    };
    let (amount, units) = price.split_once('/')?;
    let has_text = !name.is_empty() && !version.is_empty();
    has_text.then_some(AssetSection {
        address: forms::address(token).ok()?,
        name: name.to_owned(),
        version: version.to_owned(),
        decimals: decimals.parse().ok().filter(|it| *it <= 36)?,
        price: UnitPrice {
            amount: amount.trim().parse().ok()?,
            units: units.trim().parse().ok()?,
        },
        refund_fee: fee.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asset_has_six_parts() {
        const TOKEN: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
        let read = |rest: &str| asset(&format!("{TOKEN}; {rest}"));
        let usdc = read("USD Coin; 2; 6; 100/1000; 7").unwrap();
        assert_eq!((usdc.name.as_str(), usdc.decimals), ("USD Coin", 6));
        assert_eq!(usdc.price.cost(25), 3);
        assert_eq!(usdc.refund_fee, 7);
        for wrong in [
            "USDC; 2; 6; 100/1000",
            "USDC; 2; 6; 0/1000; 0",
            "USDC; 2; 6; 0.1/1; 0",
            "USDC; 2; 6; 1; 0",
            "; 2; 6; 1/1; 0",
            "USDC; 2; six; 1/1; 0",
            "USDC; 2; 6; 1/1; -1",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
