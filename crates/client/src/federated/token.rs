//! An ERC-20 token: its amounts as text, and what an account has of it.

use alloy_primitives::{Address, Bytes, U256};
use alloy_sol_types::SolCall;
use cotrain_bindings::channels::Erc3009Token as Erc20;
use cotrain_chain::node::{Node, NodeError};
use cotrain_learning::text::escaped_to;

use super::ask::ask;

/// Maximum length of a symbol in messages, in characters.
const MAX_SYMBOL: usize = 16;

/// An ERC-20 token on a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its contract.
    pub address: Address,
    /// Its symbol, without what a terminal would obey.
    pub symbol: String,
    /// Number of decimal places of its amounts.
    pub decimals: u8,
}

/// Failure to read a token, or an amount of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// No token is at the address.
    #[error("{address} is no ERC-20 token ({reason}); check the address and the chain")]
    NoToken {
        /// The address.
        address: Address,
        /// Answer of the node.
        reason: Box<NodeError>,
    },
    /// A text is no amount.
    #[error(
        "`{text}` is no amount of {symbol}; expected a number with at most {decimals} decimal places, such as 1.5"
    )]
    NoAmount {
        /// The text.
        text: String,
        /// Symbol of the token.
        symbol: String,
        /// Number of decimal places.
        decimals: u8,
    },
}

impl Token {
    /// Creates the token that cotrain deploys for rewards, or for trials.
    #[must_use]
    pub fn own(address: Address, symbol: &str, decimals: u8) -> Self {
        Self {
            address,
            symbol: escaped_to(symbol, MAX_SYMBOL).to_string(),
            decimals,
        }
    }

    /// Reads symbol and decimal places of a token.
    ///
    /// # Errors
    /// [`TokenError::Node`] or [`TokenError::NoToken`].
    pub async fn read(node: &Node, address: Address) -> Result<Self, TokenError> {
        let refused = |error: NodeError| match error {
            NodeError::Contradictory { .. } | NodeError::Reverted(_) => TokenError::NoToken {
                address,
                reason: Box::new(error),
            },
            error => error.into(),
        };
        let decimals = ask(node, address, &Erc20::decimalsCall {}, None).await;
        let symbol = ask(node, address, &Erc20::symbolCall {}, None).await;
        let (decimals, symbol) = (decimals.map_err(refused)?, symbol.map_err(refused)?);
        Ok(Self::own(address, &symbol, decimals))
    }

    /// Parses an amount in whole tokens. Returns it in the smallest units.
    ///
    /// # Errors
    /// [`TokenError::NoAmount`].
    pub fn parse(&self, text: &str) -> Result<u128, TokenError> {
        let wrong = || TokenError::NoAmount {
            text: text.to_owned(),
            symbol: self.symbol.clone(),
            decimals: self.decimals,
        };
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let places = usize::from(self.decimals);
        if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > places {
            return Err(wrong());
        }
        let all = format!("{whole}{part:0<places$}");
        all.parse().map_err(|_| wrong())
    }

    /// Returns an amount as text, in whole tokens with the symbol.
    #[must_use]
    pub fn show(&self, amount: u128) -> String {
        let places = usize::from(self.decimals);
        let all = format!("{amount:0>width$}", width = places + 1);
        let (whole, part) = all.split_at(all.len() - places);
        let part = part.trim_end_matches('0');
        let point = if part.is_empty() { "" } else { "." };
        format!("{whole}{point}{part} {}", self.symbol)
    }

    /// Returns what an account has.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn balance(&self, node: &Node, account: Address) -> Result<u128, NodeError> {
        let call = Erc20::balanceOfCall { account };
        Ok(ask(node, self.address, &call, None).await?.saturating_to())
    }

    /// Returns what `spender` may take from an account.
    ///
    /// # Errors
    /// [`NodeError`].
    pub async fn allowance(
        &self,
        node: &Node,
        owner: Address,
        spender: Address,
    ) -> Result<u128, NodeError> {
        let call = Erc20::allowanceCall { owner, spender };
        Ok(ask(node, self.address, &call, None).await?.saturating_to())
    }

    /// Returns the call by which an account lets `spender` take an amount.
    #[must_use]
    pub fn approve(spender: Address, amount: u128) -> Bytes {
        let value = U256::from(amount);
        Erc20::approveCall { spender, value }.abi_encode().into()
    }

    /// Returns the call that mints an amount of the test token, which anyone may do.
    #[must_use]
    pub fn mint(to: Address, amount: u128) -> Bytes {
        let amount = U256::from(amount);
        Erc20::mintCall { to, amount }.abi_encode().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_parses_and_shows_amounts_to_the_smallest_unit() {
        let token = Token::own(Address::ZERO, "A\u{1b}B", 6);
        for (text, units, shown) in [
            ("0", 0, "0"),
            ("1", 1_000_000, "1"),
            ("1.5", 1_500_000, "1.5"),
            ("0.000001", 1, "0.000001"),
            ("120.25", 120_250_000, "120.25"),
        ] {
            assert_eq!(token.parse(text).expect("an amount"), units);
            assert_eq!(token.show(units), format!("{shown} A\\u{{1b}}B"));
        }
        for wrong in [
            "",
            "-1",
            "1e3",
            ".5",
            "0.0000001",
            "1,5",
            "340282366920938463463374607431768211456",
        ] {
            token.parse(wrong).unwrap_err();
        }
        let whole = Token::own(Address::ZERO, "W", 0);
        assert_eq!(whole.parse("7").expect("an amount"), 7);
        assert_eq!(whole.show(7), "7 W");
        whole.parse("7.1").unwrap_err();
    }
}
