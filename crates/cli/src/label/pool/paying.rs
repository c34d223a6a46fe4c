//! Purse of a pool: the account or the node that pays, its budget, and the consent to payments.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
};

use alloy_chains::NamedChain;
use anyhow::anyhow;
use console::{Key, Term};
use cotrain_client::label::{Approve, Asked, Channels, Invoices, LightningNode, Purse, Tokens};
use cotrain_learning::text::escaped_to;

use super::options::{PoolArgs, Target};
use crate::{error::CommandError, live::key::DEVELOPMENT_CHAIN, output::Narrator};

/// Maximum length of a coordinator's text, in characters.
const MAX_TEXT: usize = 200;

/// Millisatoshi of a satoshi.
const MSAT: u128 = 1_000;

/// Returns the purse that the options allow.
pub(super) fn purse(
    options: &PoolArgs,
    target: &Target,
    narrator: &Narrator,
) -> Result<Purse, CommandError> {
    let Some(limit) = options.budget.map(u128::from) else {
        return Ok(Purse::Empty);
    };
    let approve = approve(options.consent.yes, narrator.clone());
    let path = &target.wallet;
    if let Some((chain_id, token)) = options.token {
        let key = options.key.key(chain_id)?;
        if options.channel {
            let channels = Channels::open(key, chain_id, token, limit, path, approve);
            let channels = channels.map_err(CommandError::mistake)?;
            return Ok(Purse::Channels(Box::new(channels)));
        }
        let tokens = Tokens::open(key, chain_id, token, limit, path, approve);
        let tokens = tokens.map_err(CommandError::mistake)?;
        return Ok(Purse::Tokens(Box::new(tokens)));
    }
    let files = (&options.lnd_certificate, &options.lnd_macaroon);
    let (Some(url), (Some(certificate), Some(macaroon))) = (&options.lnd, files) else {
        return Err(CommandError::Mistake(anyhow!(
            "--budget names no money; name a token with --token, or a Lightning node with --lnd"
        )));
    };
    let node = LightningNode::new(url, certificate, macaroon).map_err(CommandError::mistake)?;
    let invoices = Invoices::open(node, limit * MSAT, path, approve);
    let invoices = invoices.map_err(CommandError::mistake)?;
    Ok(Purse::Invoices(Box::new(invoices)))
}

/// Returns the consent to payments. A person is asked once for each account that is paid, but not on
/// the development chain.
fn approve(yes: bool, narrator: Narrator) -> Approve {
    let mut agreed = BTreeSet::new();
    Box::new(move |asked: &Asked| {
        narrator.say(told(asked));
        let is_toy = asked.chain_id == Some(DEVELOPMENT_CHAIN);
        if yes || is_toy || agreed.contains(&asked.pay_to) {
            return true;
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            narrator.say("there is no terminal to ask; say --yes to pay within the budget");
            return false;
        }
        narrator.say("Pay this, and later ones to the same account within the budget? [y/N]");
        let terminal = Term::stderr();
        let says_yes = loop {
            match terminal.read_key() {
                Ok(Key::Char(letter)) => break matches!(letter, 'y' | 'Y'),
                Ok(Key::Enter) => {}
                _ => break false,
            }
        };
        if says_yes {
            agreed.insert(asked.pay_to.clone());
        }
        says_yes
    })
}

/// Returns a payment in words.
fn told(asked: &Asked) -> String {
    let chain = match asked.chain_id {
        None => String::new(),
        Some(DEVELOPMENT_CHAIN) => format!(" on chain {DEVELOPMENT_CHAIN} (a development chain)"),
        Some(chain_id) => match NamedChain::try_from(chain_id) {
            Ok(chain) => format!(" on chain {chain_id} ({chain})"),
            Err(_) => format!(" on chain {chain_id}"),
        },
    };
    let description = match asked.description.as_str() {
        "" => String::new(),
        text => format!("; the coordinator says: {}", escaped_to(text, MAX_TEXT)),
    };
    format!(
        "payment: {} {}{chain} to {}; the budget has {} left{description}",
        asked.amount,
        escaped_to(&asked.money, MAX_TEXT),
        asked.pay_to,
        asked.left
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_has_amount_token_chain_and_account() {
        let mut asked = Asked {
            amount: 1_500,
            money: "atomic units of the token 0x01 (USD\u{1b}[2J)".to_owned(),
            chain_id: Some(DEVELOPMENT_CHAIN),
            pay_to: "0x02".to_owned(),
            description: "100 units".to_owned(),
            left: 2_000,
        };
        assert_eq!(
            told(&asked),
            "payment: 1500 atomic units of the token 0x01 (USD\\u{1b}[2J) on chain 31337 (a \
             development chain) to 0x02; the budget has 2000 left; the coordinator says: 100 units"
        );
        asked.chain_id = None;
        asked.description.clear();
        assert!(told(&asked).ends_with("[2J) to 0x02; the budget has 2000 left"));
    }
}
